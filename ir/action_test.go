package ir_test

import (
	"errors"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestEvalActions: what actions alter decides about later rules, in the same chain, behind it, and
// in later base chains. The words of each program mean what nft(8) says of them.
func TestEvalActions(t *testing.T) {
	const (
		raw  = "chain ip t raw hook prerouting type filter priority -300 policy accept "
		gate = "chain ip t gate hook forward type filter priority 0 policy accept "
		post = "chain ip t post hook postrouting type nat priority 100 policy accept "
	)
	tests := []struct {
		name, text string
		change     func(*ir.Packet)
		want       string // the fate; empty for *UnknownError
	}{
		{"a mark is matched later", raw + `{ ip set mark 0x1 counter } ` + gate + `{ ip mark 0x1 drop }`, nil,
			"dropped"},
		{"a mark is the packet's to the end", gate + `{ ip set mark 0x1 accept }`, nil, "accepted, mark set to 0x1"},
		{"a mark it had anyhow", gate + `{ ip set mark 0x1 accept }`, func(p *ir.Packet) { p.Mark = 1 }, "accepted"},
		{"bits under the mask alone", gate + `{ ip set mark 0x10/0xf0 counter ip mark 0x1f drop }`,
			func(p *ir.Packet) { p.Mark = 0xff }, "dropped"},
		{"two marks", gate + `{ ip set mark 0x3/0xf counter ip set mark 0x10/0xf0 counter ip mark 0x13 accept }`, nil,
			"accepted, mark set to 0x13/0xff"},
		{"the later mark holds", gate + `{ ip set mark 0x3 counter ip set mark 0x4 counter ip mark 0x3 drop }`, nil,
			"accepted, mark set to 0x4"},
		{"a rule that doesn't match marks nothing",
			gate + `{ ip iifname "virbr9" set mark 0x1 counter ip mark 0x1 drop }`, nil, "accepted"},
		{"an untracked packet is not new", raw + `{ ip notrack counter } ` + gate +
			`{ ip ct state established,related,new accept ip drop }`, nil, "dropped"},
		{"an untracked packet meets no NAT", raw + `{ ip notrack counter } ` + post + `{ ip masquerade }`, nil,
			"accepted, not tracked"},
		{"it was untracked", raw + `{ ip notrack counter }`, func(p *ir.Packet) { p.State = ir.StateUntracked },
			"accepted"},
		{"a log goes on", gate + `{ ip log prefix "x" counter ip drop }`, nil, "dropped"},
		{"a log changes nothing", gate + `{ ip log accept }`, nil, "accepted"},
		{"an opaque action that touches nothing", gate + `{ ip opaque-action "-j TCPMSS" counter ip accept }`, nil,
			"accepted"},
		{"a match on what was touched", gate +
			`{ ip opaque-action "x" touches daddr counter ip daddr 10.0.0.0/8 drop }`, nil, ""},
		{"a match on something else", gate + `{ ip opaque-action "x" touches daddr counter ip saddr 10.0.0.0/8 drop }`,
			nil, `accepted, daddr changed by "x"`},
		{"dropped, whatever it was changed to", gate + `{ ip opaque-action "x" touches daddr counter ip drop }`, nil,
			"dropped"},
		{"a look-up in what was touched", gate +
			`{ ip opaque-action "x" touches daddr counter ip lookup s drop } set ip t s { element daddr 10.0.0.0/8 }`,
			nil, ""},
		{"what is set is known again", gate +
			`{ ip opaque-action "x" touches mark counter ip set mark 0x1 counter ip mark 0x1 drop }`, nil, "dropped"},
		{"some bits are set",
			gate + `{ ip opaque-action "x" touches mark counter ip set mark 0x1/0x1 counter ip mark 0x1/0x1 drop }`,
			nil, ""},
		{"another match fails",
			gate + `{ ip opaque-action "x" touches daddr counter ip daddr 10.0.0.0/8 iifname "virbr9" drop }`, nil,
			`accepted, daddr changed by "x"`},
		{"perhaps marked", gate + `{ ip opaque-match "y" set mark 0x1 counter ip mark 0x1 drop }`, nil, ""},
		{"perhaps marked, and let through", gate + `{ ip opaque-match "y" set mark 0x1 counter ip accept }`, nil, ""},
		{"perhaps marked, dropped in any case", gate + `{ ip opaque-match "y" set mark 0x1 counter ip drop }`, nil,
			"dropped"},
		{"perhaps logged", gate + `{ ip opaque-match "y" log counter ip accept }`, nil, "accepted"},
		{"NAT by what was touched", raw + `{ ip opaque-action "x" touches state counter } ` + post +
			`{ ip masquerade }`, nil, ""},
		{"actions of a rule that jumps", gate + `{ ip set mark 0x1 jump a } chain ip t a { ip mark 0x1 drop }`, nil,
			"dropped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(t, tt.text)
			if found := ir.Verify(p); len(found) > 0 {
				t.Fatal(found)
			}
			f, err := ir.Eval(p, tcp4(tt.change))
			var unknown *ir.UnknownError
			switch {
			case tt.want == "" && !errors.As(err, &unknown):
				t.Errorf("got %s, %v; want an UnknownError", f, err)
			case tt.want != "" && (err != nil || f.String() != tt.want):
				t.Errorf("got %s, %v; want %s", f, err, tt.want)
			}
		})
	}
}

