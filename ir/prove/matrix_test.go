package prove

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestMatrixIsOpenAndClosed: a cell says what the search for one packet between its endpoints says,
// for packets that get through and for others, also where a rule matches both ends at once.
func TestMatrixIsOpenAndClosed(t *testing.T) {
	instead := func(rule string) string {
		return strings.Replace(site, "ip iifname \"virbr0\" saddr 10.0.0.0/24 accept", rule, 1)
	}
	seen := make(map[Access]int)
	for _, text := range []string{
		site,
		instead(`ip iifname "virbr0" oifname "eth0" saddr 10.0.0.0/24 accept`),
		instead(`ip iifname "virbr0" saddr 10.0.0.0/25 daddr 192.0.2.0/24 accept`),
		instead(`ip iifname "virbr0" saddr 10.0.0.0/24 l4proto tcp dport 443 accept`),
		strings.Replace(site, "group FWI {", `group FWI { ip saddr 10.0.2.128/25 oifname "virbr1" drop`, 1),
		strings.Replace(site, "group FWI {", `group FWI { inet iifname != "eth"* oifname "virbr1" drop`, 1),
		site + ` group INP { inet iifname "virbr2" drop } group OUT { inet oifname "virbr0" l4proto udp drop }`,
	} {
		r := NewReacher(siteProgram(t, text))
		for _, c := range r.Matrix() {
			q := Query{Family: c.Family}
			some, _ := r.Open(c.From, c.To, q)
			others, _ := r.Closed(c.From, c.To, q)
			want := map[[2]bool]Access{{true, true}: SomeAccess, {true, false}: FullAccess, {false, true}: NoAccess,
				{}: NotAsked}[[2]bool{some, others}]
			if c.Access != want || (len(c.Some) > 0) != (want == SomeAccess) {
				t.Errorf("%s from %s to %s: got %q %q, want %q\n%s", c.Family, c.From, c.To, c.Access, c.Some, want,
					text)
			}
			seen[c.Access]++
		}
	}
	for _, a := range []Access{NoAccess, SomeAccess, FullAccess, NotAsked} {
		if seen[a] == 0 {
			t.Errorf("no cell is %q", a)
		}
	}
}

// TestMatrixAlike: networks that are treated alike share their rows, so that each more makes the
// functions grow by its own part and not by one for each of the others.
func TestMatrixAlike(t *testing.T) {
	grown := func(n int) int {
		r := NewReacher(linked(networks(n), n))
		before := r.sides[0].Size()
		if cells := r.Matrix(); len(cells) != 2*(n+2)*(n+2) || cells[1].Access != NoAccess ||
			cells[n+1].Access != FullAccess {
			t.Errorf("%d networks: %d cells, and %v %v", n, len(cells), cells[1], cells[n+1])
		}
		return r.sides[0].Size() - before
	}
	if few, many := grown(50), grown(200); many > 8*few {
		t.Errorf("%d functions for 50 networks, %d for 200", few, many)
	}
}

// linked returns p with the links of the first n of its networks.
func linked(p *ir.Program, n int) *ir.Program {
	fwo := p.Group(ir.FWO)
	for i := range n {
		accept := fwo.Rules[2*i].Matches
		name, net := accept[1].(ir.IIfName).Name, accept[0].(ir.SAddr).Prefix
		p.Links = append(p.Links, &ir.Link{
			Name: name, Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: name}, Addresses: []ir.Address{{Prefix: net}},
		})
	}
	return p
}

// site is a NAT network lab, a routed one dmz with both families, and an isolated one safe, with
// libvirt's rules.
const site = `
link "lab" { mode nat  bridge { name virbr0 }  addresses { prefix 10.0.0.1/24 } }
link "dmz" { mode route  bridge { name virbr1 }  addresses { prefix 10.0.1.1/24 }  addresses { prefix fd00:1::1/64 } }
link "safe" { mode none  bridge { name virbr2 }  addresses { prefix 10.0.2.1/24 } }
group FWX {
    inet iifname "virbr0" oifname "virbr0" accept
    inet iifname "virbr1" oifname "virbr1" accept
    inet iifname "virbr2" oifname "virbr2" accept
}
group FWI {
    ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept
    inet oifname "virbr0" reject with port-unreachable
    ip oifname "virbr1" daddr 10.0.1.0/24 accept
    ip6 oifname "virbr1" daddr fd00:1::/64 accept
    inet oifname "virbr1" reject with port-unreachable
    inet oifname "virbr2" reject with port-unreachable
}
group FWO {
    ip iifname "virbr0" saddr 10.0.0.0/24 accept
    inet iifname "virbr0" reject with port-unreachable
    ip iifname "virbr1" saddr 10.0.1.0/24 accept
    ip6 iifname "virbr1" saddr fd00:1::/64 accept
    inet iifname "virbr1" reject with port-unreachable
    inet iifname "virbr2" reject with port-unreachable
}`

func siteProgram(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, list := ir.Parse("site", []byte(text))
	if p != nil {
		list = append(list, ir.Verify(p)...)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}
