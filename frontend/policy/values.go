package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// protocols are the names that a policy may use beside those of [ir.ProtoName]. The host's
// /etc/protocols is never asked: a policy means the same everywhere.
var protocols = []struct {
	number uint8
	name   string
}{
	{2, "igmp"}, {4, "ipip"}, {47, "gre"}, {50, "esp"}, {51, "ah"}, {89, "ospf"}, {103, "pim"}, {112, "vrrp"}, {115, "l2tp"},
}

// protoName returns the word for a protocol, or its number.
func protoName(number uint8) string {
	for _, p := range protocols {
		if p.number == number {
			return p.name
		}
	}
	return ir.ProtoName(number)
}

func (r *reader) proto(w textWord) uint8 {
	word := r.text(w)
	var names []string
	for _, p := range protocols {
		if p.name == word {
			return p.number
		}
		names = append(names, p.name)
	}
	n, ok := ir.ProtoNumber(word)
	if !ok || n == 0 {
		fix := "write tcp, udp, icmp, icmpv6, sctp, dccp, udplite, " + strings.Join(names, ", ") +
			" or a number from 1 to 255, or nothing for all"
		if near, ok := diag.Near(word, append(names, "tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite")); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		r.value(w, "a protocol", fix)
	}
	return n
}

func (r *reader) icmpType(w textWord, proto uint8) (number uint8, ok bool) {
	word := r.text(w)
	if n, ok := ir.ICMPNumber(proto, word); ok {
		return n, true
	}
	n, err := strconv.ParseUint(word, 10, 8)
	if err != nil {
		fix := "write a number up to 255, or a name of nft(8) such as echo-request"
		if near, ok := diag.Near(word, ir.ICMPNames(proto)); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		r.value(w, "a type of "+protoName(proto), fix)
	}
	return uint8(n), err == nil
}

// ports reads a list of ports and ranges, of which no two have a port in common.
func (r *reader) ports(words []textWord) (all []ir.PortRange) {
	items, ok := r.items(words)
	if !ok {
		return nil
	}
	for _, w := range items {
		if p, ok := r.portRange(w); ok {
			all = append(all, p)
		}
	}
	if len(all) < len(items) {
		return nil
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(int(all[i].From)-int(all[j].From), i-j) })
	widest := order[0]
	for _, i := range order[1:] {
		if all[i].From <= all[widest].To {
			r.repeated(items[max(i, widest)], all[min(i, widest)].String())
			break
		}
		widest = i
	}
	return all
}

func (r *reader) portRange(w textWord) (ports ir.PortRange, ok bool) {
	from, to, ranged := strings.Cut(r.text(w), "-")
	if !ranged {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, 16)
	high, err2 := strconv.ParseUint(to, 10, 16)
	if err != nil || err2 != nil || low == 0 || high < low {
		r.value(w, "a port or a range of ports",
			"write a number from 1 to 65535, or two with - between them, the lower first")
		return ports, false
	}
	return ir.PortRange{From: uint16(low), To: uint16(high)}, true
}

// iface reads the name of an interface, which the kernel must be able to have.
func (r *reader) iface(w textWord) string {
	name := r.text(w)
	if p := xmldoc.Device(name); p.Code != "" {
		r.wrong("policy-value", w, fmt.Sprintf("%s is not the name of an interface: %s", shown(w.Text), p.What), p.Why,
			"write a name such as eth0")
	}
	return name
}
