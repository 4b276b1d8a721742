package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxExpansion is how many rules one line may stand for, through lists of addresses, and
// maxExpanded how many more rules than lines a document.
const (
	maxExpansion = 1 << 14
	maxExpanded  = 1 << 18
)

// ruleReader reads the options of one line.
type ruleReader struct {
	*reader
	lineState

	line    string
	chain   string
	second  string // the new name of -E, the policy of -P
	jump    string // what -j or -g names
	comment string

	protocol string // as -p names it, in small letters
	present  *instance

	loaded  []instance
	args    []argument
	sources []ir.Match // of a list; nil in it is any address
	dests   []ir.Match
	matches []ir.Match
	scratch []ir.Match
	effects []ir.Action  // of matches
	ways    [][]ir.Match // the rule stands for one with each of them; nil for itself
}

// lineState is what is small of a ruleReader, and starts over with each line.
type lineState struct {
	mask    ir.Flags // of --tcp-flags
	next    int      // the token to read
	at      int      // the token of the option at hand
	command byte     // the letter of -A, -I, ...; 0 for none
	rank    int      // the number behind the chain, 0 for none

	given  letters // options of iptables itself
	nots   letters // of these the negated ones
	not    bool    // a ! stood before the option
	skip   bool    // the line is only for the other family: -4, -6
	goes   bool    // -g
	target int     // which of loaded is the target, -1 for none
	loose  int     // the last that takes any option, -1 for none

	states        int   // how many times states were read
	number        uint8 // of the protocol
	protocolNot   bool
	protocolKnown bool // the extension of the protocol was loaded for an option of it

	source int      // which of matches stands for the list of sources
	dest   int      // and of destinations
	hooks  hookMask // where the rule may be met; 0 for all
	place  hookMask // in which built-in chains it may stand; 0 for all
}

// letters is a set of options.
type letters uint64

// bit returns the set of one letter.
func bit(letter byte) letters { return 1 << (letter & 63) }

func (l letters) has(letter byte) bool { return l&bit(letter) != 0 }

// parse reads all options of the line.
func (s *ruleReader) parse(r *reader, line string) error {
	s.lineState = lineState{target: -1, loose: -1}
	s.reader, s.line = r, line
	s.chain, s.jump, s.comment, s.protocol = "", "", "", ""
	s.loaded, s.args, s.matches = s.loaded[:0], s.args[:0], s.matches[:0]
	s.sources, s.dests, s.ways, s.effects = nil, nil, nil, nil
	for s.next < len(s.tokens) {
		if err := s.option(); err != nil || s.skip {
			return err
		}
	}
	switch {
	case s.not:
		return fmt.Errorf("a ! with nothing behind it")
	case s.command == 0:
		return fmt.Errorf("%q names no command", strings.TrimSpace(line))
	}
	if s.table == "nat" && (s.jump == "DROP" || s.command == 'P' && s.second == "DROP") {
		return fmt.Errorf("table nat is not for filtering, it takes no DROP")
	}
	for i := range s.loaded {
		if err := s.complete(&s.loaded[i]); err != nil {
			return err
		}
	}
	for i := range s.loaded {
		in := &s.loaded[i]
		if in.opaque < 0 {
			continue
		}
		if _, is := s.matches[in.opaque].(ir.Opaque); is {
			s.model(in)
		}
	}
	s.compact()
	return nil
}

// complete reports whether a match or target has the options that it needs, and none that exclude
// each other.
func (s *ruleReader) complete(in *instance) error {
	e := in.ext
	if missing := e.all &^ in.seen; missing != 0 {
		return fmt.Errorf("%s without %s", e.name, e.list(missing))
	}
	for _, set := range e.any {
		if in.seen&set == 0 {
			return fmt.Errorf("%s with none of %s", e.name, e.list(set))
		}
	}
	for _, set := range e.one {
		if both := in.seen & set; both&(both-1) != 0 {
			return fmt.Errorf("%s with %s, of which it takes one", e.name, e.list(both))
		}
	}
	for _, n := range e.need {
		if in.seen&n[0] != 0 && in.seen&n[1] == 0 {
			return fmt.Errorf("%s with %s needs %s too", e.name, e.list(n[0]), e.list(n[1]))
		}
	}
	if e.check != nil {
		return e.check(s, in)
	}
	return nil
}

// fits reports whether the kernel lets the rule's matches and target stand in chain c, as far as
// the chain's own place decides it.
func (s *ruleReader) fits(c *readChain) error {
	for i := range s.loaded {
		e := s.loaded[i].ext
		if e.tables != nil && !slices.Contains(e.tables, s.table) {
			return fmt.Errorf("%s works in table %s only", e.name, strings.Join(e.tables, ", "))
		}
		if e.protos != nil && (!slices.Contains(e.protos, s.number) || s.protocolNot && !s.loaded[i].looksAtOthers()) {
			return fmt.Errorf("%s needs -p %s", e.name, e.proto)
		}
		s.hooks = s.hooks.within(e.hooks)
		for _, a := range e.at {
			if s.loaded[i].seen&a.option != 0 {
				s.place = s.place.within(a.hooks)
			}
		}
		if c.Base != nil && (s.hooks != 0 && s.hooks&c.hook == 0 || s.place != 0 && s.place&c.hook == 0) {
			return fmt.Errorf("%s does not work in chain %s", e.name, c.Name)
		}
	}
	return nil
}

