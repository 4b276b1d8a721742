package ir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

func (t *textReader) group(g *textGroup) *Chain {
	group := choose(t, g.Name, "a group", Groups[:]...)
	c := &Chain{Group: group, Family: Both, Name: group.String()}
	t.within = c
	c.Rules = t.rules(g.Rules)
	return c
}

func (t *textReader) family(w textWord) Family { return choose(t, w, "a family", IPv4, IPv6, Both) }

func (t *textReader) chain(c *textChain) *Chain {
	chain := &Chain{Family: t.family(c.Family), Table: t.text(c.Table), Name: t.text(c.Name)}
	if b := c.Base; b != nil {
		priority, err := strconv.ParseInt(t.text(b.Priority), 10, 32)
		if err != nil {
			t.value(b.Priority, "a priority", "write a number, such as 0 for netfilter's filter")
		}
		chain.Base = &Base{
			Hook:     choose(t, b.Hook, "a hook", Prerouting, Input, Forward, Output, Postrouting),
			Type:     choose(t, b.Type, "a type of chain", FilterType, NATType, RouteType),
			Priority: int(priority),
			Drop:     b.Policy == "drop",
		}
	}
	t.within = chain
	chain.Rules = t.rules(c.Rules)
	return chain
}

func (t *textReader) namedSet(s *textSet) *Set {
	set := &Set{Family: t.family(s.Family), Table: t.text(s.Table), Name: t.text(s.Name)}
	t.within = nil
	for _, e := range s.Elements {
		var element []Match
		for _, m := range e.Matches {
			element = append(element, t.match(m))
		}
		set.Elements = append(set.Elements, element)
	}
	return set
}

// lookup finds the set that a rule names. Elements can't name one.
func (t *textReader) lookup(m *textMatch) Match {
	l := Lookup{Not: m.Not}
	if t.within != nil {
		l.Set = t.program.SetFor(t.within, t.packets, t.text(m.Value))
	}
	if l.Set == nil {
		t.value(m.Value, "the name of a set of this table",
			"name a set of the rule's own family and table, or one without a table; an element holds no look-up")
	}
	return l
}

func (t *textReader) rules(all []*textRule) []Rule {
	var rules []Rule
	for _, r := range all {
		rule := Rule{Family: t.family(r.Family)}
		t.packets = rule.Family
		for _, m := range r.Matches {
			rule.Matches = append(rule.Matches, t.match(m))
		}
		for _, a := range r.Actions {
			rule.Actions = append(rule.Actions, t.action(a))
		}
		rule.Verdict = t.verdict(r.Verdict)
		rule.Comment = t.optional(r.Comment)
		if r.Origin != nil {
			rule.Origin = t.origin(r.Origin)
		}
		rules = append(rules, rule)
	}
	return rules
}

// match reads one match. What only some kinds have is refused for the others.
func (t *textReader) match(m *textMatch) Match {
	if m.Star != nil && m.Kind != "iifname" && m.Kind != "oifname" {
		t.errorf("ir-syntax", m.Star.Pos.Offset, 1, "* after a word that is not an interface name",
			"only the names of interfaces have wildcards", "remove the *; addresses have prefixes and ranges")
	}
	if m.Code != nil && m.Kind != "type" {
		t.errorf("ir-syntax", m.Code.Pos.Offset, len(m.Code.Text), "code after a word that is not an ICMP type",
			"only ICMP types have codes", "remove it, or write icmp type before it")
	}
	if m.Burst != nil && m.Kind != "limit" {
		t.errorf("ir-syntax", m.Burst.Pos.Offset, len(m.Burst.Text), "burst after what is no limit",
			"only limits have a burst", "remove it, or write limit before the rate")
	}
	switch m.Kind + m.Open {
	case "iifname":
		return IIfName{Name: t.text(m.Value), Wildcard: m.Star != nil, Not: m.Not}
	case "oifname":
		return OIfName{Name: t.text(m.Value), Wildcard: m.Star != nil, Not: m.Not}
	case "saddr", "daddr":
		return t.addrMatch(m)
	case "l4proto":
		return L4Proto{Proto: t.proto(m.Value), Not: m.Not}
	case "sport":
		r := t.ports(m.Value)
		return SPort{From: r.From, To: r.To, Not: m.Not}
	case "dport":
		r := t.ports(m.Value)
		return DPort{From: r.From, To: r.To, Not: m.Not}
	case "type":
		return t.icmpType(m)
	case "flags":
		flags, mask := t.flagsUnder(m.Value)
		return TCPFlags{Mask: mask, Flags: flags, Not: m.Not}
	case "state":
		return CTState{States: t.states(m.Value), Not: m.Not}
	case "status":
		return CTStatus{Status: t.status(m.Value), Not: m.Not}
	case "mark":
		value, mask := t.mark(m.Value)
		return Mark{Value: value, Mask: mask, Not: m.Not}
	case "lookup":
		return t.lookup(m)
	case "limit":
		return t.limit(m)
	case "of":
		return t.addrType(m)
	case "unknown":
		return t.unknown(m)
	case "opaque-match":
		if m.Not {
			t.value(m.Value, "a match that can be negated", "remove the !=; the text says what it matches")
		}
		return Opaque{Text: t.text(m.Value)}
	}
	if k, ok := keyOf(m.Kind); ok {
		return t.field(k, m)
	}
	panic(fmt.Sprintf("ir: unknown match %q", m.Kind))
}

