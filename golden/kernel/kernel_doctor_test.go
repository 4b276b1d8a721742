package kernel

import (
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/netsetup/cure"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/host"
)

// surveyed are the places of a host, as the commands have them.
func surveyed() []firewall.Place {
	return []firewall.Place{
		{Name: "nftables", Title: "nftables", Loader: nftables.Loader{}},
		{Name: "iptables-nft", Title: "iptables (nf_tables)", Loader: iptables.Loader{Variant: iptables.NFTables}},
		{Name: "iptables-legacy", Title: "iptables (legacy)", Loader: iptables.Loader{Variant: iptables.Legacy}},
	}
}

// examined is one host with networks, foreign rules and doctor's answers.
type examined struct {
	*site
	nets   []network
	meant  *ir.Program
	report doctor.Report
}

// examine has doctor look at the host as it is now.
func (e *examined) examine() {
	e.t.Helper()
	e.Do(func() {
		here, err := host.Read()
		if err != nil {
			e.t.Fatal(err)
		}
		e.report = doctor.Examine(doctor.Patient{Meant: e.meant, Survey: doctor.Look(surveyed()), Host: here}, nil)
	})
	for _, u := range e.report.Unread {
		e.t.Errorf("not read: %s: %s", u.What, u.Why)
	}
}

// guest returns a guest's address of the family, with a port of its own.
func (e *examined) guest(network string, i int, f ir.Family) (*netnstest.Peer, netip.AddrPort) {
	return e.end(e.guests[network][i], f)
}

func (e *examined) end(p *netnstest.Peer, f ir.Family) (*netnstest.Peer, netip.AddrPort) {
	for _, a := range p.Addrs {
		if a.Addr().Is4() == (f == ir.IPv4) && !isSpoofed(a.Addr()) {
			return p, netip.AddrPortFrom(a.Addr(), e.next())
		}
	}
	e.t.Fatalf("%s has no address of %s", p.Name, f)
	return nil, netip.AddrPort{}
}

// try sends what the answer is about, and the answer to that; it returns whether both arrive, and
// ok false for what this test doesn't send.
func (e *examined) try(a expect.Answer) (passes, ok bool) {
	e.t.Helper()
	from, src := e.guest(a.Network, 0, a.Family)
	var dst netip.AddrPort
	var to *netnstest.Peer
	switch a.Kind {
	case expect.Out:
		to, dst = e.end(e.far[0], a.Family)
	case expect.In:
		from, src, to = e.far[0], netip.AddrPort{}, from
		_, src = e.end(from, a.Family)
		_, dst = e.end(to, a.Family)
	case expect.Inside:
		to, dst = e.guest(a.Network, 1, a.Family)
	case expect.Across:
		to, dst = e.guest(a.To, 0, a.Family)
	case expect.DNS, expect.DHCP:
		return e.service(a)
	default:
		return false, false
	}
	p := netnstest.Packet{Kind: netnstest.SYN, Src: src, Dst: netip.AddrPortFrom(dst.Addr(), netnstest.Open)}
	switch a.Proto {
	case "udp":
		p.Kind = netnstest.UDP
	case "icmp":
		p.Kind, p.Dst = netnstest.EchoRequest, netip.AddrPortFrom(dst.Addr(), 0)
	}
	r := e.Send(from, p)
	if r.At != to {
		return false, true
	}
	return e.Reply(r).At == from, true
}

// service sends a question to the host's dnsmasq, whose place a socket takes, and the answer.
func (e *examined) service(a expect.Answer) (passes, ok bool) {
	e.t.Helper()
	if a.Family != ir.IPv4 || a.Proto == "tcp" {
		return false, false
	}
	guest, src := e.guest(a.Network, 0, a.Family)
	var bridge netip.Addr
	var dev string
	for _, n := range e.nets {
		if n.name == a.Network {
			bridge, dev = n.addrs[0].Addr(), n.bridge
		}
	}
	question := netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: netip.AddrPortFrom(bridge, 53)}
	answer := src
	if a.Kind == expect.DHCP {
		// For the same address again: a broadcast would be seen at the other guests of the bridge
		// first. The port is another each time, since the kernel would know the connection of an
		// earlier test.
		answer = netip.AddrPortFrom(src.Addr(), 68)
		question.Dst = netip.AddrPortFrom(bridge, 67)
	}
	if e.Send(guest, question).At != e.Self {
		return false, true
	}
	return e.SendLocal(dev, netip.AddrPortFrom(bridge, question.Dst.Port()), answer).At == guest, true
}

