package nftables

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// counter counts packets and bytes, from zero.
type counter struct{}

func (counter) appendText(b []byte, _ form) []byte { return append(b, "counter"...) }
func (counter) exprs(x []expr.Any) []expr.Any      { return append(x, &expr.Counter{}) }

// verdict is accept, drop, return, jump or goto.
type verdict struct{ word, chain string }

func (s verdict) appendText(b []byte, _ form) []byte {
	b = append(b, s.word...)
	if s.chain != "" {
		b = append(append(b, ' '), s.chain...)
	}
	return b
}

func (s verdict) exprs(x []expr.Any) []expr.Any {
	return append(x, &expr.Verdict{Kind: s.kind(), Chain: s.chain})
}

func (s verdict) kind() expr.VerdictKind {
	switch s.word {
	case "accept":
		return expr.VerdictAccept
	case "drop":
		return expr.VerdictDrop
	case "return":
		return expr.VerdictReturn
	case "jump":
		return expr.VerdictJump
	case "goto":
		return expr.VerdictGoto
	}
	panic(fmt.Sprintf("nftables: unknown verdict %q", s.word))
}

// reject ends the packet and answers its sender.
type reject struct {
	typ  uint32
	code uint8
	text string
}

func (s reject) appendText(b []byte, _ form) []byte { return append(b, s.text...) }
func (s reject) exprs(x []expr.Any) []expr.Any {
	return append(x, &expr.Reject{Type: s.typ, Code: s.code})
}

// rejectCodes has the numbers of RFC 792 and RFC 4443, -1 where the family has no such code, and of
// the kernel's code for either family (NFT_REJECT_ICMPX_*).
var rejectCodes = map[ir.RejectCode]struct{ v4, v6, x int }{
	ir.NetUnreachable:  {0, -1, -1},
	ir.HostUnreachable: {1, -1, -1},
	ir.ProtUnreachable: {2, -1, -1},
	ir.PortUnreachable: {3, 4, unix.NFT_REJECT_ICMPX_PORT_UNREACH},
	ir.NetProhibited:   {9, -1, -1},
	ir.HostProhibited:  {10, -1, -1},
	ir.AdminProhibited: {13, 1, unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED},
	ir.NoRoute:         {-1, 0, -1},
	ir.AddrUnreachable: {-1, 3, -1},
	ir.PolicyFail:      {-1, 5, -1},
	ir.RejectRoute:     {-1, 6, -1},
}

// rejectOf returns the statement for code in a table of one family or both, in a rule for packets
// of family. Nft leaves the code out where it is what a plain reject means there.
func rejectOf(code ir.RejectCode, table, family ir.Family) reject {
	n, ok := rejectCodes[code]
	if !ok {
		panic(fmt.Sprintf("nftables: unknown reject code %q", code))
	}
	r := reject{typ: unix.NFT_REJECT_ICMP_UNREACH}
	word := "icmp"
	switch family {
	case ir.IPv4:
		r.code = uint8(n.v4)
	case ir.IPv6:
		r.code, word = uint8(n.v6), "icmpv6"
	default:
		r.typ, r.code, word = unix.NFT_REJECT_ICMPX_UNREACH, uint8(n.x), "icmpx"
	}
	r.text = "reject with " + word + " " + string(code)
	if code == ir.PortUnreachable && table == family {
		r.text = "reject"
	}
	return r
}

// nat is masquerade, snat, dnat or redirect.
type nat struct {
	word   string
	inet   bool      // inet is true in a table of both families, where an address needs its family before it.
	family ir.Family // of the packets
	addrs  ir.AddrRange
	ports  ir.PortRange
	flags  ir.NATFlags
}

func (s nat) appendText(b []byte, f form) []byte {
	b = s.appendTo(b, f)
	if s.flags != 0 {
		b = append(append(b, ' '), s.flags.String()...)
	}
	return b
}

