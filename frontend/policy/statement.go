package policy

import (
	"fmt"
	"strconv"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// statement reads a line that is no set. It is of use if nothing was reported.
func (r *reader) statement(t *textLine) Statement {
	switch {
	case t.Isolated != nil:
		return Statement{Kind: Isolated, Family: ir.Both, From: r.network1(*t.Isolated)}
	case t.Clamp != nil:
		return r.clamp(t.Clamp)
	case t.Publish != nil:
		return r.publish(t.Publish)
	}
	return r.rule(t.Rule)
}

func (r *reader) network1(w textWord) End {
	return End{Kind: Network, Name: r.text(w), Span: r.spanOf(w)}
}

// The bounds of an MSS that is written down. Every IPv4 host takes datagrams of 576 octets (RFC
// 1122, section 3.3.3), which leaves segments of 536, so no path needs smaller ones; they would
// only make both sides work more for the same data. 65495 is what is left of the longest IPv4
// packet behind the headers of IP and TCP; the kernel never raises an MSS, so more would do
// nothing.
const minMSS, maxMSS = 536, 65495

func (r *reader) clamp(c *textClamp) Statement {
	s := Statement{Kind: Clamp, Family: ir.Both, From: r.network1(c.Network)}
	if c.MSS != nil {
		n, err := strconv.ParseUint(r.text(*c.MSS), 10, 16)
		if err != nil || n < minMSS || n > maxMSS {
			r.value(*c.MSS, "the size of a segment",
				fmt.Sprintf("write a number of bytes from %d to %d, or nothing for what the path takes", minMSS,
					maxMSS))
		}
		s.MSS = uint16(n)
	}
	return s
}

// rule reads allow and deny.
func (r *reader) rule(t *textRule) Statement {
	s := Statement{Kind: Kind(t.Kind), Family: ir.Both}
	family := map[string]ir.Family{"ipv4": ir.IPv4, "ipv6": ir.IPv6}[t.Family]
	if family != 0 {
		s.Family = family
	}
	if t.Proto != nil {
		s.Proto = r.proto(*t.Proto)
	}
	if t.Types != nil {
		r.types(&s, t)
	}
	s.From, s.To = r.end(t.From), r.end(t.To)
	if t.From != nil {
		r.narrow(&s.Family, t.From.Addrs, s.From)
	}
	if t.To != nil {
		r.narrow(&s.Family, t.To.Addrs, s.To)
	}
	if t.Ports != nil {
		s.Ports = r.ports(t.Ports)
		if s.Proto != 0 && !ir.HasPorts(s.Proto) {
			r.unfit(t.Ports, fmt.Sprintf("a port of protocol %s", protoName(s.Proto)),
				"only tcp, udp, sctp, dccp and udplite have ports", "remove the port, or name another protocol")
		}
	}
	if hostless(s.From) && hostless(s.To) {
		at := s.To.Span
		r.list = append(r.list, diag.Diagnostic{Severity: diag.Error, Code: "policy-unfit", Span: at,
			What: fmt.Sprintf("from %s to %s", plainEnd(s.From), plainEnd(s.To)),
			Why:  "such packets meet no rules of networks: the host's own go by none of their bridges, and the host's routes decide what it passes on",
			Fix:  "name a network at one end"})
	}
	return s
}

// hostless is true if packets between two such ends go by the bridge of no network.
func hostless(e End) bool { return e.Kind == Host || e.Kind == Outside }

// unfit reports words that say what can't be together with the rest of the line.
func (r *reader) unfit(words []textWord, what, why, fix string) {
	last := words[len(words)-1]
	r.errorf("policy-unfit", words[0].Pos.Offset, last.Pos.Offset+len(last.Text), what, why, fix)
}

// narrow narrows family to those of an end's addresses, which stand in words.
func (r *reader) narrow(family *ir.Family, words []textWord, e End) {
	if len(e.Addrs) == 0 {
		return
	}
	of := e.families()
	if *family&of == 0 {
		r.unfit(words, fmt.Sprintf("an %s address in a statement about %s", familyWord(of), familyWord(*family)),
			"both ends of a connection are of one family", "write addresses of one family")
		return
	}
	*family &= of
}

// types reads the ICMP types of t. They narrow the family to that of the protocol.
func (r *reader) types(s *Statement, t *textRule) {
	of := map[uint8]ir.Family{ir.ICMP: ir.IPv4, ir.ICMPv6: ir.IPv6}[s.Proto]
	switch {
	case of == 0:
		r.unfit(t.Types, "types of what is not icmp or icmpv6", "only packets of these protocols have types",
			"write icmp or icmpv6 before type")
		return
	case s.Family&of == 0:
		r.unfit(t.Types, fmt.Sprintf("types of %s in a statement about %s", protoName(s.Proto), familyWord(s.Family)),
			"icmp belongs to IPv4 and icmpv6 to IPv6", "write one that fits, or remove "+familyWord(s.Family))
		return
	}
	s.Family = of
	items, ok := r.items(t.Types)
	if !ok {
		return
	}
	seen := make(map[uint8]bool)
	for _, w := range items {
		n, ok := r.icmpType(w, s.Proto)
		if ok && seen[n] {
			r.repeated(w, ir.ICMPName(s.Proto, n))
		}
		seen[n] = true
		s.ICMP = append(s.ICMP, ir.ICMPType{Type: n})
	}
}

// repeated reports a value of a list that is covered by another.
func (r *reader) repeated(w textWord, by string) {
	r.wrong("policy-repeated", w, fmt.Sprintf("%s is in the list already, by %s", shown(w.Text), by),
		"what a list has twice is seldom meant", "remove one of the two")
}
