package ir

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/vnetc/vnetc/ir/diag"
)

// The grammar of packet expressions: the protocol, then parts in any order, each a key and one
// word. In a [Request] an end may be a network.
type (
	textPacket struct {
		Proto textWord      `parser:"(?! 'from' | 'to' | 'in' | 'on' | 'out' | 'port' | 'state' | 'status' | 'mark' | 'type' | 'code' | 'flags' | 'ctmark' | 'direction' | 'ttl' | 'length' | 'tos' | 'fragment' | 'pkttype' | 'uid' | 'gid' | 'mac' | 'origdport' ) @@"`
		Parts []*packetPart `parser:"@@*"`
	}
	packetPart struct {
		Pos     lexer.Position
		Key     string   `parser:"( @( 'on' | 'out' | 'port' | 'state' | 'status' | 'mark' | 'type' | 'code' | 'flags' | 'ctmark' | 'direction' | 'ttl' | 'length' | 'tos' | 'fragment' | 'pkttype' | 'uid' | 'gid' | 'mac' | 'origdport' ) | @( 'from' | 'to' | 'in' )"`
		Network bool     `parser:"@'network'? )"`
		Value   textWord `parser:"@@"`
	}
)

// packetKeys are the keys in the order in which [Packet.String] writes them.
var packetKeys = [...]string{"type", "code", "from", "on", "to", "out", "state", "flags", "status", "mark",
	"ctmark", "direction", "ttl", "length", "tos", "fragment", "pkttype", "uid", "gid", "mac",
	"origdport"}

// packetGrammar is built when it is first asked for, as grammar is.
var packetGrammar = sync.OnceValue(func() *participle.Parser[textPacket] {
	return participle.MustBuild[textPacket](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Space", Pattern: `\s+`},
			{Name: "String", Pattern: `"(?:\\.|[^"\\\n])*"`},
			{Name: "Word", Pattern: `[^\s"]+`},
		})),
		participle.Elide("Space"),
		participle.UseLookahead(0),
	)
})

// PacketFile is the file name that the diagnostics of [ParsePacket] carry.
const PacketFile = "<packet>"

// Ports of a packet whose expression gives none: one that a client would take (RFC 6335 section 6),
// and that of HTTPS.
const (
	usualSPort = 40000
	usualDPort = 443
)

// ParsePacket reads a packet expression, what [Packet.String] writes:
//
//	tcp from 10.20.1.5:40000 on virbr0 to 198.51.100.7:443 out eth0 state new
//	icmp type echo-request from 10.20.1.5 on virbr0 to 10.20.1.1
//
// The protocol comes first, by its name or its number; the other parts may come in any order. A
// packet has both addresses and at least one interface: on names the one by which it came, out the
// one by which it leaves. Where other words are left out the packet is new, has no mark and the TCP
// flags that are usual in its state, belongs to no connection that NAT rewrites, goes from port
// 40000 to port 443, and is an echo request if it is ICMP. IPv6 addresses stand in brackets where a
// port follows. ICMP types have nft(8)'s names, or numbers.
//
// All wrong values are reported at once, in a file called [PacketFile]; with errors the packet is
// the zero value.
func ParsePacket(text string) (Packet, diag.List) {
	t := newPacketReader(text)
	tree := t.parse()
	if tree == nil {
		return Packet{}, t.list
	}
	if t.plain(tree); t.list.HasErrors() {
		return Packet{}, t.list
	}
	p := t.packet(tree)
	if t.list.HasErrors() {
		return Packet{}, t.list
	}
	return p, t.list
}

func newPacketReader(text string) *packetReader {
	return &packetReader{textReader: textReader{file: PacketFile, area: "packet", lines: diag.NewLines([]byte(text))},
		input: text}
}

// parse returns the tree, nil if there is none.
func (t *packetReader) parse() *textPacket {
	tree, err := packetGrammar().ParseString(PacketFile, t.input)
	if err != nil {
		t.syntax(err)
		return nil
	}
	t.sort(tree)
	return tree
}

// packetReader is [textReader] for packet expressions.
type packetReader struct {
	textReader
	input string
	parts map[string]*packetPart
	known bool // known is true if the protocol was understood.
}

