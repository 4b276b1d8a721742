package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

type auditFlags struct {
	*hostFlags
	networkFlags
	takeOver takeOverFlags // of apply --dry-run
	format   *choice
}

func newAudit(s streams) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [PATH...]",
		Short: "compare the kernel's rules with what these networks say",
		Long: `audit says how the rules in the kernel differ from what apply would make of these
networks (without PATH: of those in force): each rule and each element of a set that
is missing, extra or moved, with the line of XML that asks for it; a diff in the words
of nft(8) or iptables(8), which shows where that is; and what it does to packets; and
rules left in another back end by an apply that was cut short. Rules of others that
packets meet before ours (iptables), and chains of others that drop by policy what ours
accept (nftables), are told as "ahead"; they are no drift, and apply leaves them there.
Without PATH "in force" is what vnetc's notes say; where they are lost, every rule of
ours is extra. audit changes nothing.

Exit codes: 0 in step; 1 drift, or errors in the input; 2 wrong usage; 3 cannot read.`,
		Example: `  vnetc audit
  vnetc audit /etc/vnetc/networks --prune
  vnetc audit --format json | jq -r '.drift[].rule'
  vnetc audit --format sarif > drift.sarif`,
		ValidArgsFunction: xmlPaths,
		RunE:              func(_ *cobra.Command, paths []string) error { return audit(s, &f, paths) },
	}
	f.hostFlags = addHostFlags(cmd)
	addNetworkFlags(cmd, &f.networkFlags, "networks that are in force and not named here are drift")
	f.format = addChoice(cmd, "format", "how to print", "text", "json", "sarif")
	return cmd
}

func audit(s streams, f *auditFlags, paths []string) error {
	given, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	dir, known, err := f.look(s)
	if err != nil {
		return err
	}
	defer dir.Close()
	f.follow(known)
	target, others, err := f.target()
	if err != nil {
		return err
	}
	w := want(given, known, f.networkFlags.options(), f.prune)
	if err := report(s, w.src, w.found, false); err != nil {
		return err
	}
	a, err := drift(s, w, target, others, firewall.Compare)
	if err != nil {
		return err
	}
	taking, err := planTakeOver(s, &f.takeOver, target.Options.Names, w)
	if err != nil {
		return err
	}
	taken, err := taking.run(s, true)
	if err != nil {
		return err
	}
	if f.format.value == "sarif" {
		err = orHost(diag.SARIF(s.out, driftList(a), w.src, version()))
	} else {
		err = printAudit(s, f.format.value, a, taken)
	}
	if err != nil {
		return err
	}
	if f.format.value == "text" {
		if err := printPlaces(s.out, taken, true); err != nil {
			return orHost(err)
		}
	}
	if !a.InStep() || slices.ContainsFunc(taken, place.goes) {
		return exitError{code: exitNo}
	}
	return nil
}

// comparing is [firewall.Compare] or [firewall.Drifts].
type comparing func(*ir.Program, firewall.Target) (firewall.Audit, diag.List, error)

// drift says how target differs from what is wanted, and what of ours the others hold.
func drift(s streams, w wanted, target firewall.Target, others []firewall.Target, compare comparing) (firewall.Audit, error) {
	a, found, err := compare(w.program, target)
	if err != nil {
		return a, hostf("%v", err)
	}
	if err := report(s, w.src, found, false); err != nil {
		return a, err
	}
	left, err := firewall.Leftovers(others)
	if err != nil {
		return a, hostf("%v", err)
	}
	a.Drifts = append(a.Drifts, left...)
	return a, nil
}

