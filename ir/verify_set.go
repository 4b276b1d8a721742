package ir

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/ir/diag"
)

// set checks s and notes what its elements demand of the rules that look packets up in it.
func (v *verifier) set(s *Set) {
	key := chainKey{s.Family, s.Table, "set " + s.Name}
	switch {
	case s.Family == 0 || s.Family > Both || s.Name == "":
		v.errorf("ir-set", diag.Span{}, "a set without a name or a family",
			"look-ups find a set by its name, in their family and table", "give it both")
	case v.names[key]:
		v.errorf("ir-set", diag.Span{}, "set "+s.Label()+" is given twice",
			"it is unclear which of the two a look-up means", "rename one")
	}
	v.names[key] = true
	v.text("ir-set", diag.Span{}, "name of a set", s.Name)
	demands := &setDemands{}
	v.sets[s] = demands
	before := len(v.list)
	for _, e := range s.Elements {
		if slices.ContainsFunc(e, func(m Match) bool { return !plainMatch(m) }) {
			v.errorf("ir-set", diag.Span{}, "set "+s.Label()+
				" has an element with an empty match, a look-up or what is not modelled",
				"an element is made of plain matches", "put the other match into the rule")
			return
		}
		v.element(e, demands)
		if len(v.list) > before {
			return // one is enough: there may be thousands
		}
	}
}

// setDemands is what the elements of a set need from a rule.
type setDemands struct {
	family Family // of the addresses in it; 0 if there are none
	ports  bool   // ports is true if an element has ports and no protocol of its own.
	icmp   bool   // icmp is true if an element has an ICMP type and no protocol of its own.
}

// element checks one element as if it were a rule that has what the set demands.
func (v *verifier) element(e []Match, d *setDemands) {
	r := Rule{Family: Both, Matches: e}
	for _, m := range e {
		if f := matchFamily(m); f != 0 {
			r.Family = f
			if d.family|f == Both {
				v.errorf("ir-set", diag.Span{}, "a set with addresses of both families",
					"a rule with addresses is for packets of one family", "make a set for each family")
				return
			}
			d.family |= f
		}
	}
	rv := &ruleVerifier{verifier: v, rule: &r}
	for _, m := range e {
		switch m.(type) {
		case SPort, DPort:
			d.ports = d.ports || !rv.matchesProto(HasPorts)
		case ICMPType:
			d.icmp = d.icmp || !rv.matchesProto(func(p uint8) bool { return p == ICMP || p == ICMPv6 })
		}
	}
	r.Matches = append(r.Matches[:len(e):len(e)], L4Proto{Proto: TCP}) // what is missing is asked of the rule
	for _, m := range e {
		if _, ok := m.(ICMPType); !ok {
			rv.match(m)
		}
	}
}

// Families returns the families whose packets can meet r: only packets of an address's own family
// have such an address, whatever the sense of the match, and what looks into a set of addresses
// stands in a rule for their family.
func (r *Rule) Families() Family {
	f := r.Family
	for _, m := range r.Matches {
		f = narrowed(f, m)
		if l, ok := m.(Lookup); ok {
			for _, element := range l.Set.Elements {
				for _, m := range element {
					f = narrowed(f, m)
				}
			}
		}
	}
	return f
}

// narrowed returns those of f whose packets can have the address that m matches.
func narrowed(f Family, m Match) Family {
	if of := matchFamily(m); of != 0 {
		return f & of
	}
	return f
}

// matchFamily returns the family of the addresses in m, 0 if it has none.
func matchFamily(m Match) Family {
	switch m := m.(type) {
	case SAddr:
		return addrFamily(m.Prefix.Addr())
	case DAddr:
		return addrFamily(m.Prefix.Addr())
	case SAddrRange:
		return addrFamily(m.From)
	case DAddrRange:
		return addrFamily(m.From)
	}
	return 0
}

// lookup checks a look-up.
func (v *ruleVerifier) lookup(m Lookup) {
	demands := v.sets[m.Set]
	if m.Set == nil || demands == nil || v.program.SetFor(v.chain, v.rule.Family, m.Set.Name) != m.Set {
		name := ""
		if m.Set != nil {
			name = m.Set.Label()
		}
		v.wrong("ir-set", fmt.Sprintf("a look-up in set %q, which is none of the program's, or not of the rule's table",
			name),
			"a look-up finds its set by name: in the table of its chain, or among the sets without a table",
			"list the set in the program, under another name if the name is taken")
		return
	}
	if demands.family != 0 && demands.family != v.rule.Family {
		v.wrong("ir-family", "addresses of "+demands.family.String()+" in set "+m.Set.Label()+
			", looked up in a rule for "+v.rule.Family.String(),
			"only packets of the address's own family have such an address",
			"make it a rule for "+demands.family.String())
	}
	if demands.ports && !v.matchesProto(HasPorts) {
		v.wrong("ir-port", "ports in set "+m.Set.Label()+", looked up in a rule for any protocol",
			"only packets of tcp, udp, sctp, dccp and udplite have ports, and the rule does not match one of these",
			"add a match on the protocol")
	}
	if demands.icmp {
		v.icmp()
	}
}
