package verify

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Text writes the audit for people.
func (a Audit) Text(out io.Writer) error {
	var b bytes.Buffer
	for i := range a.Drifts {
		printDrift(&b, &a.Drifts[i])
	}
	return a.end(&b, out, "- as it should be, + as it is")
}

// PlanText writes what a load would change, and what that does to packets. Diff is one from what is
// to what should be then.
func (a Audit) PlanText(out io.Writer, verbose bool) error {
	var b bytes.Buffer
	if err := (Plan{Drifts: a.Drifts, Verbose: verbose}).Text(&b); err != nil {
		return err
	}
	for i := range a.Drifts {
		if a.Drifts[i].Kind == backends.Ahead || a.Drifts[i].Kind == backends.Unexplained { // it stays
			printDrift(&b, &a.Drifts[i])
		}
	}
	return a.end(&b, out, "- as it is, + as it will be")
}

// end writes b and what is behind the drifts.
func (a Audit) end(b *bytes.Buffer, out io.Writer, signs string) error {
	switch {
	case backends.InStep(a.Drifts):
		fmt.Fprintf(b, "in step%s\n", ButAdmin(a.Admin))
	case backends.Mendable(a.Drifts) > 0:
		a.printRest(b, signs)
	}
	a.printAdmin(b)
	_, err := out.Write(b.Bytes())
	return err
}

// printAdmin prints what the administrator's own rules do to packets.
func (a Audit) printAdmin(b *bytes.Buffer) {
	for _, r := range a.AdminElsewhere {
		words := adminWords([]backends.AdminRules{r})
		fmt.Fprintf(b, "rules of your own are in force in %s, too: %s\n", r.Target, words)
	}
	if len(a.Admin) == 0 {
		return
	}
	if !backends.InStep(a.Drifts) {
		fmt.Fprintf(b, "\nbeside these there are your own rules: %s\n", adminWords(a.Admin))
	}
	if len(a.AdminChanges) == 0 && !a.AdminMore {
		fmt.Fprintln(b, "your own rules change the fate of no packet")
		return
	}
	printEffects(b, a.AdminChanges, effectWords{"what your own rules do to packets", "what they do only",
		"%s, without them %s"})
	if a.AdminMore {
		fmt.Fprintln(b, "  and more of that")
	}
}

// printRest prints where the drift is, and what it does to packets.
func (a Audit) printRest(b *bytes.Buffer, signs string) {
	if a.Diff != "" {
		fmt.Fprintf(b, "\nwhere that is (%s):\n%s", signs, a.Diff)
	}
	printEffects(b, a.Changes, effectWords{"what that does to packets", "what it does only", "%s, should be %s"})
	if a.More {
		fmt.Fprintln(b, "  and the same between other networks")
	}
	if a.TooLarge {
		fmt.Fprintf(b,
			"\nwhat %s does to packets: too large for the budget\n  why: %s\n  fix: give it time: --budget 60s\n",
			map[bool]string{false: "that", true: "else it"}[len(a.Changes) > 0], tooLargeWhy)
	}
}

func printDrift(b *bytes.Buffer, d *backends.Drift) {
	marks := map[backends.DriftKind]string{
		backends.Missing: "-", backends.Extra: "+", backends.Moved: "~", backends.Ahead: "!",
		backends.Unexplained: "?",
	}
	fmt.Fprintf(b, "%s %-8s %s: %s\n", marks[d.Kind], d.Kind, driftPlace(d), driftWords(d))
	if d.Of != nil {
		o := d.Of.Origin
		fmt.Fprintf(b, "             %s, network %s: %s\n", o.Span, o.Network, o.Reason)
	}
	if d.Lets != nil {
		fmt.Fprintf(b, "             %s\n", letWords(d))
	}
}

// effectWords are the headings of effects on packets, and the format of the fate now and before.
type effectWords struct{ head, only, fates string }

// printEffects prints what drift does to packets. For packets with an address that does not belong
// to where they come from or go to, each fate is printed once.
func printEffects(b *bytes.Buffer, changes []prove.Difference, words effectWords) {
	foreign := slices.IndexFunc(changes, func(c prove.Difference) bool { return c.Foreign })
	if foreign < 0 {
		foreign = len(changes)
	}
	for i, c := range changes[:foreign] {
		if i == 0 {
			fmt.Fprintf(b, "\n%s:\n", words.head)
		}
		for _, p := range c.Packets {
			fmt.Fprintf(b, "  %s from %s to %s (%s): "+words.fates+"\n", p, c.From, c.To, c.Family, isWords(c), c.Was)
		}
		if depends := dependsWords(c.Because); depends != "" {
			fmt.Fprintf(b, "    %s\n", depends)
		}
		fmt.Fprintf(b, "    for example %s\n", c.Example)
	}
	type fate struct {
		family   ir.Family
		was, now string
	}
	told := make(map[fate]bool)
	for i, c := range changes[foreign:] {
		if i == 0 {
			fmt.Fprintf(b, "\n%s to packets with an address that is not of where they come from or go to "+
				"(--format json has them all):\n", words.only)
		}
		if f := (fate{c.Family, c.Was, isWords(c)}); !told[f] {
			told[f] = true
			fmt.Fprintf(b, "  such as %s: "+words.fates+"\n", c.Example, isWords(c), c.Was)
		}
	}
}
