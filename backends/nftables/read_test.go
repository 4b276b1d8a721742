package nftables

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

var cmpAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var cmpPrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func read(t testing.TB, stream []byte) *ir.Program {
	t.Helper()
	p, err := Backend{}.Read([]backends.Document{{File: "test", Text: stream}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReadBack reads each batch and lowers what was read: the same tables must come out. (That
// reading understands the bytes as the kernel does, and not only as we write them, is for
// TestReadForeign and for packets to show.)
func TestReadBack(t *testing.T) {
	for _, c := range programs() {
		if c.o.Layout == backends.Sets {
			continue // what is read has the sets already: the same rules, under other names
		}
		t.Run(c.name, func(t *testing.T) {
			r := lowered(t, c.p, c.o)
			o := c.o
			o.Comments = false // Rules that were read carry their comment themselves.
			again := lowered(t, read(t, r.Images()[0].Text), o)
			want, got := tablesText(r), tablesText(again)
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("(-lowered +read and lowered):\n%s", diff)
			}
			if !bytes.Equal(r.Batch().Bytes, again.Batch().Bytes) {
				t.Error("the batch differs, though the text is the same")
			}
		})
	}
}

func tablesText(r *Ruleset) string {
	var b []byte
	for _, table := range r.tables {
		b = table.appendText(b, script)
	}
	return string(b)
}

// TestReadRule reads rules made of single expressions, as other programs send them (nft,
// iptables-nft), and as damage or a fault would leave them.
func TestReadRule(t *testing.T) {
	load := func(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: 1} }
	eq := func(data ...byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	network := func(offset, size uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size}
	}
	th := func(offset, size uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: size}
	}
	tcp := []expr.Any{load(expr.MetaKeyL4PROTO), eq(ir.TCP)}
	then := func(before []expr.Any, x ...expr.Any) []expr.Any { return append(slices.Clone(before), x...) }
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	prefix := netip.MustParsePrefix
	opaque := func(text string) ir.Match { return ir.Opaque{Text: text} }
	unknown := func(sort ir.Sort, text string) ir.Match { return ir.Unknown{Sort: sort, Text: text} }
	tests := []struct {
		name  string
		table ir.Family
		exprs []expr.Any
		want  ir.Rule
	}{
		{"nothing", ir.IPv4, nil, ir.Rule{Verdict: ir.Counter{}}},
		{"the name of iptables-nft has one NUL", ir.IPv4, []expr.Any{load(expr.MetaKeyIIFNAME),
			eq('e', 't', 'h', '0', 0), accept},
			ir.Rule{Matches: []ir.Match{ir.IIfName{Name: "eth0"}}, Verdict: ir.Accept{}}},
		{"a name behind a NUL", ir.IPv4, []expr.Any{load(expr.MetaKeyOIFNAME), eq('e', 0, 'x')},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortPort, "oifname 0x650078")}, Verdict: ir.Counter{}}},
		{"an interface by its index", ir.IPv4, []expr.Any{load(expr.MetaKeyIIF), eq(hostEndian32(2)...), accept},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortPort, "iif 2")}, Verdict: ir.Accept{}}},
		{"the protocol of the IPv4 header", ir.IPv4, []expr.Any{network(9, 1), eq(ir.UDP), th(2, 2), eq(0, 53), accept},
			ir.Rule{Matches: []ir.Match{ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: 53, To: 53}}, Verdict: ir.Accept{}}},
		{"both addresses at once", ir.IPv4, []expr.Any{network(12, 8), eq(10, 0, 0, 1, 10, 0, 0, 2)},
			ir.Rule{Matches: []ir.Match{ir.SAddr{Prefix: prefix("10.0.0.1/32")},
				ir.DAddr{Prefix: prefix("10.0.0.2/32")}}, Verdict: ir.Counter{}}},
		{"an address of an unknown family", ir.Both, []expr.Any{network(12, 1), eq(10)},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortPayload, "@nh,96,8 0xa")}, Verdict: ir.Counter{}}},
		{"an address of a known family", ir.Both, []expr.Any{load(expr.MetaKeyNFPROTO), eq(unix.NFPROTO_IPV4),
			network(12, 1), eq(10)},
			ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.SAddr{Prefix: prefix("10.0.0.0/8")}},
				Verdict: ir.Counter{}}},
		{"a mask with a hole", ir.IPv4, []expr.Any{network(16, 4),
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: []byte{255, 0, 255, 0},
				Xor: make([]byte, 4)}, eq(10, 0, 1, 0)},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortPayload, "ip daddr & 0xff00ff00 == 0xa000100")},
				Verdict: ir.Counter{}}},
		{"ports without a protocol", ir.IPv4, []expr.Any{th(2, 2), eq(0, 53)},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortPayload, "th dport 53")}, Verdict: ir.Counter{}}},
		{"ports from", ir.IPv4, then(tcp, th(0, 2), &expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: []byte{4, 0}},
			accept),
			ir.Rule{Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}, ir.SPort{From: 1024, To: 65535}},
				Verdict: ir.Accept{}}},
		{"ports to", ir.IPv4, then(tcp, th(0, 2), &expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: []byte{4, 0}}),
			ir.Rule{Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}, ir.SPort{From: 0, To: 1024}},
				Verdict: ir.Counter{}}},
		{"a state without a mask", ir.IPv4, []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
			eq(hostEndian32(2)...)},
			ir.Rule{Matches: []ir.Match{ir.CTState{States: ir.StateEstablished}}, Verdict: ir.Counter{}}},
		{"code after type", ir.IPv4, []expr.Any{load(expr.MetaKeyL4PROTO), eq(ir.ICMP), th(0, 1), eq(3), th(1, 1),
			eq(4)},
			ir.Rule{Matches: []ir.Match{ir.L4Proto{Proto: ir.ICMP}, ir.ICMPType{Type: 3, Code: 4, HasCode: true}},
				Verdict: ir.Counter{}}},
		{"what the mask took from the registers", ir.IPv4, []expr.Any{network(12, 4), load(expr.MetaKeyL4PROTO), eq(6)},
			ir.Rule{Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}}, Verdict: ir.Counter{}}},
		{"a register that is empty", ir.IPv4, []expr.Any{eq(1)},
			ir.Rule{Matches: []ir.Match{opaque("[ cmp eq reg 1 0x00000001 ]")}, Verdict: ir.Counter{}}},
		{"a set", ir.IPv4, []expr.Any{load(expr.MetaKeyIIFNAME), &expr.Lookup{SourceRegister: 1, SetName: "bridges"},
			accept},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortMembers, "iifname @bridges")}, Verdict: ir.Accept{}}},
		{"a map of verdicts", ir.IPv4, []expr.Any{load(expr.MetaKeyIIFNAME),
			&expr.Lookup{SourceRegister: 1, SetName: "m", DestRegister: 0, IsDestRegSet: true}},
			ir.Rule{Verdict: ir.Opaque{Text: "iifname vmap @m"}}},
		{"what is not known", ir.IPv4, []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: 1,
			Unit: expr.LimitTimeSecond}, accept},
			ir.Rule{Matches: []ir.Match{unknown(ir.SortRate, "limit rate 1/second")}, Verdict: ir.Accept{}}},
		{"a mark that is set", ir.IPv4, []expr.Any{&expr.Immediate{Register: 1, Data: hostEndian32(1)},
			&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1}},
			ir.Rule{Actions: []ir.Action{ir.SetMark{Value: 1, Mask: 0xffffffff}}, Verdict: ir.Counter{}}},
		{"random ports", ir.IPv4, []expr.Any{&expr.Masq{Random: true}},
			ir.Rule{Verdict: ir.Masquerade{Flags: ir.Random}}},
		{"a queue", ir.IPv4, []expr.Any{&expr.Queue{Num: 1, Total: 1}},
			ir.Rule{Verdict: ir.Handed{Text: "queue to 1"}}},
		{"an answer for either family", ir.Both, []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH,
			Code: unix.NFT_REJECT_ICMPX_HOST_UNREACH}},
			ir.Rule{Verdict: ir.Opaque{Text: "[ reject type 2 code 2 ]"}}},
		{"an answer for either family, to one", ir.IPv6, []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH,
			Code: unix.NFT_REJECT_ICMPX_HOST_UNREACH}},
			ir.Rule{Verdict: ir.Reject{With: ir.AddrUnreachable}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := read(t, stream(tt.table, tt.exprs))
			if tt.want.Family == 0 {
				tt.want.Family = tt.table
			}
			if diff := cmp.Diff(tt.want, p.Chains[0].Rules[0], cmpAddrs, cmpPrefixes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// stream returns messages for a chain with one rule of these expressions.
func stream(family ir.Family, x []expr.Any) []byte {
	table := &table{family: family, name: "t"}
	c := &chain{name: "c", table: table}
	var b batch
	b.chain(c)
	b.rule(c, &rule{statements: []statement{raw(x)}})
	return b.Bytes
}

// raw is a statement for tests: just expressions.
type raw []expr.Any

func (raw) appendText(b []byte, _ form) []byte { return b }
func (s raw) exprs(x []expr.Any) []expr.Any    { return append(x, s...) }

// TestReadDamaged cuts a batch at every byte and changes every length in turn: an answer or an
// error, never a panic.
func TestReadDamaged(t *testing.T) {
	whole := lowered(t, networks(1), vnetcOptions).Batch().Bytes
	for n := range whole {
		Backend{}.Read([]backends.Document{{Text: whole[:n]}})
		damaged := slices.Clone(whole)
		damaged[n] ^= 0xff
		Backend{}.Read([]backends.Document{{Text: damaged}})
	}
}

func TestReadErrors(t *testing.T) {
	b := lowered(t, networks(1), vnetcOptions).Batch().Bytes
	tests := []struct {
		name   string
		stream []byte
		want   string
	}{
		{"too short", b[:7], "file: byte 0: 7 bytes are no netlink header"},
		{"cut", b[:21], "file: byte 20: 1 bytes are no netlink header"},
		{"another subsystem", message16(1<<8 | 1), "file: byte 0: message type 0x101 is not nf_tables'"},
		{"a change of what was there", message16(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELRULE),
			"file: byte 0: message 8 of nf_tables is neither part of a dump nor of a batch that creates tables"},
		{"a rule of no chain", stream(ir.IPv4, nil)[36:], "file: byte 0: a rule of chain t c, which is not there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Backend{}.Read([]backends.Document{{File: "file", Text: tt.stream}})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// message16 returns an empty message of a type.
func message16(typ uint16) []byte {
	b := binary.NativeEndian.AppendUint32(nil, 20)
	b = binary.NativeEndian.AppendUint16(b, typ)
	return append(b, make([]byte, 14)...)
}

// FuzzRead gives any bytes to the reader and to the printer of the notation.
func FuzzRead(f *testing.F) {
	// Small seeds: one rule each, of every kind.
	for _, rules := range [][]ir.Rule{matchRules(ir.IPv4), matchRules(ir.IPv6), verdictRules(ir.Both, isFilter),
		verdictRules(ir.IPv4, isSNAT), verdictRules(ir.IPv6, isDNAT)} {
		for i := 0; i < len(rules); i += 7 {
			f.Add(lowered(f, hanging(rules[i].Family, ir.FilterType, ir.Forward, rules[i:i+1]),
				vnetcOptions).Batch().Bytes)
		}
	}
	var two []ir.Rule
	for _, name := range []string{"a", "b"} {
		two = append(two, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.IIfName{Name: name},
			ir.SAddr{Prefix: netip.MustParsePrefix("10.0.0.0/24")}}, Verdict: ir.Accept{}})
	}
	f.Add(lowered(f, hanging(ir.IPv4, ir.FilterType, ir.Forward, two), setsOptions).Batch().Bytes)
	two[1].Matches[1] = ir.SAddr{Prefix: netip.MustParsePrefix("10.0.1.0/24")}
	f.Add(lowered(f, hanging(ir.IPv4, ir.FilterType, ir.Forward, two), setsOptions).Batch().Bytes)
	f.Fuzz(func(t *testing.T, stream []byte) {
		wire.Debug(stream)
		p, err := Backend{}.Read([]backends.Document{{Text: stream}})
		if err != nil {
			return
		}
		verified(t, p)
	})
}

// verified fails if what was read breaks an invariant of programs within a rule: what the IR can't
// hold is to be opaque. Where rules may stand and where jumps may lead is for the kernel to know.
func verified(t *testing.T, p *ir.Program) {
	t.Helper()
	for _, c := range p.Chains {
		alone := &ir.Program{Sets: p.Sets, Chains: []*ir.Chain{{Family: c.Family, Table: c.Table, Name: c.Name,
			Rules: c.Rules}}}
		for _, d := range ir.Verify(alone) {
			if d.Code != "ir-jump" && d.Code != "ir-chain" {
				t.Errorf("%v\n%s", d, alone)
			}
		}
	}
}

// TestReadRandom runs random rules whose expressions fit together more often than those of
// FuzzRead.
func TestReadRandom(t *testing.T) {
	r := randomRules{Rand: rand.New(rand.NewPCG(1, 2))}
	for _, rule := range append(matchRules(ir.IPv4), matchRules(ir.IPv6)...) {
		one := ruleLowering{lowerer: &lowerer{}, chain: &chain{table: &table{}}, table: rule.Family,
			family: rule.Family}
		one.matches(rule.Matches)
		for _, s := range one.statements {
			r.good = append(r.good, s.exprs(nil))
		}
	}
	opaque, all := 0, 0
	for range 20_000 {
		p := read(t, stream(pick(r, ir.IPv4, ir.IPv6, ir.Both), r.rule()))
		verified(t, p)
		for _, m := range p.Chains[0].Rules[0].Matches {
			all++
			switch m.(type) {
			case ir.Opaque, ir.Unknown:
				opaque++
			}
		}
	}
	if opaque*10 < all || opaque*10 > all*9 {
		t.Errorf("%d of %d matches are opaque: the random rules are too good or too bad to tell anything", opaque, all)
	}
}

type randomRules struct {
	*rand.Rand
	good [][]expr.Any // conditions as they are lowered
}

// pick returns one of list.
func pick[T any](r randomRules, list ...T) T { return list[r.IntN(len(list))] }

func (r randomRules) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = pick[byte](r, 0, 0, 0, 0xff, 0xff, 1, 2, 6, 10, 17, 58, 0xf0, 'a', 'b', '+')
	}
	return b
}

// rule returns some conditions and an end.
func (r randomRules) rule() []expr.Any {
	var x []expr.Any
	for range r.IntN(5) {
		x = append(x, r.condition()...)
	}
	return append(x, r.end()...)
}

// condition returns a load, a mask or none, and a comparison, mostly of the size of the load.
func (r randomRules) condition() []expr.Any {
	if r.IntN(3) > 0 {
		return pick(r, r.good...)
	}
	to := pick[uint32](r, 1, 1, 1, 1, 2, 8, 9, 23, 24)
	size := pick(r, 1, 2, 4, 4, 16)
	var load expr.Any
	switch r.IntN(4) {
	case 0:
		key := pick(r, expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME, expr.MetaKeyNFPROTO, expr.MetaKeyL4PROTO,
			expr.MetaKeyL4PROTO, expr.MetaKeyMARK, expr.MetaKeyIIF)
		load, size = &expr.Meta{Key: key, Register: to}, sizeOf(key)
	case 1:
		load, size = &expr.Ct{Key: pick(r, expr.CtKeySTATE, expr.CtKeySTATE, expr.CtKeySTATUS), Register: to}, 4
	case 2:
		load = &expr.Payload{DestRegister: to, Base: expr.PayloadBaseNetworkHeader,
			Offset: pick[uint32](r, 8, 9, 12, 16, 24), Len: uint32(size)}
	case 3:
		load = &expr.Payload{DestRegister: to, Base: expr.PayloadBaseTransportHeader,
			Offset: pick[uint32](r, 0, 0, 1, 2, 4), Len: uint32(size)}
	}
	x := []expr.Any{load}
	if r.IntN(4) == 0 {
		x = append(x, &expr.Bitwise{SourceRegister: to, DestRegister: to, Len: uint32(size), Mask: r.bytes(size),
			Xor: make([]byte, size)})
	}
	size = pick(r, size, size, size, size, 1, 15, 16)
	switch r.IntN(6) {
	case 0:
		return append(x, &expr.Range{Op: pick(r, expr.CmpOpEq, expr.CmpOpNeq), Register: to, FromData: r.bytes(size),
			ToData: r.bytes(size)})
	case 1:
		return append(x, &expr.Cmp{Op: expr.CmpOpGte, Register: to, Data: r.bytes(size)},
			&expr.Cmp{Op: expr.CmpOpLte, Register: to, Data: r.bytes(size)})
	case 2:
		return append(x, &expr.Cmp{Op: expr.CmpOp(r.IntN(6)), Register: to, Data: r.bytes(size)})
	}
	if _, ok := load.(*expr.Ct); ok {
		return append(x, &expr.Cmp{Op: expr.CmpOpNeq, Register: to, Data: make([]byte, size)})
	}
	return append(x, &expr.Cmp{Op: pick(r, expr.CmpOpEq, expr.CmpOpEq, expr.CmpOpNeq), Register: to,
		Data: r.bytes(size)})
}

// sizeOf returns the size in bytes of what meta loads.
func sizeOf(key expr.MetaKey) int {
	switch key {
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		return unix.IFNAMSIZ
	case expr.MetaKeyNFPROTO, expr.MetaKeyL4PROTO:
		return 1
	}
	return 4
}

// end returns a verdict, or a change of address with what it needs.
func (r randomRules) end() []expr.Any {
	if r.IntN(2) == 0 {
		return []expr.Any{pick[expr.Any](r,
			&expr.Verdict{Kind: expr.VerdictKind(r.IntN(8) - 5), Chain: "x"},
			&expr.Lookup{SourceRegister: 1, SetName: "s\n"},
			&expr.Reject{Type: uint32(r.IntN(4)), Code: uint8(r.IntN(15))})}
	}
	size := pick(r, 4, 4, 16)
	x := []expr.Any{&expr.Immediate{Register: 1, Data: r.bytes(size)},
		&expr.Immediate{Register: 2, Data: r.bytes(size)},
		&expr.Immediate{Register: 3, Data: r.bytes(2)}, &expr.Immediate{Register: 4, Data: r.bytes(2)}}
	reg := func(n uint32) uint32 { return pick(r, 0, n, n, n) }
	return append(x, pick[expr.Any](r,
		&expr.NAT{Type: expr.NATType(r.IntN(3)), Family: pick[uint32](r, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6),
			RegAddrMin: reg(1), RegAddrMax: reg(2),
			RegProtoMin: reg(3), RegProtoMax: reg(4), Specified: true, Prefix: r.IntN(8) == 0},
		&expr.Masq{ToPorts: true, RegProtoMin: reg(3), RegProtoMax: reg(4)},
		&expr.Redir{RegisterProtoMin: reg(3), RegisterProtoMax: reg(4)}))
}
