package iptables

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxWork is how many rules changes in the midst of chains may look at or move in one document.
const maxWork = 1 << 24

// spend counts n rules that a change looks at or moves.
func (r *reader) spend(n int) error {
	if r.work += n; r.work > maxWork {
		return fmt.Errorf("too many changes in the middle of chains")
	}
	return nil
}

// obey reads a line that changes a chain.
func (r *reader) obey(line string) error {
	from, err := counters(line)
	if err != nil {
		return err
	}
	r.tokens, _ = split(r.tokens[:0], line, from)
	if len(r.tokens) > maxWords {
		return fmt.Errorf("a line of more than %d words", maxWords)
	}
	if len(line) > maxWord && slices.ContainsFunc(r.tokens, func(t token) bool { return len(t.text) > maxWord }) {
		return fmt.Errorf("a word of more than %d bytes", maxWord)
	}
	s := r.rule
	if err := s.parse(r, line); err != nil || s.skip {
		return err
	}
	if err := s.suits(); err != nil {
		return err
	}
	switch s.command {
	case 'N':
		return r.create(s.chain)
	case 'F', 'Z', 'L', 'S', 'X':
		if s.chain == "" {
			return r.forAll(s.command)
		}
	}
	c := r.chain(s.chain)
	if c == nil {
		return fmt.Errorf("table %s has no chain %q", r.table, s.chain)
	}
	return r.change(c, s)
}

// counters returns where what follows "[packets:bytes]" at the line's beginning begins.
func counters(line string) (int, error) {
	if line[0] != '[' {
		return 0, nil
	}
	end := strings.IndexByte(line, ']')
	if end > 0 {
		if packets, bytes, ok := strings.Cut(line[1:end], ":"); ok && packets != "" && bytes != "" {
			return end + 1, nil
		}
	}
	return 0, fmt.Errorf("%q begins with no pair of counters", line)
}

// commandOption reads the option that says what the line does.
func (s *ruleReader) commandOption(letter byte, value string, given bool) error {
	lists := func(letter byte) bool { return letter == 'L' || letter == 'S' }
	zeroes := letter == 'Z' && lists(s.command) || s.command == 'Z' && lists(letter)
	switch {
	case s.not:
		return fmt.Errorf("a ! before -%c", letter)
	case s.command != 0 && !zeroes:
		return fmt.Errorf("option -%c behind -%c", letter, s.command)
	}
	s.command = letter
	if !given && s.hasMore() && strings.IndexByte("LSFZX", letter) >= 0 {
		value = s.word()
	}
	s.chain = value
	switch letter {
	case 'R', 'I', 'D', 'Z':
		if s.hasMore() && value != "" {
			n, ok := parseUint(s.word(), math.MaxInt32)
			if !ok || n == 0 {
				return fmt.Errorf("%q is not a number of a rule", s.tokens[s.next-1].text)
			}
			s.rank = int(n)
		} else if letter == 'R' {
			return fmt.Errorf("-R needs the number of a rule")
		}
	case 'E', 'P':
		if !s.hasMore() {
			return fmt.Errorf("-%c needs two words", letter)
		}
		s.second = s.word()
	}
	return nil
}

// word takes the next word.
func (s *ruleReader) word() string {
	s.next++
	return s.tokens[s.next-1].text
}

// suits reports whether the line's command takes its options.
func (s *ruleReader) suits() error {
	allowed := bit('v')
	switch {
	case s.ofRule():
		if len(s.chain) > maxChainName {
			return fmt.Errorf("chain name %q is longer than %d bytes", s.chain, maxChainName)
		}
		if s.nots&(bit('s')|bit('d')) != 0 && (len(s.sources) > 1 || len(s.dests) > 1) {
			return fmt.Errorf("a list of addresses beside a negated one")
		}
		allowed = ^(bit('n') | bit('x') | bit('l'))
	case s.command == 'L' || s.command == 'S':
		allowed |= bit('n') | bit('x') | bit('l')
	case s.command == 'P':
		allowed |= bit('c')
	}
	for _, letter := range []byte("sdpiofjgcnxl") {
		if s.given.has(letter) && !allowed.has(letter) {
			return fmt.Errorf("option -%c, which -%c does not take", letter, s.command)
		}
	}
	return nil
}

// ofRule is true for a command with a whole rule.
func (s *ruleReader) ofRule() bool {
	switch s.command {
	case 'A', 'C', 'I', 'R':
		return true
	}
	return s.command == 'D' && s.rank == 0
}

