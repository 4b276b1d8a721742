package prove

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// oneNetwork returns the rules of the text and a network lab behind virbr0.
func oneNetwork(t *testing.T, text string) *ir.Program {
	return read(t, text+` link lab { mode nat bridge { name virbr0 } addresses { prefix 10.0.0.1/24 } }`)
}

const forwardChain = "chain ip t forward hook forward type filter priority 0 policy accept "

// TestChangeDepends: what an unmodelled rule may do is reported as "may", with the rule; what
// another rule does behind it is certain.
func TestChangeDepends(t *testing.T) {
	const out = `ip iifname "virbr0" `
	tests := []struct {
		name, a, b string
		want       []string // was, now, number of the rule
	}{
		{"a limit drops", `{}`, `{ ` + out + `opaque-match "limit" drop }`,
			[]string{"accepted, now may be dropped by 1"}},
		{"it drops, or all is dropped", `{}`, `{ ` + out + `opaque-match "limit" drop ` + out + `drop }`,
			[]string{"accepted, now dropped by 0"}},
		{"it accepts, or all is dropped", `{}`, `{ ` + out + `opaque-match "limit" accept ` + out + `drop }`,
			[]string{"accepted, now may be dropped by 1"}},
		{"it logs", `{}`, `{ ` + out + `opaque-match "limit" counter }`, nil},
		{"another match fails", `{}`, `{ ` + out + `iifname "virbr1" opaque-match "limit" drop }`, nil},
		{"both have it", `{ ` + out + `opaque-match "limit" drop }`, `{ ` + out + `opaque-match "limit" drop }`, nil},
		{"loopback leads nowhere", `{}`, `{ ip iifname "lo" drop ip oifname "lo" drop }`, nil},
		{"a queue", `{}`, `{ ip counter ` + out + `opaque-verdict "queue" }`,
			[]string{"accepted, now may be anything by 2"}},
		{"an address is set", `{}`, `{ ` + out + `opaque-action "x" touches daddr counter }`,
			[]string{`accepted, now accepted, daddr changed by "x" by 0`}},
		{"a drop by the address that is set", `{}`, `{ ` + out +
			`opaque-action "x" touches daddr counter ip daddr 192.0.2.0/24 drop }`,
			[]string{"accepted, now may be anything by 1",
				`accepted, now dropped by 0`}}, // the latter into the network
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := oneNetwork(t, forwardChain+tt.a), oneNetwork(t, forwardChain+tt.b)
			var got []string
			for _, d := range Change(a, b) {
				number := 0
				if d.Because.Rule != nil {
					number = d.Because.Index + 1
				}
				words := d.Was + ", now " + d.NowWords() + " by " + string(rune('0'+number))
				if !slices.Contains(got, words) {
					got = append(got, words)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMatrixDepends: what is unknown is neither yes nor no, in the matrix and for an assertion.
func TestMatrixDepends(t *testing.T) {
	lab, outside := Endpoint{Network, "lab"}, Endpoint{Kind: Outside}
	tests := []struct {
		name, text string
		access     Access
		number     int
		allow      Answer
		deny       Answer
	}{
		{"nothing", `{}`, FullAccess, 0, Proved, Refuted},
		{"a limit drops", `{ ip opaque-match "limit" drop }`, Depends, 1, Unknown, Unknown},
		{"a verdict map, then accept", `{ ip counter ip opaque-verdict "ct state vmap" ip accept }`, Depends, 2,
			Unknown, Unknown},
		{"a limit drops some", `{ ip l4proto tcp accept ip l4proto udp drop ip opaque-match "limit" drop }`, SomeAccess,
			0, Refuted, Refuted},
		{"a limit accepts what is accepted anyhow", `{ ip opaque-match "limit" accept ip accept }`, FullAccess, 0,
			Proved, Refuted},
		{"a limit drops what is dropped anyhow", `{ ip opaque-match "limit" drop ip drop }`, NoAccess, 0, Refuted,
			Proved},
		{"an address that is set",
			`{ ip counter ip opaque-action "x" touches daddr counter ip daddr 192.0.2.0/24 drop }`, Depends, 2, Unknown,
			Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReacher(oneNetwork(t, forwardChain+tt.text))
			for _, c := range r.Matrix() {
				if c.From != lab || c.To != outside || c.Family != ir.IPv4 {
					continue
				}
				number := 0
				if c.Because.Rule != nil {
					number = c.Because.Index + 1
				}
				if c.Access != tt.access || number != tt.number {
					t.Errorf("matrix: %s by rule %d, want %s by rule %d", c.Access, number, tt.access, tt.number)
				}
			}
			for kind, want := range map[AssertionKind]Answer{Allow: tt.allow, Deny: tt.deny} {
				q := Query{Family: ir.IPv4}
				if got, _ := r.Check(Assertion{Kind: kind, From: lab, To: outside, Query: q}); got != want {
					t.Errorf("%s: %s, want %s", kind, got, want)
				}
			}
		})
	}
}
