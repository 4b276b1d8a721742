package decode

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// doing is an action of the rule at hand, and what the rule had matched before it.
type doing struct {
	action  ir.Action
	family  ir.Family
	matches int // how many of the rule's matches come before it
}

// act notes an action. In the kernel a rule may go on with further matches behind it; see settle.
func (m *machine) act(a ir.Action) {
	m.done = append(m.done, doing{a, m.out.Family, len(m.out.Matches)})
}

// opaqueAction notes an action that the IR has no kind for.
func (m *machine) opaqueAction(touches ir.Fields, steps ...*wire.Expression) {
	m.act(ir.OpaqueAction{Text: m.words(steps...), Touches: touches})
}

// settle gives the rule its actions. The IR does them after all matches. A log, or what touches
// nothing else that matches look at, makes no difference before some of them, but is not the same
// action. What does make a difference is done to all packets that the first matches hold for: these
// are then the rule's, and whether the rest holds, and so the verdict, is not modelled.
func (m *machine) settle() {
	if len(m.done) == 0 {
		return
	}
	first := m.done[0]
	for _, d := range m.done {
		if ir.Touches(d.action) != 0 {
			first = d
			break
		}
	}
	late := func(d doing) bool { return d.family != m.out.Family || d.matches != len(m.out.Matches) }
	if !late(first) || ir.Touches(first.action) == 0 {
		for _, d := range m.done {
			if log, is := d.action.(ir.Log); is && late(d) {
				d.action = ir.OpaqueAction{Text: ir.ActionText(log)}
			}
			m.out.Actions = append(m.out.Actions, d.action)
		}
		return
	}
	for _, d := range m.done {
		_, known := d.action.(ir.OpaqueAction)
		if !known && (d.family != first.family || d.matches != first.matches) { // perhaps it is done
			d.action = ir.OpaqueAction{Text: ir.ActionText(d.action), Touches: ir.Touches(d.action)}
		}
		m.out.Actions = append(m.out.Actions, d.action)
	}
	if _, goesOn := m.out.Verdict.(ir.Counter); !goesOn {
		var words []string
		if m.out.Family != first.family {
			words = append(words, m.out.Family.String())
		}
		for _, match := range m.out.Matches[first.matches:] {
			words = append(words, ir.MatchText(match))
		}
		m.out.Verdict = ir.Opaque{Text: strings.Join(append(words, ir.VerdictText(m.out.Verdict)), " ")}
	}
	m.out.Family, m.out.Matches = first.family, m.out.Matches[:first.matches]
}

// setMeta runs meta set.
func (m *machine) setMeta(e *wire.Expression, n uint32) {
	v := m.get(n)
	touches := ir.Fields(0)
	if e.Number(unix.NFTA_META_KEY) == unix.NFT_META_MARK {
		if a, ok := markOf(v); ok {
			m.act(a)
			return
		}
		touches = ir.FieldMark
	}
	m.opaqueAction(touches, with(v, e)...)
}

// with returns the steps that led to v, which may be nil, and e.
func with(v *value, e *wire.Expression) []*wire.Expression {
	if v == nil {
		return []*wire.Expression{e}
	}
	return append(v.steps[:len(v.steps):len(v.steps)], e)
}

// markOf returns what it is to set the mark to v: a constant, or the mark itself with some bits set
// to fixed values.
func markOf(v *value) (a ir.SetMark, ok bool) {
	switch {
	case v == nil:
		return a, false
	case len(v.data) == 4:
		return ir.SetMark{Value: binary.NativeEndian.Uint32(v.data), Mask: ^uint32(0)}, true
	case v.load == nil || v.load.Name != "meta" || v.load.Number(unix.NFTA_META_KEY) != unix.NFT_META_MARK ||
		len(v.mask) != 4:
		return a, false
	}
	a.Mask = ^binary.NativeEndian.Uint32(v.mask)
	if v.xor != nil {
		a.Value = binary.NativeEndian.Uint32(v.xor)
	}
	return a, a.Mask != 0 && a.Value&^a.Mask == 0
}

