package expect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// maxNetworks is up to how many networks each is asked about each other.
const maxNetworks = 12

// lister makes the expectations of one network.
type lister struct {
	link   *ir.Link
	family ir.Family
	host   *ir.Host
	places *outsides

	addr   netip.Addr   // of the bridge
	subnet netip.Prefix // of the guests
	list   []Expectation
}

// list returns what l promises, but for other networks, in the order in which a guest needs it.
func list(l *ir.Link, host *ir.Host, places *outsides) (all []Expectation) {
	if !l.Mode.Managed() {
		return nil
	}
	for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
		for _, a := range l.Addresses {
			if familyOf(a.Prefix.Addr()) != f {
				continue
			}
			n := lister{link: l, family: f, host: host, places: places, addr: a.Prefix.Addr(),
				subnet: a.Prefix.Masked()}
			n.services(a)
			n.inside()
			n.wayOut()
			all = append(all, n.list...)
		}
	}
	return all
}

func familyOf(a netip.Addr) ir.Family {
	if a.Is4() {
		return ir.IPv4
	}
	return ir.IPv6
}

// has is true if the network's dnsmasq is given the option by hand, which may move a service
// elsewhere.
func (n *lister) has(option string) bool {
	return slices.ContainsFunc(n.link.Options, func(o string) bool {
		name, _, _ := strings.Cut(o, "=")
		return strings.TrimSpace(name) == option
	})
}

func (n *lister) add(k Kind, proto, device string, legs ...Leg) {
	n.list = append(n.list, Expectation{Network: n.link.Name, Kind: k, Family: n.family, Proto: proto, Device: device,
		Legs: legs})
}

// toHost and fromHost are packets by the bridge; the state is that of a host without other rules.
func (n *lister) toHost(words string, state ir.State, matches ...ir.Match) Leg {
	return Leg{Words: words, Traffic: prove.Traffic{Family: n.family, In: n.link.Bridge.Name, State: state,
		Matches: matches}}
}

func (n *lister) fromHost(words string, state ir.State, matches ...ir.Match) Leg {
	return Leg{Words: words, Traffic: prove.Traffic{Family: n.family, Out: n.link.Bridge.Name, State: state,
		Matches: matches}}
}

// Ports that clients open connections from.
const firstClientPort = 1024

