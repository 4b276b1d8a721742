package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// lab6 is an IPv6 network of one mode, and what guests in it may do.
type lab6 struct {
	name, forward   string
	subnet          string // the first two groups of a /64
	dhcp            bool   // addresses are given out; else guests choose theirs by what the router advertises
	routed, entered bool   // as in lab
	masked          bool   // guests' addresses are not seen outside
}

func labs6() (all []*lab6) {
	for i, dhcp := range []bool{false, true} {
		kind := []string{"s", "d"}[i]
		for j, l := range []lab6{
			{name: "nat", forward: "<forward mode='nat'/>", routed: true,
				entered: true}, // libvirt routes IPv6 unless told to mask it
			{name: "mask", forward: "<forward mode='nat'><nat ipv6='yes'/></forward>", routed: true, masked: true},
			{name: "route", forward: "<forward mode='route'/>", routed: true, entered: true},
			{name: "open", forward: "<forward mode='open'/>", routed: true, entered: true},
			{name: "alone"},
		} {
			l.name, l.dhcp = l.name+kind, dhcp
			l.subnet = fmt.Sprintf("fd77:%d", 16*(i+1)+j)
			all = append(all, &l)
		}
	}
	return all
}

func (l *lab6) host() string { return l.subnet + "::1" }

// xml is the network, with a host entry for a guest with this MAC and a DUID that is made of it.
func (l *lab6) xml(mac string) string {
	dhcp, four := "", ""
	if l.dhcp {
		dhcp = fmt.Sprintf(`<dhcp><range start='%[1]s::100' end='%[1]s::1ff'/><host id='00:03:00:01:%[2]s' name='db' ip='%[1]s::10'/></dhcp>`, l.subnet, mac)
		four = fmt.Sprintf(`<ip address='10.79.%[1]s.1' prefix='24'><dhcp><range start='10.79.%[1]s.100' end='10.79.%[1]s.120'/></dhcp></ip>`, strings.TrimPrefix(l.subnet, "fd77:"))
	}
	return fmt.Sprintf(`<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>%[1]s</name>%[2]s<bridge name='%[1]s0' stp='off'/><mtu size='1400'/><domain name='%[1]s.test' localOnly='yes'/>
		<dns><host ip='%[3]s::5'><hostname>gate</hostname></host></dns>
		%[5]s<ip family='ipv6' address='%[3]s::1' prefix='64'>%[4]s</ip><dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options></network>`, l.name, l.forward, l.subnet, dhcp, four)
}

// dhclientScript adds the address that DHCPv6 gave, of that length alone: which neighbours there
// are, the router tells (dhclient-script(8): the environment).
const dhclientScript = `#!/bin/sh
[ -n "$new_ip6_address" ] || exit 0
ip -6 addr replace "$new_ip6_address/128" dev eth0
`

// dhclient runs a DHCPv6 client in the guest until the end of the test. The program is a copy:
// distributions confine the one in its place to folders of its own.
func (v *guest) dhclient() {
	t := v.g.host.t
	t.Helper()
	dir := t.TempDir()
	program := strings.TrimSpace(v.Exec("sh", "-c", "command -v dhclient"))
	for name, content := range map[string]string{
		"leases": "",
		"conf":   fmt.Sprintf("send fqdn.fqdn %q; send fqdn.server-update on; also request dhcp6.fqdn;\n", v.Name+"."),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	v.Exec("install", "-m", "755", program, in("client")) // by another process, as netnstest.Program says
	netnstest.Program(t, in("script"), dhclientScript)
	cmd := v.Command(in("client"), "-6", "-d", "-q", "-D", "LL", "-cf", in("conf"), "-lf", in("leases"), "-pf",
		in("pid"), "-sf", in("script"), "eth0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("dhclient of %s: %s", v.Name, &said)
		}
	})
}

// listens has the guest's kernel believe what routers advertise, and forget all it knew. It returns
// when the guest can talk.
func (v *guest) listens() {
	v.g.host.t.Helper()
	for _, s := range []string{"accept_ra", "autoconf"} {
		v.Sysctl("ipv6/conf/eth0/"+s, "1")
	}
	v.Exec("ip", "link", "set", "eth0", "down")
	v.Sysctl("ipv6/conf/eth0/router_solicitation_delay", "0")
	v.Exec("ip", "link", "set", "eth0", "up")
	v.address6(v.g.host.t, "fe80") // DHCPv6 is asked for from there, and clients don't wait for it
}

// address6 waits for an IPv6 address that lies in the subnet.
func (v *guest) address6(t *testing.T, subnet string) string {
	t.Helper()
	within := netip.MustParsePrefix(subnet + "::/64")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, m := range regexp.MustCompile(`inet6 (\S+)/\d+`).FindAllStringSubmatch(v.Exec("ip", "-6", "addr", "show",
			"dev", "eth0", "-tentative"), -1) {
			if a, err := netip.ParseAddr(m[1]); err == nil && within.Contains(a) {
				return m[1]
			}
		}
	}
	t.Fatalf("%s got no address in %s:\n%s%s", v.Name, within, v.Exec("ip", "-6", "addr"), v.Exec("ip", "-6", "route"))
	return ""
}

