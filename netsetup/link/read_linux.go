package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ReadFacts reads the host: one dump each of links, addresses and routes, and the traffic control
// of our bridges that have any.
func ReadFacts() (*Facts, error) {
	f := &Facts{}
	_, err := os.Stat("/proc/sys/net/ipv6")
	f.IPv6 = err == nil
	f.Forwards, f.ForwardsNew = isOne("ip_forward"), isOne("conf/default/forwarding")
	if f.Devices, err = readDevices(); err != nil {
		return nil, err
	}
	if err := f.readAddresses(); err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	if err := f.readRoutes(); err != nil {
		return nil, fmt.Errorf("list the routes: %w", err)
	}
	if err := f.readTraffic(); err != nil {
		return nil, err
	}
	return f, nil
}

// isOne is true if the sysctl below net.ipv4 is 1.
func isOne(name string) bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// ReadMarked returns what [Facts.Marked] does, and reads nothing else of the host.
func ReadMarked() ([]string, error) {
	devices, err := readDevices()
	return (&Facts{Devices: devices}).Marked(), err
}

// readDevices lists the network devices, without their addresses.
func readDevices() ([]Device, error) {
	links, err := dump(unix.RTM_GETLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), u32(unix.IFLA_EXT_MASK, skipStats))
	if err != nil {
		return nil, fmt.Errorf("list the network devices: %w", err)
	}
	devices := make([]Device, 0, len(links))
	for _, m := range links {
		if d, ok := readDevice(m); ok {
			devices = append(devices, d)
		}
	}
	return devices, nil
}

// skipStats keeps counters out of a list of links: RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h.
const skipStats = 1 << 3

// readDevice reads an RTM_NEWLINK message.
func readDevice(m []byte) (Device, bool) {
	if len(m) < unix.SizeofIfInfomsg {
		return Device{}, false
	}
	header, a := nl.DeserializeIfInfomsg(m), parse(m[unix.SizeofIfInfomsg:])
	info := a.nest(unix.IFLA_LINKINFO)
	d := Device{
		Index:  int(header.Index),
		Name:   a.text(unix.IFLA_IFNAME),
		Kind:   info.text(nl.IFLA_INFO_KIND),
		Alias:  a.text(unix.IFLA_IFALIAS),
		Group:  a.u32(unix.IFLA_GROUP),
		MAC:    a[unix.IFLA_ADDRESS],
		MTU:    int(a.u32(unix.IFLA_MTU)),
		Up:     header.Flags&unix.IFF_UP != 0,
		Master: int(a.u32(unix.IFLA_MASTER)),
	}
	if d.Kind == "bridge" {
		b := info.nest(nl.IFLA_INFO_DATA)
		d.Bridge = &BridgeInfo{
			STP:           b.u32(nl.IFLA_BR_STP_STATE) != 0,
			Delay:         time.Duration(b.u32(nl.IFLA_BR_FORWARD_DELAY)) * tick,
			VLANFiltering: b.u8(nl.IFLA_BR_VLAN_FILTERING) != 0,
			FiltersIPv4:   b.u8(nl.IFLA_BR_NF_CALL_IPTABLES) != 0,
			FiltersIPv6:   b.u8(nl.IFLA_BR_NF_CALL_IP6TABLES) != 0,
		}
	}
	if info.text(nl.IFLA_INFO_SLAVE_KIND) == "bridge" {
		p := info.nest(nl.IFLA_INFO_SLAVE_DATA)
		d.Port = &PortInfo{
			Isolated: p.u8(nl.IFLA_BRPORT_ISOLATED) != 0,
			Learning: p.u8(nl.IFLA_BRPORT_LEARNING) != 0,
			Flood:    p.u8(nl.IFLA_BRPORT_UNICAST_FLOOD) != 0,
		}
	}
	perFamily := a.nest(unix.IFLA_AF_SPEC)
	d.IPv4 = readIPv4(perFamily.nest(unix.AF_INET)[inetConf])
	d.IPv6 = readIPv6(perFamily.nest(unix.AF_INET6)[unix.IFLA_INET6_CONF])
	return d, d.Name != ""
}

// tick is the unit of a bridge's times: USER_HZ, 1/100 s on all that Go runs on.
const tick = 10 * time.Millisecond

// inetConf is IFLA_INET_CONF of linux/if_link.h.
const inetConf = 1

