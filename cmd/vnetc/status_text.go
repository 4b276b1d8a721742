package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// rulesWord says in a word how the network's rules are.
func rulesWord(n inforce.NetworkStatus) string {
	switch {
	case n.Firewall == nil:
		return "none"
	case n.Firewall.InStep:
		return "in step"
	}
	return "drifted"
}

// upWord says in a word whether the network is up.
func upWord(n inforce.NetworkStatus) string {
	switch {
	case n.Host != nil && len(n.Host.Missing) > 0:
		return "in part"
	case n.Host != nil && len(n.Host.Faults) > 0:
		return "cut off"
	}
	return isUp[n.Up]
}

func writeTable(out io.Writer, all inforce.Status) error {
	if len(all.Networks) == 0 {
		_, err := fmt.Fprintln(out, "no network is in force")
		return err
	}
	tw := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tUP\tMODE\tBACKEND\tRULES\tIN\tOUT")
	for _, n := range all.Networks {
		backend, traffic := "-", firewall.Traffic{}
		if n.Firewall != nil {
			backend, traffic = n.Firewall.Backend, n.Firewall.Traffic
		}
		cells := []string{n.Name, upWord(n), n.Mode, backend, rulesWord(n)}
		for _, c := range []*backends.Count{traffic.In, traffic.Out} {
			if c == nil {
				cells = append(cells, "-")
				continue
			}
			cells = append(cells, size(c.Bytes))
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	return tw.Flush()
}

// size is a number of bytes in at most seven characters, rounded, in units of 1000.
func size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for x >= 999.5 {
		x, units = x/1000, units[1:]
	}
	if x < 9.95 {
		return fmt.Sprintf("%.1f %s", x, units[0])
	}
	return fmt.Sprintf("%.0f %s", x, units[0])
}

func writeDetails(out io.Writer, all inforce.Status) error {
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
		fmt.Fprintf(tw, "applied\t%s from %s\n", n.Applied.Format(timeFormat), diag.Visible(n.File))
		if n.Host != nil {
			writeHost(tw, n.Host)
		}
		for _, line := range n.CutOff {
			fmt.Fprintf(tw, "cut off\t%s\n", line)
		}
		if n.Firewall == nil {
			fmt.Fprintf(tw, "rules\tnone in mode %s\n", n.Mode)
			continue
		}
		fmt.Fprintf(tw, "rules\t%s\n", rulesWord(n))
		fmt.Fprintf(tw, "back end\t%s\n", layoutWords(n.Firewall))
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
	if h.Bridge != "" {
		fmt.Fprintf(out, "link\t%s\n", linkWord(h.Exists, h.LinkUp))
	}
	for _, d := range h.Devices {
		fmt.Fprintf(out, "device\t%s, %s\n", d.Name, linkWord(d.Exists, d.LinkUp))
	}
	for _, a := range h.Addresses {
		fmt.Fprintf(out, "address\t%s\n", a)
	}
	if h.Bridge != "" {
		fmt.Fprintf(out, "ports\t%s\n", dash(strings.Join(h.Ports, " ")))
	}
	fmt.Fprintf(out, "dnsmasq\t%s\n", h.DNSMasq)
	for _, p := range h.DHCP {
		fmt.Fprintf(out, "DHCP\t%s to %s, %d in use\n", p.From, p.To, p.InUse)
	}
	for _, l := range h.Lacks {
		fmt.Fprintf(out, "without\t%s (the kernel lacks %s)\n", l.Step, strings.Join(l.Modules, " "))
	}
	for _, o := range h.Overlaps {
		fmt.Fprintf(out, "overlap\t%s\n", o)
	}
	for _, m := range h.Missing {
		fmt.Fprintf(out, "missing\t%s\n", m)
	}
	for _, f := range h.Faults {
		fmt.Fprintf(out, "fault\t%s\n", f)
	}
}

// linkWord says in a word how a device is.
func linkWord(exists, up bool) string {
	switch {
	case !exists:
		return "missing"
	case up:
		return "up"
	}
	return "down"
}

// layoutWords returns how the rules are laid out.
func layoutWords(f *inforce.RulesStatus) string {
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
