package golden

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// chainsTargets are the back ends with a line for each rule, which a trace shows.
var chainsTargets = []verify.Target{
	{Backend: nftables.Backend{}, Layout: backends.Chains, Label: "nftables chains"},
	{Backend: iptables.Backend{}, Layout: backends.Chains, Label: "iptables"},
}

// verified is what `vnetc verify` prints: proofs for every back end and layout, who reaches whom,
// findings.
func verified(src *diag.Sources, p *ir.Program) ([]byte, error) {
	all := append([]verify.Target{{Backend: nftables.Backend{}, Layout: backends.Sets, Label: "nftables sets"}},
		chainsTargets...)
	v := &verify.Verification{Sources: src, Program: p}
	if err := v.Decide(all, true); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err := v.Text(&b)
	return b.Bytes(), err
}

// traced is what `vnetc trace` prints for the packets of samplePackets, nil if there are none.
func traced(_ *diag.Sources, p *ir.Program) ([]byte, error) {
	var lowered []verify.Lowering
	for _, t := range chainsTargets {
		low, found := verify.Lower(p, t, backends.VnetcNames)
		if found.HasErrors() {
			return nil, found
		}
		lowered = append(lowered, low)
	}
	tracer := verify.NewTracer(p, lowered)
	var text []byte
	for _, packet := range samplePackets(p) {
		way, err := tracer.Walk(packet, false)
		if err != nil {
			return nil, err
		}
		if text != nil {
			text = append(text, '\n')
		}
		text = append(text, way.Text()...)
	}
	return text, nil
}

// samplePackets returns the most telling packets for the networks of any scenario, for each family:
// the first network's first guest opens a connection to the outside, and is answered; the outside
// opens one to that guest; and the guest opens one to a guest of another network. Only networks
// with rules and addresses of their own have such guests.
func samplePackets(p *ir.Program) []ir.Packet {
	return append(samplesOf(p, ir.IPv4, "198.51.100.7"), samplesOf(p, ir.IPv6, "2001:db8::7")...)
}

// samplesOf is samplePackets for one family; far is the outside.
func samplesOf(p *ir.Program, family ir.Family, far string) []ir.Packet {
	var all []ir.Packet
	var out ir.Packet
	for _, l := range p.Links {
		i := slices.IndexFunc(l.Addresses, func(a ir.Address) bool {
			return a.Prefix.Addr().Is4() == (family == ir.IPv4)
		})
		if i < 0 || !l.Mode.Filtered() {
			continue
		}
		guest := guestOf(l.Addresses[i])
		if all != nil {
			out.Out, out.Dst = l.Bridge.Name, guest
			return append(all, out)
		}
		out = ir.Packet{
			Family: family, In: l.Bridge.Name, Out: "eth0", Src: guest, Dst: netip.MustParseAddr(far),
			Proto: ir.TCP, SPort: 40000, DPort: 443, State: ir.StateNew,
		}
		if len(l.Uplink.Devices) > 0 {
			out.Out = l.Uplink.Devices[0]
		}
		answer, in := turned(out), turned(out)
		answer.State = ir.StateEstablished
		in.SPort, in.DPort = out.SPort, out.DPort
		all = []ir.Packet{out, answer, in}
	}
	return all
}

// turned returns p on its way back.
func turned(p ir.Packet) ir.Packet {
	p.In, p.Out, p.Src, p.Dst, p.SPort, p.DPort = p.Out, p.In, p.Dst, p.Src, p.DPort, p.SPort
	return p
}

// guestOf returns an address beside the host's own in its subnet; the host's own where there is no
// other.
func guestOf(a ir.Address) netip.Addr {
	host := a.Prefix.Addr()
	for _, guest := range []netip.Addr{host.Next(), host.Prev()} {
		if a.Prefix.Contains(guest) && guest != a.Prefix.Masked().Addr() {
			return guest
		}
	}
	return host
}
