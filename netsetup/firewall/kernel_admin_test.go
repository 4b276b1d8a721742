package firewall

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// adminPublishes has the administrator publish UDP and TCP port 2222 of the host as port 4000 of
// the guest 10.0.0.2, in the chains that are kept for him.
func adminPublishes(name string) string {
	if strings.HasPrefix(name, "nftables") {
		return `nft add rule ip vnetc admin_prerouting 'ip daddr 192.0.2.2 meta l4proto { tcp, udp } th dport 2222 counter dnat to 10.0.0.2:4000'
			nft add rule ip vnetc admin_forward 'ip daddr 10.0.0.2 meta l4proto { tcp, udp } th dport 4000 ct status dnat counter accept'`
	}
	return fmt.Sprintf(`for p in udp tcp; do
		%[1]s -t nat -A VNETC_ADMIN_PREROUTING -d 192.0.2.2 -p $p --dport 2222 -j DNAT --to-destination 10.0.0.2:4000
		%[1]s -A VNETC_ADMIN_FORWARD -d 10.0.0.2 -p $p --dport 4000 -m conntrack --ctstate DNAT -j ACCEPT; done`, name)
}

// TestAdminPublishes: address translation and accepts of the administrator work in every target,
// for the packets that he names, replies included, and for no others; through later changes; and
// until he removes them, also where our rules are gone.
func TestAdminPublishes(t *testing.T) {
	for name, target := range targets() {
		t.Run(name, func(t *testing.T) {
			netnstest.Require(t, "nft", "iptables-nft-restore", "iptables-legacy-restore")
			h := netnstest.NewHost(t)
			h.Bridge("vbr0", netip.MustParsePrefix("10.0.0.1/24"))
			guest := h.Guest("guest", "vbr0", netip.MustParsePrefix("10.0.0.2/24"))
			world := h.Uplink("up0", netip.MustParsePrefix("192.0.2.2/24"))
			ap := netip.MustParseAddrPort
			port := 1000
			reach := func(want bool, when string) {
				t.Helper()
				for _, kind := range []netnstest.Kind{netnstest.UDP, netnstest.SYN} {
					port++
					far := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port))
					p := netnstest.Packet{Kind: kind, Src: far, Dst: ap("192.0.2.2:2222")}
					r := h.Send(world, p)
					if (r.At == guest) != want {
						t.Errorf("%s: %s", when, r)
						continue
					}
					if !want {
						continue
					}
					if r.Arrived.Dst != ap("10.0.0.2:4000") {
						t.Errorf("%s: %s", when, r)
					}
					if back := h.Reply(r); back.At != world || back.Arrived.Src != p.Dst || back.Arrived.Dst != p.Src {
						t.Errorf("%s: the reply: %s", when, back)
					}
				}
				far := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port))
				for _, dst := range []string{"10.0.0.2:4000", "10.0.0.2:2222"} { // nobody's business
					p := netnstest.Packet{Kind: netnstest.UDP, Src: far, Dst: ap(dst)}
					if r := h.Send(world, p); r.At != nil {
						t.Errorf("%s: %s", when, r)
					}
				}
			}
			load := func(p *ir.Program) Result {
				t.Helper()
				r, err := apply(h.NS, p, target)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			load(filters(1))
			reach(false, "before")
			h.Exec("sh", "-ec", adminPublishes(name))
			reach(true, "at once")
			for n := range 3 {
				r := load(filters(n + 1))
				reach(true, fmt.Sprintf("with %d networks", n+1))
				rules := 0
				for _, a := range r.Admin {
					rules += a.Rules
				}
				if want := map[bool]int{true: 2, false: 4}[strings.HasPrefix(name, "nftables")]; rules != want {
					t.Errorf("%d rules are the administrator's, want %d: %+v", rules, want, r.Admin)
				}
			}
			a := compare(t, h.NS, filters(3), target)
			if !a.InStep() || len(a.Admin) != 2 || len(a.AdminChanges) == 0 {
				t.Errorf("audit: %v, %+v, %v", a.Drifts, a.Admin, a.AdminChanges)
			}
			opened := false
			for _, c := range a.AdminChanges {
				opened = opened || strings.HasPrefix(c.Was, "rejected") && strings.HasPrefix(c.Now, "accepted")
			}
			if !opened {
				t.Errorf("audit does not tell what is let through: %v", a.AdminChanges)
			}
			r := load(&ir.Program{})
			if len(r.AdminLeft) != 2 || len(r.Removed) != 1 {
				t.Errorf("left: %+v, removed from %v", r.AdminLeft, r.Removed)
			}
			if r := load(&ir.Program{}); len(r.AdminLeft) != 2 || len(r.Removed) != 0 {
				t.Errorf("again: left %+v, removed from %v", r.AdminLeft, r.Removed)
			}
			for _, left := range r.AdminLeft {
				h.Exec("sh", "-ec", left.Flush)
			}
			load(filters(1))
			reach(false, "after the commands that remove them")
			if r := load(&ir.Program{}); len(r.AdminLeft) != 0 {
				t.Errorf("left at the end: %+v", r.AdminLeft)
			}
			if text := h.Exec("sh", "-c", "nft list ruleset; iptables-legacy-save; ip6tables-legacy-save"); strings.Contains(
				strings.ToLower(text), "admin") {
				t.Errorf("left at the end:\n%s", text)
			}
		})
	}
}

// handle finds what is behind a rule in a listing with handles.
var handle = regexp.MustCompile(`(?m)jump admin_\w+ # handle (\d+)$`)

// older turns what the host has into what a vnetc without chains for the administrator has loaded.
func older(h *netnstest.Host) {
	var script strings.Builder
	for _, f := range []string{"ip", "ip6"} {
		for _, c := range []string{"forward", "prt", "inp", "prerouting"} {
			for _, m := range handle.FindAllStringSubmatch(h.Exec("nft", "-a", "list", "chain", f, "vnetc", c), -1) {
				fmt.Fprintf(&script, "delete rule %s vnetc %s handle %s\n", f, c, m[1])
			}
		}
		for _, c := range []string{"admin_forward", "admin_input", "admin_prerouting", "admin_postrouting", "inp",
			"prerouting"} {
			fmt.Fprintf(&script, "delete chain %s vnetc %s\n", f, c)
		}
	}
	h.Feed([]byte(script.String()), "nft", "-f", "-")
}

// TestFloodUpgrade: rules that a vnetc without chains for the administrator has loaded become those
// of today while packets are sent, and again with his rules in the chains: none is lost, none gets
// in, none leaves without NAT. For the long run: go test ./netsetup/firewall -run FloodUpgrade -v
// -rebuilds 3000
func TestFloodUpgrade(t *testing.T) {
	for _, name := range []string{"nftables", "nftables-chains"} {
		t.Run(name, func(t *testing.T) {
			netnstest.Require(t, "nft")
			h, target := netnstest.NewHost(t), targets()[name]
			load := func(i int) {
				if _, err := apply(h.NS, filters(1+i%3), target); err != nil {
					t.Errorf("round %d: %v", i, err)
				}
			}
			load(0)
			flooded(t, h, func(i int) {
				older(h)
				load(i)
				h.Exec("nft", "add rule ip vnetc admin_postrouting ip daddr 203.0.113.1 accept")
				load(i + 1)
				h.Exec("nft", "flush chain ip vnetc admin_postrouting")
			})
		})
	}
}
