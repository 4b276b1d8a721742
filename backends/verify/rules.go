package verify

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Linear is a rule that a target's layout could not merge with others like it.
type Linear struct {
	Label string // of the target
	backends.Linear
}

// linear adds what stays linear in low.
func (v *Verification) linear(low Lowering) {
	m, ok := low.Backend.(backends.Merger)
	if !ok {
		return
	}
	for _, l := range m.Linear(v.Program, low.Options) {
		v.Linear = append(v.Linear, Linear{low.Label, l})
	}
}

// Remarks returns, as notes, what there is to say about single rules: which no packet reaches,
// which change nothing, which stay linear. What opens the host's services is left out; see
// [prove.Dead].
func (v *Verification) Remarks() diag.List {
	var list diag.List
	for _, d := range v.Dead {
		if d.Kind == prove.Unreached || !d.Step.Chain.Group.Opens() {
			list = append(list, deadNote(d))
		}
	}
	for _, l := range v.Linear {
		list = append(list, l.note())
	}
	return list
}

func deadNote(d prove.DeadRule) diag.Diagnostic {
	n := diag.Diagnostic{
		Severity: diag.Note, Code: "verify-dead", Span: d.Step.Rule.Origin.Span,
		What: "this rule changes no packet's fate: " + d.Step.Chain.Label() + " " + d.Step.Rule.String(),
		Why:  "without it the same would become of what it matches", Fix: "nothing need be done",
	}
	if d.Kind == prove.Unreached {
		n.What = "no packet reaches this rule: " + d.Step.Chain.Label() + " " + d.Step.Rule.String()
		n.Why = "nothing can match it"
		if d.Cover.Rule != nil {
			n.Why = "what it matches is decided before it"
			n.Related = []diag.Related{{Span: d.Cover.Rule.Origin.Span,
				Text: "for one, by this: " + d.Cover.Rule.String()}}
		}
	}
	return n
}

func (l Linear) note() diag.Diagnostic {
	n := diag.Diagnostic{
		Severity: diag.Note, Code: "verify-linear", Span: l.Rule.Origin.Span,
		What: fmt.Sprintf("%s keeps this rule by itself: %s", l.Label, l.Rule), Why: l.Why, Fix: "nothing need be done",
	}
	if l.Over != nil {
		n.Related = []diag.Related{{Span: l.Over.Origin.Span, Text: "which is " + l.Over.String()}}
	}
	return n
}

// maxRules is how many rules of a kind are listed for people.
const maxRules = 10

// printRules says which rules do nothing, and which stay linear.
func (v *Verification) printRules(b *bytes.Buffer) {
	var unreached, linear []string
	idle := make(map[*ir.Chain]int)
	var chains []*ir.Chain
	for _, d := range v.Dead {
		c := d.Step.Chain
		switch {
		case d.Kind == prove.Unreached:
			unreached = append(unreached, deadWords(d))
		default:
			if idle[c] == 0 {
				chains = append(chains, c)
			}
			idle[c]++
		}
	}
	for _, l := range v.Linear {
		linear = append(linear, l.words())
	}
	if len(chains) > 0 {
		total, words := 0, []string(nil)
		for _, c := range chains {
			total += idle[c]
			words = append(words, fmt.Sprintf("%s %d", diag.Visible(c.Label()), idle[c]))
		}
		fmt.Fprintf(b, "\n%s would change nothing on a host without other rules: %s\n", plural(total, "rule"),
			strings.Join(words, ", "))
	}
	printList(b, unreached, "rules that no packet reaches")
	printList(b, linear, "rules that are not merged although others like them are")
}

// printList prints the first of all.
func printList(b *bytes.Buffer, all []string, title string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s (%d):\n\n", title, len(all))
	for _, words := range all[:min(len(all), maxRules)] {
		b.WriteString(words)
	}
	if n := len(all) - maxRules; n > 0 {
		fmt.Fprintf(b, "  and %d more; --format json lists all\n", n)
	}
}

func deadWords(d prove.DeadRule) string {
	text := ruleWords(d.Step.Chain.Label(), d.Step.Rule)
	switch {
	case d.Cover.Rule != nil:
		text += fmt.Sprintf("    before it  %s\n", diag.Visible(d.Cover.Rule.String()))
		text += fromWords(d.Cover.Rule)
	default:
		text += "    nothing can match it\n"
	}
	return text
}

func (l Linear) words() string {
	text := ruleWords(l.Label, l.Rule)
	text += fmt.Sprintf("    why        %s\n", l.Why)
	if l.Over != nil {
		text += fmt.Sprintf("    that is    %s\n", diag.Visible(l.Over.String())) + fromWords(l.Over)
	}
	return text
}

func ruleWords(where string, r *ir.Rule) string {
	return fmt.Sprintf("  %s: %s\n", diag.Visible(where), diag.Visible(r.String())) + fromWords(r)
}

func fromWords(r *ir.Rule) string {
	if from := originText(r.Origin); from != "" {
		return fmt.Sprintf("    from       %s\n", from)
	}
	return ""
}
