package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// isolated is a network whose guests reach nobody and are reached by nobody.
func isolated() *ir.Program {
	p := &ir.Program{Links: []*ir.Link{{
		Name: "iso", Mode: ir.ModeNone, Bridge: ir.Bridge{Name: "vni"},
		Addresses: []ir.Address{{Prefix: netip.MustParsePrefix("10.75.1.1/24")}},
	}}}
	rule := func(v ir.Verdict, m ...ir.Match) ir.Rule {
		return ir.Rule{Family: ir.Both, Matches: m, Verdict: v, Origin: ir.Origin{Network: "iso"}}
	}
	in, out := ir.IIfName{Name: "vni"}, ir.OIfName{Name: "vni"}
	p.Add(ir.FWX, rule(ir.Accept{}, in, out))
	p.Add(ir.FWI, rule(ir.Reject{With: ir.PortUnreachable}, out))
	p.Add(ir.FWO, rule(ir.Reject{With: ir.PortUnreachable}, in))
	return p
}

// libvirtStarts makes the chains that libvirt has for a NAT network, its jumps at the head of the
// chain.
const libvirtStarts = `
	for c in FWO FWI FWX; do iptables -N LIBVIRT_$c; iptables -I FORWARD -j LIBVIRT_$c; done
	iptables -A LIBVIRT_FWX -i vle -o vle -j ACCEPT
	iptables -A LIBVIRT_FWI -d 10.65.1.0/24 -o vle -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	iptables -A LIBVIRT_FWI -o vle -j REJECT
	iptables -A LIBVIRT_FWO -s 10.65.1.0/24 -i vle -j ACCEPT
	iptables -A LIBVIRT_FWO -i vle -j REJECT`

// TestOrder: what an audit says of others in front of our jumps, and what the next apply makes of
// it.
func TestOrder(t *testing.T) {
	tests := []struct {
		name, script string
		moved        int  // our jumps, that to the administrator's chain among them
		packet       bool // packet is true if the audit must show one that gets in by their places.
		lets         string
		forward      string // the jumps of FORWARD after apply, by the letters of their names
	}{
		{name: "alone", forward: "vX vI vO"},
		{"libvirt later", libvirtStarts, 4, true, "", "vX vI lX lI vO lO"},
		{"libvirt later, without a rule that shows it",
			`for c in FWO FWI FWX; do iptables -N LIBVIRT_$c; iptables -I FORWARD -j LIBVIRT_$c; done`,
			4, false, "", "vX vI lX lI vO lO"},
		{"libvirt behind", libvirtStarts + `
			for c in FWX FWI FWO; do iptables -D FORWARD -j LIBVIRT_$c; iptables -A FORWARD -j LIBVIRT_$c; done`, 1, true, "", "vX vI lX lI vO lO"},
		{"an accept of others", `iptables -I FORWARD -i docker0 ! -o docker0 -j ACCEPT`, 0, false,
			"-i docker0 ! -o docker0 -j ACCEPT", "vX vI vO"},
		{"a return, which the policy lets pass", `iptables -I FORWARD -s 10.9.0.0/16 -j RETURN`, 0, false,
			"-s 10.9.0.0/16 -j RETURN", "vX vI vO"},
		{"an accept in a foreign chain",
			`iptables -N MINE; iptables -A MINE -o vni -p tcp -j ACCEPT; iptables -I FORWARD -j MINE`,
			0, false, "-j MINE", "vX vI vO"},
		{"answers only", `iptables -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`, 0, false, "",
			"vX vI vO"},
		{"a drop", `iptables -I FORWARD -i eth8 -j DROP`, 0, false, "", "vX vI vO"},
		{"an accept of what we accept", `iptables -I FORWARD -i vni -o vni -j ACCEPT`, 0, false, "", "vX vI vO"},
		{"an accept by mark", `iptables -I FORWARD -i eth8 -m mark --mark 7 -j ACCEPT`, 0, false,
			"-i eth8 -m mark --mark 0x7 -j ACCEPT", "vX vI vO"},
	}
	for name, target := range targets() {
		if !strings.HasPrefix(name, "iptables") {
			continue
		}
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				netnstest.Require(t, "iptables-nft-restore", "iptables-legacy-restore")
				ns := netnstest.New(t)
				if _, err := apply(ns, isolated(), target); err != nil {
					t.Fatal(err)
				}
				ns.Exec("sh", "-ec", "iptables() { "+name+` "$@"; }`+"\n"+test.script)
				strangers := func() string {
					return ns.Exec("sh", "-c",
						name+"-save | grep ^- | grep -v VNETC_ || true")
				}
				before := strangers()
				a := compare(t, ns, isolated(), target)
				moved, lets := 0, ""
				for _, d := range a.Drifts {
					switch {
					case d.Kind == backends.Moved && d.Part == backends.DriftRule && d.Words != "":
						moved++
					case d.Kind == backends.Ahead && d.Lets != nil:
						lets += d.Words
						if len(d.Networks) != 1 || d.Networks[0] != "iso" {
							t.Errorf("%s concerns %v", d.Words, d.Networks)
						}
					case d.Kind == backends.Ahead && d.Harmless:
					default:
						t.Errorf("drift %+v", d)
					}
				}
				if moved != test.moved || a.InStep() != (moved == 0) || lets != test.lets ||
					len(a.Changes) > 0 != test.packet {
					t.Errorf("moved %d, in step %v, lets through by %q, %d changes\n%s", moved, a.InStep(), lets,
						len(a.Changes), told(a))
				}
				r, err := apply(ns, isolated(), target)
				if err != nil || r.Changed > 0 != (moved > 0) {
					t.Errorf("apply: %+v, %v", r, err)
				}
				if after := strangers(); after != before {
					t.Errorf("apply changed foreign rules from\n%s\nto\n%s", before, after)
				}
				if a := compare(t, ns, isolated(), target); !a.InStep() ||
					len(backends.AheadOf(a.Drifts)) > 0 != (test.lets != "") {
					t.Errorf("after apply:\n%s", told(a))
				}
				var jumps []string
				for line := range strings.Lines(ns.Exec(name, "-S", "FORWARD")) {
					line = strings.TrimSpace(line)
					if to, is := strings.CutPrefix(line, "-A FORWARD -j VNETC_FW"); is {
						jumps = append(jumps, "v"+to)
					} else if to, is := strings.CutPrefix(line, "-A FORWARD -j LIBVIRT_FW"); is {
						jumps = append(jumps, "l"+to)
					}
				}
				if got := strings.Join(jumps, " "); got != test.forward {
					t.Errorf("FORWARD is %s, want %s", got, test.forward)
				}
			})
		}
	}
}
