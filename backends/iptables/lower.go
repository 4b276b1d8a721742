// Package iptables lowers an ir.Program to the text that iptables-restore loads, one document a
// family, and reads such text, or what iptables-save prints, back into a program: all that is pure.
// [Loader] alone touches a host.
//
// A program of groups becomes private chains, loaded beside what a host already has (--noflush):
// each is declared, and so replaced as a whole when the document is loaded again, in one
// transaction a table. The jumps to them are inserted at the head of the built-in chains. They
// can't be part of a text that may be loaded twice: under --noflush each command either stops the
// load (-D and -C of a missing rule, -N of a chain that stands, -X of one in use) or changes the
// number of rules of a built-in chain by a fixed amount, so what makes one jump out of none makes
// two out of one. A document therefore keeps its jumps, and nothing else, in the lines that begin
// with -I; it is loaded again without them, as the commands in its header say. (A Loader reads
// first what is there, and sends no document twice.) The private chains may be empty but always
// stand in all three tables, so that the jumps lead somewhere.
//
// The chains for the administrator's rules ([ir.AdminChains]) can't be declared: that would empty
// those that stand. A document makes them with -N, which stops the load of a table where one
// stands, and loads again without these lines too.
//
// A program of base chains, such as one read from a host, is a whole firewall; its documents
// replace the tables they name.
package iptables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Backend is the iptables back end. It serves iptables-nft and iptables-legacy alike.
type Backend struct{}

var _ backends.Backend = Backend{}

// Name returns "iptables".
func (Backend) Name() string { return "iptables" }

// Layouts implements [backends.Backend]: a line for each rule.
func (Backend) Layouts() []backends.Layout { return []backends.Layout{backends.Chains} }

// FillsChecksums is true: there is the target CHECKSUM.
func (Backend) FillsChecksums() bool { return true }

// Unsupported is the code of what iptables can't say.
const Unsupported diag.Code = "backend-unsupported"

// Ruleset is a program lowered to iptables: tables of chains of rule lines, for each family.
type Ruleset struct {
	families []family
	lines    []backends.Line
	prefix   string // what the names of its private chains begin with
}

// family is what one document holds.
type family struct {
	family ir.Family
	beside bool // beside is true for private chains, loaded beside what the host has
	tables []table
	size   int // bytes of all rule lines
}

// table is one iptables table; the lines of its chains stand in Ruleset.lines, from and up to
// without to.
type table struct {
	name     string
	chains   []tableChain
	jumps    []jump
	from, to int
}

// jump is a line that leads from a built-in chain to a private one.
type jump struct{ from, to string }

// Lower implements [backends.Backend]. Layouts make no difference to iptables.
func (b Backend) Lower(p *ir.Program, o backends.Options) (backends.Ruleset, diag.List) {
	o = o.Usual(b)
	l := &lowering{options: o, refused: make(map[*ir.Rule]bool)}
	p = l.unset(p)
	plan := l.plan(p)
	l.beside = plan.beside
	count := 0
	for _, c := range p.Chains {
		count += len(c.Rules)
	}
	set := &Ruleset{lines: make([]backends.Line, 0, 2*count), prefix: l.prefix()}
	for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		if o.Families&f != 0 {
			set.families = append(set.families, l.family(f, plan, set))
		}
	}
	if l.found.HasErrors() {
		return nil, l.found
	}
	return set, l.found
}

// lowering is one call of Lower.
type lowering struct {
	options backends.Options
	found   diag.List
	refused map[*ir.Rule]bool     // rules that were refused for one family need not be refused for the other
	beside  bool                  // beside is true if all chains are ours, loaded beside what the host has
	text    []byte                // the line that is being written
	origin  map[*ir.Rule]*ir.Rule // of rules that stand for those of the program
	of      ir.Family             // whose rules are being lowered
}

// given returns the rule of the program that r stands for.
func (l *lowering) given(r *ir.Rule) *ir.Rule {
	if of := l.origin[r]; of != nil {
		return of
	}
	return r
}

// family lowers the rules for packets of family f into set.
func (l *lowering) family(f ir.Family, plan plan, set *Ruleset) family {
	out := family{family: f, beside: plan.beside}
	l.of = f
	for _, t := range plan.tables {
		t := table{name: t.name, chains: t.inFamily(f), jumps: t.jumps, from: len(set.lines)}
		if len(t.chains) == 0 {
			continue
		}
		for i := range t.chains {
			out.size += l.chain(f, t.name, &t.chains[i], set)
		}
		t.to = len(set.lines)
		out.tables = append(out.tables, t)
	}
	return out
}

// chain lowers the rules of one chain in one table and returns the bytes they take.
func (l *lowering) chain(f ir.Family, table string, at *tableChain, set *Ruleset) int {
	if at.chain == nil {
		return 0
	}
	size := 0
	for i := range at.chain.Rules {
		r := &at.chain.Rules[i]
		if at.rules != nil && !at.rules(r) || r.Family&f == 0 {
			continue
		}
		if may := r.Families(); may&f == 0 && may != 0 {
			continue
		}
		l.text = append(append(l.text[:0], "-A "...), at.name...)
		if why := l.rule(f, at, r); why != nil {
			l.refuse(r, why)
			continue
		}
		size += len(l.text) + 1
		set.lines = append(set.lines, backends.Line{Family: f, Table: table, Chain: at.name, Text: string(l.text),
			Rule: l.given(r)})
	}
	return size
}

// rule appends matches, comment and verdict of r.
func (l *lowering) rule(f ir.Family, at *tableChain, r *ir.Rule) *refusal {
	if r.Families() == 0 {
		return &refusal{
			what: "rule for packets of no family",
			why:  "its addresses are of a family that the rule, or another of its addresses, is not for",
			fix:  "make a rule for each family",
		}
	}
	m, why := l.matches(f, at, r)
	if why != nil {
		return why
	}
	l.comment(r)
	if len(r.Actions) > 0 {
		return l.action(at, r)
	}
	return l.verdict(f, at, r, m)
}

// refusal is what iptables can't say: a diagnostic without its place.
type refusal struct{ what, why, fix string }

func refusalf(why, fix, what string, args ...any) *refusal {
	return &refusal{what: fmt.Sprintf(what, args...), why: why, fix: fix}
}

// nftablesCan is the way out where nft(8) has the words that iptables(8) lacks.
const nftablesCan = "use the nftables back end, which can express this"

// refuse reports that r can't be lowered, once.
func (l *lowering) refuse(r *ir.Rule, why *refusal) {
	r = l.given(r)
	if l.refused[r] {
		return
	}
	l.refused[r] = true
	l.found = append(l.found, diag.Diagnostic{
		Severity: diag.Error, Code: Unsupported, Span: r.Origin.Span,
		What: "iptables can't express " + why.what, Why: why.why, Fix: why.fix,
	})
}
