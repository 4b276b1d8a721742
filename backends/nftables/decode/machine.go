package decode

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// machine runs the expressions of one rule on symbols: a register holds what was loaded into it,
// and a comparison of a register becomes a match. A step that it can't follow becomes an
// [ir.Opaque].
type machine struct {
	table  ir.Family
	reader *reader    // knows the sets; nil if there are none
	chain  chainKey   // of the rule
	regs   [16]*value // by the word of four bytes at which a value begins
	out    ir.Rule
	proto  uint8    // the transport protocol matched so far; 0 if none
	ended  bool     // ended is true if out has a verdict.
	lower  *pending // a lower bound that waits for its upper one
	done   []doing  // its actions so far

	shared *fork             // with copies
	forked bool              // forked is true if copies have gone on.
	parted bool              // parted is true if it is one of several copies.
	handed bool              // handed is true if the packet was given away; what follows does not matter.
	rest   []wire.Expression // behind the one at hand
}

// value is what a register holds.
type value struct {
	load    *wire.Expression // a load from the packet; nil if immediate
	steps   []*wire.Expression
	size    int    // bytes
	mask    []byte // nil if unmasked
	xor     []byte // nil if no bits are turned over after that
	swapped bool   // swapped is true if bytes were brought into the order of the network
	data    []byte // of an immediate
}

// pending is the first half of a range that was sent as two comparisons.
type pending struct {
	value *value
	from  []byte
	step  *wire.Expression
}

// rule runs the expressions of a rule in a table of m.table. It returns the rules that it stands
// for.
func (m *machine) rule(list []wire.Expression) []ir.Rule {
	m.out.Family = m.table
	m.shared = &fork{}
	m.goOn(list)
	all := m.shared.rules
	if len(all) > 1 {
		for i := range all {
			all[i].Origin.Element = ir.PartElement(i + 1)
		}
	}
	return all
}

// goOn runs the rest of a rule's expressions.
func (m *machine) goOn(list []wire.Expression) {
	for i := range list {
		if m.lower != nil && list[i].Name != "cmp" {
			m.endRange()
		}
		m.rest = list[i+1:]
		if m.step(&list[i]); m.forked {
			return
		}
	}
	m.endRange()
	if !m.ended {
		m.out.Verdict = ir.Counter{}
	}
	m.settle()
}

// step runs one expression.
func (m *machine) step(e *wire.Expression) {
	if m.handed {
		return
	}
	if m.ended { // the kernel is not here any more, or does something else besides
		m.opaque(e)
		return
	}
	switch e.Name {
	case "meta":
		if n, sets := e.Uint32(unix.NFTA_META_SREG); sets {
			m.setMeta(e, n)
			return
		}
		m.load(e, unix.NFTA_META_DREG, metaSize(e.Number(unix.NFTA_META_KEY)))
	case "payload":
		if n, sets := e.Uint32(unix.NFTA_PAYLOAD_SREG); sets {
			m.writePayload(e, n)
			return
		}
		m.load(e, unix.NFTA_PAYLOAD_DREG, int(e.Number(unix.NFTA_PAYLOAD_LEN)))
	case "ct":
		if n, sets := e.Uint32(unix.NFTA_CT_SREG); sets {
			m.setCT(e, n)
			return
		}
		m.load(e, unix.NFTA_CT_DREG, ctSize(e.Number(unix.NFTA_CT_KEY)))
	case "exthdr":
		if _, loads := e.Uint32(unix.NFTA_EXTHDR_DREG); !loads { // writes an option, or takes one out
			m.writeOption(e)
			return
		}
		m.loads(e, unix.NFTA_EXTHDR_DREG, 4)
	case "fib", "rt", "numgen", "xfrm":
		m.loads(e, 1, 4) // NFTA_*_DREG
	case "osf":
		m.loads(e, 1, 16)
	case "socket":
		m.loads(e, 2, 4)
	case "hash":
		m.spoil(e, m.get(e.Number(1)), e.Number(2), 4) // NFTA_HASH_SREG, NFTA_HASH_DREG
	case "dynset":
		m.dynset(e)
	case "notrack":
		m.act(ir.NoTrack{})
	case "log":
		m.log(e)
	case "dup", "last":
		m.effect(0, e)
	case "objref":
		m.object(e)
	case "bitwise":
		m.bitwise(e)
	case "byteorder":
		m.byteorder(e)
	case "cmp":
		m.compare(e)
	case "range":
		m.inRange(e)
	case "immediate":
		m.immediate(e)
	case "counter":
	case "reject":
		m.reject(e)
	case "nat":
		m.nat(e)
	case "masq":
		m.masquerade(e)
	case "redir":
		m.redirect(e)
	case "lookup":
		m.lookup(e)
	case "target":
		m.target(e)
	case "limit":
		m.limit(e)
	case "queue", "fwd", "tproxy", "synproxy":
		m.end(ir.Handed{Text: m.words(e)})
		m.handed = true
	case "flow_offload":
		m.effect(0, e)
	case "connlimit", "quota":
		m.opaque(e)
	default:
		m.opaque(e)
		m.regs = [16]*value{} // it may have loaded something
	}
}

