package iptables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// TestReadActions: targets that let a packet go on are actions, with what they touch. What each
// does is what iptables-extensions(8) says.
func TestReadActions(t *testing.T) {
	effect := func(text string, touches ir.Fields) ir.Action { return ir.Effect{Text: text, Touches: touches} }
	const all = ^uint32(0)
	tests := []struct {
		target string
		want   ir.Action // nil for a verdict that is not modelled
	}{
		{"-j LOG", ir.Log{}},
		{`-j LOG --log-prefix "a b " --log-level 4`, ir.Log{Prefix: "a b "}},
		{"-j LOG --log-level debug", ir.Log{Level: "debug"}},
		{"-j LOG --log-uid", ir.Log{Flags: 8}},
		{"-j MARK --set-xmark 0x1/0xffffffff", ir.SetMark{Value: 1, Mask: 0xffffffff}},
		{"-j MARK --set-xmark 0x10/0xf0", ir.SetMark{Value: 0x10, Mask: 0xf0}},
		{"-j MARK --set-xmark 0x11/0x10", ir.SetMark{Value: 0x11, Mask: 0x10}}, // turns bit 0 over
		{"-j MARK --set-mark 0x11/0x10", ir.SetMark{Value: 0x11, Mask: 0x11}},
		{"-j MARK --set-mark 010", ir.SetMark{Value: 8, Mask: 0xffffffff}},
		{"-j MARK --or-mark 0x4000", ir.SetMark{Value: 0x4000, Mask: 0x4000}},
		{"-j MARK --and-mark 0xff", ir.SetMark{Value: 0, Mask: 0xffffff00}},
		{"-j MARK --xor-mark 1", ir.SetMark{Value: 1}},
		{"-j CONNMARK --restore-mark", ir.CopyMark{Clear: all, Take: all}},
		{"-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xff", ir.CopyMark{Clear: 0xf0, Take: 0xff}},
		{"-j CONNMARK --save-mark", ir.CopyMark{Clear: all, Take: all, Save: true}},
		{"-j CONNMARK --save-mark --mask 0xff", ir.CopyMark{Clear: 0xff, Take: 0xff, Save: true}},
		{"-j CONNMARK --set-xmark 0x1/0xff", ir.SetMark{Value: 1, Mask: 0xff, CT: true}},
		{"-j CONNMARK --and-mark 0xff", ir.SetMark{Mask: 0xffffff00, CT: true}},
		{"-j CONNMARK --set-mark 0x1 --left-shift-mark 2", effect("-j CONNMARK --set-mark 0x1 --left-shift-mark 2", ir.FieldCTMark)},
		{"-j NFLOG --nflog-group 2 --nflog-prefix x", ir.Log{Grouped: true, Group: 2, Prefix: "x"}},
		{"-j CT --notrack", ir.NoTrack{}},
		{"-j NOTRACK", ir.NoTrack{}},
		{"-j CT --zone 1", effect("-j CT --zone 1", ir.FieldState)},
		{"-j CT --helper ftp", effect("-j CT --helper ftp", 0)},
		{"-j TCPMSS --clamp-mss-to-pmtu", ir.ClampMSS{}},
		{"-j TCPMSS --set-mss 1400", ir.ClampMSS{Size: 1400}},
		{"-j SET --map-set x src --map-mark", effect("-j SET --map-set x src --map-mark", ir.FieldMark)},
		{"-j TRACE", effect("-j TRACE", 0)},
		{"-j NFQUEUE --queue-num 1", nil},
		{"-j TPROXY --on-port 1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			table, chain := "raw", "PREROUTING"
			switch {
			case strings.Contains(tt.target, "TCPMSS"): // has to know the route
				table, chain = "mangle", "FORWARD"
			case strings.Contains(tt.target, "TPROXY"):
				table = "mangle"
			}
			text := "*" + table + "\n-A " + chain + " -p tcp -m tcp --tcp-flags SYN,RST SYN " + tt.target + "\nCOMMIT\n"
			p, err := Backend{}.Read([]backends.Document{{File: "f", Family: ir.IPv4, Text: []byte(text)}})
			if err != nil {
				t.Fatal(err)
			}
			got := p.Chains[0].Rules[0]
			if tt.want == nil {
				if diff := cmp.Diff(ir.Verdict(ir.Handed{Text: tt.target}), got.Verdict); diff != "" ||
					got.Actions != nil {
					t.Errorf("verdict (-want +got):\n%s, actions %v", diff, got.Actions)
				}
				return
			}
			if diff := cmp.Diff([]ir.Action{tt.want}, got.Actions); diff != "" ||
				got.Verdict != ir.Verdict(ir.Counter{}) {
				t.Errorf("actions (-want +got):\n%s, verdict %v", diff, got.Verdict)
			}
		})
	}
}

// TestRefuseActions: what iptables has no words for is refused.
func TestRefuseActions(t *testing.T) {
	mark := ir.SetMark{Value: 1, Mask: 1}
	tests := []struct {
		name string
		rule ir.Rule
	}{
		{"an action and a verdict", ir.Rule{Actions: []ir.Action{mark}, Verdict: ir.Accept{}}},
		{"two actions", ir.Rule{Actions: []ir.Action{mark, ir.Log{}}, Verdict: ir.Counter{}}},
		{"a long prefix", ir.Rule{Actions: []ir.Action{ir.Log{Prefix: "123456789 123456789 123456789 "}},
			Verdict: ir.Counter{}}},
		{"an opaque action", ir.Rule{Actions: []ir.Action{ir.OpaqueAction{Text: "-j TRACE"}}, Verdict: ir.Counter{}}},
		{"no raw table", ir.Rule{Actions: []ir.Action{ir.NoTrack{}}, Verdict: ir.Counter{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := new(ir.Program)
			tt.rule.Family = ir.IPv4
			p.Add(ir.FWI, tt.rule)
			_, found := Backend{}.Lower(p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
				Layout: backends.Chains})
			if len(found) != 1 || found[0].Code != Unsupported {
				t.Errorf("got %v, want one refusal", found)
			}
		})
	}
}
