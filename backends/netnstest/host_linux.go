package netnstest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is a namespace that plays the machine under test, with peers around it: guests on its
// bridges, and the world behind its uplinks. It forwards both families, has no reverse path filter,
// and answers each packet that it rejects. What the peers receive is kept until it is asked for;
// see [Host.Send].
type Host struct {
	*NS
	Self *Peer // stands for the host itself where a [Result] says who got a packet; has nothing but a name

	links    *netlink.Handle
	peers    []*Peer
	services []service
	bridges  int
	serial   uint32
	seen     []sighting
}

// Peer is a namespace joined to the host by its eth0: a guest, or the far side of an uplink. It has
// a default route by way of the host and a stack of its own, which answers echo requests and what
// comes to port [Open].
type Peer struct {
	*NS
	Name    string
	Gateway string         // the host's interface that it talks to: the bridge, or the uplink
	Addrs   []netip.Prefix // its own addresses
	Hosts   []netip.Prefix // the host's addresses on Gateway

	links        *netlink.Handle
	mac, hostMAC net.HardwareAddr
	socket       int // packet socket on eth0
	index        int // of eth0
}

// Open is the port, TCP and UDP, at which every peer listens and says nothing, so that what arrives
// there is not answered by an error of the peer's own.
const Open = 4000

// NewHost returns a host with no interface but loopback.
func NewHost(t testing.TB) *Host {
	t.Helper()
	h := &Host{NS: New(t), Self: &Peer{Name: "the host"}}
	h.links = h.handle()
	h.Sysctl("ipv4/ip_forward", "1")
	h.Sysctl("ipv6/conf/all/forwarding", "1")
	h.Sysctl("ipv4/conf/all/rp_filter", "0")
	h.Sysctl("ipv4/conf/all/send_redirects", "0")
	h.BridgeNetfilter(false)
	return h
}

// handle returns a netlink handle in the namespace, and sets how the namespace behaves: no limit on
// ICMP errors; for interfaces made from now on, addresses usable at once, none by router
// advertisement, no reverse path filter.
func (ns *NS) handle() *netlink.Handle {
	ns.t.Helper()
	ns.Sysctl("ipv4/icmp_ratemask", "0")
	ns.Sysctl("ipv6/icmp/ratemask", "0") // a type that no packet has: the mask can't be empty
	ns.Sysctl("ipv6/conf/all/accept_dad", "0")
	ns.Sysctl("ipv6/conf/default/accept_dad", "0")
	ns.Sysctl("ipv6/conf/default/accept_ra", "0")
	ns.Sysctl("ipv4/conf/default/rp_filter", "0")
	ns.Sysctl("ipv4/conf/default/send_redirects", "0")
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.net.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		ns.t.Fatal(err)
	}
	ns.t.Cleanup(h.Close)
	return h
}

// BridgeNetfilter says whether frames between two guests of one bridge meet the rules for IP
// packets (br_netfilter). It returns whether they do now: a kernel without the module can't.
func (h *Host) BridgeNetfilter(on bool) bool {
	h.t.Helper()
	found := false
	h.Do(func() {
		_, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables")
		found = err == nil
	})
	if !found {
		return false
	}
	value := map[bool]string{true: "1", false: "0"}[on]
	h.Sysctl("bridge/bridge-nf-call-iptables", value)
	h.Sysctl("bridge/bridge-nf-call-ip6tables", value)
	return on
}

// Bridge adds a bridge that is up, with the host's own addresses on it.
func (h *Host) Bridge(name string, addrs ...netip.Prefix) {
	h.t.Helper()
	h.bridges++
	// With an address of its own a bridge doesn't take that of its first port.
	mac := net.HardwareAddr{0x52, 0x54, 0x00, 0xbb, 0x00, byte(h.bridges)}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: mac}}
	must(h.t, h.links.LinkAdd(bridge), "add bridge %s", name)
	addAddresses(h.t, h.links, bridge, addrs)
}

// Guest joins a new peer to a bridge of the host, made by [Host.Bridge] or otherwise. Its default
// routes lead to the bridge. Given addresses with the whole length (/32, /128), it sends to its
// neighbours on the bridge, too, by way of the host. An address in none of the bridge's subnets
// gets a route on the host, so that errors find back to it.
func (h *Host) Guest(name, bridge string, addrs ...netip.Prefix) *Peer {
	h.t.Helper()
	master := h.link(bridge)
	port := fmt.Sprintf("vnet%d", len(h.peers))
	p := h.join(name, port, addrs)
	must(h.t, h.links.LinkSetMaster(h.link(port), master), "join %s to %s", name, bridge)
	h.connect(p, master)
	return p
}

// Uplink joins a new peer to the host by an interface of the given name and with the given
// addresses of the host's. The peer is the world: it has the first address of each subnet, and the
// host's default route leads to it, unless an uplink made before has it.
func (h *Host) Uplink(name string, addrs ...netip.Prefix) *Peer {
	h.t.Helper()
	var far []netip.Prefix
	for _, a := range addrs {
		far = append(far, netip.PrefixFrom(a.Masked().Addr().Next(), a.Bits()))
	}
	p := h.join("far "+name, name, far)
	wire := h.link(name)
	addAddresses(h.t, h.links, wire, addrs)
	h.connect(p, wire)
	for _, f := range far {
		err := defaultRoute(h.links, wire.Attrs().Index, f.Addr())
		if !errors.Is(err, fs.ErrExist) {
			must(h.t, err, "route by way of %s", name)
		}
	}
	return p
}