// create makes a chain.
func (r *reader) create(name string) error {
	switch {
	case name == "" || name[0] == '-' || name[0] == '!' || strings.ContainsAny(name, space) || len(name) > maxChainName:
		return fmt.Errorf("%q is not a name for a chain", name)
	case r.known.targets[name] != nil:
		return fmt.Errorf("chain %s would have the name of a target", name)
	case r.chain(name) != nil:
		return fmt.Errorf("chain %s exists already", name)
	}
	r.add(name, nil)
	return nil
}

// forAll does a command without a chain to all chains of the table.
func (r *reader) forAll(command byte) error {
	for _, c := range r.order {
		if c.Table != r.table {
			continue
		}
		switch {
		case command == 'F':
			c.empty()
		case command == 'X' && c.Base == nil && len(c.Rules)+len(c.front) > 0:
			return fmt.Errorf("chain %s has rules", c.Name)
		}
	}
	if command == 'X' {
		return r.remove(func(c *readChain) bool { return c.Base == nil })
	}
	return nil
}

// remove takes chains away, if no rule leads to them.
func (r *reader) remove(which func(*readChain) bool) error {
	for _, c := range r.order {
		if c.Table != r.table {
			continue
		}
		if err := r.spend(len(c.front) + len(c.Rules)); err != nil {
			return err
		}
		for _, rules := range [...][]ir.Rule{c.front, c.Rules} {
			for i := range rules {
				if to := r.chains[chainKey{r.table, leadsTo(rules[i].Verdict)}]; to != nil && which(to) {
					return fmt.Errorf("chain %s is led to by a rule of chain %s", to.Name, c.Name)
				}
			}
		}
	}
	r.last = nil
	r.order = slices.DeleteFunc(r.order, func(c *readChain) bool {
		gone := c.Table == r.table && which(c)
		if gone {
			delete(r.chains, chainKey{r.table, c.Name})
		}
		return gone
	})
	return nil
}

// leadsTo names the chain to which a verdict leads, "" for none.
func leadsTo(v ir.Verdict) string {
	switch v := v.(type) {
	case ir.Jump:
		return v.Chain
	case ir.Goto:
		return v.Chain
	}
	return ""
}

// change does a command to chain c.
func (r *reader) change(c *readChain, s *ruleReader) error {
	switch s.command {
	case 'F':
		c.empty()
	case 'P':
		if s.second == "-" {
			return fmt.Errorf("%q is not a policy; there are ACCEPT and DROP", s.second)
		}
		return r.policy(c, s.second)
	case 'E':
		return r.rename(c, s.second)
	case 'X':
		if c.Base != nil || len(c.Rules)+len(c.front) > 0 {
			return fmt.Errorf("chain %s is built in or has rules", c.Name)
		}
		return r.remove(func(other *readChain) bool { return other == c })
	case 'Z', 'L', 'S':
		if s.rank > c.lines() {
			return fmt.Errorf("chain %s has no rule %d", c.Name, s.rank)
		}
	case 'D':
		if s.rank > 0 {
			return r.replace(c, s.rank, nil)
		}
		return r.look(c, s, true)
	case 'C':
		return r.look(c, s, false)
	default:
		return r.put(c, s)
	}
	return nil
}

// rename gives a chain another name, in the rules that lead to it too.
func (r *reader) rename(c *readChain, name string) error {
	if c.Base != nil || r.chain(name) != nil || isVerdict(name) || len(name) > maxChainName {
		return fmt.Errorf("chain %s can't be named %q", c.Name, name)
	}
	old := c.Name
	delete(r.chains, chainKey{r.table, old})
	c.Name, r.last = name, nil
	r.chains[chainKey{r.table, name}] = c
	for _, other := range r.order {
		if other.Table != r.table {
			continue
		}
		if err := r.spend(len(other.front) + len(other.Rules)); err != nil {
			return err
		}
		for _, rules := range [...][]ir.Rule{other.front, other.Rules} {
			for i := range rules {
				switch v := rules[i].Verdict.(type) {
				case ir.Jump:
					if v.Chain == old {
						rules[i].Verdict = ir.Jump{Chain: name}
					}
				case ir.Goto:
					if v.Chain == old {
						rules[i].Verdict = ir.Goto{Chain: name}
					}
				}
			}
		}
	}
	return nil
}
