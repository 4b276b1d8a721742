package iptables

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Loader puts rulesets into the kernel through iptables-restore and ip6tables-restore, in the
// network namespace of the calling thread (a caller that has entered one locks the goroutine to its
// thread). The zero value uses what the command iptables is on this host.
//
// A table changes in one transaction, and only if something in it must: by single rules, so that
// what stays keeps its counters and its place. Families and tables come one after the other, IPv4
// first, and in each mangle, nat, filter, so that what lets packets pass comes last. If one of them
// fails, those before it are put back.
type Loader struct {
	Backend
	Variant Variant
}

var _ backends.Loader = Loader{}

// tries is how often a load starts over because others changed rules between its reading and its
// writing.
const tries = 3

// Dump returns what has our names, a document a family: our chains, and the rules of built-in
// chains that lead to them; and in comments, which Read passes over, the foreign rules that stand
// before these.
func (l Loader) Dump(names backends.Names) ([]backends.Document, error) {
	tools, err := l.tools(ir.Both, 0)
	if err != nil {
		return nil, err
	}
	if l.Variant != "" {
		tools = holding(tools, l.Variant, prefixOf(names))
	}
	states, err := read(tools, prefixOf(names))
	if err != nil {
		return nil, err
	}
	var docs []backends.Document
	for _, s := range states {
		if !s.empty() {
			docs = append(docs, s.document(true))
		}
	}
	return docs, nil
}

// Load implements [backends.Loader] for rulesets of [Backend.Lower] made of groups. It leaves
// families alone that rules has not. Where ip6tables is missing, or iptables, a family without
// rules is passed over.
//
// A rule that fills in checksums is left out where the kernel can't do that, with a warning in the
// Report.
func (l Loader) Load(rules backends.Ruleset) (backends.Report, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return backends.Report{}, err
	}
	var families, needed ir.Family
	for i := range set.families {
		f := &set.families[i]
		if !f.beside {
			return backends.Report{},
				errors.New("these rules are a whole firewall and would replace the host's own: load them with iptables-restore")
		}
		families |= f.family
		if slices.ContainsFunc(f.tables, func(t table) bool { return t.from < t.to }) {
			needed |= f.family
		}
	}
	tools, err := l.tools(families, needed)
	if err != nil {
		return backends.Report{}, err
	}
	return attempt(tools, set.prefix, func(t tool, s *state, report *backends.Report) (*state, error) {
		i := slices.IndexFunc(set.families, func(f family) bool { return f.family == t.family })
		to := s.want(&set.families[i], set.lines)
		return to, t.leaveOutChecksums(s, to, report)
	})
}

// Restore implements [backends.Loader]: a family of which there is no image is left without
// anything of ours. Jumps go where they stood among the foreign rules, of which a Dump tells in
// comments.
func (l Loader) Restore(names backends.Names, images []backends.Document) error {
	then := make(map[ir.Family]*state)
	var needed ir.Family
	for _, d := range images {
		s, err := parseState(d.Family, prefixOf(names), d.Text)
		if err != nil {
			return fmt.Errorf("%s: %w", d.File, err)
		}
		then[d.Family] = s
		needed |= d.Family
	}
	tools, err := l.tools(ir.Both, needed)
	if err != nil {
		return err
	}
	if l.Variant != "" {
		there := holding(tools, l.Variant, prefixOf(names))
		tools = slices.DeleteFunc(tools, func(t tool) bool {
			return then[t.family] == nil &&
				!slices.Contains(there, t)
		})
	}
	_, err = attempt(tools, prefixOf(names), func(t tool, s *state, _ *backends.Report) (*state, error) {
		if then[t.family] == nil {
			return s.without(), nil
		}
		return then[t.family].back(s), nil
	})
	return err
}

// Unload implements [backends.Loader]. Tables that were made for the rules stay, empty: iptables(8)
// has no word that takes them away.
func (l Loader) Unload(names backends.Names) error { return l.Restore(names, nil) }

// attempt brings all families to the states that target names, or leaves them as they were. It
// begins again if it failed because others wrote meanwhile.
func attempt(tools []tool, prefix string, target func(tool, *state, *backends.Report) (*state, error)) (backends.Report,
	error) {
	for try := 1; ; try++ {
		report, moved, err := once(tools, prefix, target)
		if err == nil || !moved || try == tries {
			return report, err
		}
	}
}

