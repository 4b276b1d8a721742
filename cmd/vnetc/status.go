package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
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
dnsmasq, DHCP addresses in use, and what vnetc up would mend ("in part" in the table). Two guests of one network usually talk over the bridge,
where no rule counts; "between guests" is what they sent through the host.

A figure counts from when its rule, or its element of a set, came into the kernel:
an apply leaves those alone that are right. In layout sets what is refused is counted
for all networks together, not for each (null in JSON). A packet from one network to
another counts where it is accepted: in the one that it enters, if that lets it in.

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
	dir, known, err := f.open(s)
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
	if format == "json" {
		return orHost(diag.WriteJSON(s.out, all))
	}
	if len(names) > 0 {
		err = all.writeDetails(s.out)
	} else {
		err = all.writeTable(s.out)
	}
	if err == nil && !all.InStep {
		_, err = fmt.Fprintf(s.err, "%s between the host and what is meant; vnetc audit tells those of rules; vnetc apply mends them, vnetc up all\n", plural(all.differences, "difference"))
	}
	return orHost(err)
}

// gather asks the kernel about the networks of the notes.
func gather(s streams, f *hostFlags, dir *state.Dir, known []state.Network) (jsonStatus, error) {
	if len(known) == 0 {
		return jsonStatus{InStep: true, Networks: []networkStatus{}}, nil
	}
	f.follow(known[0])
	target, _, err := f.target()
	if err != nil {
		return jsonStatus{}, err
	}
	w, err := again(known)
	if err != nil {
		return jsonStatus{}, err
	}
	audit, found, err := firewall.Compare(w.program, target)
	if err != nil {
		return jsonStatus{}, hostf("%v", err)
	}
	if err := report(s, w.src, found, false); err != nil {
		return jsonStatus{}, err
	}
	figures, _, err := firewall.Count(w.program, target)
	if err != nil {
		return jsonStatus{}, hostf("%v", err)
	}
	all := jsonStatus{InStep: audit.InStep(), Together: &figures.All}
	for _, d := range audit.Drifts {
		if d.Kind != firewall.Ahead {
			all.differences++
		}
	}
	for i, link := range w.program.Links {
		n := w.notes[i]
		one := networkStatus{Name: n.Name, Mode: string(link.Mode), Bridge: link.Bridge.Name, File: n.File, Applied: n.Applied, Up: n.Up}
		if link.Mode.Filtered() {
			one.Firewall = &firewallStatus{
				Backend: n.Backend, Layout: n.Layout, Names: n.Names, Strict: n.Strict,
				InStep: !touches(audit, n.Name), Traffic: figures.Networks[n.Name],
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
		if err != nil {
			return hostf("%v", err)
		}
		all.Networks[i].Host = &found
		all.InStep = all.InStep && len(found.Missing) == 0
		all.differences += len(found.Missing)
	}
	return nil
}

// touches is true if one of the network's own rules is missing or out of its place, or if what drift there is changes what
// becomes of packets from it or to it.
func touches(a firewall.Audit, network string) bool {
	place := prove.Place{Kind: prove.Network, Name: network}
	return slices.ContainsFunc(a.Drifts, func(d firewall.Drift) bool { return d.Of != nil && d.Of.Origin.Network == network }) ||
		slices.ContainsFunc(a.Changes, func(c prove.Difference) bool { return c.From == place || c.To == place })
}

// rules says in a word how the network's rules are.
func (n networkStatus) rules() string {
	switch {
	case n.Firewall == nil:
		return "none"
	case n.Firewall.InStep:
		return "in step"
	}
	return "drifted"
}

// upWord says in a word whether the network is up.
func (n networkStatus) upWord() string {
	if n.Host != nil && len(n.Host.Missing) > 0 {
		return "in part"
	}
	return isUp[n.Up]
}

func (all jsonStatus) writeTable(out io.Writer) error {
	if len(all.Networks) == 0 {
		_, err := fmt.Fprintln(out, "no network is in force")
		return err
	}
	tw := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tUP\tMODE\tBACKEND\tRULES\tPACKETS IN\tBYTES IN\tPACKETS OUT\tBYTES OUT\tAPPLIED\tFILE")
	for _, n := range all.Networks {
		backend, traffic := "-", firewall.Traffic{}
		if n.Firewall != nil {
			backend, traffic = n.Firewall.Backend, n.Firewall.Traffic
		}
		cells := []string{n.Name, n.upWord(), n.Mode, backend, n.rules()}
		for _, c := range []*backends.Count{traffic.In, traffic.Out} {
			if c == nil {
				cells = append(cells, "-", "-")
				continue
			}
			cells = append(cells, fmt.Sprint(c.Packets), fmt.Sprint(c.Bytes))
		}
		fmt.Fprintln(tw, strings.Join(append(cells, n.Applied.Format(timeFormat), n.File), "\t"))
	}
	return tw.Flush()
}

func (all jsonStatus) writeDetails(out io.Writer) error {
	tw := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for i, n := range all.Networks {
		if i > 0 {
			fmt.Fprintln(tw)
		}
		fmt.Fprintf(tw, "network\t%s\n", n.Name)
		fmt.Fprintf(tw, "mode\t%s\n", n.Mode)
		if n.Bridge != "" {
			fmt.Fprintf(tw, "bridge\t%s\n", n.Bridge)
		}
		fmt.Fprintf(tw, "applied\t%s from %s\n", n.Applied.Format(timeFormat), n.File)
		if n.Host != nil {
			writeHost(tw, n.Host)
		}
		if n.Firewall == nil {
			fmt.Fprintf(tw, "rules\tnone in mode %s\n", n.Mode)
			continue
		}
		fmt.Fprintf(tw, "rules\t%s\n", n.rules())
		fmt.Fprintf(tw, "back end\t%s\n", n.Firewall.words())
		t := n.Firewall.Traffic
		fmt.Fprintf(tw, "in\t%s\n", countText(t.In, all.Together.In))
		fmt.Fprintf(tw, "out\t%s\n", countText(t.Out, all.Together.Out))
		fmt.Fprintf(tw, "between guests\t%s\n", countText(t.Between, all.Together.Between))
		fmt.Fprintf(tw, "refused\t%s\n", countText(t.Refused, all.Together.Refused))
	}
	return tw.Flush()
}

// writeHost says what the host has of a network that is up.
func writeHost(out io.Writer, h *netsetup.Status) {
	link := map[bool]string{true: "up", false: "down"}[h.LinkUp]
	if !h.Exists {
		link = "no bridge " + h.Bridge
	}
	fmt.Fprintf(out, "link\t%s\n", link)
	for _, a := range h.Addresses {
		fmt.Fprintf(out, "address\t%s\n", a)
	}
	fmt.Fprintf(out, "ports\t%s\n", dash(strings.Join(h.Ports, " ")))
	fmt.Fprintf(out, "dnsmasq\t%s\n", h.DNSMasq)
	for _, p := range h.DHCP {
		fmt.Fprintf(out, "DHCP\t%s to %s, %d in use\n", p.From, p.To, p.InUse)
	}
	for _, l := range h.Lacks {
		fmt.Fprintf(out, "without\t%s (the kernel lacks %s)\n", l.Step, strings.Join(l.Modules, " "))
	}
	for _, m := range h.Missing {
		fmt.Fprintf(out, "missing\t%s\n", m)
	}
}

// words returns how the rules are laid out.
func (f firewallStatus) words() string {
	words := f.Backend + ", layout " + f.Layout
	if f.Names != string(backends.VnetcNames) {
		words += ", names of " + f.Names
	}
	if f.Strict {
		words += ", strict isolation"
	}
	return words
}

// countText returns a figure in words; where the network has none of its own, that of all together.
func countText(c, together *backends.Count) string {
	if c == nil {
		return "counted for all networks together: " + countText(together, nil)
	}
	return plural(int(c.Packets), "packet") + ", " + plural(int(c.Bytes), "byte")
}
