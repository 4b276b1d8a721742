package iptables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Read implements [backends.Backend]. An image is what iptables-save or ip6tables-save printed, or text written for
// iptables-restore, of the one family that the Document names. It is read as if it were loaded into an empty host: chains
// hang where the kernel's tables do, policies are accept where the text gives none, counters are passed over. Each
// rule's origin is its line.
//
// Options in their long spelling, both places of "!", lists of addresses, implied extensions (-p tcp --dport 53) are
// understood. What is not modelled becomes [ir.Opaque] with its own text. An error means that iptables-restore would refuse
// the text too, or that it is cut off: it gives the line.
func (Backend) Read(images []backends.Document) (*ir.Program, error) {
	p := &ir.Program{}
	for _, d := range images {
		if d.Family != ir.IPv4 && d.Family != ir.IPv6 {
			return nil, fmt.Errorf("%s: iptables rules are of one family, not of %s", d.File, d.Family)
		}
		r := &reader{family: d.Family, file: d.File, program: p, chains: make(map[chainKey]*readChain), rule: &ruleReader{}}
		if err := r.document(string(d.Text)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", d.File, r.line, err)
		}
		r.finish()
	}
	return p, nil
}

// reader is the reading of one document.
type reader struct {
	family  ir.Family
	file    string
	program *ir.Program
	chains  map[chainKey]*readChain
	order   []*readChain

	table  string // "" between tables
	line   int
	offset int // of the line, in bytes

	inserts int // -I with a number, so far

	tokens []token // of the line
	rule   *ruleReader
	arena  []ir.Match // matches of the rules read last; a rule has a piece of it
}

type chainKey struct{ table, name string }

// readChain is a chain that is being read. Rules inserted at its head are kept apart, last first.
type readChain struct {
	*ir.Chain
	front []ir.Rule
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

// statement reads one line.
func (r *reader) statement(line string) error {
	trimmed := strings.TrimSpace(line)
	switch {
	case trimmed == "" || trimmed[0] == '#':
		return nil
	case trimmed[0] == '*':
		return r.open(trimmed[1:])
	case r.table == "":
		return fmt.Errorf("%q stands in no table", trimmed)
	case trimmed == "COMMIT":
		r.table = ""
		return nil
	case trimmed[0] == ':':
		return r.declare(trimmed[1:])
	}
	var err error
	if r.tokens, err = split(r.tokens[:0], line); err != nil {
		return err
	}
	return r.command(line)
}

// open begins a table.
func (r *reader) open(name string) error {
	if r.table != "" {
		return fmt.Errorf("table %s has no COMMIT before table %s", r.table, name)
	}
	switch name {
	case "filter", "nat", "mangle", "raw", "security":
		r.table = name
		return nil
	}
	return fmt.Errorf("%q is no table; there are filter, nat, mangle, raw and security", name)
}

// declare reads ":CHAIN POLICY [packets:bytes]".
func (r *reader) declare(text string) error {
	name, rest, _ := strings.Cut(text, " ")
	policy, counters, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if counters = strings.TrimSpace(counters); counters != "" && !isCounters(counters) {
		return fmt.Errorf("%q is no pair of counters", counters)
	}
	if name == "" {
		return fmt.Errorf("a chain without a name")
	}
	c := r.chain(name)
	if base := builtin(r.table, name); base != nil {
		if c == nil {
			c = r.add(name, base)
		}
		return r.policy(c, policy)
	}
	if policy != "-" {
		return fmt.Errorf("chain %s is not built in, it has no policy %q but -", name, policy)
	}
	if c == nil {
		c = r.add(name, nil)
	}
	c.Rules, c.front = nil, nil
	return nil
}

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
		c.Base.Drop = false
	case word == "DROP":
		c.Base.Drop = true
	case word != "-":
		return fmt.Errorf("%q is no policy; there are ACCEPT and DROP", word)
	}
	return nil
}