// join makes a peer and the wire to it, whose end on the host is called port.
func (h *Host) join(name, port string, addrs []netip.Prefix) *Peer {
	h.t.Helper()
	p := &Peer{NS: New(h.t), Name: name, Addrs: addrs}
	p.mac = net.HardwareAddr{0x52, 0x54, 0x00, 0xaa, 0x00, byte(len(h.peers) + 1)}
	p.links = p.handle()
	must(h.t, h.links.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: "eth0", PeerHardwareAddr: p.mac,
		PeerNamespace: netlink.NsFd(int(p.net.Fd())),
	}), "add wire to %s", name)
	eth0, err := p.links.LinkByName("eth0")
	must(h.t, err, "find eth0 of %s", name)
	addAddresses(h.t, p.links, eth0, addrs)
	must(h.t, h.links.LinkSetUp(h.link(port)), "set %s up", port)
	p.index = eth0.Attrs().Index
	return p
}

// connect gives p and the host's interface gateway all that they know of each other (links,
// addresses, routes), so that no address resolution delays a packet, and waits until packets pass.
func (h *Host) connect(p *Peer, gateway netlink.Link) {
	h.t.Helper()
	p.Gateway, p.hostMAC = gateway.Attrs().Name, gateway.Attrs().HardwareAddr
	near, err := h.links.AddrList(gateway, netlink.FAMILY_ALL)
	must(h.t, err, "list addresses of %s", p.Gateway)
	for _, a := range near {
		addr, _ := netip.AddrFromSlice(a.IP)
		ones, _ := a.Mask.Size()
		host := netip.PrefixFrom(addr.Unmap(), ones)
		if host.Addr().IsLinkLocalUnicast() {
			continue
		}
		p.Hosts = append(p.Hosts, host)
		p.routeBy(host.Addr())
	}
	// Where the host has no address, addresses that nobody has stand for its interface.
	p.routeBy(netip.MustParseAddr("169.254.0.1"))
	p.routeBy(netip.MustParseAddr("fe80::1"))
	for _, a := range p.Addrs {
		neighbour(h.t, h.links, gateway.Attrs().Index, a.Addr(), p.mac)
		if !p.known(a.Addr()) {
			one := network(netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
			must(h.t, h.links.RouteAdd(&netlink.Route{LinkIndex: gateway.Attrs().Index, Dst: one}), "route to %s", a)
		}
	}
	h.peers = append(h.peers, p)
	p.listen()
	for _, host := range p.Hosts {
		if src, ok := p.Addr(host.Addr()); ok {
			h.ping(p, src, host.Addr())
		}
	}
}

// routeBy adds a default route by way of an address of the host's, unless p has one of that family.
func (p *Peer) routeBy(gateway netip.Addr) {
	p.t.Helper()
	neighbour(p.t, p.links, p.index, gateway, p.hostMAC)
	if err := defaultRoute(p.links, p.index, gateway); !errors.Is(err, fs.ErrExist) {
		must(p.t, err, "route of %s by way of %s", p.Name, gateway)
	}
}

// known is true if one of the host's subnets on p's wire has the address.
func (p *Peer) known(addr netip.Addr) bool {
	for _, host := range p.Hosts {
		if host.Contains(addr) {
			return true
		}
	}
	return false
}

// Addr returns p's address in the subnet of one of the host's, or else its first of the same
// family; false if it has none.
func (p *Peer) Addr(host netip.Addr) (netip.Addr, bool) {
	var first netip.Addr
	for _, a := range p.Addrs {
		if a.Addr().Is4() != host.Is4() {
			continue
		}
		if a.Contains(host) {
			return a.Addr(), true
		}
		if !first.IsValid() {
			first = a.Addr()
		}
	}
	return first, first.IsValid()
}

// Out returns the interface by which the host sends a packet to dst.
func (h *Host) Out(dst netip.Addr) string {
	h.t.Helper()
	routes, err := h.links.RouteGet(dst.AsSlice())
	must(h.t, err, "route to %s", dst)
	link, err := h.links.LinkByIndex(routes[0].LinkIndex)
	must(h.t, err, "route to %s", dst)
	return link.Attrs().Name
}

func (h *Host) link(name string) netlink.Link {
	h.t.Helper()
	link, err := h.links.LinkByName(name)
	must(h.t, err, "find %s", name)
	return link
}

func addAddresses(t testing.TB, links *netlink.Handle, link netlink.Link, addrs []netip.Prefix) {
	t.Helper()
	must(t, links.LinkSetUp(link), "set %s up", link.Attrs().Name)
	for _, a := range addrs {
		addr := &netlink.Addr{IPNet: network(a), Flags: unix.IFA_F_NODAD}
		must(t, links.AddrAdd(link, addr), "add address %s to %s", a, link.Attrs().Name)
	}
}

func neighbour(t testing.TB, links *netlink.Handle, index int, addr netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	n := &netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, IP: addr.AsSlice(), HardwareAddr: mac}
	must(t, links.NeighSet(n), "add neighbour %s", addr)
}

func defaultRoute(links *netlink.Handle, index int, gateway netip.Addr) error {
	all := network(netip.PrefixFrom(gateway, 0).Masked())
	return links.RouteAdd(&netlink.Route{LinkIndex: index, Dst: all, Gw: gateway.AsSlice(),
		Flags: int(netlink.FLAG_ONLINK)})
}

func network(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func must(t testing.TB, err error, format string, args ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf(format+": %v", append(args, err)...)
	}
}