// asks wants an answer from the server, by type of record, or none.
func (v *guest) asks(t *testing.T, server, kind, name, want string) {
	t.Helper()
	out, _ := v.Command("busybox", "nslookup", "-type="+kind, name, server).CombinedOutput()
	_, answer, _ := strings.Cut(string(out), "\n\n") // before it the server's own address stands
	if got := strings.Contains(answer, want); want != "" && !got || want == "" && strings.Contains(answer, "Address") {
		t.Errorf("%s asks %s for %s of %s and wants %q:\n%s", v.Name, server, kind, name, want, out)
	}
}

// TestKernelUpIPv6: guests of each mode get IPv6 addresses, from the router's advertisements or by
// DHCPv6, and live as the mode says, with rules of either back end.
func TestKernelUpIPv6(t *testing.T) {
	netnstest.Require(t, "dhclient")
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel() // it is mostly waiting
			g := newGround(t)
			world := &guest{Peer: g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"),
				netip.MustParsePrefix("2001:db8:ffff::2/64")), g: g}
			labs := labs6()
			watch := "table ip6 watch { chain input { type filter hook input priority 0;\n"
			args := []string{"up", "--backend", backend}
			for i, l := range labs {
				watch += fmt.Sprintf("ip6 saddr %s::/64 counter comment %q\n", l.subnet, l.name)
				args = append(args, g.file(l.name, l.xml(fmt.Sprintf("52:54:00:aa:00:%02x", 2*i+3))))
			}
			world.Feed([]byte(watch+"}\n}\n"), "nft", "-f", "-")
			g.vnetc(0, args...)
			var guests, four []*guest
			for _, l := range labs {
				for _, name := range []string{"a", "b"} {
					v := g.join(l.name+name, l.name+"0")
					guests = append(guests, v)
					if l.dhcp && name == "a" {
						four = append(four, v)
					}
				}
			}
			g.lease(four)
			for i, v := range guests {
				v.listens()
				if labs[i/2].dhcp {
					v.dhclient()
				}
			}
			t.Run("guests", func(t *testing.T) {
				for i, l := range labs {
					t.Run(l.name, func(t *testing.T) {
						t.Parallel()
						l.check(t, guests[2*i], guests[2*i+1], world)
					})
				}
			})
			seen := world.Exec("nft", "list", "table", "ip6", "watch")
			for _, l := range labs {
				wants := regexp.MustCompile(`counter packets (\d+) .*comment "` + l.name + `"`).FindStringSubmatch(seen)
				if outside := wants[1] != "0"; outside != (l.routed && !l.masked) {
					t.Errorf("%s: guests' addresses are seen outside: %t\n%s", l.name, outside, seen)
				}
			}
			g.wants(g.vnetc(0, append(args, "--format", "json")...), `"changed": 0`)
			g.wants(g.vnetc(0, "leases", "natd"), `natd +10\.79\.32\.\d+ +52:54:00:aa:00:0c +natda `,
				`natd +fd77:32::1[0-9a-f]{2} +52:54:00:aa:00:0c +natda .* 00:03:00:01:52:54:00:aa:00:0c`,
				`natd +fd77:32::10 +52:54:00:aa:00:0d +db .* 00:03:00:01:52:54:00:aa:00:0d`)
			g.wants(g.vnetc(0, "status", "natd"), `DHCP +fd77:32::100 to fd77:32::1ff, 1 in use`,
				`DHCP +10\.79\.32\.100 to 10\.79\.32\.120, 1 in use`)
		})
	}
}

// check has the guests do what guests do.
func (l *lab6) check(t *testing.T, a, b, world *guest) {
	t.Helper()
	addrA, addrB := a.address6(t, l.subnet), b.address6(t, l.subnet)
	if l.dhcp && addrB != l.subnet+"::10" {
		t.Errorf("%s: the host with an entry of its own got %s", l.name, addrB)
	}
	if l.dhcp && !regexp.MustCompile(`::1[0-9a-f]{2}$`).MatchString(addrA) {
		t.Errorf("%s: a host without one got %s", l.name, addrA)
	}
	routes := a.Exec("ip", "-6", "route", "show", "default")
	if got := strings.Contains(routes, "default via fe80::") && strings.Contains(routes, "proto ra"); got != l.routed {
		t.Errorf("%s: the router offers itself: %t\n%s", l.name, got, routes)
	}
	if got := strings.TrimSpace(a.Exec("cat", "/proc/sys/net/ipv6/conf/eth0/mtu")); got != "1400" {
		t.Errorf("%s: the router advertises MTU %s, want 1400", l.name, got)
	}
	a.asks(t, l.host(), "aaaa", "gate", l.subnet+"::5")
	a.asks(t, l.host(), "aaaa", "gate."+l.name+".test", l.subnet+"::5")
	a.asks(t, l.host(), "aaaa", "nobody."+l.name+".test", "")
	if l.dhcp {
		a.asks(t, l.host(), "aaaa", "db."+l.name+".test", addrB)
		b.asks(t, l.host(), "aaaa", a.Name+"."+l.name+".test", addrA)
	}
	if !a.pings(addrB) {
		t.Errorf("%s: guests don't reach each other", l.name)
	}
	if !l.routed {
		a.Exec("ip", "-6", "route", "add", "default", "via", l.host(), "dev", "eth0") // a guest that tries
	}
	if got := a.pings("2001:db8:ffff::1"); got != l.routed {
		t.Errorf("%s: a guest reaches the world: %t, want %t", l.name, got, l.routed)
	}
	if got := world.pings(addrA); got != l.entered {
		t.Errorf("%s: the world reaches a guest: %t, want %t", l.name, got, l.entered)
	}
}