// readIPv4 picks sysctls out of the list that the kernel sends of all of them: int32, in the order
// of IPV4_DEVCONF_ in linux/ip.h, which counts from 1.
func readIPv4(conf []byte) *IPv4Info {
	const forwarding, arpIgnore = 0, 18 // places of numbers 1 and 19
	if len(conf) < 4*(arpIgnore+1) {
		return nil
	}
	return &IPv4Info{Forwarding: int32At(conf, forwarding), ARPIgnore: int32At(conf, arpIgnore)}
}

// readIPv6 is readIPv4 in the order of DEVCONF_ in linux/ipv6.h, which counts from 0.
func readIPv6(conf []byte) *IPv6Info {
	const acceptRA, autoconf, disable = 3, 5, 26
	if len(conf) < 4*(disable+1) {
		return nil
	}
	return &IPv6Info{
		Disable: int32At(conf, disable), AcceptRA: int32At(conf, acceptRA), Autoconf: int32At(conf, autoconf),
	}
}

func int32At(list []byte, i int) int { return int(int32(binary.NativeEndian.Uint32(list[4*i:]))) }

// ifaProto is IFA_PROTO of linux/if_addr.h: who added the address.
const ifaProto = 11

func (f *Facts) readAddresses() error {
	list, err := dump(unix.RTM_GETADDR, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return err
	}
	at := map[int]*Device{}
	for i := range f.Devices {
		at[f.Devices[i].Index] = &f.Devices[i]
	}
	for _, m := range list {
		if len(m) < unix.SizeofIfAddrmsg {
			continue
		}
		header, a := nl.DeserializeIfAddrmsg(m), parse(m[unix.SizeofIfAddrmsg:])
		local := a[unix.IFA_LOCAL] // of a point-to-point link; IFA_ADDRESS is the far side then
		if local == nil {
			local = a[unix.IFA_ADDRESS]
		}
		ip, ok := netip.AddrFromSlice(local)
		d := at[int(header.Index)]
		if !ok || d == nil {
			continue
		}
		f.AddressMarks = f.AddressMarks || a.has(ifaProto)
		d.Addresses = append(d.Addresses, Address{
			Prefix:    netip.PrefixFrom(ip, int(header.Prefixlen)),
			Protocol:  a.u8(ifaProto),
			Secondary: ip.Is4() && header.Flags&unix.IFA_F_SECONDARY != 0,
			LinkLocal: header.Scope == unix.RT_SCOPE_LINK,
		})
	}
	return nil
}

func (f *Facts) readRoutes() error {
	list, err := dump(unix.RTM_GETROUTE, &nl.RtMsg{})
	if err != nil {
		return err
	}
	for _, m := range list {
		if r, ok := readRoute(m); ok {
			f.Routes = append(f.Routes, r)
		}
	}
	return nil
}

// readRoute reads an RTM_NEWROUTE message; false if it isn't a unicast route of table main, for
// IPv4 or IPv6.
func readRoute(m []byte) (Route, bool) {
	if len(m) < unix.SizeofRtMsg {
		return Route{}, false
	}
	header, a := nl.DeserializeRtMsg(m), parse(m[unix.SizeofRtMsg:])
	dest := netip.IPv4Unspecified()
	switch header.Family {
	case unix.AF_INET:
	case unix.AF_INET6:
		dest = netip.IPv6Unspecified()
	default:
		return Route{}, false
	}
	table := uint32(header.Table)
	if a.has(unix.RTA_TABLE) {
		table = a.u32(unix.RTA_TABLE)
	}
	if table != unix.RT_TABLE_MAIN || header.Type != unix.RTN_UNICAST || header.Flags&unix.RTM_F_CLONED != 0 {
		return Route{}, false
	}
	if ip, ok := netip.AddrFromSlice(a[unix.RTA_DST]); ok {
		dest = ip
	}
	r := Route{
		Dest:     netip.PrefixFrom(dest, int(header.Dst_len)),
		Device:   int(a.u32(unix.RTA_OIF)),
		Metric:   a.u32(unix.RTA_PRIORITY),
		Protocol: header.Protocol,
	}
	if metrics := a[unix.RTA_METRICS]; len(metrics) > 0 {
		r.MTU = parse(metrics).u32(unix.RTAX_MTU)
	}
	r.Gateway, _ = netip.AddrFromSlice(a[unix.RTA_GATEWAY])
	if hops := a[unix.RTA_MULTIPATH]; len(hops) >= unix.SizeofRtNexthop {
		r.Device = int(nl.DeserializeRtNexthop(hops).Ifindex) // of the first
	}
	return r, true
}
