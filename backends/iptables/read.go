package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Read implements [backends.Backend]. An image is what iptables-save or ip6tables-save printed, or
// text written for iptables-restore, of the one family that the Document names. It is read as if
// iptables-restore loaded it into an empty host, without --noflush: chains are attached where the
// kernel's tables are, policies are accept where the text gives none, counters are passed over, a
// second block of a table begins it anew. Each rule's origin is its line.
//
// All options of iptables and of its extensions are known, also by the beginning of their names.
// What is not modelled becomes [ir.Opaque] with its own text. An error means that iptables-restore
// would refuse the text too: it gives the line. Where its two kinds, nf_tables and legacy, differ,
// what one of them takes is read, and what they take in different ways is Opaque. Names of
// protocols and services are those of a Debian host; names that only the host can resolve (of
// hosts, users, sets, groups of devices) are taken as they are.
func (Backend) Read(images []backends.Document) (*ir.Program, error) {
	p := &ir.Program{}
	for _, d := range images {
		if d.Family != ir.IPv4 && d.Family != ir.IPv6 {
			return nil, fmt.Errorf("%s: iptables rules are of one family, not of %s", d.File, d.Family)
		}
		r := &reader{
			family: d.Family, file: d.File, program: p, known: known(d.Family),
			chains: make(map[chainKey]*readChain), rule: &ruleReader{},
		}
		if err := r.document(string(d.Text)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", d.File, r.line, err)
		}
		r.finish()
	}
	p.AddSets()
	markAdmin(p)
	return p, nil
}

// reader is the reading of one document.
type reader struct {
	family  ir.Family
	file    string
	program *ir.Program
	known   library
	found   lately // matches
	targets lately
	chains  map[chainKey]*readChain
	sets    map[chainKey]*ir.Set // of ports, by their names
	order   []*readChain
	last    *readChain // looked up last, nil for none

	table  string // "" between tables
	line   int
	offset int // of the line, in bytes

	work     int // rules that changes in the midst of chains looked at or moved, so far
	expanded int // rules beside the first of their lines, so far

	tokens []token // of the line
	rule   *ruleReader
	recent struct{ in, out, src, dst, protocol ir.Match } // see same
	arena  []ir.Match                                     // matches of the rules read last; a rule has a piece of it
}

type chainKey struct{ table, name string }

// readChain is a chain that is being read. Rules inserted at its head are kept apart, last first.
type readChain struct {
	*ir.Chain
	hook   hookMask // of a built-in chain
	front  []ir.Rule
	joined map[*ir.Match]bool // rules that go on with the one before them, which was one line; by their first match
	hooks  map[int]hookMask   // at which the rules of a line may be met
	unsure bool               // policy drop of a block before, which only one kind of iptables keeps
}

// document reads all lines.
func (r *reader) document(text string) error {
	for len(text) > 0 {
		line, rest, found := strings.Cut(text, "\n")
		r.line++
		if err := r.statement(line); err != nil {
			return err
		}
		r.offset += len(line)
		if found {
			r.offset++
		}
		text = rest
	}
	if r.table != "" {
		return fmt.Errorf("table %s has no COMMIT at its end", r.table)
	}
	return nil
}

// The longest line and word, and the most words of a line, that iptables-restore reads
// (iptables/xshared.h).
const (
	maxLine  = 10239
	maxWord  = 1023
	maxWords = 251
)

// statement reads one line.
func (r *reader) statement(line string) error {
	switch {
	case len(line) > maxLine:
		return fmt.Errorf("a line of %d bytes; iptables-restore reads %d at once", len(line), maxLine)
	case line == "" || line[0] == '#':
		return nil
	case line == "COMMIT" && r.table != "":
		return r.commit()
	case line[0] == '*' && r.table == "":
		return r.open(line[1:])
	case r.table == "":
		return fmt.Errorf("%q is in no table", line)
	case line[0] == '*':
		return fmt.Errorf("table %s has no COMMIT before %q", r.table, line)
	case line[0] == ':':
		return r.declare(line[1:])
	}
	return r.obey(line)
}

// open begins a table, and empties it if the text has had it before.
func (r *reader) open(text string) error {
	name, _ := word(text)
	switch name {
	case "filter", "nat", "mangle", "raw", "security":
	default:
		return fmt.Errorf("%q is not a table; there are filter, nat, mangle, raw and security", name)
	}
	r.table, r.last = name, nil
	r.order = slices.DeleteFunc(r.order, func(c *readChain) bool {
		if c.Table != name {
			return false
		}
		c.empty()
		if c.Base == nil {
			delete(r.chains, chainKey{name, c.Name})
			return true
		}
		c.unsure = c.unsure || c.Base.Drop
		c.Base.Drop = false
		return false
	})
	return nil
}