// syntax reports what the parser found.
func (t *packetReader) syntax(err error) {
	form := "after the protocol come " + strings.Join(packetKeys[:], ", ") + ", each followed by one word"
	var token *participle.UnexpectedTokenError
	var other participle.Error
	switch {
	case errors.As(err, &token):
		found, at := token.Unexpected, token.Unexpected.Pos.Offset
		what, fix := fmt.Sprintf("%s is not allowed here", shown(found.Value)), t.meant(found.Value)
		switch first := strings.TrimSpace(t.input[:at]) == ""; {
		case first && found.EOF():
			what, fix = "there is no packet here",
				"write one, such as: tcp from 10.20.1.5 on virbr0 to 198.51.100.7:443 out eth0"
		case first:
			fix = "write the protocol first: tcp, udp, icmp, icmpv6, another name or a number"
		case found.EOF():
			what, fix = "the packet ends after a word that needs a value", "write the value, or remove the last word"
		}
		t.errorf("packet-syntax", at, len(found.Value), what, form, fix)
	case errors.As(err, &other):
		t.errorf("packet-syntax", other.Position().Offset, 1, "a string without an end",
			"what begins with \" ends with one", "end the string with \", or remove the quote")
	default:
		panic(fmt.Sprintf("ir: unknown error of the parser: %v", err))
	}
}

// meant returns how to fix a word that stands where a key should.
func (t *packetReader) meant(value string) string {
	switch value {
	case "iif", "iifname":
		return "write on before the interface by which the packet came"
	case "oif", "oifname":
		return "write out before the interface by which the packet leaves"
	case "sport", "dport":
		return "write the port behind its address: 198.51.100.7:443, [2001:db8::7]:443"
	}
	for _, n := range icmpNames {
		if n.name == value {
			return "write type before it"
		}
	}
	if near, ok := diag.Near(value, packetKeys[:]); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "write one of these words here, or remove this one"
}

// packet makes a packet of the tree.
func (t *packetReader) packet(tree *textPacket) Packet {
	p := Packet{Proto: t.proto(tree.Proto), State: StateNew}
	t.known = p.Proto != 0 || t.text(tree.Proto) == "0"
	t.ends(&p)
	t.icmp(&p)
	t.rest(&p)
	if t.parts["on"] == nil && t.parts["out"] == nil {
		t.missing("no interface", "where a packet comes in and goes out decides which rules it meets",
			"write on IFNAME for the interface by which it came, out IFNAME for the one by which it leaves, or both")
	}
	return p
}

// rest fills in interfaces, state, flags, status and mark.
func (t *packetReader) rest(p *Packet) {
	if w := t.part("on"); w != nil {
		p.In = t.iface(*w)
	}
	if w := t.part("out"); w != nil {
		p.Out = t.iface(*w)
	}
	if w := t.part("state"); w != nil {
		p.State = t.state(*w)
	}
	if w := t.part("flags"); w != nil {
		p.Flags, p.HasFlags = t.tcpFlags(*w, p.Proto), p.Proto == TCP
	}
	if w := t.part("status"); w != nil {
		p.Status = t.natStatus(*w, p.State)
	}
	if w := t.part("mark"); w != nil {
		p.Mark = uint32(t.number(*w, 32))
	}
	for k := range Keys {
		if w := t.part(k.String()); w != nil {
			value, ok := k.parseValue(t.text(*w))
			if !ok {
				t.value(*w, "a value of "+k.String(), fmt.Sprintf("write a number up to %#x", k.All()))
			}
			*p = p.With(k, value)
		}
	}
}

// sort files the parts by their keys.
func (t *packetReader) sort(tree *textPacket) {
	t.parts = make(map[string]*packetPart)
	for _, part := range tree.Parts {
		first := t.parts[part.Key]
		if first == nil {
			t.parts[part.Key] = part
			continue
		}
		t.errorf("packet-twice", part.Pos.Offset, len(part.Key), fmt.Sprintf("%s appears here a second time", part.Key),
			"a packet has one of each", "remove one of the two")
		t.list[len(t.list)-1].Related = []diag.Related{{Span: t.span(first.Pos.Offset, len(first.Key)),
			Text: "the first"}}
	}
}

// part returns the word behind key, nil if the expression has none.
func (t *packetReader) part(key string) *textWord {
	if p := t.parts[key]; p != nil {
		return &p.Value
	}
	return nil
}

func (t *packetReader) missing(what, why, fix string) {
	t.errorf("packet-missing", len(t.input), 0, "the packet has "+what, why, fix)
}

// ends fills in family, addresses and ports.
func (t *packetReader) ends(p *Packet) {
	if HasPorts(p.Proto) {
		p.SPort, p.DPort = usualSPort, usualDPort
	}
	const why = "rules look at both addresses"
	from, to := t.part("from"), t.part("to")
	if from == nil {
		t.missing("no source", why, "write from and the address")
	} else {
		p.Src = t.address(*from, p.Proto, &p.SPort)
	}
	if to == nil {
		t.missing("no destination", why, "write to and the address")
	} else {
		p.Dst = t.address(*to, p.Proto, &p.DPort)
	}
	if !p.Src.IsValid() || !p.Dst.IsValid() {
		return
	}
	p.Family = addrFamily(p.Src)
	if addrFamily(p.Dst) != p.Family {
		t.errorf("packet-family", to.Pos.Offset, len(to.Text), fmt.Sprintf("%s goes to %s", p.Src, p.Dst),
			"both addresses of a packet are IPv4, or both are IPv6", "write two of one family")
	}
}

