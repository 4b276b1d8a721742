package prove

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// has is true if the referee says that all matches of a region hold for the packet: a rule with
// them drops it.
func (r Region) has(t *testing.T, p ir.Packet) bool {
	t.Helper()
	asked := &ir.Program{}
	for _, g := range []ir.Group{ir.INP, ir.OUT, ir.FWX} {
		asked.Add(g, ir.Rule{Family: ir.Both, Matches: r, Verdict: ir.Drop{}})
	}
	fate, err := ir.Eval(asked, p)
	if err != nil {
		t.Fatal(err)
	}
	return fate.Outcome == ir.Dropped
}

// randomRegion returns a region of the small world, given by two or three conditions.
func randomRegion(r *rand.Rand, f ir.Family) Region {
	nets := nets4
	if f == ir.IPv6 {
		nets = nets6
	}
	all := Region{
		ir.IIfName{Name: oneOf(r, append(names, "", "x9"))}, ir.OIfName{Name: oneOf(r, append(names, "", "x9"))},
		ir.SAddr{Prefix: oneOf(r, nets)}, ir.DAddr{Prefix: oneOf(r, nets), Not: true},
		ir.L4Proto{Proto: oneOf(r, protos)},
		ir.DPort{From: oneOf(r, ports), To: 3000}, ir.CTState{States: ir.State(1 + r.IntN(31))},
		ir.Mark{Value: 1, Mask: 1},
		ir.CTStatus{Status: ir.Status(1 + r.IntN(3)), Not: r.IntN(2) == 0},
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:2+r.IntN(2)]
}

// TestEqualAmongAgreesWithEval compares programs that differ in one rule: programs proved equal for
// some packets treat all of them alike, and a refutation is by one of them. Half of the regions are
// random matches, half are single packets.
func TestEqualAmongAgreesWithEval(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	answers, narrowed := make(map[Answer]int), 0
	for round := range 400 {
		f := []ir.Family{ir.IPv4, ir.IPv6}[round%2]
		seed := r.Uint64()
		a := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
		b := randomProgram(rand.New(rand.NewPCG(seed, 0)), f)
		c := oneOf(r, b.Chains)
		c.Rules[r.IntN(len(c.Rules))] = randomRule(r, f, ir.Drop{})
		packets := randomPackets(r, f, 300)
		var among []Region
		for i := range 3 {
			if round%4 < 2 {
				among = append(among, randomRegion(r, f))
			} else {
				among = append(among, Only(packets[100*i]))
			}
		}
		in := func(p ir.Packet) bool {
			for _, region := range among {
				if region.has(t, p) {
					return true
				}
			}
			return false
		}
		result := EqualAmong(a, b, ir.Both, among)
		answers[result.Answer]++
		if result.Answer == Refuted && (!in(result.Packet) || result.A.Outcome != 0 && result.A.Equal(result.B)) {
			t.Fatalf("round %d: refuted by %s, which is %s and %s, among %v", round, result.Packet, result.A, result.B,
				among)
		}
		if result.Answer == Proved && Equal(a, b, ir.Both).Answer == Refuted {
			narrowed++
		}
		for _, p := range packets {
			fa, errA := ir.Eval(a, p)
			fb, errB := ir.Eval(b, p)
			if errA != nil || errB != nil { // an action that is not modelled decides
				continue
			}
			if result.Answer == Proved && in(p) && !fa.Equal(fb) {
				t.Fatalf("round %d: proved equal among %v, but %s is %s or %s", round, among, p, fa, fb)
			}
		}
	}
	if answers[Proved] < 20 || answers[Refuted] < 20 || narrowed < 20 {
		t.Errorf("the test is one-sided: %v, %d equal only among the regions", answers, narrowed)
	}
}

// TestOnly: of packets that differ in one thing each, the region of the first has the first alone.
func TestOnly(t *testing.T) {
	first, err := ir.ParsePacket("udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e0 state new")
	if err != nil {
		t.Fatal(err)
	}
	r := Only(first)
	for _, words := range []string{
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e0 state new",
		"tcp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e0 state new",
		"udp from 10.0.0.6:400 on b1 to 192.0.2.1:53 out e0 state new",
		"udp from 10.0.0.5:401 on b1 to 192.0.2.1:53 out e0 state new",
		"udp from 10.0.0.5:400 on b2 to 192.0.2.1:53 out e0 state new",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.2:53 out e0 state new",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:54 out e0 state new",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e1 state new",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e0 state related",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 state new",
		"udp from 10.0.0.5:400 to 192.0.2.1:53 out e0 state new",
		"udp from 10.0.0.5:400 on b1 to 192.0.2.1:53 out e0 state new mark 0x1",
	} {
		p, err := ir.ParsePacket(words)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.has(t, p), p == first; got != want {
			t.Errorf("%s: is in the region: %v, want %v", p, got, want)
		}
	}
}

// TestOnlyIsOne: a packet that differs in one property is not in the region of the other. A
// property that [ir.Packet] gets must be asked by Only.
func TestOnlyIsOne(t *testing.T) {
	from, to := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	packets := []ir.Packet{
		{Family: ir.IPv4, In: "a", Out: "b", Src: from, Dst: to, Proto: ir.TCP, SPort: 1, DPort: 2, State: ir.StateNew},
		{Family: ir.IPv4, In: "a", Out: "b", Src: from, Dst: to, Proto: ir.ICMP, ICMPType: 8, State: ir.StateNew},
	}
	fields := reflect.TypeFor[ir.Packet]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		told := name == "Family" || name == "Flags" // the addresses differ, and HasFlags
		for _, p := range packets {
			only := ir.Rule{Family: ir.Both, Matches: Only(p)}
			if !only.Holds(p, ir.Forward) {
				t.Fatalf("%s is not in its own region", p)
			}
			switch f := reflect.ValueOf(&p).Elem().Field(i).Addr().Interface().(type) {
			case *string:
				*f += "x"
			case *netip.Addr:
				*f = f.Next()
			case *ir.State:
				*f = ir.StateUntracked
			case *bool: // the flags are said, and are none
				*f = true
			case *ir.Said:
				p = p.With(ir.KeyCTMark, 1)
			default:
				v := reflect.ValueOf(f).Elem()
				v.SetUint(v.Uint() ^ 1)
			}
			told = told || !only.Holds(p, ir.Forward)
		}
		if !told {
			t.Errorf("region.go: Only does not ask for %s", name)
		}
	}
}