// setCT runs ct set.
func (m *machine) setCT(e *wire.Expression, n uint32) {
	touches := ir.Fields(0)
	if e.Number(unix.NFTA_CT_KEY) == unix.NFT_CT_ZONE { // connections of another zone are other ones
		touches = ir.FieldState
	}
	m.opaqueAction(touches, with(m.get(n), e)...)
}

// writePayload runs the statement that writes into a header.
func (m *machine) writePayload(e *wire.Expression, n uint32) {
	v := m.get(n)
	at, to := written(e, v)
	touches := ir.Fields(0)
	field := func(f ir.Fields, from, end int) {
		if at < end && from < to {
			touches |= f
		}
	}
	switch e.Number(unix.NFTA_PAYLOAD_BASE) {
	case unix.NFT_PAYLOAD_LL_HEADER:
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		if m.out.Family&ir.IPv4 != 0 {
			field(ir.FieldL4Proto, 9, 10)
			field(ir.FieldSAddr, 12, 16)
			field(ir.FieldDAddr, 16, 20)
		}
		if m.out.Family&ir.IPv6 != 0 {
			field(ir.FieldL4Proto, 6, 7)
			field(ir.FieldSAddr, 8, 24)
			field(ir.FieldDAddr, 24, 40)
		}
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		field(ir.FieldSPort|ir.FieldICMP, 0, 2)
		field(ir.FieldDPort, 2, 4)
		field(ir.FieldTCPFlags, 13, 14)
	default:
		touches = ir.AllFields
	}
	m.opaqueAction(touches, with(v, e)...)
}

// written returns the bytes of the header, from and up to without to, that writing v changes: v may
// be the bytes that are there, the last of them unchanged. (A field of one byte is written with the
// next, for the sake of the checksum.)
func written(e *wire.Expression, v *value) (from, to int) {
	from = int(e.Number(unix.NFTA_PAYLOAD_OFFSET))
	to = from + int(e.Number(unix.NFTA_PAYLOAD_LEN))
	if v == nil || v.load == nil || v.load.Name != "payload" || len(v.mask) != to-from || v.size != to-from {
		return from, to
	}
	for _, same := range []int{unix.NFTA_PAYLOAD_BASE, unix.NFTA_PAYLOAD_OFFSET} {
		if v.load.Number(same) != e.Number(same) {
			return from, to
		}
	}
	for i := len(v.mask) - 1; i >= 0 && v.mask[i] == 0xff && (v.xor == nil || v.xor[i] == 0); i-- {
		to--
	}
	return from, to
}

// log runs a log: by default one with level warning, into the kernel's log.
func (m *machine) log(e *wire.Expression) {
	level, said := e.Uint32(unix.NFTA_LOG_LEVEL)
	const warning = 4 // of syslog(3)
	if said && level != warning || e.Attrs[unix.NFTA_LOG_GROUP] != nil || e.Number(unix.NFTA_LOG_FLAGS) != 0 {
		m.opaqueAction(0, e)
		return
	}
	m.act(ir.Log{Prefix: wire.OneLine([]byte(e.Text(unix.NFTA_LOG_PREFIX)))})
}

// object runs what an object of the table does.
func (m *machine) object(e *wire.Expression) {
	const attrType = 1 // NFTA_OBJREF_IMM_TYPE
	switch e.Number(attrType) {
	case unix.NFT_OBJECT_COUNTER, unix.NFT_OBJECT_CT_HELPER, unix.NFT_OBJECT_TUNNEL, unix.NFT_OBJECT_CT_TIMEOUT,
		unix.NFT_OBJECT_SECMARK,
		unix.NFT_OBJECT_CT_EXPECT:
		m.opaqueAction(0, e)
	default: // a limit or quota decides whether the rule goes on
		m.opaque(e)
	}
}