// trace sends the first packet of what the answer is about, and compares its fate with what a trace
// in words says.
func (e *examined) trace(a expect.Answer) {
	e.t.Helper()
	from, src := e.guest(a.Network, 0, a.Family)
	var dst netip.AddrPort
	var to *netnstest.Peer
	where := "in network " + a.Network
	switch a.Kind {
	case expect.Out:
		to, dst = e.end(e.far[0], a.Family)
	case expect.In:
		to = from
		_, dst = e.end(from, a.Family)
		from, where = e.far[0], "on eth0"
		_, src = e.end(from, a.Family)
	case expect.Across:
		to, dst = e.guest(a.To, 0, a.Family)
	default:
		return
	}
	if a.Proto != "tcp" {
		return
	}
	dst = netip.AddrPortFrom(dst.Addr(), netnstest.Open)
	request, found := ir.ParseRequest(fmt.Sprintf("tcp from %s %s to %s", src, where, dst))
	if found.HasErrors() {
		e.t.Fatal(found)
	}
	var j *expect.Journey
	e.Do(func() {
		here, err := host.Read()
		if err != nil {
			e.t.Fatal(err)
		}
		j, err = doctor.Trace(doctor.Patient{Meant: e.meant, Survey: doctor.Look(surveyed()), Host: here}, request)
		if err != nil {
			e.t.Fatal(err)
		}
	})
	arrives := false
	for range 5 {
		arrives = e.Send(from, netnstest.Packet{Kind: netnstest.SYN, Src: src, Dst: dst}).At == to
		if arrives == (j.Verdict == expect.Yes) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if j.Verdict != expect.Depends && arrives != (j.Verdict == expect.Yes) {
		e.t.Errorf("trace says %s of %s, and it arrives: %v; %+v", j.Verdict, j.Packet, arrives, j.Path)
	}
	for _, v := range j.Path.Visits {
		if v.Kind != ir.Matched || v.Owner != "vnetc" || v.Origin != nil {
			continue
		}
		switch v.Rule.Verdict.(type) {
		case ir.Jump, ir.Return, ir.Counter:
		default:
			e.t.Errorf("trace knows no line of XML for our %s", v.Rule)
		}
	}
}

// want is true if packets of a certain answer pass.
func want(a expect.Answer) bool { return (a.Verdict == expect.Yes) != a.Refused }

// hold compares each certain answer with packets.
func (e *examined) hold(told map[expect.Verdict]int) {
	e.t.Helper()
	for _, a := range e.report.Answers {
		passes, ok := e.try(a)
		if !ok {
			continue
		}
		for range 5 { // a guest's own stack may have to look for its neighbour first
			if want(a) == passes || !want(a) {
				break
			}
			time.Sleep(50 * time.Millisecond)
			passes, _ = e.try(a)
		}
		told[a.Verdict]++
		if (a.Verdict == expect.Yes || a.Verdict == expect.No) && passes != want(a) {
			e.t.Errorf("%s %s %s %s %s: doctor says %s (refused: %v), and packets pass: %v; %v", a.Network, a.Kind,
				a.Family, a.Proto, a.To,
				a.Verdict, a.Refused, passes, a.Ends)
		}
	}
}

// hosts has the rules of other programs on a host, in the shape of their own rule files.
func hosts() map[string][]string {
	return map[string][]string{
		"none":           nil,
		"docker":         {"iptables-nft-restore", dockerRules},
		"docker-legacy":  {"iptables-legacy-restore", dockerRules},
		"ufw":            {"iptables-nft-restore", ufwRules, "ip6tables-nft-restore", strings.ReplaceAll(strings.ReplaceAll(ufwRules, "ufw-", "ufw6-"), "icmp", "ipv6-icmp")},
		"firewalld":      {"nft", firewalldRules},
		"nixos":          {"iptables-nft-restore", nixosRules},
		"workstation":    {"nft", workstationRules},
		"stateful":       {"nft", "table inet corp { chain gate { type filter hook forward priority filter; ct state new,established,related accept; drop; }; }"},
		"reject":         {"iptables-nft-restore", "*filter\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n"},
		"mangle":         {"iptables-nft-restore", "*mangle\n-A FORWARD -s 192.168.10.0/24 -j DROP\nCOMMIT\n"},
		"answers":        {"nft", "table ip corp { chain gate { type filter hook forward priority 10; iifname \"eth0\" ct state established drop; }; }"},
		"libvirt":        {"nft", libvirtRules},
		"kube":           {"iptables-nft-restore", kubeRules},
		"fail2ban":       {"iptables-nft-restore", "*filter\n:f2b-sshd - [0:0]\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A f2b-sshd -s 198.51.100.77/32 -j REJECT\n-A f2b-sshd -j RETURN\nCOMMIT\n"},
		"tailscale":      {"iptables-nft-restore", tailscaleRules},
		"podman":         {"iptables-nft-restore", podmanRules},
		"router":         {"nft", routerRules},
		"marks":          {"nft", "table inet corp { chain pre { type filter hook prerouting priority mangle; iifname \"vb0\" meta mark set 0x1; }; chain gate { type filter hook forward priority filter; meta mark 0x1 drop; }; }"},
		"two tables":     {"nft", "table ip alpha { chain f { type filter hook forward priority 0; ip saddr 192.168.0.0/16 reject; }; }\ntable ip omega { chain f { type filter hook forward priority 0; ip saddr 192.168.0.0/16 drop; }; }"},
		"a port":         {"nft", "table inet corp { chain gate { type filter hook forward priority 0; tcp dport 25 drop; }; }"},
		"docker and ufw": {"iptables-nft-restore", dockerRules, "iptables-nft-restore", ufwRules},
	}
}

// TestDoctorIsRight: whatever else stands on a host, in either back end doctor's every yes and no
// is what becomes of packets.
func TestDoctorIsRight(t *testing.T) {
	t.Parallel()
	netnstest.Require(t, "nft", "iptables-nft-restore", "ip6tables-nft-restore")
	nets := []network{
		{name: "nat", forward: "<forward mode='nat'/>", addrs: four()},
		{name: "isolated", addrs: four()},
		{name: "route", forward: "<forward mode='route'/>", addrs: both()},
	}
	for i := range nets {
		nets[i].bridge = fmt.Sprintf("vb%d", i)
		nets[i].addrs = numbered(nets[i].addrs, i)
		nets[i].guests = nets[i].addrs
	}
	told := make(map[expect.Verdict]int)
	for _, l := range []backends.Loader{nftables.Loader{}, iptables.Loader{Variant: iptables.NFTables}} {
		e := &examined{site: newSite(t, true, nets...), nets: nets, meant: compile(t, nets...)}
		e.Bridge("docker0", netip.MustParsePrefix("172.17.0.1/16"))
		e.Serve(53)
		e.Serve(67)
		for name, shape := range hosts() {
			t.Run(l.Name()+"/"+name, func(t *testing.T) {
				e.t = t
				e.BridgeNetfilter(name == "docker" || name == "workstation")
				e.Exec("nft", "flush", "ruleset")
				for i := 0; i < len(shape); i += 2 {
					if strings.Contains(shape[i], "legacy") {
						netnstest.Require(t, shape[i])
						defer emptyTables(e.Host)
						defer e.Exec("iptables-legacy", "-P", "FORWARD", "ACCEPT")
					}
					args := []string{"-f", "-"}
					if shape[i] != "nft" {
						args = []string{"--noflush"}
					}
					e.Feed([]byte(shape[i+1]), shape[i], args...)
				}
				e.Do(func() {
					rules, found := l.Lower(e.meant, backends.Options{Families: ir.Both, Names: backends.VnetcNames})
					if found.HasErrors() {
						t.Fatal(found)
					}
					if _, err := l.Load(rules); err != nil {
						t.Fatal(err)
					}
				})
				e.examine()
				e.hold(told)
				for _, a := range e.report.Answers {
					e.trace(a)
				}
				e.harmless(name)
				e.cures(told)
			})
		}
	}
	t.Logf("answers: %v", told)
	if told[expect.Yes] < 100 || told[expect.No] < 100 || told[expect.Depends] > told[expect.Yes]/10 {
		t.Errorf("too few answers of a kind, or too many that depend: %v", told)
	}
}

// harmless wants doctor to be quiet beside rules that do nothing to guests.
func (e *examined) harmless(shape string) {
	e.t.Helper()
	switch shape {
	case "none", "stateful", "libvirt", "kube", "fail2ban", "tailscale", "podman":
	default:
		return
	}
	for _, a := range e.report.Answers {
		if a.Verdict != expect.Yes {
			e.t.Errorf("%s %s %s %s: doctor says %s beside rules that harm nobody: %v %s", a.Network, a.Kind,
				a.Family, a.Proto, a.Verdict, a.Ends, a.Packet)
		}
	}
}

// rules returns all rules of the host as its tools list them, without counters.
func (e *examined) rules() string {
	all := e.Exec("nft", "-s", "list", "ruleset")
	for _, tool := range []string{"iptables-legacy-save", "ip6tables-legacy-save"} {
		if _, err := exec.LookPath(tool); err == nil {
			for line := range strings.Lines(e.Exec(tool)) {
				if !strings.HasPrefix(line, "#") {
					all += counted.ReplaceAllString(line, "")
				}
			}
		}
	}
	return all
}

// counted are the counters of a chain in iptables-save(8).
var counted = regexp.MustCompile(`\[\d+:\d+\]`)

// cures runs what doctor says and wants every lost packet to pass, and nothing else: what doctor
// says then is what packets do. Taken back, the host is as it was.
func (e *examined) cures(told map[expect.Verdict]int) {
	e.t.Helper()
	before := e.rules()
	var broken []expect.Answer
	var ran []cure.Step
	typed := make(map[string]bool)
	for _, a := range e.report.Answers {
		if !a.Refuses() {
			continue
		}
		for _, b := range a.Blocks {
			if b.Owner == "vnetc" {
				e.t.Errorf("%s %s %s %s: our own rule is in the way: %+v %s", a.Network, a.Kind, a.Family, a.Proto, b,
					a.Packet)
			}
		}
		lines, proved := a.Cures()
		if !proved || slices.ContainsFunc(a.Blocks,
			func(b expect.Block) bool { return b.Owner == "ufw" || b.Owner == "NixOS" }) { // whose tools are not here
			continue
		}
		broken = append(broken, a)
		for _, line := range lines {
			if typed[line] {
				continue
			}
			typed[line] = true
			steps, ok := cure.Parse(line)
			if !ok {
				e.t.Errorf("nothing takes %s back", line)
			}
			for _, step := range steps {
				e.Do(func() {
					step, err := step.Prepare()
					if err == nil {
						err = step.Run()
					}
					if err != nil {
						e.t.Errorf("%s: %v", step, err)
					}
					ran = append(ran, step)
				})
			}
		}
	}
	if len(ran) == 0 {
		return
	}
	lost := e.report
	e.examine()
	e.hold(told)
	for _, a := range broken {
		if again := like(e.report, a); again == nil || again.Verdict != expect.Yes && again.Verdict != expect.Part {
			e.t.Errorf("%s %s %s %s: cured, and doctor says %+v", a.Network, a.Kind, a.Family, a.Proto, again)
		}
	}
	for _, a := range lost.Answers {
		if again := like(e.report, a); a.Refused && (again == nil || again.Verdict != a.Verdict) {
			e.t.Errorf("%s %s %s: must be refused, was %s, and is %+v behind the cure", a.Network, a.Kind, a.To,
				a.Verdict, again)
		}
	}
	for _, step := range slices.Backward(ran) {
		e.Do(func() {
			if err := step.TakeBack(); err != nil {
				e.t.Errorf("%s: %v", step.Undoing(), err)
			}
		})
	}
	if diff := cmp.Diff(before, e.rules()); diff != "" {
		e.t.Errorf("cured and taken back, the host's rules are others (-before +after):\n%s", diff)
	}
}

// like returns the answer of r to the same question as a.
func like(r doctor.Report, a expect.Answer) *expect.Answer {
	for i := range r.Answers {
		if o := &r.Answers[i]; o.Network == a.Network && o.Kind == a.Kind && o.Family == a.Family &&
			o.Proto == a.Proto &&
			o.Device == a.Device && o.To == a.To {
			return o
		}
	}
	return nil
}