// chain returns the chain of this name in the present table, nil if it was not declared. Built-in chains always stand.
func (r *reader) chain(name string) *readChain {
	if c := r.chains[chainKey{r.table, name}]; c != nil {
		return c
	}
	if base := builtin(r.table, name); base != nil {
		return r.add(name, base)
	}
	return nil
}

func (r *reader) add(name string, base *ir.Base) *readChain {
	c := &readChain{Chain: &ir.Chain{Family: r.family, Table: r.table, Name: name, Base: base}}
	r.chains[chainKey{r.table, name}] = c
	r.order = append(r.order, c)
	return c
}

// builtin returns where the built-in chain of this name hangs, nil if the table has none of this name.
// include/uapi/linux/netfilter_ipv4.h; table mangle's OUTPUT asks for a new route, as nft(8)'s type route does.
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

// command reads a line that changes a chain.
func (r *reader) command(line string) error {
	if isCounters(r.tokens[0].text) {
		r.tokens = r.tokens[1:]
	}
	if len(r.tokens) < 2 {
		return fmt.Errorf("%q names no command and chain", strings.TrimSpace(line))
	}
	word, name, rest := r.tokens[0].text, r.tokens[1].text, r.tokens[2:]
	if word == "-N" || word == "--new-chain" || word == "--new" {
		if r.chain(name) != nil {
			return fmt.Errorf("chain %s stands already", name)
		}
		r.add(name, nil)
		return nil
	}
	c := r.chain(name)
	if c == nil {
		return fmt.Errorf("table %s has no chain %q", r.table, name)
	}
	switch word {
	case "-A", "--append":
		return r.append(c, line, rest)
	case "-I", "--insert":
		return r.insert(c, line, rest)
	case "-P", "--policy":
		if len(rest) != 1 {
			return fmt.Errorf("%s needs a chain and a policy", word)
		}
		return r.policy(c, rest[0].text)
	case "-F", "--flush":
		c.Rules, c.front = nil, nil
		return nil
	}
	return fmt.Errorf("command %q is not understood here; there are -A, -I, -N, -P and -F", word)
}

// append reads a rule to the end of c.
func (r *reader) append(c *readChain, line string, tokens []token) error {
	rules, err := r.rules(c.Rules, line, tokens)
	if err != nil {
		return err
	}
	c.Rules = rules
	return nil
}

// maxInserts is how often rules may be inserted in the midst of a chain, which moves all that follow.
const maxInserts = 1000

// insert reads a rule to the head of c, or before the rule of the number given.
func (r *reader) insert(c *readChain, line string, tokens []token) error {
	at := 1
	if len(tokens) > 0 && isDigits(tokens[0].text) {
		n, err := strconv.Atoi(tokens[0].text)
		if err != nil || n < 1 || n > len(c.front)+len(c.Rules)+1 {
			return fmt.Errorf("chain %s has no rule %s to insert before", c.Name, tokens[0].text)
		}
		at, tokens = n, tokens[1:]
	}
	rules, err := r.rules(nil, line, tokens)
	if err != nil {
		return err
	}
	if at == 1 {
		slices.Reverse(rules)
		c.front = append(c.front, rules...)
		return nil
	}
	if r.inserts++; r.inserts > maxInserts {
		return fmt.Errorf("more than %d inserts in the midst of a chain", maxInserts)
	}
	c.flatten()
	c.Rules = slices.Insert(c.Rules, at-1, rules...)
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
		r.program.Chains = append(r.program.Chains, c.Chain)
	}
}

// origin is the line that is being read.
func (r *reader) origin(line string) ir.Origin {
	start := diag.Pos{Offset: r.offset, Line: r.line, Col: 1}
	end := diag.Pos{Offset: r.offset + len(line), Line: r.line, Col: 1 + len(line)}
	return ir.Origin{Span: diag.Span{File: r.file, Start: start, End: end}}
}
