package decode

import (
	"encoding/binary"
	"slices"
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

// effect notes an action of a known kind that no match sees, but for what it touches.
func (m *machine) effect(touches ir.Fields, steps ...*wire.Expression) {
	m.act(ir.Effect{Text: m.words(steps...), Touches: touches})
}

// settle gives the rule its actions, and adds it to those that are whole. The IR does them after
// all matches. Those that come before some may be rules of their own, see early. Of others a log,
// or what touches nothing else that matches look at, makes no difference there, but is not the same
// action. What does make a difference is done to all packets that the first matches hold for: these
// are then the rule's, and whether the rest holds, and so the verdict, is not modelled.
func (m *machine) settle() {
	defer func() { m.shared.rules = append(m.shared.rules, m.out) }()
	if len(m.done) == 0 || m.early() {
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
			if late(d) {
				d.action = asEffect(d.action)
			}
			m.out.Actions = append(m.out.Actions, d.action)
		}
		return
	}
	for _, d := range m.done {
		if d.family != first.family || d.matches != first.matches { // perhaps it is done
			d.action = asEffect(d.action)
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

// asEffect returns an action of which only its words are known.
func asEffect(a ir.Action) ir.Action {
	switch a.(type) {
	case ir.Effect, ir.OpaqueAction:
		return a
	}
	return ir.Effect{Text: ir.ActionText(a), Touches: ir.Touches(a)}
}

// early makes rules of their own of actions that come before some of the matches, if these can be
// asked again behind them; it returns false if they can't.
func (m *machine) early() bool {
	run := m.copied()
	run.done = nil
	family, matches := m.out.Family, m.out.Matches
	run.shared = &fork{}
	for _, d := range m.done {
		run.out.Family, run.out.Matches = d.family, matches[:d.matches:d.matches]
		if n := len(run.done); n > 0 && (run.done[n-1].family != d.family || run.done[n-1].matches != d.matches) {
			run.out.Family, run.out.Matches = run.done[n-1].family, matches[:run.done[n-1].matches]
			if !run.canFlush() {
				return false
			}
			run.flush()
			run.out.Family, run.out.Matches = d.family, matches[:d.matches:d.matches]
		}
		run.done = append(run.done, d)
	}
	last := run.done[len(run.done)-1]
	if last.family != family || last.matches != len(matches) {
		if !run.canFlush() {
			return false
		}
		run.flush()
	}
	m.shared.rules = append(m.shared.rules, run.shared.rules...)
	m.done, m.out.Actions = nil, nil
	for _, d := range run.done {
		m.out.Actions = append(m.out.Actions, d.action)
	}
	return true
}

// setMeta runs meta set.
func (m *machine) setMeta(e *wire.Expression, n uint32) {
	v := m.get(n)
	touches := ir.Fields(0)
	if e.Number(unix.NFTA_META_KEY) == unix.NFT_META_MARK {
		if m.setMark(v, false) {
			return
		}
		touches = ir.FieldMark
	}
	m.effect(touches, with(v, e)...)
}

// setMark adds the actions that set the packet's mark, or its connection's, to v; false if the IR
// has none. What is taken from a connection's mark ends the rule for packets that have none.
func (m *machine) setMark(v *value, ct bool) bool {
	if v == nil {
		return false
	}
	if len(v.data) == 4 {
		m.act(ir.SetMark{Value: binary.NativeEndian.Uint32(v.data), Mask: ^uint32(0), CT: ct})
		return true
	}
	fromMark := v.load != nil && v.load.Name == "meta" && v.load.Number(unix.NFTA_META_KEY) == unix.NFT_META_MARK
	fromCT := v.load != nil && v.load.Name == "ct" && v.load.Number(unix.NFTA_CT_KEY) == unix.NFT_CT_MARK
	if !fromMark && !fromCT || v.swapped || v.mask != nil && len(v.mask) != 4 {
		return false
	}
	mask, xor := ^uint32(0), uint32(0)
	if v.mask != nil {
		mask = binary.NativeEndian.Uint32(v.mask)
	}
	if v.xor != nil {
		xor = binary.NativeEndian.Uint32(v.xor)
	}
	if fromCT && !slices.Contains(m.out.Matches, ir.Match(ir.CTState{States: ir.Tracked})) {
		m.match(ir.CTState{States: ir.Tracked})
	}
	switch {
	case fromCT != ct:
		m.act(ir.CopyMark{Save: ct, Clear: ^uint32(0), Take: mask})
		if xor != 0 {
			m.act(ir.SetMark{Value: xor, CT: ct})
		}
	case ^mask|xor != 0:
		m.act(ir.SetMark{Value: xor, Mask: ^mask, CT: ct})
	}
	return true
}

// with returns the steps that led to v, which may be nil, and e.
func with(v *value, e *wire.Expression) []*wire.Expression {
	if v == nil {
		return []*wire.Expression{e}
	}
	return append(v.steps[:len(v.steps):len(v.steps)], e)
}

// setCT runs ct set.
func (m *machine) setCT(e *wire.Expression, n uint32) {
	touches := ir.Fields(0)
	switch e.Number(unix.NFTA_CT_KEY) {
	case unix.NFT_CT_MARK:
		if m.setMark(m.get(n), true) {
			return
		}
		touches = ir.FieldCTMark
	case unix.NFT_CT_ZONE: // connections of another zone are other ones
		touches = ir.FieldState
	}
	m.effect(touches, with(m.get(n), e)...)
}

// writeOption runs an expression that writes an option of TCP, or takes one out.
func (m *machine) writeOption(e *wire.Expression) {
	const typ, offset, length, op, sreg = 2, 3, 4, 6, 7 // NFTA_EXTHDR_*
	const tcpOption, maxSeg, tcpMSS = 1, 2, 3           // NFT_EXTHDR_OP_TCPOPT, TCPOPT_MAXSEG, NFT_RT_TCPMSS
	v := m.get(e.Number(sreg))
	mss := e.Number(op) == tcpOption && len(e.Attrs[typ]) == 1 && e.Attrs[typ][0] == maxSeg && e.Number(offset) == 2 &&
		e.Number(length) == 2 && m.proto == ir.TCP && v != nil
	switch {
	case mss && len(v.data) == 2 && binary.BigEndian.Uint16(v.data) > 0:
		m.act(ir.ClampMSS{Size: binary.BigEndian.Uint16(v.data)})
	case mss && len(v.steps) == 2 && v.steps[0].Name == "rt" && v.steps[0].Number(2) == tcpMSS:
		m.act(ir.ClampMSS{})
	default:
		m.effect(0, with(v, e)...)
	}
}

// dynset runs a statement that changes a set. The rule goes on if the set had room, and if what its
// elements ask lets it.
func (m *machine) dynset(e *wire.Expression) {
	const sregKey = 4 // NFTA_DYNSET_SREG_KEY
	steps := with(m.get(e.Number(sregKey)), e)
	m.match(ir.Unknown{Sort: ir.SortRate, Text: m.words(steps...)})
	m.effect(0, steps...)
}

// writePayload runs the statement that writes into a header.
func (m *machine) writePayload(e *wire.Expression, n uint32) {
	v := m.get(n)
	at, to := written(e, v)
	touches := ir.Fields(0)
	if e.Number(unix.NFTA_PAYLOAD_BASE) == unix.NFT_PAYLOAD_NETWORK_HEADER {
		touches = ir.FieldHeader
	}
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
	m.effect(touches, with(v, e)...)
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
	log := ir.Log{Prefix: wire.OneLine([]byte(e.Text(unix.NFTA_LOG_PREFIX)))}
	short := func(attr int) uint16 {
		if b := e.Attrs[attr]; len(b) == 2 {
			return binary.BigEndian.Uint16(b)
		}
		return 0
	}
	const known = 0x2f // of linux/netfilter/nf_log.h
	level, said := e.Uint32(unix.NFTA_LOG_LEVEL)
	if said {
		log.Level = ir.LevelWord(int(level))
	}
	flags := e.Number(unix.NFTA_LOG_FLAGS)
	log.Flags = uint8(flags)
	if e.Attrs[unix.NFTA_LOG_GROUP] != nil {
		log = ir.Log{Prefix: log.Prefix, Grouped: true, Group: short(unix.NFTA_LOG_GROUP),
			Threshold: short(unix.NFTA_LOG_QTHRESHOLD), Snap: e.Number(unix.NFTA_LOG_SNAPLEN)}
	}
	if level > 8 || flags&^known != 0 {
		m.effect(0, e)
		return
	}
	m.act(log)
}

// object runs what an object of the table does.
func (m *machine) object(e *wire.Expression) {
	const attrType = 1 // NFTA_OBJREF_IMM_TYPE
	switch e.Number(attrType) {
	case unix.NFT_OBJECT_COUNTER, unix.NFT_OBJECT_CT_HELPER, unix.NFT_OBJECT_TUNNEL, unix.NFT_OBJECT_CT_TIMEOUT,
		unix.NFT_OBJECT_SECMARK,
		unix.NFT_OBJECT_CT_EXPECT:
		m.effect(0, e)
	default: // a limit or quota decides whether the rule goes on, and so does a map of objects
		m.opaque(e)
	}
}

// onward are the targets of x_tables that let a packet go on, and what they touch of what matches
// look at.
var onward = map[string]ir.Fields{
	"AUDIT": 0, "CHECKSUM": 0, "CLASSIFY": 0, "CONNMARK": ir.FieldCTMark, "CONNSECMARK": 0, "CT": ir.FieldState,
	"DSCP":      ir.FieldHeader,
	"ECN":       ir.FieldTCPFlags | ir.FieldHeader,
	"HL":        ir.FieldHeader,
	"IDLETIMER": 0, "LED": 0, "LOG": 0, "NFLOG": 0, "RATEEST": 0, "SECMARK": 0, "SET": 0, "TCPMSS": 0, "TCPOPTSTRIP": 0,
	"TEE": 0,
	"TOS": ir.FieldHeader, "TRACE": 0, "TTL": ir.FieldHeader,
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
	case name == "NOTRACK", name == "CT" && len(info) >= 2 && binary.NativeEndian.Uint16(info)&1 != 0: // XT_CT_NOTRACK
		m.act(ir.NoTrack{})
	case name == "NFQUEUE", name == "TPROXY", name == "SYNPROXY":
		m.end(ir.Handed{Text: m.words(e)})
	case !goesOn:
		m.end(ir.Opaque{Text: m.words(e)})
	case name == "MARK" && e.Number(unix.NFTA_TARGET_REV) == 2 && len(info) >= 8 && word(4)|word(0) != 0:
		m.act(ir.SetMark{Value: word(0), Mask: word(4)}) // struct xt_mark_tginfo2
	case name == "LOG" && len(info) >= 32 && info[0] == 4 && info[1] == 0: // struct xt_log_info: level, flags, prefix
		prefix, _, _ := strings.Cut(string(info[2:32]), "\x00")
		m.act(ir.Log{Prefix: wire.OneLine([]byte(prefix))})
	case name == "CONNMARK":
		m.connMark(e, info)
	default:
		m.effect(touches, e)
	}
}

// connMark runs the target CONNMARK: struct xt_connmark_tginfo1, and 2, which can shift.
func (m *machine) connMark(e *wire.Expression, info []byte) {
	mode := 12
	if e.Number(unix.NFTA_TARGET_REV) == 2 {
		mode = 14
	}
	if len(info) <= mode || mode == 14 && info[13] != 0 {
		m.effect(ir.FieldMark|ir.FieldCTMark, e)
		return
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(info[at:]) }
	ctmark, ctmask, nfmask := word(0), word(4), word(8)
	const set, save, restore = 0, 1, 2 // XT_CONNMARK_*
	switch {
	case info[mode] == set && ctmark|ctmask != 0:
		m.act(ir.SetMark{Value: ctmark, Mask: ctmask, CT: true})
	case info[mode] == save && ctmask|nfmask != 0:
		m.act(ir.CopyMark{Save: true, Clear: ctmask, Take: nfmask})
	case info[mode] == restore && ctmask|nfmask != 0:
		m.act(ir.CopyMark{Clear: nfmask, Take: ctmask})
	default:
		m.effect(ir.FieldMark|ir.FieldCTMark, e)
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
				c.Rules[i].Actions[j] = ir.Effect{Text: ir.ActionText(a), Touches: touches}
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