// onward are the targets of x_tables that let a packet go on, and what they touch of what matches
// look at.
var onward = map[string]ir.Fields{
	"AUDIT": 0, "CHECKSUM": 0, "CLASSIFY": 0, "CONNMARK": 0, "CONNSECMARK": 0, "CT": ir.FieldState, "DSCP": 0,
	"ECN":       ir.FieldTCPFlags,
	"HL":        0,
	"IDLETIMER": 0, "LED": 0, "LOG": 0, "NFLOG": 0, "RATEEST": 0, "SECMARK": 0, "SET": 0, "TCPMSS": 0, "TCPOPTSTRIP": 0,
	"TEE": 0,
	"TOS": 0, "TRACE": 0, "TTL": 0,
	"DNPT": ir.FieldDAddr, "SNPT": ir.FieldSAddr,
	"HMARK": ir.FieldMark, "MARK": ir.FieldMark,
}

// target runs a target of x_tables, as iptables-nft makes them. Each has a structure of its own
// (linux/netfilter/xt_*.h).
func (m *machine) target(e *wire.Expression) {
	name, info := e.Text(unix.NFTA_TARGET_NAME), e.Attrs[unix.NFTA_TARGET_INFO]
	touches, goesOn := onward[name]
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(info[at:]) }
	switch {
	case name == "NOTRACK", name == "CT" && len(info) >= 2 && binary.NativeEndian.Uint16(info) == 1: // XT_CT_NOTRACK
		m.act(ir.NoTrack{})
	case !goesOn:
		m.end(ir.Opaque{Text: m.words(e)})
	case name == "MARK" && e.Number(unix.NFTA_TARGET_REV) == 2 && len(info) >= 8 && word(4) != 0 &&
		word(0)&^word(4) == 0:
		m.act(ir.SetMark{Value: word(0), Mask: word(4)}) // struct xt_mark_tginfo2
	case name == "LOG" && len(info) >= 32 && info[0] == 4 && info[1] == 0: // struct xt_log_info: level, flags, prefix
		prefix, _, _ := strings.Cut(string(info[2:32]), "\x00")
		m.act(ir.Log{Prefix: wire.OneLine([]byte(prefix))})
	case name == "CONNMARK" && (len(info) < 13 || info[12] == 2): // struct xt_connmark_tginfo1: XT_CONNMARK_RESTORE
		m.opaqueAction(ir.FieldMark, e)
	default:
		m.opaqueAction(touches, e)
	}
}

// settleNoTrack reduces each notrack to what it does: behind connection tracking it does nothing.
func (r *reader) settleNoTrack() {
	early, late := make(map[*ir.Chain]bool), make(map[*ir.Chain]bool)
	for key, c := range r.chains {
		if c.Base != nil {
			before := (c.Base.Hook == ir.Prerouting || c.Base.Hook == ir.Output) &&
				c.Base.Priority < ir.PriorityConntrack
			r.reach(map[bool]map[*ir.Chain]bool{true: early, false: late}[before], key)
		}
	}
	for c := range late {
		for i := range c.Rules {
			for j, a := range c.Rules[i].Actions {
				if a != ir.Action(ir.NoTrack{}) {
					continue
				}
				touches := ir.Fields(0)
				if early[c] {
					touches = ir.FieldState
				}
				c.Rules[i].Actions[j] = ir.OpaqueAction{Text: ir.ActionText(a), Touches: touches}
			}
		}
	}
}

// reach adds the chain of key and those that its rules lead to.
func (r *reader) reach(to map[*ir.Chain]bool, key chainKey) {
	c := r.chains[key]
	if c == nil || to[c] {
		return
	}
	to[c] = true
	for i := range c.Rules {
		switch v := c.Rules[i].Verdict.(type) {
		case ir.Jump:
			r.reach(to, chainKey{key.family, key.table, v.Chain})
		case ir.Goto:
			r.reach(to, chainKey{key.family, key.table, v.Chain})
		}
	}
}
