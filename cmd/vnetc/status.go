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
		Short: "how networks in force are doing: rules, packets and bytes",
		Long: `status prints, for each network in force, whether the kernel holds its rules as they
are meant, and what they have counted: packets and bytes (with IP headers) that were
forwarded to its guests (in) and from them (out). With NAMEs it says more about these:
what was refused, and of a network that is up its link, addresses, attached devices,
dnsmasq, DHCP addresses in use, and what vnetc up would mend ("in part" in the table).
Two guests of one network usually talk over the bridge, where no rule counts;
"between guests" is what they sent through the host.

A figure counts from when its rule, or its element of a set, came into the kernel:
an apply leaves those alone that are right. In layout sets what is refused is counted
for all networks together, not for each (null in JSON). A packet from one network to
another counts where it is accepted: in the one that it enters, if that lets it in.

--format json: "in_step" of everything, "together" (what all rules have counted) and
"networks", for each its name, mode, bridge, file, applied, up; "firewall" with backend,
layout, names, strict_isolation, in_step and traffic, null for a mode without rules;
"host", null unless it is up, with bridge, exists, link_up, devices, addresses, ports,
dhcp, dnsmasq, dnsmasq_pid, lacks, missing and overlaps. Fields are added, never renamed or
removed.

Exit codes: 0 told, also of drift; 1 the dnsmasq of a network that is up has ended, or
serves nobody; 2 wrong usage, such as a network that is not in force; 3 cannot read.`,
		Example: `  $ vnetc status
  NAME     UP  MODE  BACKEND   RULES    PACKETS IN  BYTES IN  PACKETS OUT  BYTES OUT  APPLIED               FILE
  default  no  nat   nftables  in step  1204        1650344   987          71064      2025-03-01 09:30:00Z  default.xml

  $ vnetc status default
  $ vnetc status --format json | jq '.networks[] | {name, out: .firewall.traffic.out.bytes}'`,
		RunE: func(_ *cobra.Command, names []string) error { return status(s, f, format.value, names) },
	}
	f = addHostFlags(cmd)
	format = addChoice(cmd, "format", "how to print", "text", "json")
	return cmd
}

func status(s streams, f *hostFlags, format string, names []string) error {
	var all inforce.Status
	err := f.look(s, func(h *inforce.Host) (err error) {
		all, err = h.Status(names)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case format == "json":
		return verdict(all, errors.Join(diag.WriteJSON(s.out, all), all.Damaged))
	case len(names) > 0:
		err = writeDetails(s.out, all)
	default:
		err = writeTable(s.out, all)
	}
	if err == nil && !all.InStep {
		_, err = fmt.Fprintf(s.err, "%s between the host and what is meant; vnetc audit tells those of rules; vnetc apply mends them, vnetc up all\n", plural(all.Differences, "difference"))
	}
	return verdict(all, errors.Join(err, all.Damaged))
}

// verdict is the end of a status that printed without err: no, if guests of a network get no DHCP and DNS that they should.
func verdict(all inforce.Status, err error) error {
	if err == nil && slices.ContainsFunc(all.Networks, func(n inforce.NetworkStatus) bool { return n.Host != nil && n.Host.Unserved() }) {
		return exitError{code: exitNo}
	}
	return orHost(err)
}
