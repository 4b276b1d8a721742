package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Diff returns where among the others the rules and elements stand that differ: a unified diff from
// what is meant to what the target holds, in the target's own words, with the chain beside each
// hunk. It is empty where the target holds nothing at all, or nothing is meant.
func (a Audit) Diff() string { return a.diff(false) }

// PlannedDiff is Diff from what the target holds to what is meant.
func (a Audit) PlannedDiff() string { return a.diff(true) }

func (a Audit) diff(planned bool) string {
	if a.meant == nil || len(a.held.Chains) == 0 || wantsNothing(a.meant) {
		return ""
	}
	meant, ok := a.target.texts(inOrder(a.meant, a.meant))
	held, too := a.target.texts(inOrder(a.held, a.meant))
	if !ok || !too || len(meant) != len(held) {
		meant, held = words(inOrder(a.meant, a.meant)), words(inOrder(a.held, a.meant))
	}
	var out strings.Builder
	for i := range meant {
		from, to := meant[i].Text, held[i].Text
		names := [2]string{"meant", "held"}
		if planned {
			from, to, names = to, from, [2]string{"held", "planned"}
		}
		text := diff.Diff(names[0], from, names[1], to)
		if len(text) > 0 {
			out.WriteString(withHeadings(string(text), strings.Split(string(from), "\n"), meant[i].File))
		}
	}
	return out.String()
}

// words returns p in the words of the IR.
func words(p *ir.Program) []backends.Document {
	return []backends.Document{{File: "rules", Text: []byte(p.String())}}
}

// texts returns p in the target's own words, a line per rule; false if the target can't say all of
// it.
func (t Target) texts(p *ir.Program) ([]backends.Document, bool) {
	options := t.Options
	options.Layout = backends.Chains
	sayable, tokens := withoutOpaque(p)
	rules, found := t.Loader.Lower(sayable, options)
	if found.HasErrors() {
		return nil, false
	}
	docs := rules.Emit()
	for i, d := range docs {
		var text strings.Builder
		for line := range strings.Lines(string(d.Text)) {
			if _, rest, stands := strings.Cut(line, tokenMark); stands {
				token, _, _ := strings.Cut(rest, "!")
				line = line[:len(line)-len(strings.TrimLeft(line, " \t"))] + tokens[token] + "\n"
			}
			if text.Len() > 0 || !strings.HasPrefix(line, "#") { // without the head, which says how to load it
				text.WriteString(line)
			}
		}
		docs[i].Text = []byte(text.String())
	}
	return docs, true
}

// tokenMark begins the comment of a rule that stands for one that is not modelled. None of our
// rules has such a comment.
const tokenMark = "not modelled!"

// withoutOpaque returns p with another rule for each that no target can be asked for, and by the
// tokens in their comments the rules themselves, in words of the IR.
func withoutOpaque(p *ir.Program) (*ir.Program, map[string]string) {
	out, tokens := *p, make(map[string]string)
	out.Chains = slices.Clone(p.Chains)
	for i, c := range p.Chains {
		copied := false
		for n := range c.Rules {
			if !isOpaque(&c.Rules[n]) {
				continue
			}
			if !copied {
				chain := *c
				chain.Rules = slices.Clone(c.Rules)
				out.Chains[i], copied = &chain, true
			}
			token := fmt.Sprint(len(tokens))
			tokens[token] = c.Label() + ": " + c.Rules[n].String()
			out.Chains[i].Rules[n] = ir.Rule{Family: c.Family, Verdict: ir.Accept{}, Comment: tokenMark + token + "!"}
		}
	}
	return &out, tokens
}

func isOpaque(r *ir.Rule) bool {
	switch r.Verdict.(type) {
	case ir.Opaque, ir.Handed:
		return true
	}
	return slices.ContainsFunc(r.Actions, func(a ir.Action) bool {
		switch a.(type) {
		case ir.OpaqueAction, ir.Effect:
			return true
		}
		return false
	}) || slices.ContainsFunc(r.Matches, func(m ir.Match) bool {
		switch m.(type) {
		case ir.Opaque, ir.Unknown:
			return true
		}
		return false
	})
}

// inOrder returns p with chains and sets in the order of like, and the elements of each set sorted:
// the kernel lists them in the order in which they were made, which means nothing.
func inOrder(p, like *ir.Program) *ir.Program {
	out := &ir.Program{Links: p.Links}
	for _, c := range like.Chains {
		if own := find(p, c); own != nil {
			out.Chains = append(out.Chains, own)
		}
	}
	for _, c := range p.Chains {
		if find(like, c) == nil {
			out.Chains = append(out.Chains, c)
		}
	}
	sorted := func(s *ir.Set) {
		if s == nil {
			return
		}
		set := *s
		set.Elements = slices.Clone(s.Elements)
		slices.SortFunc(set.Elements, func(a, b []ir.Match) int {
			return strings.Compare(elementText(a), elementText(b))
		})
		out.Sets = append(out.Sets, &set)
	}
	for _, s := range like.Sets {
		sorted(findSet(p, s))
	}
	for _, s := range p.Sets {
		if findSet(like, s) == nil {
			sorted(s)
		}
	}
	return out
}

// withHeadings takes the first line from a unified diff, names its file, and puts beside each
// hunk's numbers what the hunk stands in, by the lines from which the diff goes.
func withHeadings(text string, from []string, file string) string {
	var out strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		var at int
		n++
		switch {
		case n == 1: // the command
		case n <= 3: // the two sides
			fmt.Fprintf(&out, "%s %s\n", strings.TrimSuffix(line, "\n"), file)
		default:
			if _, err := fmt.Sscanf(line, "@@ -%d", &at); err == nil {
				line = strings.TrimSuffix(line, "\n") + heading(from, at-1) + "\n"
			}
			out.WriteString(line)
		}
	}
	return out.String()
}

// heading returns the blocks that line number at, from 0, stands in, the outermost first: lines
// before it that are indented less and open one.
func heading(lines []string, at int) string {
	if at < 0 || at >= len(lines) {
		return ""
	}
	text := ""
	indent := func(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }
	for within := indent(lines[at]); at >= 0 && within > 0; at-- {
		if opens, ok := strings.CutSuffix(lines[at], " {"); ok && indent(lines[at]) < within {
			text, within = " "+strings.TrimSpace(opens)+text, indent(lines[at])
		}
	}
	return text
}