// appendTo appends all but the flags.
func (s nat) appendTo(b []byte, f form) []byte {
	b = append(b, s.word...)
	if s.addrs.IsZero() && s.ports.IsZero() {
		return b
	}
	if s.inet && !s.addrs.IsZero() {
		b = append(append(b, ' '), s.family.String()...)
	}
	b = append(b, " to "...)
	if !s.addrs.IsZero() {
		b = s.appendAddrs(b, f)
	}
	if s.ports.IsZero() {
		return b
	}
	b = strconv.AppendUint(append(b, ':'), uint64(s.ports.From), 10)
	if s.ports.To != s.ports.From {
		b = strconv.AppendUint(append(b, '-'), uint64(s.ports.To), 10)
	}
	return b
}

// appendAddrs prints a range that is a whole prefix as one. With ports behind it, nft 1.0.6 prints
// it so as well but can't read it back; the script then has the range.
func (s nat) appendAddrs(b []byte, f form) []byte {
	from, to := s.addrs.From, s.addrs.To
	if p, ok := prefixOf(from, to); ok && from != to && (s.ports.IsZero() || f == listing) {
		return appendPrefix(b, p)
	}
	ends := []netip.Addr{from, to}
	if from == to {
		ends = ends[:1]
	}
	for i, a := range ends {
		if i > 0 {
			b = append(b, '-')
		}
		if a.Is6() && !s.ports.IsZero() {
			b = append(appendAddr(append(b, '['), a), ']')
			continue
		}
		b = appendAddr(b, a)
	}
	return b
}

// exprs loads what was given into the registers from the first on, and names them to the kernel. A
// range of one is given by its lower end alone.
func (s nat) exprs(x []expr.Any) []expr.Any {
	next := uint32(unix.NFT_REG_1)
	load := func(value []byte) uint32 {
		x = append(x, &expr.Immediate{Register: next, Data: value})
		next++
		return next - 1
	}
	var addrMin, addrMax, portMin, portMax uint32
	if !s.addrs.IsZero() {
		addrMin = load(s.addrs.From.AsSlice())
		if s.addrs.To != s.addrs.From {
			addrMax = load(s.addrs.To.AsSlice())
		}
	}
	if !s.ports.IsZero() {
		portMin = load(bigEndian16(s.ports.From))
		if s.ports.To != s.ports.From {
			portMax = load(bigEndian16(s.ports.To))
		}
	}
	specified := portMin != 0
	switch s.word {
	case "masquerade":
		return append(x, &expr.Masq{ToPorts: specified, RegProtoMin: portMin, RegProtoMax: portMax,
			Random: s.flags&ir.Random != 0, FullyRandom: s.flags&ir.FullyRandom != 0,
			Persistent: s.flags&ir.Persistent != 0})
	case "redirect":
		r := &expr.Redir{RegisterProtoMin: portMin, RegisterProtoMax: portMax}
		if specified {
			r.Flags = unix.NF_NAT_RANGE_PROTO_SPECIFIED
		}
		for flag, bit := range map[ir.NATFlags]uint32{ir.Random: unix.NF_NAT_RANGE_PROTO_RANDOM,
			ir.FullyRandom: unix.NF_NAT_RANGE_PROTO_RANDOM_FULLY, ir.Persistent: unix.NF_NAT_RANGE_PERSISTENT} {
			if s.flags&flag != 0 {
				r.Flags |= bit
			}
		}
		return append(x, r)
	}
	typ := expr.NATTypeSourceNAT
	if s.word == "dnat" {
		typ = expr.NATTypeDestNAT
	}
	return append(x, &expr.NAT{Type: typ, Family: uint32(familyNumber(s.family)), RegAddrMin: addrMin,
		RegAddrMax:  addrMax,
		RegProtoMin: portMin, RegProtoMax: portMax, Specified: specified,
		Random: s.flags&ir.Random != 0, FullyRandom: s.flags&ir.FullyRandom != 0,
		Persistent: s.flags&ir.Persistent != 0})
}