// The JSON of audit.
type (
	jsonAudit struct {
		InStep  bool              `json:"in_step"`
		Drift   []jsonDrift       `json:"drift"`
		Packets []jsonDriftEffect `json:"packets"`
		More    bool              `json:"more_packets"` // true if others of the same kinds are left out
		Diff    string            `json:"diff,omitempty"`
		Taken   []jsonPlace       `json:"taken_over,omitempty"` // what would go
	}
	jsonDrift struct {
		Kind   string             `json:"kind"`
		Chain  string             `json:"chain"`
		Rule   string             `json:"rule"`
		Origin *verify.JSONOrigin `json:"origin,omitempty"`
	}
	jsonDriftEffect struct {
		From    string   `json:"from"`
		To      string   `json:"to"`
		Family  string   `json:"family"`
		Should  string   `json:"should_be"`
		Is      string   `json:"is"`
		Packets []string `json:"packets"`
		Example string   `json:"example"`
		Foreign bool     `json:"foreign,omitempty"` // true if all of them have an address that is not of From or To
	}
)

func printAudit(s streams, format string, a firewall.Audit, taken []place) error {
	if format == "json" {
		doc := jsonAudit{InStep: a.InStep(), Drift: []jsonDrift{}, Packets: []jsonDriftEffect{}, More: a.More, Diff: a.Diff(), Taken: jsonPlaces(taken)}
		for _, d := range a.Drifts {
			j := jsonDrift{Kind: string(d.Kind), Chain: d.Chain, Rule: d.Rule}
			if d.Of != nil {
				origin := verify.OriginJSON(d.Of.Origin)
				j.Origin = &origin
			}
			doc.Drift = append(doc.Drift, j)
		}
		for _, c := range a.Changes {
			doc.Packets = append(doc.Packets, jsonDriftEffect{c.From.String(), c.To.String(), c.Family.String(), c.Was, c.Now, c.Packets, c.Example.String(), c.Foreign})
		}
		return orHost(diag.WriteJSON(s.out, doc))
	}
	mend := 0
	for _, d := range a.Drifts {
		mark := map[firewall.DriftKind]string{firewall.Missing: "-", firewall.Extra: "+", firewall.Moved: "~", firewall.Ahead: "!"}[d.Kind]
		if d.Kind != firewall.Ahead {
			mend++
		}
		fmt.Fprintf(s.out, "%s %-8s %s: %s\n", mark, d.Kind, d.Chain, d.Rule)
		if d.Of != nil {
			fmt.Fprintf(s.out, "             %s, network %s: %s\n", d.Of.Origin.Span, d.Of.Origin.Network, d.Of.Origin.Reason)
		}
	}
	if mend == 0 {
		_, err := fmt.Fprintln(s.out, "in step")
		return orHost(err)
	}
	if text := a.Diff(); text != "" {
		fmt.Fprintf(s.out, "\nwhere that is (- as it should be, + as it is):\n%s", text)
	}
	printEffects(s.out, a.Changes)
	if a.More {
		fmt.Fprintln(s.out, "  and the same between other networks")
	}
	_, err := fmt.Fprintf(s.err, "%s; vnetc apply mends it\n", plural(mend, "difference"))
	return orHost(err)
}

// printEffects says what drift does to packets. What it does only to those whose address is not of where they come from or go
// to is told once for each fate.
func printEffects(w io.Writer, changes []prove.Difference) {
	foreign := slices.IndexFunc(changes, func(c prove.Difference) bool { return c.Foreign }) // behind the others
	if foreign < 0 {
		foreign = len(changes)
	}
	for i, c := range changes[:foreign] {
		if i == 0 {
			fmt.Fprintln(w, "\nwhat that does to packets:")
		}
		for _, p := range c.Packets {
			fmt.Fprintf(w, "  %s from %s to %s (%s): is %s, should be %s\n", p, c.From, c.To, c.Family, c.Now, c.Was)
		}
		fmt.Fprintf(w, "    for example %s\n", c.Example)
	}
	type fate struct {
		family   ir.Family
		was, now string
	}
	told := make(map[fate]bool)
	for i, c := range changes[foreign:] {
		if i == 0 {
			fmt.Fprintln(w, "\nwhat it does only to packets with an address that is not of where they come from or go to (--format json has them all):")
		}
		if f := (fate{c.Family, c.Was, c.Now}); !told[f] {
			told[f] = true
			fmt.Fprintf(w, "  such as %s: is %s, should be %s\n", c.Example, c.Now, c.Was)
		}
	}
}