// looksAtOthers is true for what iptables-nft, unlike legacy, lets look at packets of other
// protocols.
func (in *instance) looksAtOthers() bool {
	switch in.ext.name {
	case "tcp":
		return in.seen != 0 && !in.has("tcp-option")
	case "udp":
		return in.seen != 0
	}
	return false
}

// nowhere is in a hookMask that is not for all hooks.
const nowhere hookMask = 1 << 7

// within returns what m and other have in common; 0 is all hooks.
func (m hookMask) within(other hookMask) hookMask {
	switch {
	case other == 0:
		return m
	case m == 0:
		return other | nowhere
	}
	return m&other | nowhere
}

// same returns m, as the interface value that the reader made for the same match of a line before
// if it was the last of its kind: rules of one interface and protocol stand together.
func same[T interface {
	comparable
	ir.Match
}](last *ir.Match, m T) ir.Match {
	if old, ok := (*last).(T); !ok || old != m {
		*last = m
	}
	return *last
}

// one appends a match.
func (s *ruleReader) one(m ir.Match) { s.matches = append(s.matches, m) }

// implied loads the match of the rule's protocol, which needs no -m.
func (s *ruleReader) implied() bool {
	if s.protocol == "" {
		return false
	}
	byName, byNumber := s.protocol, s.protocol
	if _, ok := parseUint(s.protocol, 255); ok {
		byNumber = protocolName(s.number)
	}
	loaded := slices.ContainsFunc(s.loaded, func(in instance) bool { return !in.ext.target && in.ext.name == byName })
	e := s.known.matches[byNumber]
	if e == nil || e.loose || loaded && s.protocolKnown {
		return false
	}
	s.protocolKnown = true
	s.load(e)
	return true
}

// load adds a match or target to the rule.
func (s *ruleReader) load(e *extension) {
	for i := range s.loaded {
		s.loaded[i].done = s.loaded[i].done || s.loaded[i].ext == e
	}
	s.loaded = append(s.loaded, instance{ext: e, opaque: -1})
	if e.loose {
		s.loose = len(s.loaded) - 1
	}
	if !e.target && (e.options == "" || e.loose || e.all == 0 && e.any == nil && !e.transport()) {
		s.add(&s.loaded[len(s.loaded)-1], "")
	}
}

// transport is true for a match that holds for all packets of its protocol when it has no option.
// ipcomp looks for one SPI.
func (e *extension) transport() bool { return e.proto != "" && e.name != "ipcomp" }

// rules appends the line's rule to into, or rules if it has lists of addresses, or states that are
// no one match.
func (s *ruleReader) rules(into []ir.Rule) ([]ir.Rule, error) {
	rule := ir.Rule{Family: s.family, Comment: s.comment, Origin: s.origin(s.line)}
	rule.Actions, rule.Verdict = asAction(s.verdict())
	rule.Actions = append(s.effects, rule.Actions...)
	if s.protocolNot {
		s.hidePorts()
	}
	if len(into) == cap(into) { // append grows long slices by a quarter, and moves their rules too often
		into = slices.Grow(into, max(1, len(into)))
	}
	if s.ways == nil && len(s.sources) <= 1 && len(s.dests) <= 1 {
		rule.Matches = s.store(s.matches)
		return append(into, rule), nil
	}
	n := max(1, len(s.sources)) * max(1, len(s.dests)) * max(1, len(s.ways))
	if s.expanded += n - 1; n > maxExpansion || s.expanded > maxExpanded {
		return into, fmt.Errorf("lists of addresses that mean too many rules: more than %d, or %d in all",
			maxExpansion, maxExpanded)
	}
	ways := s.ways
	if ways == nil {
		ways = [][]ir.Match{nil}
	}
	for i := range max(1, len(s.sources)) {
		for j := range max(1, len(s.dests)) {
			for _, way := range ways {
				rule.Matches = s.store(s.expand(i, j, way))
				into = append(into, rule)
			}
		}
	}
	return into, nil
}

// expand returns the rule's matches with the i-th source, the j-th destination and the matches of a
// way.
func (s *ruleReader) expand(i, j int, way []ir.Match) []ir.Match {
	s.scratch = s.scratch[:0]
	for k, m := range s.matches {
		if len(s.sources) > 1 && k == s.source {
			m = s.sources[i]
		}
		if len(s.dests) > 1 && k == s.dest {
			m = s.dests[j]
		}
		if m != nil {
			s.scratch = append(s.scratch, m)
		}
	}
	return append(s.scratch, way...)
}

// hidePorts keeps ports as text in a rule that excludes their protocol: iptables-nft takes it, and
// looks at whatever stands in their place.
func (s *ruleReader) hidePorts() {
	for i, m := range s.matches {
		switch m.(type) {
		case ir.SPort, ir.DPort, ir.TCPFlags:
			s.matches[i] = ir.Opaque{Text: ir.MatchText(m)}
		}
	}
}

// store returns a copy of matches that nothing else writes to.
func (r *reader) store(matches []ir.Match) []ir.Match {
	if len(matches) == 0 {
		return nil
	}
	if cap(r.arena)-len(r.arena) < len(matches) {
		r.arena = make([]ir.Match, 0, max(1024, len(matches)))
	}
	from := len(r.arena)
	r.arena = append(r.arena, matches...)
	return r.arena[from:len(r.arena):len(r.arena)]
}
