package ir

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unicode"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/parallel"
)

// What Verify demands of a program. The numbers stand in the tests, one failing case each at least.
//
//	 1 ir-group      a group has one chain, of family inet, without table and base, named as the group
//	 2 ir-chain      a chain has a family and a name, and no other chain of its family and table has that name
//	 3 ir-base       a base chain has a hook and a type that go together: nat not at forward, route at output only
//	 4 ir-base       a nat chain's priority is above -200, where connection tracking begins
//	 5 ir-family     a rule's family lies within its chain's
//	 6 ir-family     a rule that matches or gives an address is for that address's family only
//	 7 ir-address    a prefix has no host bits; a range is of one family and does not end before it begins; no zones
//	 8 ir-interface  an interface name is one the kernel takes, and that no back end takes for a wildcard
//	 9 ir-port       a range of ports does not end before it begins; NAT goes to ports from 1
//	10 ir-port       a rule with ports matches a protocol that has them
//	11 ir-icmp       a rule with an ICMP type matches ICMP or ICMPv6
//	12 ir-match      a match on connection states or status names one at least, and known ones only
//	13 ir-match      a mark has no bits outside its mask, and the mask some
//	14 ir-match      a rule has no empty match
//	15 ir-verdict    a rule has a verdict
//	16 ir-verdict    a reject code exists in the rule's family; tcp-reset needs a match on protocol TCP
//	17 ir-verdict    nothing is rejected at postrouting, or in nat chains
//	18 ir-jump       a jump or goto leads to a chain of the same table that is no base chain
//	19 ir-jump       jumps lead into no circle
//	20 ir-nat        NAT stands in nat chains: masquerade at postrouting, snat there or at input, dnat and redirect at
//	                 prerouting or output
//	21 ir-nat        snat and dnat give an address
//	22 ir-checksum   checksum fill stands in PRT, or in chains met at priority mangle
//	23 ir-text       comments, origins, opaque texts, prefixes of logs and what is unseen are single lines without control characters
//	24 ir-link       a link has a name that no other has, and a known mode; its texts have no control characters
//	25 ir-set        a set has a family and a name, and no other set of its family and table has that name
//	26 ir-set        an element is made of plain matches, with addresses of one family, each as a rule could have it
//	27 ir-set        a look-up finds its set by name: in the table of its chain, or else without a table
//	28 ir-action     a rule has no empty action; one on marks changes some bit; a log has a known level, or goes to a
//	                 group; an opaque action or effect touches known fields only
//	29 ir-action     notrack is in chains met before connection tracking: at prerouting or output, priority below -200
//
// Not demanded, as the back ends differ: lengths of chain names and comments, and which interfaces
// may be asked for at which hook.

// Verify returns what is wrong with p, each at the origin of the rule that is to blame: sets first,
// then chains, then rules in the order of p, then links. An empty list means that [Eval] and the
// back ends may rely on all that is demanded above. An error is a mistake of the code that made p:
// a front end never lets its user's input come to this.
func Verify(p *Program) diag.List {
	v := &verifier{program: p, chains: make(map[chainKey]*Chain), met: make(map[*Chain][]hookPoint),
		sets: make(map[*Set]*setDemands), names: make(map[chainKey]bool)}
	for _, s := range p.Sets {
		v.set(s)
	}
	for _, c := range p.Chains {
		v.chain(c)
	}
	for _, h := range []Hook{Prerouting, Input, Forward, Output, Postrouting} {
		for _, b := range p.Bases(h) {
			for _, c := range b.Chains {
				v.reach(c, hookPoint{hook: h, typ: b.Type, priority: b.Priority}, b.Of)
			}
		}
	}
	v.circles(p)
	v.rules(p.Chains)
	v.links(p.Links)
	for _, u := range p.Unseen {
		v.text("ir-text", diag.Span{}, "what was not looked at,", u)
	}
	return v.list
}