func src(p netip.Prefix) ir.Match   { return ir.SAddr{Prefix: p} }
func dst(p netip.Prefix) ir.Match   { return ir.DAddr{Prefix: p} }
func one(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
func l4(proto uint8) ir.Match       { return ir.L4Proto{Proto: proto} }
func sport(n uint16) ir.Match       { return ir.SPort{From: n, To: n} }
func dport(n uint16) ir.Match       { return ir.DPort{From: n, To: n} }

var (
	fromClient = ir.SPort{From: firstClientPort, To: 65535}
	toClient   = ir.DPort{From: firstClientPort, To: 65535}
	nobody     = netip.MustParsePrefix("0.0.0.0/32")
	everybody  = netip.MustParsePrefix("255.255.255.255/32")
	linkLocal  = netip.MustParsePrefix("fe80::/10")
)

// services are what the network's dnsmasq does for guests with addresses of a.
func (n *lister) services(a ir.Address) {
	leases := a.DHCP != nil && len(a.DHCP.Ranges)+len(a.DHCP.Hosts) > 0 && !n.has("dhcp-alternate-port")
	if n.family == ir.IPv6 {
		n.router()
	}
	if leases {
		n.dhcp()
	}
	if n.link.DNS.Off || n.has("port") {
		return
	}
	for _, p := range []struct {
		word   string
		number uint8
	}{{"udp", ir.UDP}, {"tcp", ir.TCP}} {
		n.add(DNS, p.word, "",
			n.toHost("the question", ir.StateNew, src(n.subnet), dst(one(n.addr)), l4(p.number), dport(53), fromClient),
			n.fromHost("the answer", ir.StateEstablished, src(one(n.addr)), dst(n.subnet), l4(p.number), sport(53),
				toClient))
	}
}

// dhcp: the answer goes to another address than the one the question came from, so that no
// connection is known (RFC 2131, RFC 8415).
func (n *lister) dhcp() {
	udp := l4(ir.UDP)
	if n.family == ir.IPv6 {
		agents := one(netip.MustParseAddr("ff02::1:2"))
		n.add(DHCP, "", "",
			n.toHost("the question", ir.StateNew, src(linkLocal), dst(agents), udp, sport(546), dport(547)),
			n.fromHost("the answer", ir.StateNew, src(linkLocal), dst(linkLocal), udp, sport(547), dport(546)))
		return
	}
	n.add(DHCP, "", "",
		n.toHost("the question", ir.StateNew, src(nobody), dst(everybody), udp, sport(68), dport(67)),
		n.fromHost("the answer", ir.StateNew, src(one(n.addr)), dst(n.subnet), udp, sport(67), dport(68)),
		n.toHost("the question for the same address again", ir.StateNew, src(n.subnet), dst(one(n.addr)), udp,
			sport(68), dport(67)))
}

// router: packets of neighbour discovery belong to no connection
// (net/netfilter/nf_conntrack_proto_icmpv6.c).
func (n *lister) router() {
	icmp := func(typ uint8) ir.Match { return ir.ICMPType{Type: typ} }
	solicited := netip.MustParsePrefix("ff02::1:ff00:0/104")
	n.add(RA, "", "",
		n.toHost("the question for a router", ir.StateUntracked, src(linkLocal), dst(one(netip.MustParseAddr("ff02::2"))), l4(ir.ICMPv6), icmp(133)),
		n.fromHost("the advertisement", ir.StateUntracked, src(linkLocal), dst(one(netip.MustParseAddr("ff02::1"))), l4(ir.ICMPv6), icmp(134)),
		n.toHost("the question for the host's MAC", ir.StateUntracked, src(n.subnet), dst(solicited), l4(ir.ICMPv6),
			icmp(135)),
		n.fromHost("its answer", ir.StateUntracked, src(one(n.addr)), dst(n.subnet), l4(ir.ICMPv6), icmp(136)))
}

// transport is a protocol that guests use, by what its first packet and the answer look like.
type transport struct {
	word         string
	first, reply []ir.Match
}

func transports(f ir.Family) []transport {
	echo := transport{"icmp", []ir.Match{l4(ir.ICMP), ir.ICMPType{Type: 8}}, []ir.Match{l4(ir.ICMP),
		ir.ICMPType{Type: 0}}}
	if f == ir.IPv6 {
		echo = transport{"icmp", []ir.Match{l4(ir.ICMPv6), ir.ICMPType{Type: 128}}, []ir.Match{l4(ir.ICMPv6),
			ir.ICMPType{Type: 129}}}
	}
	return []transport{
		{"tcp", []ir.Match{l4(ir.TCP), fromClient}, []ir.Match{l4(ir.TCP), toClient}},
		{"udp", []ir.Match{l4(ir.UDP), fromClient}, []ir.Match{l4(ir.UDP), toClient}},
		echo,
	}
}

// inside: frames between two ports of the bridge meet rules only where the host has it so.
func (n *lister) inside() {
	if n.link.Port.Isolated {
		return
	}
	bridge, guests := n.link.Bridge.Name, append(n.guests(), src(n.subnet))
	legs := both(prove.Traffic{Family: n.family, In: bridge, Out: bridge}, 0, transports(n.family)[0], guests, guests)
	for i := range legs {
		legs[i].Bridged, legs[i].Plain = true, !n.host.Filters(bridge, n.family)
	}
	n.add(Inside, "", "", legs...)
}

// both returns a connection's first packet and the answer to it, which comes back with status.
func both(q prove.Traffic, status ir.Status, t transport, there, back []ir.Match) []Leg {
	first, reply := q, q
	first.State, first.Matches = ir.StateNew, slices.Concat(there, t.first)
	reply.In, reply.Out = q.Out, q.In
	reply.State, reply.Status, reply.Matches = ir.StateEstablished, status, slices.Concat(back, t.reply)
	return []Leg{{Words: "the first packet", Traffic: first}, {Words: "the answer", Traffic: reply}}
}

// translated is the status of connections that guests open to elsewhere.
func (n *lister) translated() ir.Status {
	if n.link.Mode == ir.ModeNAT && n.family == ir.IPv4 {
		return ir.StatusSNAT
	}
	return 0
}

// wayOut is what guests have of the outside, by each device; that they have nothing if the one
// device by which they may go out leads nowhere.
func (n *lister) wayOut() {
	if named := n.link.Uplink.Devices; len(named) > 0 && n.link.Mode.Filtered() {
		if fact := n.nowhere(named[0]); fact != nil {
			n.add(Out, "", named[0])
			n.list[len(n.list)-1].Given = fact
			return
		}
	}
	for _, device := range n.places.devices(n.link, n.family) {
		n.outside(device)
		n.large(device)
	}
}

// nowhere returns why nothing gets out by the device that the network's document names; nil if
// something does.
func (n *lister) nowhere(device string) *Fact {
	d := n.host.Device(device)
	switch route, ok := defaultRoute(n.host, n.family); {
	case d == nil:
		return &Fact{What: fmt.Sprintf("there is no device %s, which is the only way out by <forward>", device)}
	case !d.Up:
		return &Fact{What: fmt.Sprintf("device %s is down, and is the only way out by <forward>", device),
			Fix: "ip link set " + device + " up"}
	case ok && route.Device != device && n.places.of(device, n.family) == nil:
		return &Fact{What: fmt.Sprintf("the default route leads to %s, and <forward> lets guests out by %s only", route.Device, device)}
	}
	return nil
}

// large is packets that guests send and the way out does not carry. Guests learn that by an ICMP
// error (RFC 1191, RFC 8201), if rules let that through; whether those outside learn it of what
// they send is not this host's.
func (n *lister) large(device string) {
	out, bridge := n.host.Device(device), n.host.Device(n.link.Bridge.Name)
	if out == nil || bridge == nil || n.link.Mode == ir.ModeNone {
		return
	}
	carries, by := out.MTU, device
	r, ok := defaultRoute(n.host, n.family)
	if ok && r.Device == device && r.MTU > 0 && (carries == 0 || r.MTU < carries) {
		carries, by = r.MTU, "the route by "+device
	}
	if carries == 0 || carries >= bridge.MTU {
		return
	}
	icmp := []ir.Match{l4(ir.ICMP), ir.ICMPType{Type: 3, Code: 4, HasCode: true}}
	if n.family == ir.IPv6 {
		icmp = []ir.Match{l4(ir.ICMPv6), ir.ICMPType{Type: 2}}
	}
	n.add(Large, "", device, n.fromHost("the error that tells the guest", ir.StateRelated,
		append([]ir.Match{src(one(n.addr)), dst(n.subnet)}, icmp...)...))
	n.list[len(n.list)-1].Given = &Fact{What: fmt.Sprintf("%s carries packets of %d bytes, and guests on %s send %d: large ones get "+
		"through only if both ends hear of it (path MTU discovery); <mtu size='%d'/> in the network's XML ends that", by,
		carries, bridge.Name, bridge.MTU, carries)}
}

// outside is guests' connections to what is behind a device, and from there.
func (n *lister) outside(device string) {
	out := n.places.of(device, n.family)
	if out == nil {
		return
	}
	for _, t := range transports(n.family) {
		n.add(Out, t.word, device, both(prove.Traffic{Family: n.family, In: n.link.Bridge.Name, Out: device},
			n.translated(), t,
			[]ir.Match{src(n.subnet), out.to()}, append(n.guests(), out.from()))...)
	}
	t := transports(n.family)[0]
	n.add(In, t.word, device, both(prove.Traffic{Family: n.family, In: device, Out: n.link.Bridge.Name}, 0, t,
		append(n.guests(), out.from()), []ir.Match{src(n.subnet), out.to()})...)
}

// guests are packets to the network's guests, and not to the host's address among theirs.
func (n *lister) guests() []ir.Match {
	return []ir.Match{dst(n.subnet), ir.DAddr{Prefix: one(n.addr), Not: true}}
}

// across is guests' connections to those of another network.
func (n *lister) across(to *ir.Link) {
	for _, a := range to.Addresses {
		if familyOf(a.Prefix.Addr()) != n.family {
			continue
		}
		t, there := transports(n.family)[0], a.Prefix.Masked()
		n.add(Across, t.word, "", both(prove.Traffic{Family: n.family, In: n.link.Bridge.Name, Out: to.Bridge.Name},
			n.translated(), t,
			[]ir.Match{src(n.subnet), dst(there)}, []ir.Match{src(there), dst(n.subnet)})...)
		n.list[len(n.list)-1].To = to.Name
		return
	}
}

// acrossAll is across for every two of links, if they are few.
func acrossAll(l *ir.Link, links []*ir.Link) (all []Expectation) {
	if len(links) > maxNetworks || !l.Mode.Managed() {
		return nil
	}
	for _, to := range links {
		if to == l || !to.Mode.Managed() {
			continue
		}
		for _, a := range l.Addresses {
			n := lister{link: l, family: familyOf(a.Prefix.Addr()), subnet: a.Prefix.Masked()}
			n.across(to)
			all = append(all, n.list...)
		}
	}
	return all
}
