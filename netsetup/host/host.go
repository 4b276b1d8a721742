// Package host reads what a host's own setup decides about packets beside its rules: devices and
// their bridges, addresses, routes and sysctls. It turns them into an [ir.Host], changes nothing,
// and knows no rules.
package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/link"
)

// Read reads the host in the network namespace of the calling thread.
func Read() (*ir.Host, error) {
	facts, err := link.ReadFacts()
	if err != nil {
		return nil, err
	}
	return From(facts, "/proc/sys/net"), nil
}

// From returns the host of facts whose sysctls are files below dir. A sysctl that is not there is
// 0: the kernel has not what it is about.
func From(facts *link.Facts, dir string) *ir.Host {
	s := sysctls(dir)
	h := &ir.Host{}
	if s.is("bridge/bridge-nf-call-iptables") {
		h.Bridged |= ir.IPv4
	}
	if s.is("bridge/bridge-nf-call-ip6tables") {
		h.Bridged |= ir.IPv6
	}
	names := make(map[int]string, len(facts.Devices))
	for _, d := range facts.Devices {
		names[d.Index] = d.Name
	}
	for _, d := range facts.Devices {
		h.Devices = append(h.Devices, s.device(d, names[d.Master]))
	}
	for _, r := range facts.Routes {
		if name := names[r.Device]; name != "" {
			h.Routes = append(h.Routes, ir.HostRoute{Dest: r.Dest.Masked(), Device: name, MTU: int(r.MTU)})
		}
	}
	return h
}

// sysctls are those of a network namespace, below a folder.
type sysctls string

// device returns d with what its sysctls say.
func (s sysctls) device(d link.Device, master string) ir.HostDevice {
	out := ir.HostDevice{
		Name: d.Name, Master: master, Up: d.Up, MTU: d.MTU,
		RPFilter: max(s.number("ipv4/conf/all/rp_filter"), s.number(filepath.Join("ipv4/conf", d.Name, "rp_filter"))),
	}
	for _, a := range d.Addresses {
		out.Addresses = append(out.Addresses, netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Bits()))
	}
	if s.is(filepath.Join("ipv4/conf", d.Name, "forwarding")) {
		out.Forwards |= ir.IPv4
	}
	// Of IPv6 the sysctl of all devices decides; a newer kernel can force it for one.
	if s.is("ipv6/conf/all/forwarding") || s.is(filepath.Join("ipv6/conf", d.Name, "force_forwarding")) {
		out.Forwards |= ir.IPv6
	}
	if b := d.Bridge; b != nil && b.FiltersIPv4 {
		out.Bridged |= ir.IPv4
	}
	if b := d.Bridge; b != nil && b.FiltersIPv6 {
		out.Bridged |= ir.IPv6
	}
	return out
}

func (s sysctls) is(name string) bool { return s.number(name) != 0 }

// number returns the value of a sysctl, 0 if it is not there.
func (s sysctls) number(name string) int {
	text, err := os.ReadFile(filepath.Join(string(s), name))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}