// rules checks the rules of all chains, each chain by itself: for that v is only read.
func (v *verifier) rules(chains []*Chain) {
	found := make([]diag.List, len(chains))
	parallel.For(len(chains), func(i int) {
		own := *v
		own.list = nil
		for j := range chains[i].Rules {
			own.ruleIn(chains[i], &chains[i].Rules[j])
		}
		found[i] = own.list
	})
	v.list = slices.Concat(append([]diag.List{v.list}, found...)...)
}

type chainKey struct {
	family      Family
	table, name string
}

// hookPoint is where rules are met.
type hookPoint struct {
	hook     Hook
	typ      ChainType
	priority int
}

func (p hookPoint) String() string {
	return fmt.Sprintf("%s chains at %s priority %d", p.typ, p.hook, p.priority)
}

type verifier struct {
	program *Program
	chains  map[chainKey]*Chain    // those that jumps may lead to, and base chains
	met     map[*Chain][]hookPoint // where the rules of a chain are met
	sets    map[*Set]*setDemands   // those of the program
	names   map[chainKey]bool      // theirs
	list    diag.List
}

func (v *verifier) errorf(code diag.Code, at diag.Span, what, why, fix string) {
	v.list = append(v.list, diag.Diagnostic{Severity: diag.Error, Code: code, Span: at, What: what, Why: why, Fix: fix})
}

// chain checks c without its rules.
func (v *verifier) chain(c *Chain) {
	at := diag.Span{}
	if len(c.Rules) > 0 {
		at = c.Rules[0].Origin.Span
	}
	if c.Group != 0 {
		key := chainKey{name: "group " + c.Group.String()}
		fixed := c.Group.row() != nil && c.Family == Both && c.Table == "" && c.Base == nil &&
			c.Name == c.Group.String()
		if !fixed || v.chains[key] != nil {
			v.errorf("ir-group", at,
				fmt.Sprintf("group %s is given twice, or with a family, table, name or base of its own", c.Group),
				"the place of a group is fixed, and its rules are in one chain", "add rules to it with Program.Add")
		}
		v.chains[key] = c
		return
	}
	key := chainKey{c.Family, c.Table, c.Name}
	switch {
	case c.Family == 0 || c.Family > Both || c.Name == "":
		v.errorf("ir-chain", at, fmt.Sprintf("chain %q of %s has no name or no family", c.Name, c.Family),
			"jumps find a chain by its name, packets by its family", "give it both")
	case v.chains[key] != nil:
		v.errorf("ir-chain", at, fmt.Sprintf("chain %s is given twice", c.Label()),
			"it is unclear to which of the two a jump leads", "rename one, or put the rules into one chain")
	default:
		v.chains[key] = c
	}
	if c.Base != nil {
		v.base(c, at)
	}
}

func (v *verifier) base(c *Chain, at diag.Span) {
	b := c.Base
	known := b.Hook >= Prerouting && b.Hook <= Postrouting && b.Type >= FilterType && b.Type <= RouteType
	switch {
	case !known || b.Type == NATType && b.Hook == Forward || b.Type == RouteType && b.Hook != Output:
		v.errorf("ir-base", at, fmt.Sprintf("chain %s is of type %s at hook %s", c.Label(), b.Type, b.Hook),
			"the kernel has filter chains everywhere, nat chains everywhere but at forward, route chains at output",
			"choose another hook or type")
	case b.Type == NATType && b.Priority <= -200:
		v.errorf("ir-base", at, fmt.Sprintf("nat chain %s has priority %d", c.Label(), b.Priority),
			"NAT needs connection tracking, which comes at priority -200", "choose a priority above -200")
	}
}

// reach notes that the rules of c are met at p, and those of the chains that c leads to.
func (v *verifier) reach(c *Chain, at hookPoint, of func(*Rule) bool) {
	if slices.Contains(v.met[c], at) {
		return
	}
	v.met[c] = append(v.met[c], at)
	for i := range c.Rules {
		if of != nil && !of(&c.Rules[i]) {
			continue
		}
		if t := v.target(c, &c.Rules[i]); t != nil {
			v.reach(t, at, nil)
		}
	}
}