// once is one try. It returns whether others changed rules while it went on, if it failed.
func once(tools []tool, prefix string, target func(tool, *state, *backends.Report) (*state,
	error)) (report backends.Report, moved bool, err error) {
	before, err := read(tools, prefix)
	if err != nil {
		return report, false, err
	}
	scripts, err := towards(tools, before, target, &report)
	for i := 0; err == nil && i < len(scripts); i++ {
		err = tools[i].run(scripts[i])
	}
	if err != nil {
		moved, undone := undo(tools, before, prefix)
		return backends.Report{}, moved && undone == nil, errors.Join(err, undone)
	}
	return report, false, nil
}

// towards returns the scripts that bring each family to its target, and reports them in report.
func towards(tools []tool, before []*state, target func(tool, *state, *backends.Report) (*state, error),
	report *backends.Report) ([]*script, error) {
	scripts := make([]*script, len(tools))
	for i, s := range before {
		to, err := target(tools[i], s, report)
		if err != nil {
			return nil, err
		}
		if err := s.referenced(to); err != nil {
			return nil, err
		}
		scripts[i] = edit(s, to)
		report.Kept += scripts[i].kept
		report.Changed += scripts[i].changed
	}
	report.Rebuilt = report.Kept == 0 && report.Changed > 0
	return scripts, nil
}

// undo puts back what was there before, and returns whether others have changed their rules since.
func undo(tools []tool, before []*state, prefix string) (moved bool, err error) {
	now, err := read(tools, prefix)
	if err != nil {
		return false, fmt.Errorf("the rules from before could not be put back: %w", err)
	}
	for i, t := range tools {
		moved = moved || !sameStrangers(before[i], now[i])
		if err := t.run(edit(now[i], before[i].back(now[i]))); err != nil {
			return moved, fmt.Errorf("the rules from before could not be put back: %w", err)
		}
	}
	return moved, nil
}

// sameStrangers is true if the built-in chains have the same foreign rules in both.
func sameStrangers(a, b *state) bool {
	for _, name := range tableNames {
		for _, chain := range builtins {
			var rules [2][]rule
			for i, s := range []*state{a, b} {
				if c := s.table(name).chain(chain); c != nil {
					rules[i] = strangers(c.rules)
				}
			}
			if !slices.EqualFunc(rules[0], rules[1], func(a, b rule) bool { return a.text == b.text }) {
				return false
			}
		}
	}
	return true
}

// referenced returns an error for a foreign rule that leads to a chain which to has not.
func (s *state) referenced(to *state) error {
	var all []error
	for _, t := range s.tables {
		for _, r := range t.foreign {
			if t.chain(r.chain) != nil && to.table(t.name).chain(r.chain) == nil {
				all = append(all,
					fmt.Errorf("chain %s of %s table %s can't go: the rule %q, which is not vnetc's, leads to it: delete that rule first",
						r.chain, wordsOf(s.family).family, t.name, r.text))
			}
		}
	}
	return errors.Join(all...)
}

// leaveOutChecksums takes the rules that fill in checksums out of the target, and reports them, if
// the kernel can't do it. It is asked when there is no such rule yet. libvirt passes over the
// kernel's refusal of them, too.
func (t tool) leaveOutChecksums(from, to *state, report *backends.Report) error {
	fills := func(r rule) bool { return strings.HasSuffix(r.text, " -j CHECKSUM --checksum-fill") }
	for _, table := range to.tables {
		for _, c := range table.chains {
			if !c.own || !slices.ContainsFunc(c.rules, fills) {
				continue
			}
			if have := from.table(table.name).chain(c.name); have != nil && slices.ContainsFunc(have.rules, fills) {
				return nil
			}
			can, err := t.fillsChecksums(to.prefix)
			from.forget(table.name, to.prefix+probe) // the answer took it away, if an interrupted one had left it
			if can || err != nil {
				return err
			}
			c.rules = slices.DeleteFunc(c.rules, func(r rule) bool {
				if !fills(r) {
					return false
				}
				report.Left = append(report.Left, diag.Diagnostic{
					Severity: diag.Warning, Code: leftOut, Span: r.line.Rule.Origin.Span,
					What: "this kernel can't fill in the checksums of DHCP answers; the rule is left out",
					Why:  "it has no target CHECKSUM; only very old guests on this host drop answers without a checksum",
					Fix:  "load the module xt_CHECKSUM, if the kernel has it",
				})
				return true
			})
		}
	}
	return nil
}

// leftOut is the code of rules that this kernel can't hold and does well without.
const leftOut diag.Code = "backend-left-out"