func (m *machine) match(ms ...ir.Match) { m.out.Matches = append(m.out.Matches, ms...) }

func (m *machine) end(v ir.Verdict) { m.out.Verdict, m.ended = v, true }

// opaque keeps expressions that were not understood, as one match: of an unknown sort, if it is
// known what they ask.
func (m *machine) opaque(steps ...*wire.Expression) {
	text := m.words(steps...)
	if sort, ok := m.sortOf(steps); ok {
		m.match(ir.Unknown{Sort: sort, Text: text})
		return
	}
	m.match(ir.Opaque{Text: text})
}

// loads runs an expression that loads something of a size that is not modelled.
func (m *machine) loads(e *wire.Expression, dreg, size int) {
	n, ok := e.Uint32(dreg)
	if !ok || !m.set(n, &value{load: e, steps: []*wire.Expression{e}, size: size}) {
		m.opaque(e)
	}
}

// byteorder brings a value into the order of the network, or back. Single bytes have none.
func (m *machine) byteorder(e *wire.Expression) {
	const sreg, dreg, op, length, size = 1, 2, 3, 4, 5 // NFTA_BYTEORDER_*
	const hton = 1
	v, to := m.get(e.Number(sreg)), e.Number(dreg)
	whole := v != nil && v.load != nil && v.mask == nil && int(e.Number(length)) == v.size
	switch {
	case whole && v.size == 1:
		m.set(to, v)
	case whole && e.Number(op) == hton && int(e.Number(size)) == v.size && !v.swapped:
		c := *v
		c.swapped = true
		c.steps = with(v, e)
		m.set(to, &c)
	default:
		m.spoil(e, v, to, int(e.Number(length)))
	}
}

func debugText(steps ...*wire.Expression) string {
	var b []byte
	for i, e := range steps {
		if i > 0 {
			b = append(b, ' ')
		}
		b = e.AppendDebug(b)
	}
	return wire.OneLine(b)
}

// word returns the word at which register n begins; ok is false if there is no such register. There
// are four of 16 bytes and sixteen of 4 bytes, over the same memory (enum nft_registers).
func word(n uint32) (w int, ok bool) {
	switch {
	case n >= unix.NFT_REG_1 && n <= unix.NFT_REG_4:
		return int(n-unix.NFT_REG_1) * 4, true
	case n >= unix.NFT_REG32_00 && n <= unix.NFT_REG32_15:
		return int(n - unix.NFT_REG32_00), true
	}
	return 0, false
}

// set stores v in register n, and so spoils what the words of v held before.
func (m *machine) set(n uint32, v *value) bool {
	w, ok := word(n)
	words := (v.size + 3) / 4
	if !ok || words == 0 || w+words > len(m.regs) {
		return false
	}
	for i, old := range m.regs {
		if old != nil && i < w+words && w < i+(old.size+3)/4 {
			m.regs[i] = nil
		}
	}
	m.regs[w] = v
	return true
}

// get returns what register n holds, nil if that isn't known.
func (m *machine) get(n uint32) *value {
	w, ok := word(n)
	if !ok {
		return nil
	}
	return m.regs[w]
}

// load runs a load from the packet into the register that attribute dreg names; without one the
// expression changes the packet.
func (m *machine) load(e *wire.Expression, dreg, size int) {
	n, ok := e.Uint32(dreg)
	if !ok || !m.set(n, &value{load: e, steps: []*wire.Expression{e}, size: size}) {
		m.opaque(e)
	}
}

// metaSize returns the size in bytes of what meta loads.
func metaSize(key uint32) int {
	switch key {
	case unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME:
		return unix.IFNAMSIZ
	case unix.NFT_META_NFPROTO, unix.NFT_META_L4PROTO, unix.NFT_META_PKTTYPE, metaSecPath:
		return 1
	case unix.NFT_META_PROTOCOL, unix.NFT_META_IIFTYPE, unix.NFT_META_OIFTYPE:
		return 2
	}
	return 4
}

// ctSize returns the size in bytes of what ct loads.
func ctSize(key uint32) int {
	switch key {
	case unix.NFT_CT_DIRECTION, unix.NFT_CT_PROTOCOL, unix.NFT_CT_L3PROTOCOL:
		return 1
	case unix.NFT_CT_BYTES, unix.NFT_CT_PKTS, unix.NFT_CT_AVGPKT:
		return 8
	}
	return 4
}