// target returns the chain that r, a rule of c, leads to, nil if it leads nowhere.
func (v *verifier) target(c *Chain, r *Rule) *Chain {
	switch verdict := r.Verdict.(type) {
	case Jump:
		return v.chains[chainKey{c.Family, c.Table, verdict.Chain}]
	case Goto:
		return v.chains[chainKey{c.Family, c.Table, verdict.Chain}]
	}
	return nil
}

// circles reports each rule that leads back to a chain from which it was reached.
func (v *verifier) circles(p *Program) {
	const (
		open   = 1 // on the way from the chain we began with
		closed = 2 // all that it leads to is known
	)
	state := make(map[*Chain]int)
	var visit func(c *Chain)
	visit = func(c *Chain) {
		state[c] = open
		for i := range c.Rules {
			r := &c.Rules[i]
			t := v.target(c, r)
			switch {
			case t == nil:
			case state[t] == open:
				v.errorf("ir-jump", r.Origin.Span, fmt.Sprintf("%q in %s leads in a circle", VerdictText(r.Verdict),
					c.Label()),
					"a packet could loop there forever, so the kernel refuses it", "remove one of the jumps")
			case state[t] == 0:
				visit(t)
			}
		}
		state[c] = closed
	}
	for _, c := range p.Chains {
		if state[c] == 0 {
			visit(c)
		}
	}
}

// text checks a text that goes into comments and listings.
func (v *verifier) text(code diag.Code, at diag.Span, what, s string) {
	if plain(s) {
		return
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			v.errorf(code, at, fmt.Sprintf("%s %s holds the character %s", what, strconv.Quote(s),
				strconv.QuoteRune(r)),
				"it goes into rules, files and listings, where it could begin a new line",
				"remove the character")
			return
		}
	}
}

// plain is true if s is printable ASCII, as nearly every text is: there is nothing to look for in
// it.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func (v *verifier) links(links []*Link) {
	modes := []Mode{ModeNone, ModeNAT, ModeRoute, ModeOpen, ModeBridge, ModePrivate, ModeVEPA, ModePassthrough,
		ModeHostdev}
	seen := make(map[string]bool)
	for _, l := range links {
		if l.Name == "" || seen[l.Name] {
			v.errorf("ir-link", diag.Span{}, fmt.Sprintf("link %q has no name, or that of another", l.Name),
				"a link is found by its name", "give it a name of its own")
		}
		seen[l.Name] = true
		if !slices.Contains(modes, l.Mode) {
			v.errorf("ir-link", diag.Span{}, fmt.Sprintf("link %q has mode %q", l.Name, l.Mode),
				"the mode says what is set up for the link", fmt.Sprintf("write one of %s", joined(modes)))
		}
		v.linkTexts(l.Name, reflect.ValueOf(l))
	}
}

// linkTexts checks every string in x, a part of the link called name.
func (v *verifier) linkTexts(name string, x reflect.Value) {
	switch x.Kind() {
	case reflect.String:
		if s := x.String(); !plain(s) {
			v.text("ir-link", diag.Span{}, fmt.Sprintf("link %q: text", name), s)
		}
	case reflect.Struct:
		if x.IsZero() || isLeaf(x.Type()) {
			return
		}
		for i := range x.NumField() {
			v.linkTexts(name, x.Field(i))
		}
	case reflect.Slice:
		if x.Type() == macType {
			return
		}
		for i := range x.Len() {
			v.linkTexts(name, x.Index(i))
		}
	case reflect.Pointer:
		if !x.IsNil() {
			v.linkTexts(name, x.Elem())
		}
	}
}

// joined returns the words of all with commas between them.
func joined[T ~string](all []T) string {
	s := ""
	for i, w := range all {
		if i > 0 {
			s += ", "
		}
		s += string(w)
	}
	return s
}
