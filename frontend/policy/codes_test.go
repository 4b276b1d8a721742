package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// TestCodes tries the examples of every code that is about policies.
func TestCodes(t *testing.T) {
	p := siteProgram(t, site)
	var strict map[string]diag.Span // which networks are strictly isolated
	check := func(text string, asserted bool) (codes []diag.Code) {
		list, found := policy.Parse("a.policy", []byte(text))
		found = append(found, policy.Check(list, p.Links, strict)...)
		for _, d := range found {
			codes = append(codes, d.Code)
		}
		claims, _ := policy.Claims(list)
		for _, c := range claims {
			if answer, _ := prove.NewReacher(p).Check(c); asserted && answer != prove.Proved {
				codes = append(codes, "assert-failed")
			}
		}
		return codes
	}
	for _, info := range diag.Codes() {
		asserted := strings.HasPrefix(string(info.Code), "assert-")
		if !asserted && !strings.HasPrefix(string(info.Code), "policy-") || info.Bad == "" {
			continue
		}
		if strict = nil; info.Code == "policy-strict" {
			strict = map[string]diag.Span{"lab": {}, "dmz": {}, "safe": {}}
		}
		if diff := cmp.Diff([]diag.Code{info.Code}, check(info.Bad, asserted)); diff != "" {
			t.Errorf("the bad example of %s (-want +got):\n%s", info.Code, diff)
		}
		if codes := check(info.Good, asserted); len(codes) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, codes)
		}
	}
}