// ordered is true if the bytes of v are compared in the order of the network.
func (m *machine) ordered(v *value) bool {
	return v.swapped || v.load != nil && (v.load.Name == "payload" || v.size == 1)
}

// after returns the number behind n, which is not the highest, in network byte order.
func after(n []byte) []byte {
	n = bytes.Clone(n)
	for i := len(n) - 1; i >= 0; i-- {
		if n[i]++; n[i] != 0 {
			break
		}
	}
	return n
}

// bitwise masks a register: (value & mask) ^ xor. Only a first mask of a load is followed.
func (m *machine) bitwise(e *wire.Expression) {
	const opBool = 0 // NFT_BITWISE_BOOL; the others shift
	const attrOp = 6 // NFTA_BITWISE_OP
	from := m.get(e.Number(unix.NFTA_BITWISE_SREG))
	mask, xor := e.Value(unix.NFTA_BITWISE_MASK), e.Value(unix.NFTA_BITWISE_XOR)
	size := int(e.Number(unix.NFTA_BITWISE_LEN))
	if from == nil || from.load == nil || from.mask != nil || from.swapped || e.Number(attrOp) != opBool ||
		size != from.size || len(mask) != size || len(xor) != size {
		m.spoil(e, from, e.Number(unix.NFTA_BITWISE_DREG), size)
		return
	}
	v := *from
	v.mask = mask
	if len(bytes.Trim(xor, "\x00")) != 0 {
		v.xor = xor
	}
	v.steps = append(append([]*wire.Expression(nil), from.steps...), e)
	if !m.set(e.Number(unix.NFTA_BITWISE_DREG), &v) {
		m.opaque(v.steps...)
	}
}

// spoil stores a value that can't be followed but whose steps are known, for the text of what is
// done with it.
func (m *machine) spoil(e *wire.Expression, from *value, dreg uint32, size int) {
	v := &value{size: size}
	if from != nil {
		v.steps = append(v.steps, from.steps...)
	}
	v.steps = append(v.steps, e)
	if size == 0 || !m.set(dreg, v) {
		m.opaque(v.steps...)
	}
}

// compare runs a comparison: the rule goes on if it holds.
func (m *machine) compare(e *wire.Expression) {
	v, data := m.get(e.Number(unix.NFTA_CMP_SREG)), e.Value(unix.NFTA_CMP_DATA)
	op := e.Number(unix.NFTA_CMP_OP)
	if low := m.lower; low != nil {
		if v == low.value && op == unix.NFT_CMP_LTE && len(data) == len(low.from) {
			m.lower = nil
			m.between(v, low.from, data, false, low.step, e)
			return
		}
		m.endRange()
	}
	switch {
	case v == nil:
		m.opaque(e)
	case op == unix.NFT_CMP_EQ || op == unix.NFT_CMP_NEQ:
		if !m.equals(v, data, op == unix.NFT_CMP_NEQ) {
			m.opaque(append(v.steps[:len(v.steps):len(v.steps)], e)...)
		}
	case op == unix.NFT_CMP_GTE:
		m.lower = &pending{v, data, e}
	case op == unix.NFT_CMP_LTE:
		m.between(v, make([]byte, len(data)), data, false, e)
	case op == unix.NFT_CMP_LT && len(bytes.Trim(data, "\x00")) > 0 && m.ordered(v):
		m.between(v, make([]byte, len(data)), before(data), false, e)
	case op == unix.NFT_CMP_GT && len(bytes.Trim(data, "\xff")) > 0 && m.ordered(v):
		m.between(v, after(data), bytes.Repeat([]byte{0xff}, len(data)), false, e)
	default:
		m.opaque(append(v.steps[:len(v.steps):len(v.steps)], e)...)
	}
}

// endRange ends a lower bound that no upper one followed.
func (m *machine) endRange() {
	if low := m.lower; low != nil {
		m.lower = nil
		m.between(low.value, low.from, bytes.Repeat([]byte{0xff}, len(low.from)), false, low.step)
	}
}

// inRange runs a range expression.
func (m *machine) inRange(e *wire.Expression) {
	v := m.get(e.Number(unix.NFTA_RANGE_SREG))
	op := e.Number(unix.NFTA_RANGE_OP)
	if v == nil || op != unix.NFT_RANGE_EQ && op != unix.NFT_RANGE_NEQ {
		m.opaque(e)
		return
	}
	m.between(v, e.Value(unix.NFTA_RANGE_FROM_DATA), e.Value(unix.NFTA_RANGE_TO_DATA), op == unix.NFT_RANGE_NEQ, e)
}