// TestUnknownByAction: where an action made unknown what decides, the error names its rule.
func TestUnknownByAction(t *testing.T) {
	p := parse(t, `chain ip t gate hook forward type filter priority 0 policy accept {
		ip opaque-action "x" touches daddr counter
		ip daddr 10.0.0.0/8 drop
	}`)
	_, err := ir.Eval(p, tcp4(nil))
	var unknown *ir.UnknownError
	if !errors.As(err, &unknown) || unknown.Step.Rule != &p.Chains[0].Rules[0] {
		t.Errorf("got %v, want the rule with the action", err)
	}
}

// TestThen: alterations follow one another in any grouping.
func TestThen(t *testing.T) {
	actions := append(ir.SampleActions(), ir.OpaqueAction{Text: "meta mark set ct mark", Touches: ir.FieldMark},
		ir.OpaqueAction{Text: "ct zone set 1", Touches: ir.FieldState})
	var all []ir.Alteration
	for _, a := range actions {
		for _, b := range actions {
			all = append(all, ir.AlterationOf(a).Then(ir.AlterationOf(b)))
		}
	}
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				if left, right := a.Then(b).Then(c), a.Then(b.Then(c)); left != right {
					t.Fatalf("%#v, %#v, %#v: %#v or %#v", a, b, c, left, right)
				}
			}
		}
	}
}

// TestNoTrackKeepsFlags: the flags that are usual for a packet are those of its state when it came;
// notrack changes the state, and no flag.
func TestNoTrackKeepsFlags(t *testing.T) {
	p, list := ir.Parse("flags.ir", []byte(`
chain ip t raw hook prerouting type filter priority -300 policy accept { ip notrack counter }
chain ip t in hook input type filter priority 0 policy drop {
	ip l4proto tcp tcp flags syn/fin,syn,rst,ack ct state untracked accept
}`))
	if list.HasErrors() {
		t.Fatal(list)
	}
	pkt, list := ir.ParsePacket("tcp from 192.0.2.1 on eth0 to 198.51.100.1")
	if list.HasErrors() {
		t.Fatal(list)
	}
	if fate, err := ir.Eval(p, pkt); err != nil || fate.Outcome != ir.Accepted {
		t.Errorf("%s is %s, %v", pkt, fate, err)
	}
	pkt.State = ir.StateEstablished
	if fate, err := ir.Eval(p, pkt); err != nil || fate.Outcome == ir.Accepted {
		t.Errorf("%s is %s, %v", pkt, fate, err)
	}
}
