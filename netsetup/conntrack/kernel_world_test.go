package conntrack

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
)

// world is a host with the first n networks of the tests, a guest in each, and two uplinks.
type world struct {
	*netnstest.Host
	t        testing.TB
	n        int
	guests   []*netnstest.Peer
	far, by1 *netnstest.Peer // behind eth0 and eth1
	port     uint16          // of the last packet that was sent
}

func newWorld(t testing.TB, n int) *world {
	t.Helper()
	netnstest.Require(t, "nft")
	w := &world{Host: netnstest.NewHost(t), t: t, n: n, port: 40000}
	for i := range n {
		bridge := fmt.Sprintf("virbr%d", i)
		w.Bridge(bridge, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)),
			netip.MustParsePrefix(fmt.Sprintf("fd00:%d::1/64", i)))
		w.guests = append(w.guests, w.Guest(fixtureNetworks[i].name, bridge,
			netip.MustParsePrefix(fmt.Sprintf("10.0.%d.7/24", i)), netip.MustParsePrefix(fmt.Sprintf("fd00:%d::7/64", i))))
	}
	w.far = w.Uplink("eth0", netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64"))
	w.by1 = w.Uplink("eth1", netip.MustParsePrefix("198.18.0.2/24"))
	for _, timeout := range []string{"udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout",
		"tcp_timeout_syn_sent", "tcp_timeout_syn_recv"} { // a busy machine takes its time
		w.Sysctl("netfilter/nf_conntrack_"+timeout, "3600")
	}
	for _, family := range []string{"ip", "ip6"} { // the kernel tracks a family for which a rule looks at it
		w.Exec("nft", "add table "+family+" track; add chain "+family+" track pre { type filter hook prerouting priority 0; }; "+
			"add rule "+family+" track pre ct state new counter")
	}
	return w
}

// facts returns what [ir.Host] says of the world.
func (w *world) facts() *ir.Host {
	h := &ir.Host{}
	add := func(name string, addrs ...string) {
		d := ir.HostDevice{Name: name, Up: true}
		for _, a := range addrs {
			p := netip.MustParsePrefix(a)
			d.Addresses = append(d.Addresses, p)
			h.Routes = append(h.Routes, ir.HostRoute{Dest: p.Masked(), Device: name})
		}
		h.Devices = append(h.Devices, d)
	}
	add("lo", "127.0.0.1/8", "::1/128")
	for i := range w.n {
		add(fmt.Sprintf("virbr%d", i), fmt.Sprintf("10.0.%d.1/24", i), fmt.Sprintf("fd00:%d::1/64", i))
	}
	add("eth0", "192.0.2.2/24", "2001:db8::2/64")
	add("eth1", "198.18.0.2/24")
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		h.Routes = append(h.Routes, ir.HostRoute{Dest: netip.MustParsePrefix(all), Device: "eth0"})
	}
	return h
}

// load puts a program into the kernel.
func (w *world) load(p *ir.Program) *ir.Program {
	w.t.Helper()
	if found := ir.Verify(p); found.HasErrors() {
		w.t.Fatal(found)
	}
	var loader nftables.Loader
	rules, found := loader.Lower(p, backends.Options{Families: ir.Both, Layout: loader.Layouts()[0]})
	if found.HasErrors() {
		w.t.Fatal(found)
	}
	w.Do(func() {
		if _, err := loader.Load(rules); err != nil {
			w.t.Fatal(err)
		}
	})
	return p
}

// cut calls Cut in the namespace.
func (w *world) cut(before, after *ir.Program) (r Report) {
	w.t.Helper()
	w.Do(func() {
		var err error
		if r, err = Cut(before, after, w.facts()); err != nil {
			w.t.Fatal(err)
		}
	})
	return r
}

// entries returns the lines of /proc/net/nf_conntrack of which the first tuple has all the words.
func (w *world) entries(words ...string) (lines []string) {
	w.t.Helper()
	w.Do(func() {
		text, err := os.ReadFile("/proc/thread-self/net/nf_conntrack")
		if err != nil {
			w.t.Skipf("this machine lacks /proc/net/nf_conntrack (%v)", err)
		}
		for line := range strings.Lines(string(text)) {
			tuple, has := strings.Fields(line), true
			if i := slices.IndexFunc(tuple, isSource); i >= 0 {
				if reply := slices.IndexFunc(tuple[i+1:], isSource); reply >= 0 {
					tuple = tuple[:i+1+reply]
				}
			}
			for _, word := range words {
				has = has && slices.Contains(tuple, word)
			}
			if has {
				lines = append(lines, line)
			}
		}
	})
	return lines
}

func isSource(word string) bool { return strings.HasPrefix(word, "src=") }

// has is true if the kernel has an entry with these words.
func (w *world) has(words ...string) bool {
	w.t.Helper()
	return len(w.entries(words...)) > 0
}

// listed returns all entries that this package reads, with their keys and families.
func (w *world) listed() (all []Entry, found []keys, families []byte) {
	w.t.Helper()
	w.Do(func() {
		c, err := dial()
		if err != nil {
			w.t.Fatal(err)
		}
		defer c.close()
		err = c.list(subsystem, func(family byte, attrs []byte) error {
			e, k, err := parse(append([]byte(nil), attrs...))
			all, found, families = append(all, e), append(found, k), append(families, family)
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	})
	return all, found, families
}

// send sends a packet of a kind from a peer to an address and port, from a port that none had.
func (w *world) send(from *netnstest.Peer, kind netnstest.Kind, dst netip.Addr, port uint16) netnstest.Result {
	w.t.Helper()
	w.port++
	return w.sendFrom(from, kind, w.port, dst, port)
}

func (w *world) sendFrom(from *netnstest.Peer, kind netnstest.Kind, sport uint16, dst netip.Addr,
	port uint16) netnstest.Result {
	w.t.Helper()
	src, ok := from.Addr(dst)
	if !ok {
		w.t.Fatalf("%s has no address to send to %s", from.Name, dst)
	}
	p := netnstest.Packet{Kind: kind, Src: netip.AddrPortFrom(src, sport), Dst: netip.AddrPortFrom(dst, port)}
	return w.Send(from, p)
}
