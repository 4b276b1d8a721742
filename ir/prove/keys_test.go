package prove

import (
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestEqualTextsAgree: two unknown matches of equal words are one match for a packet, unless they
// are rates, or something that they look at is altered, or rewritten, between them.
func TestEqualTextsAgree(t *testing.T) {
	const either = ` drop ip accept } `
	tests := []struct {
		name, first, second string
		agree               bool
	}{
		{"opaque", `opaque-match "x"`, `opaque-match "x"`, true},
		{"other words", `opaque-match "x"`, `opaque-match "y"`, false},
		{"members of a set", `unknown set "x"`, `unknown set "x"`, true},
		{"rates", `unknown rate "x"`, `unknown rate "x"`, false},
		{"limits", `limit 1/second burst 5`, `limit 1/second burst 5`, false},
		{"types of addresses", `type of daddr local`, `type of daddr local`, true},
		{"altered between", `opaque-match "x"`, `set mark 0x1 counter ip opaque-match "x"`, false},
		{"altered, and not looked at", `unknown owner "x"`, `set mark 0x1 counter ip unknown owner "x"`, true},
		{"a type, and its address altered", `type of daddr local`,
			`opaque-action "z" touches daddr counter ip type of daddr local`, false},
		{"a field", `ttl 5`, `ttl 5`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := `chain ip t c hook forward type filter priority 0 policy accept `
			// Where both agree, the second rule drops nobody.
			one := parseText(t, base+`{ ip `+tt.first+` return ip `+tt.second+either)
			two := parseText(t, base+`{ ip `+tt.first+` return ip `+tt.second+` accept ip accept } `)
			got := Equal(one, two, ir.IPv4).Answer
			if want := map[bool]Answer{true: Proved, false: Unknown}[tt.agree]; got != want {
				t.Errorf("%s, want %s\n%s", got, want, one)
			}
		})
	}
}

func parseText(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, list := ir.Parse("t", []byte(text))
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	return p
}
