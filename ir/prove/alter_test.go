package prove

import (
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestEqualActions: actions count where a rule behind them sees what they did, and at the end.
func TestEqualActions(t *testing.T) {
	const (
		pre   = "chain ip corp pre hook prerouting type filter priority -150 policy accept "
		raw   = "chain ip corp raw hook prerouting type filter priority -300 policy accept "
		gate  = "chain ip corp gate hook forward type filter priority 0 policy accept "
		other = "chain ip corp other hook forward type filter priority 1 policy accept "
	)
	tests := []struct {
		name, a, b string
		want       Answer
	}{
		{"a mark that drops behind", pre + `{ ip set mark 0x1 counter } ` + gate + `{ ip mark 0x1 drop }`,
			pre + `{} ` + gate + `{ ip mark 0x1 drop }`, Refuted},
		{"a mark that is turned over, and a drop by what comes of it",
			pre + `{ ip mark 0x1/0x1 set mark 0x0 accept ip set mark 0x1 accept } ` + gate +
				`{ ip mark 0x1 drop ip mark 0x7 drop }`,
			pre + `{ ip mark 0x1/0x1 set mark 0x0 accept ip set mark 0x1 accept } ` + gate + `{ ip mark 0x7 drop }`,
			Refuted},
		{"a mark and nothing", pre + `{ ip set mark 0x1 counter }`, pre + `{}`, Refuted},
		{"a mark that those have anyhow", pre + `{ ip mark 0x1 set mark 0x1 counter }`, pre + `{}`, Proved},
		{"two ways to one mark", pre + `{ ip set mark 0x3 counter }`,
			pre + `{ ip set mark 0x1/0x1 counter ip set mark 0x2/0xfffffffe counter }`, Proved},
		{"a mark, dropped in any case", gate + `{ ip set mark 0x1 counter ip drop }`, gate + `{ ip drop }`, Proved},
		{"logged and not", gate + `{ ip log counter ip drop }`, gate + `{ ip drop }`, Proved},
		{"what touches nothing that rules see", gate + `{ ip opaque-action "-j TCPMSS" accept }`, gate + `{}`, Proved},
		{"untracked, and a stateful chain", raw + `{ ip notrack counter } ` + gate +
			`{ ip ct state established,new accept ip drop }`,
			raw + `{} ` + gate + `{ ip ct state established,new accept ip drop }`, Refuted},
		{"an address that is set", gate + `{ ip opaque-action "x" touches daddr counter }`, gate + `{}`, Refuted},
		{"the same address that is set", gate + `{ ip opaque-action "x" touches daddr counter }`,
			gate + `{ ip opaque-action "x" touches daddr accept }`, Proved},
		{"another address that is set", gate + `{ ip opaque-action "x" touches daddr counter }`,
			gate + `{ ip opaque-action "y" touches daddr counter }`, Unknown},
		{"a drop by what is not known", gate +
			`{ ip opaque-action "x" touches daddr counter ip daddr 10.0.0.0/8 drop }`,
			gate + `{ ip opaque-action "x" touches daddr counter }`, Unknown},
		{"a drop by what is not known, in a later chain", gate + `{ ip opaque-action "x" touches daddr counter } ` +
			other + `{ ip daddr 10.0.0.0/8 drop }`,
			gate + `{ ip opaque-action "x" touches daddr counter } ` + other + `{}`, Unknown},
		{"perhaps marked", gate + `{ ip opaque-match "y" set mark 0x1 counter ip mark 0x1 drop }`,
			gate + `{ ip mark 0x1 drop }`, Unknown},
		{"perhaps marked, in both", gate + `{ ip opaque-match "y" set mark 0x1 counter ip mark 0x1 drop }`,
			gate + `{ ip opaque-match "y" set mark 0x1 drop ip mark 0x1 drop }`, Proved},
		{"marked behind a jump", gate + `{ ip jump a ip mark 0x1 drop } chain ip corp a { ip set mark 0x1 return }`,
			gate + `{ ip drop } chain ip corp a {}`, Proved},
		{"marked behind a goto", gate + `{ ip goto a ip mark 0x1 drop } chain ip corp a { ip set mark 0x1 counter }`,
			gate + `{ ip set mark 0x1 accept } chain ip corp a {}`, Proved},
		{"one of several jumps marks", gate +
			`{ ip iifname "a" jump a ip iifname "b" jump b ip mark 0x1 drop } chain ip corp a { ip set mark 0x1 counter } chain ip corp b { ip set mark 0x0 counter }`,
			gate + `{ ip iifname "a" drop ip iifname "b" set mark 0x0 accept ip mark 0x1 drop } chain ip corp a {} chain ip corp b {}`, Proved},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := read(t, tt.a), read(t, tt.b)
			r := Equal(a, b, ir.IPv4)
			if r.Answer != tt.want {
				t.Errorf("got %s (%s: %s, %s; %v), want %s", r.Answer, r.Packet, r.A, r.B, r.Because.Rule, tt.want)
			}
			if r.Answer == Unknown && r.Because.Rule == nil {
				t.Error("it depends on a rule that is not named")
			}
			if again := Equal(a, a, ir.IPv4); tt.want != Unknown && again.Answer != Proved {
				t.Errorf("a program and itself: %s", again.Answer)
			}
		})
	}
}

// read returns the program that text describes.
func read(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, found := ir.Parse("test", []byte(text))
	if len(found) == 0 {
		found = ir.Verify(p)
	}
	if len(found) > 0 {
		t.Fatalf("%v\n%s", found, text)
	}
	return p
}
