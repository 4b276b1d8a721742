package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
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
dhcp, dnsmasq, dnsmasq_pid, lacks and missing. Fields are added, never renamed or removed.

Exit codes: 0 told, also of drift; 2 wrong usage, such as a network that is not in
force; 3 cannot read.`,
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

// The JSON of status. Fields are added, never renamed or removed.
type (
	jsonStatus struct {
		InStep   bool              `json:"in_step"` // of all networks, and of what else stands under our names
		Networks []networkStatus   `json:"networks"`
		Together *firewall.Traffic `json:"together,omitempty"` // what all networks' rules have counted

		differences int
		damaged     error // what could not be read of the networks' leases; the rest is told
	}
	// networkStatus is what there is to say of one network, a part for each thing that vnetc does for it.
	networkStatus struct {
		Name     string           `json:"name"`
		Mode     string           `json:"mode"`
		Bridge   string           `json:"bridge,omitempty"`
		File     string           `json:"file"`
		Applied  time.Time        `json:"applied"`
		Up       bool             `json:"up"`
		Firewall *firewallStatus  `json:"firewall"` // nil for a mode that has no rules
		Host     *netsetup.Status `json:"host"`     // nil unless it is up
	}
	firewallStatus struct {
		Backend string           `json:"backend"`
		Layout  string           `json:"layout"`
		Names   string           `json:"names"`
		Strict  bool             `json:"strict_isolation"`
		InStep  bool             `json:"in_step"`
		Traffic firewall.Traffic `json:"traffic"`
	}
)

func status(s streams, f *hostFlags, format string, names []string) error {
	dir, known, err := f.look(s)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := inForce(known, names); err != nil {
		return err
	}
	all, err := gather(s, f, dir, known)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		all.Networks = slices.DeleteFunc(all.Networks, func(n networkStatus) bool { return !slices.Contains(names, n.Name) })
	}
	switch {
	case format == "json":
		return orHost(errors.Join(diag.WriteJSON(s.out, all), all.damaged))
	case len(names) > 0:
		err = all.writeDetails(s.out)
	default:
		err = all.writeTable(s.out)
	}
	if err == nil && !all.InStep {
		_, err = fmt.Fprintf(s.err, "%s between the host and what is meant; vnetc audit tells those of rules; vnetc apply mends them, vnetc up all\n", plural(all.differences, "difference"))
	}
	return orHost(errors.Join(err, all.damaged))
}

// gather asks the kernel about the networks of the notes.
func gather(s streams, f *hostFlags, dir *state.Dir, known []state.Network) (jsonStatus, error) {
	if len(known) == 0 {
		return jsonStatus{InStep: true, Networks: []networkStatus{}}, nil
	}
	f.follow(known)
	target, others, err := f.target()
	if err != nil {
		return jsonStatus{}, err
	}
	w, err := again(known)
	if err != nil {
		return jsonStatus{}, err
	}
	audit, err := drift(s, w, target, others, firewall.Drifts)
	if err != nil {
		return jsonStatus{}, err
	}
	figures, _, err := firewall.Count(w.program, target)
	if err != nil {
		return jsonStatus{}, hostf("%v", err)
	}
	all := jsonStatus{InStep: audit.InStep(), Together: &figures.All, differences: backends.Mendable(audit.Drifts)}
	off := audit.Drifted(w.program.Links)
	for i, link := range w.program.Links {
		n := w.notes[i]
		one := networkStatus{Name: n.Name, Mode: string(link.Mode), Bridge: link.Bridge.Name, File: n.File, Applied: n.Applied, Up: n.Up}
		if link.Mode.Filtered() {
			one.Firewall = &firewallStatus{
				Backend: n.Backend, Layout: n.Layout, Names: n.Names, Strict: n.Strict,
				InStep: !off[n.Name], Traffic: figures.Networks[n.Name],
			}
		}
		all.Networks = append(all.Networks, one)
	}
	return all, all.lookAtHost(s, f, dir, w)
}

// lookAtHost adds what the host has of the networks that are up.
func (all *jsonStatus) lookAtHost(s streams, f *hostFlags, dir *state.Dir, w wanted) error {
	var up []string
	for _, n := range w.notes {
		if n.Up {
			up = append(up, n.Name)
		}
	}
	if len(up) == 0 {
		return nil
	}
	u, err := newHostRun(s, f, dir, w.notes)
	if err != nil {
		return err
	}
	defer u.host.Close()
	if err := u.host.FindServers(up); err != nil {
		return hostf("%v", err)
	}
	for i, n := range w.notes {
		if !n.Up {
			continue
		}
		mac, _ := net.ParseMAC(n.MAC)
		found, err := u.host.Status(w.program.Links[i], mac, time.Now())
		all.damaged = errors.Join(all.damaged, err)
		all.Networks[i].Host = &found
		all.InStep = all.InStep && len(found.Missing) == 0
		all.differences += len(found.Missing)
	}
	return nil
}
