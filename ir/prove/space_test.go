package prove

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestStandIns: whatever wildcards there are, some names are covered by each of them alone, and
// others by none.
func TestStandIns(t *testing.T) {
	for _, wildcards := range [][]string{nil, {"o"}, {"vnet", "vnet0"}, {"a", "aa", "aa0"}, {"other", "0", "1"}, {""}} {
		p := &ir.Program{}
		for _, w := range wildcards {
			p.Add(ir.FWI, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.IIfName{Name: w, Wildcard: true}},
				Verdict: ir.Accept{}})
		}
		s := newSpace(ir.IPv4, p)
		covers := func(name string) (all []string) {
			for _, w := range s.prefixes {
				if strings.HasPrefix(name, w) {
					all = append(all, w)
				}
			}
			return all
		}
		for i, base := range append(append([]string{}, s.prefixes...), "") {
			if got, want := covers(s.names[s.exact+1+i]), covers(base); !cmp.Equal(got, want) {
				t.Errorf("wildcards %q: %s stands in for %q, but is covered by %q", wildcards, s.names[s.exact+1+i],
					base, got)
			}
		}
	}
}
