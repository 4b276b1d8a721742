package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// monitor is a command that tells of each change of the kernel, and how to make one that is known
// when it is seen.
type monitor struct {
	ns     *netnstest.NS
	lines  chan string
	mark   string // a command that adds or deletes what has a name
	name   string // what such names begin with
	serial int
}

func newMonitor(ns *netnstest.NS, mark, prefix, name string, args ...string) *monitor {
	m := &monitor{ns: ns, lines: make(chan string, 10000), mark: mark, name: prefix}
	cmd := ns.Command(name, args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		panic(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			m.lines <- s.Text()
		}
		cmd.Wait()
	}()
	return m
}

// take returns what was told since the last call.
func (m *monitor) take(t *testing.T) (told []string) {
	t.Helper()
	for range 50 {
		m.serial++
		name := fmt.Sprint(m.name, m.serial)
		for _, verb := range []string{"add", "delete"} {
			words := strings.Fields(fmt.Sprintf(m.mark, verb, name))
			m.ns.Exec(words[0], words[1:]...)
		}
		deadline := time.After(200 * time.Millisecond) // a monitor that only begins has not seen the mark
		for seen := false; !seen; {
			select {
			case line := <-m.lines:
				marked := strings.Contains(line, m.name)
				if strings.Contains(line, name) && strings.Contains(strings.ToLower(line), "delete") {
					return told
				}
				if !marked && !strings.HasPrefix(line, "# new generation") {
					told = append(told, line)
				}
			case <-deadline:
				seen = true
			}
		}
	}
	t.Fatal("the monitor is deaf")
	return nil
}

// flow is a TCP connection whose far end says again what it hears.
type flow struct{ net.Conn }

