package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestKernelUpOptions: what a network says about names, leases, booting, ports and bandwidth
// arrives where guests meet it.
func TestKernelUpOptions(t *testing.T) {
	g := newGround(t)
	world := &guest{Peer: g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24")), g: g}
	// Servers in the world: one that knows all names, one for a domain of its own.
	for i, names := range [][]string{
		{"--listen-address=198.51.100.1", "--address=/far.example/203.0.113.7",
			"--address=/inside.example/203.0.113.66", "--address=/plain/203.0.113.8",
			"--address=/lone.test/203.0.113.67",
			"--ptr-record=77.1.82.10.in-addr.arpa,leak.example", "--ptr-record=77.2.82.10.in-addr.arpa,leak.example"},
		{"--listen-address=198.51.100.9", "--address=/inside.example/203.0.113.9"},
	} {
		if i == 1 {
			world.Exec("ip", "addr", "add", "198.51.100.9/24", "dev", "eth0")
		}
		args := append([]string{"--keep-in-foreground", "--no-resolv", "--no-hosts",
			"--conf-file=" + g.file("none", ""), "--bind-interfaces", "--except-interface=lo", "--pid-file", "--user=",
			"--group="}, names...)
		world.serve(args)
	}
	lab := func(port string) string {
		return g.file("lab",
			`<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name><forward mode='nat'/><bridge name='lab0' stp='off'/>
		<domain name='lone.test' localOnly='yes'/>
		<dns forwardPlainNames='no'><forwarder addr='198.51.100.1'/><forwarder domain='inside.example' addr='198.51.100.9'/>
			<txt name='note.example' value='all is well'/><srv service='sip' protocol='tcp' domain='voip.example' target='pbx.voip.example' port='5061' priority='10' weight='60'/>
			<host ip='10.82.1.5'><hostname>gate</hostname></host></dns>
		<bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='500' burst='256'/></bandwidth>`+port+`
		<ip address='10.82.1.1' prefix='24' localPtr='yes'><dhcp><range start='10.82.1.100' end='10.82.1.120'><lease expiry='2' unit='hours'/></range>
			<host mac='52:54:00:aa:00:03' ip='10.82.1.10' name='ever'><lease expiry='0'/></host><bootp file='boot/pxelinux.0' server='10.82.1.9'/></dhcp></ip>
		<dnsmasq:options><dnsmasq:option value='no-ping'/><dnsmasq:option value='no-resolv'/><dnsmasq:option value='dhcp-option=option:ntp-server,10.82.1.4'/></dnsmasq:options></network>`)
	}
	open := g.file("open", `<network><name>open</name><forward mode='route'/><bridge name='open0' stp='off'/>
		<dns><forwarder addr='198.51.100.1'/></dns><ip address='10.82.2.1' prefix='24'/></network>`)
	said := g.vnetc(0, "up", lab(""), open)
	a, b, c := g.join("a", "lab0"), g.join("b", "lab0"), &guest{Peer: g.Guest("c", "open0",
		netip.MustParsePrefix("10.82.2.7/24")), g: g}
	g.lease([]*guest{a, b}, "-O", "ntpsrv")

	const server = "10.82.1.1"
	for _, q := range []struct{ kind, name, want string }{
		{"a", "far.example", "203.0.113.7"},
		{"a", "inside.example", "203.0.113.9"},
		{"a", "plain", ""},
		{"a", "nobody.lone.test", ""},
		{"txt", "note.example", `"all is well"`},
		{"srv", "_sip._tcp.voip.example", "10 60 5061 pbx.voip.example"},
		{"ptr", "5.1.82.10.in-addr.arpa", "gate.lone.test"},
		{"ptr", "10.1.82.10.in-addr.arpa", "ever.lone.test"},
	} {
		a.asks(t, server, q.kind, q.name, q.want)
	}
	if out, _ := a.Command("busybox", "nslookup", "-type=ptr", "77.1.82.10.in-addr.arpa",
		server).CombinedOutput(); strings.Contains(string(out), "leak.example") {
		t.Errorf("localPtr: the world is asked for an address of the network's own:\n%s", out)
	}
	c.asks(t, "10.82.2.1", "ptr", "77.2.82.10.in-addr.arpa", "leak.example")
	c.asks(t, "10.82.2.1", "a", "plain", "203.0.113.8")

	for _, o := range []struct {
		of         *guest
		name, want string
	}{
		{a, "siaddr", "10.82.1.9"}, {a, "boot_file", "boot/pxelinux.0"}, {a, "lease", "7200"},
		{a, "ntpsrv", "10.82.1.4"}, {b, "ip", "10.82.1.10"}, {b, "lease", "4294967295"},
	} {
		if got := o.of.option(o.name); got != o.want {
			t.Errorf("DHCP tells %s %s=%q, want %q", o.of.Name, o.name, got, o.want)
		}
	}
	g.wants(g.vnetc(0, "leases"), fmt.Sprintf(`lab +10\.82\.1\.1\d\d +52:54:00:aa:00:02 +a +%s`,
		time.Now().Add(2*time.Hour).UTC().Format("2006-01-02 15:")),
		`lab +10\.82\.1\.10 +52:54:00:aa:00:03 +ever +never`)

	if !a.pings(b.addr()) {
		t.Error("guests don't reach each other")
	}
	g.wants(g.vnetc(0, "up", lab("<port isolated='yes'/>")), `lab is up: .*; 2 steps`)
	if a.pings(b.addr()) || !a.pings(server) || !a.pings("198.51.100.1") {
		t.Error("isolated ports: guests reach each other, or not the host, or not the world")
	}
	g.wants(g.vnetc(0, "up", lab("<port isolated='yes'/>")), `nothing to change`)
	g.bandwidth(said)
}

// serve runs a dnsmasq until the end of the test, and returns when it is there.
func (v *guest) serve(args []string) {
	t := v.g.host.t
	t.Helper()
	cmd := v.Command("dnsmasq", append(args, "--log-facility=-")...)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "started") {
			go io.Copy(io.Discard, said)
			return
		}
		t.Log(lines.Text())
	}
	t.Fatal("a dnsmasq of the world's does not start")
}

// bandwidth wants limits where the kernel has them, and else a warning that names a module.
func (g *ground) bandwidth(said string) {
	t := g.host.t
	t.Helper()
	shown := g.ns.Exec("tc", "class", "show", "dev", "lab0") + g.ns.Exec("tc", "filter", "show", "dev", "lab0",
		"parent", "ffff:")
	for what, limit := range map[string]struct{ shown, module string }{
		"inbound":  {`class htb 1:1 root rate 8Mbit ceil 40Mbit`, `sch_(htb|sfq)|cls_fw`},
		"outbound": {`police .* rate 4Mbit burst 256Kb`, `sch_ingress|cls_u32|act_police`},
	} {
		has := regexp.MustCompile(limit.shown).MatchString(shown)
		warned := regexp.MustCompile(`(?m)^vnetc: network lab: warning: .*(` + limit.module + `)`).MatchString(said)
		if !has && !warned { // both, where it lacks what shares a limit fairly
			t.Errorf("%s: no limit, and no warning that names what the kernel lacks:\n%s%s", what, shown, said)
		}
	}
}
