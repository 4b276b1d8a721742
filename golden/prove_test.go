package golden

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// network returns the XML of a network called name, with the subnets 10.N.0.0/24 and fd00:N::/64.
func network(name, forward string, n int) string {
	return fmt.Sprintf("<network><name>%s</name>%s<bridge name='br-%s'/><ip address='10.%d.0.1' prefix='24'/>"+
		"<ip family='ipv6' address='fd00:%d::1' prefix='64'/></network>", name, forward, name, n, n)
}

const (
	nat    = "<forward mode='nat'><nat ipv6='yes'/></forward>"
	natDev = "<forward mode='nat' dev='eth0'><nat ipv6='yes'/></forward>"
	route  = "<forward mode='route'/>"
)

// compiled returns the program of documents; strict closes the leaks between networks.
func compiled(t *testing.T, strict bool, documents ...string) *ir.Program {
	t.Helper()
	src := &diag.Sources{}
	for i, d := range documents {
		src.Add(fmt.Sprintf("%d.xml", i), []byte(d))
	}
	nets, found := netxml.Parse(src, netxml.Options{StrictIsolation: strict})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return netxml.Lower(nets)
}

// TestReachByTheBook: who reaches whom, as libvirt's rules are known to have it: no connection is
// opened into NAT and isolated networks; into routed ones everybody does, even guests of isolated
// networks; the host reaches everything.
func TestReachByTheBook(t *testing.T) {
	want := `
	     nat  nat2 rout iso  host out
	nat  yes  no   yes  no   yes  yes
	nat2 no   yes  yes  no   yes  yes
	rout no   no   yes  no   yes  yes
	iso  no   no   yes  yes  yes  no
	host yes  yes  yes  yes  -    yes
	out  no   no   yes  no   yes  -`
	documents := []string{network("nat", nat, 1), network("nat2", nat, 2), network("rout", route, 3),
		network("iso", "", 4)}
	for _, reversed := range []bool{false, true} {
		if reversed {
			documents = []string{documents[3], documents[2], documents[1], documents[0]}
		}
		got := make(map[string]map[string]string)
		for _, c := range prove.NewReacher(compiled(t, false, documents...)).Matrix() {
			from, to := short(c.From), short(c.To)
			if got[from] == nil {
				got[from] = make(map[string]string)
			}
			if old, ok := got[from][to]; ok && old != string(c.Access) {
				t.Errorf("%s to %s: %s in one family, %s in the other", from, to, old, c.Access)
			}
			got[from][to] = string(c.Access)
		}
		if diff := cmp.Diff(table(want), got); diff != "" {
			t.Errorf("reversed %v (-want +got):\n%s", reversed, diff)
		}
	}
}

func short(p prove.Endpoint) string {
	switch p.Kind {
	case prove.Network:
		return p.Name
	case prove.Host:
		return "host"
	}
	return "out"
}

// table reads a table with names on top and on the left.
func table(text string) map[string]map[string]string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	columns := strings.Fields(lines[0])
	rows := make(map[string]map[string]string)
	for _, line := range lines[1:] {
		words := strings.Fields(line)
		rows[words[0]] = make(map[string]string)
		for i, c := range columns {
			rows[words[0]][c] = words[i+1]
		}
	}
	return rows
}

func leaks(p *ir.Program) []prove.Leak {
	all, _ := prove.NewReacher(p).Leaks()
	return all
}

// TestLeaks: guests of an isolated network, and those that are bound to one device, get into a
// routed network whose FWI accepts before their own FWO refuses. Strict isolation closes it, and
// changes nothing else.
func TestLeaks(t *testing.T) {
	documents := []string{network("dmz", route, 1), network("lab", "", 2), network("web", natDev, 3),
		network("all", nat, 4)}
	loose := compiled(t, false, documents...)
	got := make(map[string]string)
	for _, l := range leaks(loose) {
		if l.Family != ir.IPv4 {
			continue
		}
		honest := "spoofed"
		for _, link := range loose.Links {
			if link.Name == l.From.Name && link.Addresses[0].Prefix.Masked().Contains(l.Packet.Src) {
				honest = "honest"
			}
		}
		got[l.From.Name] = fmt.Sprint(l.To, " ", honest)
		if l.Accepted.Rule == nil || l.Accepted.Rule.Origin.Network != "dmz" {
			t.Errorf("%s: accepted by %v, want a rule of dmz", l.From, l.Accepted.Rule)
		}
		if l.Refused.Rule == nil || l.Refused.Rule.Origin.Network != l.From.Name {
			t.Errorf("%s: would be refused by %v, want a rule of its own", l.From, l.Refused.Rule)
		}
	}
	want := map[string]string{"lab": "[network dmz] honest", "web": "[network dmz] honest",
		"all": "[network dmz] spoofed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("leaks (-want +got):\n%s", diff)
	}

	strict := compiled(t, true, documents...)
	for _, l := range leaks(strict) {
		t.Errorf("strict isolation leaves %s to %v: %s", l.From, l.To, l.Packet)
	}
	for _, d := range prove.Change(loose, strict) {
		if d.Now == "dropped" { // no answer: it would go to the source that the guest wrote
			if d.From.Kind != prove.Network || ownAddress(loose, d.From.Name, d.Example.Src) {
				t.Errorf("strict isolation drops what has a source of its network: %s", d)
			}
			continue
		}
		alone := compiled(t, false, documents[map[string]int{"dmz": 0, "lab": 1, "web": 2, "all": 3}[d.From.Name]])
		fate, err := ir.Eval(alone, d.Example)
		if err != nil || fate.Outcome != ir.Rejected || !strings.HasPrefix(d.Now, "rejected") {
			t.Errorf("strict isolation changes what %s itself lets out (%v): %s", d.From, fate, d)
		}
	}
}