func (g *ground) flow(from, to *guest) flow {
	t := g.host.t
	t.Helper()
	var far net.Listener
	var near net.Conn
	var err error
	to.Do(func() { far, err = net.Listen("tcp4", "0.0.0.0:0") })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if c, err := far.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(far.Addr().String())
	from.Do(func() { near, err = net.DialTimeout("tcp4", net.JoinHostPort("198.51.100.1", port), 5*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return flow{near}
}

// lives is true if what is reported comes back.
func (f flow) lives() bool {
	f.SetDeadline(time.Now().Add(5 * time.Second))
	_, err := f.Write([]byte("hello"))
	if err == nil {
		_, err = io.ReadFull(f, make([]byte, 5))
	}
	return err == nil
}

// ofLab is a network that changes while it is up.
type ofLab struct{ mode, mtu, dns, first, hosts, more string }

func (l ofLab) xml() string {
	return `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name><forward mode='` +
		l.mode + `'/>
		<bridge name='lab0' stp='off'/>` + l.mtu + `<domain name='lab.test'/><dns><host ip='10.80.1.1'><hostname>gate</hostname></host>` + l.dns + `</dns>
		<ip address='10.80.1.1' prefix='24'><dhcp><range start='10.80.1.` + l.first + `' end='10.80.1.120'/>` + l.hosts + `</dhcp></ip>` + l.more + `
		<dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options></network>`
}

// TestKernelUpUpdates changes one thing after the other of a network that is up, with guests in it
// and a connection through it: what it concerns changes, and nothing else.
func TestKernelUpUpdates(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			world := &guest{Peer: g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24")), g: g}
			other := g.file("other",
				`<network><name>other</name><forward mode='nat'/><bridge name='other0'/><ip address='10.80.9.1' prefix='24'/></network>`)
			lab := ofLab{mode: "nat", first: "100"}
			g.vnetc(0, "up", "--backend", backend, other, g.file("lab", lab.xml()))
			u := &updates{ground: g, t: t, world: world, backend: backend, lab: lab, a: g.join("a", "lab0"),
				b: g.join("b", "lab0")}
			g.lease([]*guest{u.a, u.b})
			u.links = newMonitor(g.ns, "ip route %s blackhole %s", "192.0.2.", "ip", "monitor", "link", "address",
				"route")
			u.rules = newMonitor(g.ns, "nft %s table ip %s", "mark", "nft", "monitor")
			u.flow = g.flow(u.a, world)
			u.all()
		})
	}
}

// updates is a network in the middle of its changes.
type updates struct {
	*ground
	t            *testing.T
	backend      string
	lab          ofLab
	a, b, world  *guest
	flow         flow
	links, rules *monitor
}

func (u *updates) all() {
	u.update("nothing", func(*ofLab) {}, parts{}, "nothing to change")
	first, before := u.b.addr(), u.handles()
	u.update("a host of DHCP", func(l *ofLab) {
		l.hosts = `<host mac='` + u.b.mac() +
			`' ip='10.80.1.10' name='fixed'/>`
	}, parts{}, "1 step")
	u.lease([]*guest{u.b}, "-r", first)
	if u.b.addr() != "10.80.1.10" {
		u.t.Errorf("a host's new entry does not count when it renews its lease: %s", u.b.addr())
	}
	u.update("a host of DNS", func(l *ofLab) { l.dns = `<host ip='10.80.1.1'><hostname>door</hostname></host>` },
		parts{}, "1 step")
	u.a.resolves("door", "10.80.1.1", "10.80.1.1")
	u.update("a range of DHCP", func(l *ofLab) { l.first = "90" }, parts{server: true}, "1 step")
	held := u.a.addr()
	u.wants(u.vnetc(0, "leases", "lab"), regexp.QuoteMeta(held), `10\.80\.1\.10 `)
	u.lease([]*guest{u.a}, "-r", held)
	if u.a.addr() != held {
		u.t.Errorf("the lease of %s became %s", held, u.a.addr())
	}
	u.untouched("hosts and ranges of DHCP", before)

	u.update("a second address", func(l *ofLab) { l.more = `<ip address='10.80.2.1' prefix='24'/>` },
		parts{links: true, rules: true}, "")
	u.kept("a second address", before)
	u.a.resolves("gate", "10.80.2.1", "10.80.1.1") // dnsmasq takes it up by itself
	u.update("no second address", func(l *ofLab) { l.more = "" }, parts{links: true, rules: true}, "")
	u.update("an IPv6 address", func(l *ofLab) { l.more = `<ip family='ipv6' address='fd80::1' prefix='64'/>` },
		parts{true, true, true}, "")
	u.update("no IPv6 address", func(l *ofLab) { l.more = "" }, parts{true, true, true}, "")
	if diff := diffLines(noHandles(before), noHandles(u.handles())); diff != "" {
		u.t.Errorf("an address came and went, and rules are others:\n%s", diff)
	}
	before = u.handles()
	u.update("MTU", func(l *ofLab) { l.mtu = `<mtu size='1400'/>` }, parts{links: true, server: true}, "2 steps")
	u.untouched("MTU", before)
	if got := u.ns.Exec("ip", "link", "show", "lab0"); !strings.Contains(got, "mtu 1400") {
		u.t.Errorf("the MTU is another:\n%s", got)
	}
	if u.world.pings(held) {
		u.t.Error("mode nat: the world reaches a guest")
	}
	u.update("mode route", func(l *ofLab) { l.mode = "route" }, parts{rules: true}, "")
	if !u.world.pings(held) {
		u.t.Error("mode route: the world does not reach a guest")
	}
	u.refused()
	u.update("nothing again", func(*ofLab) {}, parts{}, "nothing to change")
}

// refused tries what guests that are plugged in can't follow.
func (u *updates) refused() {
	u.t.Helper()
	before := u.handles() + u.ns.Exec("ip", "addr")
	for _, xml := range []string{
		strings.Replace(u.lab.xml(), "lab0", "lab1", 1),
		"<network><name>lab</name><forward mode='bridge'/><bridge name='other0'/></network>",
	} {
		u.wants(u.vnetc(3, "up", "--backend", u.backend, u.file("lab", xml)), "network lab runs on bridge lab0",
			"vnetc down lab")
	}
	if diff := diffLines(before, u.handles()+u.ns.Exec("ip", "addr")); diff != "" {
		u.t.Errorf("a refused change changes the host:\n%s", diff)
	}
}

// parts is what of a network changes.
type parts struct{ links, rules, server bool }

// update changes the network's XML, and looks at what changes on the host.
func (u *updates) update(what string, change func(*ofLab), want parts, says string) {
	u.t.Helper()
	change(&u.lab)
	file := u.file("lab", u.lab.xml())
	pid, index := u.server(), u.ns.Exec("cat", "/sys/class/net/lab0/ifindex")
	u.links.take(u.t)
	u.rules.take(u.t)
	out := u.vnetc(0, "up", "--backend", u.backend, file)
	links, rules := u.links.take(u.t), u.rules.take(u.t)
	u.wants(out, `(?m)^lab is up: .*; .*`+says)
	if want.links != (len(links) > 0) {
		u.t.Errorf("%s: links change: %q", what, links)
	}
	if want.rules != (len(rules) > 0) {
		u.t.Errorf("%s: rules change: %q", what, rules)
	}
	if now := u.server(); (now != pid) != want.server {
		u.t.Errorf("%s: dnsmasq was process %d and is %d", what, pid, now)
	}
	if now := u.ns.Exec("cat", "/sys/class/net/lab0/ifindex"); now != index {
		u.t.Errorf("%s: the bridge is another", what)
	}
	if !u.flow.lives() {
		u.t.Fatalf("%s: the connection is gone", what)
	}
}

// server returns the pid of the network's dnsmasq.
func (u *updates) server() int {
	u.t.Helper()
	var doc struct {
		Networks []struct {
			Host struct {
				PID     int `json:"dnsmasq_pid"`
				Missing []string
			}
		}
	}
	if err := json.Unmarshal([]byte(u.vnetc(0, "status", "lab", "--format", "json")), &doc); err != nil {
		u.t.Fatal(err)
	}
	if h := doc.Networks[0].Host; h.PID == 0 || len(h.Missing) > 0 {
		u.t.Errorf("status: %+v", h)
	}
	return doc.Networks[0].Host.PID
}

// handles lists all rules with their handles, which the kernel never gives twice.
func (u *updates) handles() string { return u.ns.Exec("nft", "-s", "-a", "list", "ruleset") }

var handle = regexp.MustCompile(` # handle \d+`)

func noHandles(listing string) string { return handle.ReplaceAllString(listing, "") }

func (u *updates) untouched(what, before string) {
	u.t.Helper()
	if diff := diffLines(before, u.handles()); diff != "" {
		u.t.Errorf("%s: rules change:\n%s", what, diff)
	}
}

// kept wants all rules that were there, the same and not like ones.
func (u *updates) kept(what, before string) {
	u.t.Helper()
	now := slices.Collect(strings.Lines(u.handles()))
	for line := range strings.Lines(before) {
		if strings.Contains(line, "# handle") && strings.Contains(line, "counter") && !slices.Contains(now, line) {
			u.t.Errorf("%s: the rule is gone: %s", what, line)
		}
	}
}

// mac returns the guest's own.
func (v *guest) mac() string {
	return strings.TrimSpace(v.Exec("cat", "/sys/class/net/eth0/address"))
}
