package dnsmasq

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// conf writes the configuration of one network, in libvirt's order. The order of options means
// little to dnsmasq (servers under strict-order aside); it makes files that compare line for line.
type conf struct {
	link   *ir.Link
	paths  Paths
	v4, v6 *ir.Address // the subnets with DHCP, or nil
	text   bytes.Buffer
	err    error // the first
}

// line adds a line.
func (c *conf) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if err := oneLine(line); err != nil && c.err == nil {
		c.err = err
	}
	c.text.WriteString(line)
	c.text.WriteByte('\n')
}

// word returns v, which has to be one word of a line.
func (c *conf) word(v string) string {
	if err := oneWord(v); err != nil && c.err == nil {
		c.err = err
	}
	return v
}

// path returns v, which has to be a path that dnsmasq reads as it stands.
func (c *conf) path(v string) string {
	if (strings.ContainsAny(v, `"\`) || strings.Contains(v, " #")) && c.err == nil {
		c.err = fmt.Errorf("%q: dnsmasq would read this path as another; use none with a quote, a backslash or \" #\" in it", v)
	}
	return v
}

// first is path for a value that others may follow.
func (c *conf) first(v string) string {
	if strings.Contains(v, ",") && c.err == nil {
		c.err = fmt.Errorf("%q: dnsmasq would read this path up to the comma; use none with a comma in it", v)
	}
	return c.path(v)
}

// file is path for the files that dnsmasq opens after it has left the folder it was started in.
func (c *conf) file(v string) string {
	if !strings.HasPrefix(v, "/") && c.err == nil {
		c.err = fmt.Errorf("%q: dnsmasq works in /, and needs a full path", v)
	}
	return c.path(v)
}

// emit writes the whole file.
func (c *conf) emit() {
	c.line("# dnsmasq for the network %s, written by vnetc.", c.link.Name)
	c.line("# It is written anew when the network changes: edit the network's XML and run vnetc up.")
	c.line("strict-order")
	c.upstream()
	c.domain()
	c.where()
	if c.link.Mode == ir.ModeNone {
		// Nothing is behind the host: no router is offered by DHCP or by RA, and no name is asked
		// for elsewhere.
		c.line("dhcp-option=3")
		c.line("no-resolv")
		c.line("ra-param=*,0,0")
	}
	c.records()
	c.tftp()
	c.dhcp()
	c.files()
	if c.link.MTU != 0 {
		c.line("dhcp-option=option:mtu,%d", c.link.MTU)
	}
	c.advertise()
	for _, o := range c.link.Options {
		c.line("%s", o)
	}
}

// upstream says which servers are asked for names that are not known here.
func (c *conf) upstream() {
	if c.link.DNS.Off {
		c.line("port=0")
		return
	}
	resolv := true
	for _, f := range c.link.DNS.Forwarders {
		to := "#" // the host's own servers
		if f.Addr.IsValid() {
			to = c.word(f.Addr.String())
			if f.Port != 0 {
				to = fmt.Sprintf("%s#%d", to, f.Port)
			}
		}
		if f.Domain == "" {
			c.line("server=%s", to)
			resolv = false
			continue
		}
		c.line("server=/%s/%s", c.word(f.Domain), to)
	}
	if !resolv {
		c.line("no-resolv")
	}
}

// domain says what the network's own names are.
func (c *conf) domain() {
	if d := c.link.Domain; d.Name != "" {
		if d.LocalOnly {
			c.line("local=/%s/", c.word(d.Name))
		}
		c.line("domain=%s", c.word(d.Name))
		c.line("expand-hosts")
	}
	if c.link.DNS.Off {
		return
	}
	for _, a := range c.link.Addresses {
		if !a.LocalPTR {
			continue
		}
		zone, err := reverseZone(a.Prefix)
		if err != nil && c.err == nil {
			c.err = err
		}
		c.line("local=/%s/", zone)
	}
	if c.link.DNS.NoPlainNames {
		c.line("domain-needed")
		c.line("local=//")
	}
}

// where ties dnsmasq to the bridge. bind-dynamic lets it serve addresses that come later, and
// leaves those of others alone.
func (c *conf) where() {
	c.line("pid-file=%s", c.file(c.paths.PID))
	c.line("except-interface=lo")
	c.line("bind-dynamic")
	c.line("interface=%s", c.word(c.link.Bridge.Name))
}

// records adds names that are neither hosts nor leases.
func (c *conf) records() {
	if c.link.DNS.Off {
		return
	}
	for _, t := range c.link.DNS.TXT {
		c.line("txt-record=%s,%s", c.word(t.Name), t.Value)
	}
	for _, s := range c.link.DNS.SRV {
		c.line("srv-host=%s", c.srv(s))
	}
}

// srv returns the value of srv-host: numbers end with the last that was given, and those left out
// before it are 1 for the port and 0 for the priority. Without a target, or with the root as one,
// there is no such service (RFC 2782).
func (c *conf) srv(s ir.SRVRecord) string {
	value := "_" + c.word(s.Service) + "._" + c.word(s.Protocol)
	if s.Domain != "" {
		value += "." + c.word(s.Domain)
	}
	if s.Target == "" || s.Target == "." {
		return value
	}
	value += "," + c.word(s.Target)
	switch {
	case s.Weight != 0:
		value += fmt.Sprintf(",%d,%d,%d", max(s.Port, 1), s.Priority, s.Weight)
	case s.Priority != 0:
		value += fmt.Sprintf(",%d,%d", max(s.Port, 1), s.Priority)
	case s.Port != 0:
		value += fmt.Sprintf(",%d", s.Port)
	}
	return value
}

func (c *conf) tftp() {
	enabled := false
	for _, a := range c.link.Addresses {
		if !tftp(a) {
			continue
		}
		if !enabled {
			c.line("enable-tftp")
			enabled = true
		}
		c.line("tftp-root=%s", c.first(a.TFTP))
	}
}

// dhcp gives out addresses. "static" stands for a range of none: hosts that are listed get theirs,
// others nothing.
func (c *conf) dhcp() {
	if a := c.v4; a != nil {
		mask := netip.AddrFrom4([4]byte(net.CIDRMask(a.Prefix.Bits(), 32)))
		for _, r := range a.DHCP.Ranges {
			c.line("dhcp-range=%s,%s,%s%s", r.From, r.To, mask, c.lease(r.Lease))
		}
		if len(a.DHCP.Ranges) == 0 {
			c.line("dhcp-range=%s,static", a.Prefix.Addr())
		}
		c.line("dhcp-no-override")
		c.line("dhcp-authoritative")
		c.boot(a.DHCP)
	}
	if a := c.v6; a != nil {
		for _, r := range a.DHCP.Ranges {
			c.line("dhcp-range=%s,%s,%d%s", r.From, r.To, a.Prefix.Bits(), c.lease(r.Lease))
		}
		if len(a.DHCP.Ranges) == 0 {
			c.line("dhcp-range=%s,static,%d", a.Prefix.Addr(), a.Prefix.Bits())
		}
	}
	if n := rangeSize(c.v4) + rangeSize(c.v6); n > 0 {
		c.line("dhcp-lease-max=%d", n)
	}
}

func (c *conf) boot(d *ir.DHCP) {
	switch {
	case d.BootFile == "":
	case d.BootServer.IsValid():
		c.line("dhcp-boot=%s,,%s", c.first(d.BootFile), d.BootServer)
	default:
		c.line("dhcp-boot=%s", c.first(d.BootFile))
	}
}

// files names the files that are read again on SIGHUP.
func (c *conf) files() {
	if c.v4 != nil || c.v6 != nil {
		c.line("dhcp-hostsfile=%s", c.file(c.paths.Hosts))
	}
	if !c.link.DNS.Off {
		c.line("addn-hosts=%s", c.file(c.paths.AddnHosts))
	}
}

// advertise sends router advertisements for IPv6: for DHCP where there is DHCP, else for guests to
// choose their addresses.
func (c *conf) advertise() {
	if c.v6 != nil {
		c.line("enable-ra")
		return
	}
	for _, a := range c.link.Addresses {
		if a.Prefix.Addr().Is6() {
			c.line("dhcp-range=%s,ra-only", a.Prefix.Addr())
		}
	}
}

// lease returns the end of a line that says how long a lease is.
func (c *conf) lease(l ir.Lease) string {
	if l == "" {
		return ""
	}
	return "," + c.word(string(l))
}

// rangeSize counts the addresses to give out. Ranges differ in the last 16 bits only.
func rangeSize(a *ir.Address) int {
	if a == nil {
		return 0
	}
	n := 0
	for _, r := range a.DHCP.Ranges {
		n += low16(r.To) - low16(r.From) + 1
	}
	return n
}

func low16(a netip.Addr) int {
	b := a.AsSlice()
	return int(b[len(b)-2])<<8 | int(b[len(b)-1])
}

// reverseZone names the zone of reverse look-ups for a subnet: whole octets of IPv4 (RFC 1035
// section 3.5), nibbles of IPv6 (RFC 3596 section 2.5).
func reverseZone(p netip.Prefix) (string, error) {
	unit, suffix, format := 8, "in-addr.arpa", "%d."
	if p.Addr().Is6() {
		unit, suffix, format = 4, "ip6.arpa", "%x."
	}
	if p.Bits()%unit != 0 || p.Bits() == 0 || p.Bits() == p.Addr().BitLen() {
		return "", fmt.Errorf("localPtr in %s: the subnet is no whole zone of reverse look-ups", p)
	}
	var zone strings.Builder
	addr := p.Addr().AsSlice()
	for bit := p.Bits() - unit; bit >= 0; bit -= unit {
		v := addr[bit/8]
		if unit == 4 {
			v = v >> (4 - bit%8) & 0xf
		}
		fmt.Fprintf(&zone, format, v)
	}
	return zone.String() + suffix, nil
}
