package iptables

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// state is what one family holds, as far as a loader looks at it: built-in chains whole, for the
// places of our jumps; our chains; and what others have that leads to them.
type state struct {
	family ir.Family
	prefix string // what the names of our chains begin with
	tables []*tableState
	saved  string // what iptables-save printed; empty for a state that was made
}

// tableState is one table of a state.
type tableState struct {
	name    string
	chains  []*chainState
	foreign []reference
	users   []*chainState // chains of other names, to which the administrator's rules may lead
}

// chainState is a built-in chain, or one of ours.
type chainState struct {
	name  string
	own   bool
	rules []rule
	user  bool // user is true for a chain of another name
	kept  bool // kept is true for a chain of the administrator in a target: it stays as it is
}

// rule is one rule of a chain.
type rule struct {
	text     string         // as iptables-save prints it, with -A and the chain
	counters string         // [packets:bytes]; empty for a rule that is new
	jump     string         // our chain, if the rule stands in a built-in chain and does nothing but lead there
	line     *backends.Line // what was lowered; nil for a rule from the kernel, and for jumps
}

// reference is a foreign rule that leads to one of our chains.
type reference struct{ text, chain string }

// prefixOf returns what the names of our chains begin with.
func prefixOf(names backends.Names) string {
	if names == backends.LibvirtNames {
		return "LIBVIRT_"
	}
	return "VNETC_"
}

// table returns the table of this name, an empty one if there is none.
func (s *state) table(name string) *tableState {
	for _, t := range s.tables {
		if t.name == name {
			return t
		}
	}
	return &tableState{name: name}
}

// chain returns the chain of this name, nil if there is none.
func (t *tableState) chain(name string) *chainState { return named(t.chains, name) }

func named(chains []*chainState, name string) *chainState {
	for _, c := range chains {
		if c.name == name {
			return c
		}
	}
	return nil
}

// forget takes a chain out of s that is not there any more.
func (s *state) forget(table, chain string) {
	t := s.table(table)
	t.chains = slices.DeleteFunc(t.chains, func(c *chainState) bool { return c.name == chain })
}

// empty is true if s has no rules, chains or jumps of vnetc.
func (s *state) empty() bool {
	for _, t := range s.tables {
		for _, c := range t.chains {
			if c.own || slices.ContainsFunc(c.rules, func(r rule) bool { return r.jump != "" }) {
				return false
			}
		}
	}
	return true
}

// parseState reads what iptables-save -c printed.
func parseState(f ir.Family, prefix string, text []byte) (*state, error) {
	s := &state{family: f, prefix: prefix}
	var table *tableState
	var last *chainState // the chain of the rule before: rules of a chain stand together
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		for cutOff(line) && i+1 < len(lines) { // iptables-save prints a line break in a comment as it is
			i++
			line += "\n" + lines[i]
		}
		switch {
		case line == "" || line == "COMMIT":
		case line[0] == '#':
			if name, found := strings.CutSuffix(line, "is incompatible, use 'nft' tool."); found {
				name = strings.Trim(strings.TrimPrefix(name, "# Table "), " `'")
				return nil, fmt.Errorf("%s table %s holds rules made with nft, which iptables can't list: "+
					"choose --backend nftables, or delete them with nft", wordsOf(f).family, name)
			}
			if text, ok := stranger(line); ok && table != nil {
				var err error
				if last, err = s.rule(table, last, text); err != nil {
					return nil, fmt.Errorf("line %d of the dump: %w", i+1, err)
				}
			}
		case line[0] == '*':
			table, last = &tableState{name: line[1:]}, nil
			s.tables = append(s.tables, table)
		case table == nil:
			return nil, fmt.Errorf("line %d of the dump, %q, is in no table", i+1, line)
		case line[0] == ':':
			name, rest, _ := strings.Cut(line[1:], " ")
			if own := strings.HasPrefix(name, prefix); own || !strings.HasPrefix(rest, "-") {
				table.chains = append(table.chains, &chainState{name: name, own: own})
			} else {
				table.users = append(table.users, &chainState{name: name, user: true})
			}
		default:
			var err error
			if last, err = s.rule(table, last, line); err != nil {
				return nil, fmt.Errorf("line %d of the dump, %q: %w", i+1, line, err)
			}
		}
	}
	return s, nil
}

