package ir

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir/diag"
)

// Request is a packet in a user's words: its ends may be networks, the outside or the host itself,
// and its interfaces follow from them on a host.
type Request struct {
	Packet   // In and Out are those that the expression names; addresses are those of From and To
	From, To End
	Ports    bool // Ports is true if the packet has ports.
}

// End is an end of the way of a packet. The zero value is an end that is not told.
type End struct {
	Kind    EndKind
	Network string     // for EndNetwork: its name; for EndAddress: that of the network it is in, or empty
	Addr    netip.Addr // for EndAddress
}

// EndKind is a kind of end.
type EndKind uint8

const (
	EndAddress EndKind = iota + 1
	EndNetwork         // a guest of a network
	EndOutside         // whatever is behind the default route
	EndHost
)

// String returns the end in the words of a request.
func (e End) String() string {
	switch e.Kind {
	case EndNetwork:
		return "network " + word(e.Network)
	case EndOutside:
		return "outside"
	case EndHost:
		return "host"
	}
	if e.Network != "" {
		return e.Addr.String() + " in network " + word(e.Network)
	}
	return e.Addr.String()
}

// ParseRequest reads a packet in a user's words, which [ParsePacket] reads without them:
//
//	tcp from network web to 10.0.0.5 port 5432
//	udp from 10.0.0.5 in network web to host port 53
//	icmp from outside to network db
//
// An end is an address, with a port or without; network and the name of one, for one of its guests;
// outside; or host. In names the network that the source is in, port is the port of the
// destination. The other words are those of ParsePacket, and on and out may be left out.
func ParseRequest(text string) (Request, diag.List) {
	t := newPacketReader(text)
	tree := t.parse()
	if tree == nil {
		return Request{}, t.list
	}
	r := t.request(tree)
	if t.list.HasErrors() {
		return Request{}, t.list
	}
	return r, t.list
}

// plain reports words that only a request has.
func (t *packetReader) plain(tree *textPacket) {
	const why = "the networks of a PATH are not asked where a packet comes from; trace without PATH asks this host"
	for _, part := range tree.Parts {
		switch {
		case part.Network:
			t.errorf("packet-syntax", part.Pos.Offset, len(part.Key), "a network as the end of a packet", why,
				"write an address, and on or out with the interface")
		case part.Key == "in":
			t.errorf("packet-syntax", part.Pos.Offset, len(part.Key), "in is not allowed here", why,
				"write on before the interface by which the packet came")
		case part.Key == "port":
			t.errorf("packet-syntax", part.Pos.Offset, len(part.Key), "port is not allowed here",
				"each end of a packet has its own port",
				"write the port behind its address: 198.51.100.7:443, [2001:db8::7]:443")
		}
	}
}

// request makes a request of the tree.
func (t *packetReader) request(tree *textPacket) Request {
	r := Request{Packet: Packet{Proto: t.proto(tree.Proto), State: StateNew}}
	p := &r.Packet
	t.known = p.Proto != 0 || t.text(tree.Proto) == "0"
	if r.Ports = HasPorts(p.Proto); r.Ports {
		p.SPort, p.DPort = usualSPort, usualDPort
	}
	r.From, r.To = t.end("from", p.Proto, &p.SPort), t.end("to", p.Proto, &p.DPort)
	if part := t.parts["in"]; part != nil {
		t.within(part, &r.From)
	}
	t.port(p)
	p.Src, p.Dst = r.From.Addr, r.To.Addr
	if p.Src.IsValid() && p.Dst.IsValid() && addrFamily(p.Src) != addrFamily(p.Dst) {
		to := t.parts["to"].Value
		t.errorf("packet-family", to.Pos.Offset, len(to.Text), fmt.Sprintf("%s goes to %s", p.Src, p.Dst),
			"both addresses of a packet are IPv4, or both are IPv6", "write two of one family")
	}
	if p.Family = addrFamily(p.Src); p.Family == 0 {
		p.Family = addrFamily(p.Dst)
	}
	t.icmp(p)
	if byProto := map[uint8]Family{ICMP: IPv4, ICMPv6: IPv6}[p.Proto]; p.Family == 0 {
		p.Family = byProto
	}
	t.rest(p)
	return r
}

// end reads one end of a request.
func (t *packetReader) end(key string, proto uint8, port *uint16) End {
	part := t.parts[key]
	if part == nil {
		t.missing("no "+map[string]string{"from": "source", "to": "destination"}[key],
			"rules look at both ends", "write "+key+" and an address, network NAME, outside or host")
		return End{}
	}
	text := t.text(part.Value)
	switch {
	case part.Network:
		return End{Kind: EndNetwork, Network: text}
	case text == "outside":
		return End{Kind: EndOutside}
	case text == "host":
		return End{Kind: EndHost}
	}
	return End{Kind: EndAddress, Addr: t.address(part.Value, proto, port)}
}

// within reads the network that the source is in.
func (t *packetReader) within(part *packetPart, from *End) {
	switch {
	case !part.Network:
		t.errorf("packet-syntax", part.Pos.Offset, len(part.Key), "in without a network",
			"the source is in a network, or comes by an interface", "write in network NAME, or on INTERFACE")
	case from.Kind != EndAddress:
		t.errorf("packet-unfit", part.Pos.Offset, len(part.Key), "in network, and the source is no address",
			"in names the network of a source address", "write from network "+word(t.text(part.Value)))
	default:
		from.Network = t.text(part.Value)
	}
}

// port reads the port of the destination, where it is a word of its own.
func (t *packetReader) port(p *Packet) {
	w := t.part("port")
	switch {
	case w == nil:
	case !HasPorts(p.Proto) && t.known:
		t.errorf("packet-unfit", w.Pos.Offset, len(w.Text), "a port in a packet of protocol "+ProtoName(p.Proto),
			"only tcp, udp, sctp, dccp and udplite have ports", "remove the port")
	default:
		p.DPort = uint16(t.number(*w, 16))
	}
}