// limit reads RATE/UNIT and the burst.
func (t *textReader) limit(m *textMatch) Match {
	l := Limit{Over: m.Not}
	rate, unit, _ := strings.Cut(t.text(m.Value), "/")
	n, err := parseNumber(rate, 32)
	for _, u := range limitUnits {
		if u.word == unit {
			l.Per = u.per
		}
	}
	if err != nil || l.Per == 0 {
		t.value(m.Value, "a rate", "write a number, / and one of second, minute, hour, day, week")
	}
	l.Rate = uint32(n)
	if m.Burst == nil {
		t.value(m.Value, "a whole limit", "write burst and how many packets may come at once behind it")
		return l
	}
	l.Burst = uint32(t.number(*m.Burst, 32))
	return l
}

func (t *textReader) addrMatch(m *textMatch) Match {
	if strings.Contains(t.text(m.Value), "-") {
		r := t.addrs(m.Value)
		if m.Kind == "saddr" {
			return SAddrRange{From: r.From, To: r.To, Not: m.Not}
		}
		return DAddrRange{From: r.From, To: r.To, Not: m.Not}
	}
	p := t.prefix(m.Value)
	if m.Kind == "saddr" {
		return SAddr{Prefix: p, Not: m.Not}
	}
	return DAddr{Prefix: p, Not: m.Not}
}

func (t *textReader) icmpType(m *textMatch) Match {
	match := ICMPType{Type: uint8(t.number(m.Value, 8)), Not: m.Not}
	if m.Code != nil {
		match.HasCode, match.Code = true, uint8(t.number(*m.Code, 8))
	}
	return match
}

func (t *textReader) action(a *textAction) Action {
	switch {
	case a.Log:
		return t.log(a)
	case a.MSS != nil:
		if t.text(*a.MSS) == "route" {
			return ClampMSS{}
		}
		return ClampMSS{Size: uint16(t.number(*a.MSS, 16))}
	case a.Taken != nil:
		take, clear := t.mark(*a.Taken)
		return CopyMark{Clear: clear, Take: take, Save: a.Copy == "save"}
	case a.NoTrack:
		return NoTrack{}
	case a.Mark != nil:
		value, mask := t.mark(*a.Mark)
		return SetMark{Value: value, Mask: mask, CT: a.Set == "ctmark"}
	case a.Effect:
		return Effect{Text: t.text(*a.Opaque), Touches: t.touched(a.Touches)}
	case a.Opaque != nil:
		return OpaqueAction{Text: t.text(*a.Opaque), Touches: t.touched(a.Touches)}
	}
	panic("ir: unknown action")
}

