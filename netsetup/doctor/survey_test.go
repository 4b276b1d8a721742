package doctor

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// surveyor is a place on a host that holds what a test says.
type surveyor struct {
	backends.Loader
	found backends.Survey
	err   error
}

func (s surveyor) World() backends.World            { return s.found.World }
func (s surveyor) Survey() (backends.Survey, error) { return s.found, s.err }
func (s surveyor) Hooks() (backends.Survey, error)  { return s.found, s.err }

func parse(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, err := ir.Parse("test.ir", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asText gives the rules of a program a line each, as those of a tool's listing have.
func asText(p *ir.Program) *ir.Program {
	line := 0
	for _, c := range p.Chains {
		for i := range c.Rules {
			line++
			c.Rules[i].Origin.Span.Start = diag.Pos{Line: line}
		}
	}
	return p
}

const (
	kernelForward = `chain ip filter FORWARD hook forward type filter priority 5 policy drop `
	textForward   = `chain ip filter FORWARD hook forward type filter priority 0 policy drop `
)

// TestLook joins what places tell: text of iptables-nft instead of what netlink shows of the same
// chains, where it has the same rules; the other world beside it; what could not be read by name.
func TestLook(t *testing.T) {
	tests := []struct {
		name                 string
		kernel, text, legacy string
		want                 []string
		unread               int
	}{
		{"text tells more", kernelForward + `{ ip opaque-match "xt" accept }`, textForward + `{ ip ct state established accept }`, ``,
			[]string{"ip filter FORWARD 5: ip ct state established accept"}, 0},
		{"a rule of nft's", kernelForward + `{ ip opaque-match "tcp dport @s" accept }`, textForward + `{ ip accept }`, ``,
			[]string{`ip filter FORWARD 5: ip opaque-match "tcp dport @s" accept`}, 1},
		{"changed meanwhile", kernelForward + `{ ip accept ip drop }`, textForward + `{ ip accept }`, ``,
			[]string{"ip filter FORWARD 5: ip accept ip drop"}, 1},
		{"not there", `chain ip other c {}`, textForward + `{}`, ``, []string{"ip other c"}, 0},
		{"legacy", kernelForward + `{ ip accept }`, textForward + `{ ip accept }`, textForward + `{ ip jump x } chain ip filter x { ip drop }`,
			[]string{"ip filter FORWARD 5: ip accept", `ip filter (legacy) FORWARD 0: ip jump x`, "ip filter (legacy) x: ip drop"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Look([]firewall.Place{
				{Name: "nftables", Loader: surveyor{found: backends.Survey{World: backends.NFTables, Program: parse(t,
					tt.kernel)}}},
				{Name: "iptables-nft", Loader: surveyor{found: backends.Survey{World: backends.NFTables,
					Program: asText(parse(t, tt.text))}}},
				{Name: "iptables-legacy", Loader: surveyor{found: backends.Survey{World: backends.LegacyIPTables,
					Program: parse(t, tt.legacy)}}},
			})
			var got []string
			for _, c := range s.Program.Chains {
				words := c.Label()
				if c.Base != nil {
					words += " " + string(rune('0'+c.Base.Priority))
				}
				for i := range c.Rules {
					sep := " "
					if i == 0 {
						sep = ": "
					}
					words += sep + c.Rules[i].String()
				}
				got = append(got, words)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("chains (-want +got):\n%s", diff)
			}
			if len(s.Unread) != tt.unread {
				t.Errorf("not read: %v, want %d", s.Unread, tt.unread)
			}
		})
	}
}

// TestLookFails names a place that can't be read, and a table that is no program, and keeps the
// rest.
func TestLookFails(t *testing.T) {
	broken := `chain ip bad c hook forward type filter priority 0 policy accept { ip jump nowhere } chain ip good c {}`
	s := Look([]firewall.Place{
		{Name: "nftables", Title: "nftables", Loader: surveyor{found: backends.Survey{World: backends.NFTables,
			Program: parse(t, broken)}}},
		{Name: "iptables-legacy", Title: "iptables (legacy)", Loader: surveyor{err: errors.New("no leave")}},
	})
	if len(s.Program.Chains) != 1 || s.Program.Chains[0].Table != "good" {
		t.Errorf("chains %v, want that of table good", s.Program.Chains)
	}
	var words []string
	for _, u := range s.Unread {
		words = append(words, u.What)
	}
	if got := strings.Join(words, ", "); got != "the rules in iptables (legacy), table ip bad" || !s.blind() {
		t.Errorf("not read: %s", got)
	}
}

// TestForeign: vnetc's own rules and what does nothing are nobody's; policies, drops, marks and
// what is hidden may be in the way.
func TestForeign(t *testing.T) {
	const forward = `chain ip filter FORWARD hook forward type filter priority 0 policy accept `
	for text, want := range map[string]bool{
		``: false,
		`chain ip vnetc forward hook forward type filter priority 0 policy drop { ip drop }`: false,
		forward + `{ ip jump VNETC_FWX ip accept } chain ip filter VNETC_FWX { ip drop }`:    false,
		forward + `{ ip drop }`:                              true,
		forward + `{ ip iifname "docker0" jump DOCKER }`:     true,
		forward + `{ ip set mark 0x1/0x1 counter }`:          true,
		strings.Replace(forward, "accept", "drop", 1) + `{}`: true,
	} {
		place := surveyor{found: backends.Survey{World: backends.NFTables, Program: parse(t, strings.Replace(text, "jump DOCKER }", "jump DOCKER } chain ip filter DOCKER {}", 1))}}
		if got := Foreign([]firewall.Place{{Name: "nftables", Loader: place}}); got != want {
			t.Errorf("%q: foreign %v, want %v", text, got, want)
		}
	}
	hidden := backends.Survey{World: backends.NFTables, Program: &ir.Program{}, Hidden: []ir.Hidden{{Family: "bridge", Chain: "c"}}}
	if !Foreign([]firewall.Place{{Loader: surveyor{found: hidden}}}) {
		t.Error("a chain of bridges is foreign")
	}
}

// TestDecideTypes: a host's addresses decide what is local, broadcast and multicast.
func TestDecideTypes(t *testing.T) {
	host := &ir.Host{Devices: []ir.HostDevice{{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24"), netip.MustParsePrefix("fd00::9/64")}}}}
	packet := func(dst string) ir.Packet {
		return ir.Packet{Family: ir.IPv4, In: "eth0", Src: netip.MustParseAddr("198.51.100.1"),
			Dst: netip.MustParseAddr(dst), Proto: ir.UDP, State: ir.StateNew}
	}
	for text, matching := range map[string][]string{
		"daddr local":           {"192.0.2.9", "127.0.0.5"},
		"daddr != local":        {"192.0.2.255", "192.0.2.10", "224.0.0.1"},
		"daddr local,broadcast": {"192.0.2.9", "127.0.0.5", "192.0.2.255"},
		"daddr multicast":       {"224.0.0.1"},
		"daddr unreachable":     nil,
		"saddr local":           nil,
	} {
		p := parse(t, `chain ip t c hook input type filter priority 0 policy accept { ip type of `+text+` drop }`)
		decideTypes(p, host)
		var got []string
		for _, dst := range []string{"192.0.2.9", "192.0.2.10", "127.0.0.5", "192.0.2.255", "224.0.0.1"} {
			if fate, err := ir.Eval(p, packet(dst)); err == nil && fate.Outcome == ir.Dropped {
				got = append(got, dst)
			}
		}
		slices.Sort(got)
		slices.Sort(matching)
		if diff := cmp.Diff(matching, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
