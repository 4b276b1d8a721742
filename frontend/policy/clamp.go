package policy

import "github.com/vnetc/vnetc/ir"

// clamp adds the rules of a statement about segment sizes: TCP connections that begin through the
// network's bridge, either way, offer segments no larger than those. Only packets with SYN and
// without RST carry the option (RFC 9293, section 3.7.1).
func (l *lowering) clamp(s *Statement) {
	for _, n := range l.nets {
		if n.link.Name != s.From.Name {
			continue
		}
		for _, device := range []ir.Match{n.in, n.out} {
			l.segments.add(ir.Rule{
				Family: ir.Both,
				Matches: []ir.Match{device, ir.L4Proto{Proto: ir.TCP},
					ir.TCPFlags{Mask: ir.FlagSYN | ir.FlagRST, Flags: ir.FlagSYN}},
				Actions: []ir.Action{ir.ClampMSS{Size: s.MSS}},
				Verdict: ir.Counter{},
				Origin:  ir.Origin{Span: s.Span, Element: "policy", Reason: s.String(), Network: n.link.Name},
			})
		}
	}
}