// address reads ADDRESS or ADDRESS:PORT; the port goes to where port points. Without a value it
// reports and returns the zero address.
func (t *packetReader) address(w textWord, proto uint8, port *uint16) netip.Addr {
	text := t.text(w)
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil && a.Zone() == "" && (a.Is6() || bare == text) {
		return a
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil || ap.Addr().Zone() != "" {
		t.value(w, "an address, or an address and a port",
			"write 198.51.100.7, 198.51.100.7:443, 2001:db8::7 or [2001:db8::7]:443")
		return netip.Addr{}
	}
	if !HasPorts(proto) && t.known {
		t.errorf("packet-unfit", w.Pos.Offset, len(w.Text), fmt.Sprintf("%s with a port, in a packet of protocol %s",
			ap, ProtoName(proto)),
			"only tcp, udp, sctp, dccp and udplite have ports", fmt.Sprintf("write %s", ap.Addr()))
	}
	*port = ap.Port()
	return ap.Addr()
}

// icmp fills in type and code, and has a word to say about ICMP of the other family.
func (t *packetReader) icmp(p *Packet) {
	switch p.Proto {
	case ICMP:
		t.icmpFamily(p, IPv4, "icmpv6")
	case ICMPv6:
		t.icmpFamily(p, IPv6, "icmp")
	default:
		for _, key := range [...]string{"type", "code"} {
			if part := t.parts[key]; part != nil && t.known {
				t.errorf("packet-unfit", part.Pos.Offset, len(key), fmt.Sprintf("a %s in a packet of protocol %s", key,
					ProtoName(p.Proto)),
					"only icmp and icmpv6 have types and codes", fmt.Sprintf("remove the %s", key))
			}
		}
		return
	}
	p.ICMPType, _ = ICMPNumber(p.Proto, "echo-request")
	if w := t.part("type"); w != nil {
		p.ICMPType = t.icmpType(*w, p.Proto)
	}
	if w := t.part("code"); w != nil {
		p.ICMPCode = uint8(t.number(*w, 8))
	}
}

// icmpFamily warns of a packet whose addresses are not of its ICMP's family.
func (t *packetReader) icmpFamily(p *Packet, family Family, other string) {
	if p.Family == 0 || p.Family == family {
		return
	}
	at := t.part("from")
	t.errorf("packet-family", at.Pos.Offset, len(at.Text), fmt.Sprintf("%s between %s addresses", ProtoName(p.Proto),
		familyWord(p.Family)),
		fmt.Sprintf("%s has an ICMP of its own; no host sends such a packet, though rules may match it",
			familyWord(p.Family)), "write "+other)
	t.list[len(t.list)-1].Severity = diag.Warning
}

func familyWord(f Family) string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

func (t *packetReader) icmpType(w textWord, proto uint8) uint8 {
	text := t.text(w)
	if n, ok := ICMPNumber(proto, text); ok {
		return n
	}
	n, err := parseNumber(text, 8)
	if err != nil {
		fix := "write a number up to 255, or a name of nft(8) such as echo-request"
		if near, ok := diag.Near(text, ICMPNames(proto)); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		t.value(w, "a type of "+ProtoName(proto), fix)
	}
	return uint8(n)
}

// iface reads the name of an interface, which the kernel must be able to have.
func (t *packetReader) iface(w textWord) string {
	name := t.text(w)
	if !kernelName(name, maxIfName) {
		t.value(w, "the name of an interface", "write 1 to "+strconv.Itoa(maxIfName)+" bytes without blanks, / and :")
	}
	return name
}

func (t *packetReader) state(w textWord) State {
	s := t.states(w)
	if s&(s-1) != 0 {
		t.value(w, "one connection state", "write one of invalid, established, related, new, untracked")
	}
	return s
}

// tcpFlags reads the flags of a packet of protocol proto.
func (t *packetReader) tcpFlags(w textWord, proto uint8) Flags {
	flags := t.flags(w)
	if proto != TCP && t.known {
		t.errorf("packet-unfit", w.Pos.Offset, len(w.Text), "flags in a packet of protocol "+ProtoName(proto),
			"only tcp has flags", "remove the flags")
		return 0
	}
	return flags
}

// natStatus reads the status of the connection of a packet in state s.
func (t *packetReader) natStatus(w textWord, s State) Status {
	status := t.status(w)
	if status != 0 && s != 0 && s&Tracked == 0 {
		t.errorf("packet-unfit", w.Pos.Offset, len(w.Text), fmt.Sprintf("status %s of a packet in state %s", status, s),
			"a packet that is invalid or untracked belongs to no connection, and only connections are rewritten",
			"remove the status, or write state new, established or related")
	}
	return status
}