// word returns the first word of text, and what follows it.
func word(text string) (first, rest string) {
	text = strings.TrimLeft(text, " \t")
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// declare reads ":CHAIN POLICY [packets:bytes]". Counters, and what else follows, are passed over.
func (r *reader) declare(text string) error {
	name, rest := word(text)
	policy, _ := word(rest)
	switch {
	case name == "":
		return fmt.Errorf("a chain without a name")
	case len(name) > maxChainName:
		return fmt.Errorf("chain name %q is longer than %d bytes", name, maxChainName)
	case isVerdict(name):
		return fmt.Errorf("chain %s has the name of a target", name)
	case policy == "":
		return fmt.Errorf("chain %s without a policy", name)
	}
	c := r.chain(name)
	switch {
	case c == nil:
		r.add(name, nil)
	case c.Base != nil:
		return r.policy(c, policy)
	default:
		c.empty()
	}
	return nil
}

// isVerdict is true for the names of targets that are no extension.
func isVerdict(name string) bool {
	return name == "ACCEPT" || name == "DROP" || name == "RETURN" || name == "QUEUE"
}

// empty takes all rules out of c.
func (c *readChain) empty() { c.Rules, c.front, c.joined, c.hooks = nil, nil, nil, nil }

// isCounters is true for "[packets:bytes]".
func isCounters(s string) bool {
	if len(s) < 5 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	packets, bytes, ok := strings.Cut(s[1:len(s)-1], ":")
	return ok && isDigits(packets) && isDigits(bytes)
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// policy sets the policy of a built-in chain; "-" leaves it.
func (r *reader) policy(c *readChain, word string) error {
	switch {
	case c.Base == nil:
		return fmt.Errorf("chain %s is not built in, it has no policy", c.Name)
	case word == "ACCEPT":
		c.Base.Drop, c.unsure = false, false
	case word == "DROP":
		c.Base.Drop, c.unsure = true, false
	case word != "-":
		return fmt.Errorf("%q is not a policy; there are ACCEPT and DROP", word)
	}
	return nil
}

// chain returns the chain of this name in the present table, nil if it was not declared. Built-in
// chains always stand.
func (r *reader) chain(name string) *readChain {
	if r.last != nil && r.last.Name == name && r.last.Table == r.table {
		return r.last
	}
	if c := r.chains[chainKey{r.table, name}]; c != nil {
		r.last = c
		return c
	}
	if base := builtin(r.table, name); base != nil {
		return r.add(name, base)
	}
	return nil
}

func (r *reader) add(name string, base *ir.Base) *readChain {
	c := &readChain{Chain: &ir.Chain{Family: r.family, Table: r.table, Name: name, Base: base}, hook: hookOf(name)}
	r.chains[chainKey{r.table, name}] = c
	r.order = append(r.order, c)
	return c
}

// builtin returns where the built-in chain of this name is attached, nil if the table has none of
// this name. include/uapi/linux/netfilter_ipv4.h; table mangle's OUTPUT routes again, as nft(8)'s
// type route does.
func builtin(table, name string) *ir.Base {
	var hook ir.Hook
	switch name {
	case "PREROUTING":
		hook = ir.Prerouting
	case "INPUT":
		hook = ir.Input
	case "FORWARD":
		hook = ir.Forward
	case "OUTPUT":
		hook = ir.Output
	case "POSTROUTING":
		hook = ir.Postrouting
	default:
		return nil
	}
	routing := hook == ir.Prerouting || hook == ir.Postrouting
	switch {
	case table == "raw" && (hook == ir.Prerouting || hook == ir.Output):
		return &ir.Base{Hook: hook, Type: ir.FilterType, Priority: ir.PriorityRaw}
	case table == "mangle" && hook == ir.Output:
		return &ir.Base{Hook: hook, Type: ir.RouteType, Priority: ir.PriorityMangle}
	case table == "mangle":
		return &ir.Base{Hook: hook, Type: ir.FilterType, Priority: ir.PriorityMangle}
	case table == "nat" && (hook == ir.Prerouting || hook == ir.Output):
		return &ir.Base{Hook: hook, Type: ir.NATType, Priority: ir.PriorityDstNAT}
	case table == "nat" && (hook == ir.Input || hook == ir.Postrouting):
		return &ir.Base{Hook: hook, Type: ir.NATType, Priority: ir.PrioritySrcNAT}
	case table == "filter" && !routing:
		return &ir.Base{Hook: hook, Type: ir.FilterType, Priority: ir.PriorityFilter}
	case table == "security" && !routing:
		return &ir.Base{Hook: hook, Type: ir.FilterType, Priority: ir.PrioritySecurity}
	}
	return nil
}

// flatten puts the rules inserted at the head where they belong.
func (c *readChain) flatten() {
	if len(c.front) > 0 {
		slices.Reverse(c.front)
		c.Rules = append(c.front, c.Rules...)
		c.front = nil
	}
}

// finish gives the chains to the program, those of a table together.
func (r *reader) finish() {
	for _, c := range r.order {
		c.flatten()
		if c.unsure {
			maybe := []ir.Match{ir.Opaque{Text: "policy DROP of the block before"}}
			c.Rules = append(c.Rules, ir.Rule{Family: r.family, Matches: maybe, Verdict: ir.Drop{}})
		}
		r.program.Chains = append(r.program.Chains, c.Chain)
	}
}

// origin is the line that is being read.
func (r *reader) origin(line string) ir.Origin {
	start := diag.Pos{Offset: r.offset, Line: r.line, Col: 1}
	end := diag.Pos{Offset: r.offset + len(line), Line: r.line, Col: 1 + len(line)}
	return ir.Origin{Span: diag.Span{File: r.file, Start: start, End: end}}
}
