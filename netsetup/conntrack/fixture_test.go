package conntrack

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// The networks of all tests: web and shop are translated, db and lab are routed, safe is isolated.
// Each has the addresses 10.0.N.0/24 and fd00:N::/64 on bridge virbrN.
var fixtureNetworks = []struct{ name, mode string }{
	{"web", "nat"}, {"db", "route"}, {"safe", "none"}, {"lab", "route"}, {"shop", "nat"},
}

// program compiles the first n of these networks with a policy.
func program(t testing.TB, n int, text string) *ir.Program {
	t.Helper()
	var src diag.Sources
	for i, network := range fixtureNetworks[:n] {
		forward := ""
		if network.mode != "none" {
			forward = fmt.Sprintf("<forward mode='%s'/>", network.mode)
		}
		src.Add(network.name+".xml", fmt.Appendf(nil, `<network><name>%s</name>%s<bridge name='virbr%d'/>
<ip address='10.0.%[3]d.1' netmask='255.255.255.0'><dhcp><range start='10.0.%[3]d.9' end='10.0.%[3]d.99'/></dhcp></ip>
<ip family='ipv6' address='fd00:%[3]d::1' prefix='64'/></network>`, network.name, forward, i))
	}
	nets, found := netxml.Parse(&src, netxml.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	p := netxml.Lower(nets)
	statements, found := policy.Parse("test.policy", []byte(text))
	if found.HasErrors() {
		t.Fatal(found)
	}
	policy.Lower(p, statements)
	return p
}

// publish adds the translation of a port: PROTO ADDRESS PORT to GUEST PORT.
func publish(t testing.TB, p *ir.Program, text string) {
	t.Helper()
	var proto, at, guest string
	var port, guestPort uint16
	if _, err := fmt.Sscanf(text, "%s %s %d to %s %d", &proto, &at, &port, &guest, &guestPort); err != nil {
		t.Fatal(err)
	}
	number, _ := ir.ProtoNumber(proto)
	host, addr := netip.MustParseAddr(at), netip.MustParseAddr(guest)
	family := ir.IPv6
	if addr.Is4() {
		family = ir.IPv4
	}
	rule := ir.Rule{
		Family: family,
		Matches: []ir.Match{ir.DAddr{Prefix: netip.PrefixFrom(host, host.BitLen())}, ir.L4Proto{Proto: number},
			ir.DPort{From: port, To: port}},
		Verdict: ir.DNAT{Addrs: ir.AddrRange{From: addr, To: addr},
			Ports: ir.PortRange{From: guestPort, To: guestPort}},
		Origin: ir.Origin{Reason: "publish " + text},
	}
	p.Add(ir.PRE, rule)
	p.Add(ir.LOC, rule)
}

// machine is a host with one uplink, eth0, and a bridge of Docker's.
func machine() *ir.Host {
	device := func(name string, addrs ...string) ir.HostDevice {
		d := ir.HostDevice{Name: name, Up: true}
		for _, a := range addrs {
			d.Addresses = append(d.Addresses, netip.MustParsePrefix(a))
		}
		return d
	}
	route := func(dest, dev string) ir.HostRoute {
		return ir.HostRoute{Dest: netip.MustParsePrefix(dest), Device: dev}
	}
	return &ir.Host{
		Devices: []ir.HostDevice{
			device("lo", "127.0.0.1/8", "::1/128"), device("eth0", "192.0.2.1/24", "2001:db8::1/64"),
			device("docker0", "172.17.0.1/16"),
		},
		Routes: []ir.HostRoute{
			route("0.0.0.0/0", "eth0"), route("192.0.2.0/24", "eth0"), route("172.17.0.0/16", "docker0"),
			route("::/0", "eth0"), route("2001:db8::/64", "eth0"),
		},
	}
}

// entry reads one: PROTO SOURCE TARGET [dnat REAL] [snat REAL] [related], where ends are
// ADDRESS:PORT. Of icmp the source's port is the identifier, and the target's is the type.
func entry(t testing.TB, text string) Entry {
	t.Helper()
	words := strings.Fields(text)
	end := func(word string) netip.AddrPort {
		e, err := netip.ParseAddrPort(word)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return e
	}
	proto, ok := ir.ProtoNumber(words[0])
	if !ok {
		t.Fatalf("%q: no protocol", text)
	}
	from, to := end(words[1]), end(words[2])
	realFrom, realTo := from, to
	e := Entry{ID: 77}
	for i := 3; i < len(words); i++ {
		switch words[i] {
		case "dnat":
			i++
			realTo, e.Status = end(words[i]), e.Status|DestNAT
		case "snat":
			i++
			realFrom, e.Status = end(words[i]), e.Status|SourceNAT
		case "related":
			e.Status |= Expected
		default:
			t.Fatalf("%q: %s", text, words[i])
		}
	}
	e.Original = Tuple{Src: from.Addr(), Dst: to.Addr(), Proto: proto}
	e.Reply = Tuple{Src: realTo.Addr(), Dst: realFrom.Addr(), Proto: proto}
	if proto == ir.ICMP || proto == ir.ICMPv6 {
		e.Original.ICMPID, e.Original.ICMPType = from.Port(), uint8(to.Port())
		return e
	}
	e.Original.SPort, e.Original.DPort = from.Port(), to.Port()
	e.Reply.SPort, e.Reply.DPort = realTo.Port(), realFrom.Port()
	return e
}