// cutOff is true if line is the beginning of a rule, and ends in a quote.
func cutOff(line string) bool {
	if !strings.HasPrefix(line, "-A ") && !strings.HasPrefix(line, "[") || !strings.Contains(line, `"`) {
		return false
	}
	_, err := split(nil, line, 0)
	return errors.Is(err, errQuote)
}

// rule reads one rule and returns its chain, nil if it is a foreign chain.
func (s *state) rule(t *tableState, last *chainState, line string) (*chainState, error) {
	var r rule
	if line[0] == '[' {
		r.counters, line, _ = strings.Cut(line, " ")
	}
	r.text = plainProtocol(line)
	rest, found := strings.CutPrefix(line, "-A ")
	if !found {
		return nil, fmt.Errorf("not a rule")
	}
	name, rest, _ := strings.Cut(rest, " ")
	if last == nil || last.name != name {
		if last = t.chain(name); last == nil {
			last = named(t.users, name)
		}
	}
	if last == nil && slices.Contains(builtins[:], name) { // a Dump doesn't declare them
		last = &chainState{name: name}
		t.chains = append(t.chains, last)
	}
	if (last == nil || !last.own) && strings.Contains(rest, s.prefix) {
		to, bare, err := leads(rest)
		switch {
		case err != nil:
			return nil, err
		case !strings.HasPrefix(to, s.prefix):
		case bare && last != nil && !last.user:
			r.jump = to
		default:
			t.foreign = append(t.foreign, reference{line, to})
		}
	}
	if last != nil {
		last.rules = append(last.rules, r)
	}
	return last, nil
}

// leads returns the target of a rule, and whether the rule is a jump and nothing else.
func leads(options string) (target string, bare bool, err error) {
	tokens, err := split(nil, options, 0)
	for i, t := range tokens {
		if (t.is("-j") || t.is("-g")) && i+1 < len(tokens) {
			return tokens[i+1].text, t.is("-j") && len(tokens) == 2, err
		}
	}
	return "", false, err
}

// leadsTo is true if the target of r is one of ours.
func (r *rule) leadsTo(prefix string) bool {
	if !strings.Contains(r.text, prefix) {
		return false
	}
	to, _, _ := leads(r.text)
	return strings.HasPrefix(to, prefix)
}

// plainProtocol gives a protocol that has its name from /etc/protocols the number that Lower
// writes. iptables-save prints -p before all that has text of its own.
func plainProtocol(line string) string {
	before, rest, found := strings.Cut(line, " -p ")
	if !found || strings.Contains(before, `"`) {
		return line
	}
	name, after, _ := strings.Cut(rest, " ")
	number, known := parseProtocol(name)
	if !known {
		return line
	}
	plain := string(appendProtocol(nil, number))
	if plain == name {
		return line
	}
	return strings.TrimSuffix(before+" -p "+plain+" "+after, " ")
}

// document returns our part of s, as text that Read takes: our chains, and of the built-in ones the
// rules that lead to ours; with places, comments name the foreign rules before our jumps.
func (s *state) document(places bool) backends.Document {
	w := wordsOf(s.family)
	var b bytes.Buffer
	for _, t := range s.tables {
		t.write(&b, s.prefix, places)
	}
	return backends.Document{
		File: w.file, Family: s.family, Load: w.command + " --noflush --wait < " + w.file, Text: b.Bytes(),
	}
}

func (t *tableState) write(b *bytes.Buffer, prefix string, places bool) {
	var chains, rules bytes.Buffer
	for _, c := range append(t.chains[:len(t.chains):len(t.chains)], t.his()...) {
		if !c.own && !c.user {
			c.writeBuiltin(&rules, prefix, places)
			continue
		}
		fmt.Fprintf(&chains, ":%s - [0:0]\n", c.name)
		for _, r := range c.rules {
			rules.WriteString(r.text + "\n")
		}
	}
	if chains.Len()+rules.Len() > 0 {
		fmt.Fprintf(b, "*%s\n%s%sCOMMIT\n", t.name, chains.Bytes(), rules.Bytes())
	}
}
