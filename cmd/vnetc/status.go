package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

func newStatus(s streams) *cobra.Command {
	var f *hostFlags
	var format *choice
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "how networks in force are doing: rules, devices, dnsmasq, forwarding, traffic",
		Long: `status prints, for each network in force, whether its rules in the kernel are
right, and the bytes (with IP headers) that they counted to its guests (IN) and
from them (OUT). For a network that is up, it also checks bridge, addresses,
dnsmasq, and forwarding of the host and of each device on the way out. UP is
"in part" if vnetc up would fix something, and "cut off" if something else
keeps guests from the outside, such as a forward device that is down or does
not forward. With NAMEs it prints everything about these networks: also what is
missing, packets, and what was refused. Two guests of one network usually talk over
the bridge, where no rule counts; "between guests" is what they sent through
the host.

A figure counts from the time when its rule, or its element of a set, was
loaded: an apply does not reload rules that are right. In layout sets what is
refused is counted for all networks together, not for each (null in JSON). A
packet from one network to another counts where it is accepted: in the one that
it enters, if that lets it in.

--format json: "in_step" of everything, "together" (what all rules have
counted) and "networks", for each its name, mode, bridge, file, applied, up;
"firewall" with backend, layout, names, strict_isolation, in_step and traffic,
null for a mode without rules; "cut_off", what guests cannot do because of
foreign rules, if anything; "host", null unless it is up, with bridge,
exists, link_up, devices, addresses, ports, dhcp, dnsmasq, dnsmasq_pid, lacks,
missing, faults and overlaps. Fields are added, never renamed or removed.

Exit codes: 0 all is as it should be; 1 something is not, of the networks named
if any are; 2 wrong usage, such as a network that is not in force; 3 cannot
read.`,
		Example: `  $ vnetc status
  NAME     UP   MODE  BACKEND   RULES    IN      OUT
  default  yes  nat   nftables  in step  1.7 MB  71 kB

  $ vnetc status default
  $ vnetc status --format json | jq '.networks[] | {name, out: .firewall.traffic.out.bytes}'`,
		RunE: func(_ *cobra.Command, names []string) error { return status(s, f, format.value, names) },
	}
	f = addHostFlags(cmd)
	cmd.ValidArgsFunction = networksInForce(s, func() *hostFlags { return f })
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

func status(s streams, f *hostFlags, format string, names []string) error {
	var all inforce.Status
	var checkup inforce.Checkup
	err := f.look(s, func(h *inforce.Host) (err error) {
		if all, err = h.Status(names); err != nil || len(all.Networks) == 0 {
			return err
		}
		w, err := h.InForce()
		if err == nil {
			checkup, err = h.Checkup(w, namesOf(all), false)
		}
		return err
	})
	if err != nil {
		return err
	}
	var guests reach
	if len(all.Networks) > 0 {
		guests = reachOf(s, checkup)
	}
	for i := range all.Networks {
		all.Networks[i].CutOff = guests.of(all.Networks[i].Name)
	}
	switch {
	case format == "json":
		return verdict(all, names, errors.Join(diag.WriteJSON(s.out, all), all.Damaged))
	case len(names) > 0:
		err = writeDetails(s.out, all)
	default:
		err = writeTable(s.out, all)
		guests.print(s.err, namesOf(all))
	}
	if err == nil && !all.InStep {
		_, err = fmt.Fprintf(s.err,
			"the host differs from the configuration: %s; vnetc audit shows rules; vnetc up fixes it\n",
			plural(all.Differences, "difference"))
	}
	return verdict(all, names, errors.Join(err, all.Damaged))
}

// namesOf returns the networks' names, in order.
func namesOf(all inforce.Status) (names []string) {
	for _, n := range all.Networks {
		names = append(names, n.Name)
	}
	return names
}

// verdict is the end of a status that printed without err: no, if anything is at fault of what was
// asked for.
func verdict(all inforce.Status, names []string, err error) error {
	faulty := slices.ContainsFunc(all.Networks, func(n inforce.NetworkStatus) bool { return !n.Fine() })
	if err == nil && (faulty || len(names) == 0 && !all.InStep) {
		return exitError{code: exitNo}
	}
	return orHost(err)
}