// ownAddress is true if a guest of the network may have the address: of its subnets, or link-local.
func ownAddress(p *ir.Program, network string, a netip.Addr) bool {
	for _, l := range p.Links {
		for _, own := range l.Addresses {
			if l.Name == network && own.Prefix.Masked().Contains(a) {
				return true
			}
		}
	}
	return a.Is6() && (a.IsLinkLocalUnicast() || a.IsUnspecified())
}

// TestStrictIsolationIsEnough: in a set of networks of every kind, with two subnets and with
// devices, no leak is left.
func TestStrictIsolationIsEnough(t *testing.T) {
	two := "<network><name>two</name><forward mode='nat'/><bridge name='br-two'/><ip address='10.7.0.1' prefix='24'/><ip address='10.8.0.1' prefix='25'/></network>"
	none := "<network ipv6='yes'><name>none</name><bridge name='br-none'/></network>"
	documents := []string{
		network("dmz", route, 1), network("lab", "", 2), network("web", natDev, 3),
		network("dmz2", "<forward mode='route' dev='eth1'/>", 5), two, none,
	}
	if n := len(leaks(compiled(t, false, documents...))); n < 5 {
		t.Errorf("only %d leaks to close", n)
	}
	for _, l := range leaks(compiled(t, true, documents...)) {
		t.Errorf("left: %s to %v: %s", l.From, l.To, l.Packet)
	}
}

// TestChangeInWords: what a reviewer reads when a network becomes routed.
func TestChangeInWords(t *testing.T) {
	before := compiled(t, false,
		"<network><name>dmz</name><forward mode='nat'/><bridge name='br-dmz'/><ip address='10.1.0.1' prefix='24'/></network>")
	after := compiled(t, false,
		"<network><name>dmz</name><forward mode='route'/><bridge name='br-dmz'/><ip address='10.1.0.1' prefix='24'/></network>")
	var got strings.Builder
	foreign := 0
	for _, d := range prove.Change(before, after) {
		got.WriteString(d.String())
		own := d.From.Kind != prove.Network || netip.MustParsePrefix("10.1.0.0/24").Contains(d.Example.Src)
		switch {
		case d.Foreign:
			foreign++
		case foreign > 0:
			t.Errorf("ordinary packets stand behind those with foreign addresses: %s", d)
		case !own:
			t.Errorf("%s has an address that is not the network's, and is not called foreign", d.Example)
		}
	}
	if foreign == 0 {
		t.Error("no guest lies about its address")
	}
	for _, want := range []string{
		"from outside to network dmz (ip): was rejected with port-unreachable, now accepted",
		"tcp, udp state new from network dmz to outside (ip): was accepted, masquerade port 1024-65535, now accepted",
		"any protocol but tcp, udp state new from network dmz to outside (ip): was accepted, masquerade, now accepted",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q is not said:\n%s", want, got.String())
		}
	}
	if diff := prove.Change(before, before); len(diff) > 0 {
		t.Errorf("nothing changed, but: %v", diff)
	}
}

// TestDeadByTheBook: in a program that stands alone the rules that open the host's services do
// nothing, which is why the nftables back end may leave them out; all others are needed.
func TestDeadByTheBook(t *testing.T) {
	p := compiled(t, false, network("nat", nat, 1), network("rout", route, 2), network("iso", "", 3))
	dead := make(map[ir.Group]int)
	for _, d := range prove.Dead(p) {
		dead[d.Step.Chain.Group]++
	}
	want := map[ir.Group]int{ir.INP: len(p.Group(ir.INP).Rules), ir.OUT: len(p.Group(ir.OUT).Rules)}
	if diff := cmp.Diff(want, dead); diff != "" {
		t.Errorf("dead rules by group (-want +got):\n%s", diff)
	}
}

// TestChangeIsCapped: a change between every two networks is reported by a few of them.
func TestChangeIsCapped(t *testing.T) {
	var documents []string
	for i := range 5 {
		documents = append(documents,
			fmt.Sprintf("<network><name>n%d</name><bridge name='br%d'/><ip address='10.1.%d.1' prefix='24'/></network>",
				i, i, i))
	}
	before, after := compiled(t, false, documents...), compiled(t, false, documents...)
	open := after.Group(ir.FWI)
	open.Rules = append([]ir.Rule{{Family: ir.IPv4, Verdict: ir.Accept{}}}, open.Rules...)
	all := prove.Change(before, after)
	if same := prove.NewBudget().Change(before, after, len(all)); same.More || same.TooLarge ||
		len(same.All) != len(all) {
		t.Errorf("%d of %d, more %v, too large %v", len(same.All), len(all), same.More, same.TooLarge)
	}
	known := make(map[string]bool)
	for _, d := range all {
		known[d.String()] = true
	}
	found := prove.NewBudget().Change(before, after, 2)
	few := found.All
	if !found.More || len(few) == 0 || len(few) >= len(all) {
		t.Errorf("%d of %d, more %v", len(few), len(all), found.More)
	}
	kinds := make(map[string]int)
	for _, d := range few {
		if kinds[d.Was+d.Now]++; kinds[d.Was+d.Now] > 4 { // 2 for each way through the host
			t.Errorf("one too many: %v", d)
		}
		if !known[d.String()] {
			t.Errorf("not one of all: %v", d)
		}
	}
}