// log reads a log.
func (t *textReader) log(a *textAction) Action {
	log := Log{Prefix: t.optional(a.Prefix)}
	if a.Level != nil {
		number, ok := LogLevel(t.text(*a.Level))
		if !ok {
			t.value(*a.Level, "a level of a log", "write one of "+strings.Join(logLevels[:], ", "))
		}
		log.Level = LevelWord(number)
	}
	if a.Flags != nil {
		log.Flags = uint8(t.number(*a.Flags, 8))
	}
	if a.Group != nil {
		log.Grouped, log.Group = true, uint16(t.number(*a.Group, 16))
		log.Threshold, log.Snap = uint16(t.number(*a.Thresh, 16)), uint32(t.number(*a.Snap, 32))
	}
	return log
}

// touched returns the fields that w names with commas between them, none where there is no word.
func (t *textReader) touched(w *textWord) (all Fields) {
	if w == nil {
		return 0
	}
	for _, name := range strings.Split(t.text(*w), ",") {
		i := slices.Index(fieldNames[:], name)
		if i < 0 {
			t.value(*w, "a list of fields", "write some of "+AllFields.String()+" with commas between them")
			return 0
		}
		all |= 1 << i
	}
	return all
}

func (t *textReader) verdict(v *textVerdict) Verdict {
	if v.NAT != "" {
		return t.nat(v)
	}
	switch v.Plain + v.Kind {
	case "accept":
		return Accept{}
	case "drop":
		return Drop{}
	case "return":
		return Return{}
	case "counter":
		return Counter{}
	case "checksum":
		return ChecksumFill{}
	case "reject":
		return Reject{With: t.rejectCode(*v.Value)}
	case "jump":
		return Jump{Chain: t.text(*v.Value)}
	case "goto":
		return Goto{Chain: t.text(*v.Value)}
	case "handed":
		return Handed{Text: t.text(*v.Value)}
	case "opaque-verdict":
		return Opaque{Text: t.text(*v.Value)}
	}
	panic(fmt.Sprintf("ir: unknown verdict %q", v.Plain+v.Kind))
}

func (t *textReader) rejectCode(w textWord) RejectCode {
	code := RejectCode(t.text(w))
	if code.Families() == 0 {
		var names []string
		for _, c := range RejectCodes {
			names = append(names, string(c))
		}
		t.value(w, "a reject code", "write one of "+strings.Join(names, ", "))
	}
	return code
}

func (t *textReader) nat(v *textVerdict) Verdict {
	var addrs AddrRange
	var ports PortRange
	kind := NATKind(v.NAT)
	if v.To != nil {
		addrs = t.addrs(*v.To)
		if kind == KindMasquerade || kind == KindRedirect {
			t.value(*v.To, "what a "+v.NAT+" goes to",
				"remove it: the address is that of an interface; or write snat or dnat")
		}
	}
	if v.Port != nil {
		if ports = t.ports(*v.Port); ports.IsZero() {
			t.value(*v.Port, "a port to go to", "write a port from 1, or leave the port out")
		}
	}
	var flags NATFlags
	if v.Flags != nil {
		for word := range strings.SplitSeq(t.text(*v.Flags), ",") {
			i := slices.Index(natFlagNames[:], word)
			if i < 0 {
				t.value(*v.Flags, "a list of flags of NAT", "write some of random, fully-random, persistent")
				break
			}
			flags |= 1 << i
		}
	}
	switch kind {
	case KindMasquerade:
		return Masquerade{Ports: ports, Flags: flags}
	case KindSNAT:
		return SNAT{Addrs: addrs, Ports: ports, Flags: flags}
	case KindDNAT:
		return DNAT{Addrs: addrs, Ports: ports, Flags: flags}
	case KindRedirect:
		return Redirect{Ports: ports, Flags: flags}
	}
	panic(fmt.Sprintf("ir: unknown nat %q", v.NAT))
}

func (t *textReader) origin(o *textOrigin) Origin {
	span := diag.Span{File: t.text(o.File)}
	if o.Place != nil {
		t.place(*o.Place, &span)
	}
	if o.Bytes != nil {
		t.bytes(*o.Bytes, &span)
	}
	return Origin{Span: span, Network: t.optional(o.Network), Element: t.optional(o.Element),
		Reason: t.optional(o.Reason)}
}
