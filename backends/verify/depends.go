package verify

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// isWords says the fate of packets as they are: "is dropped"; "may be dropped" where a rule that is
// not modelled decides.
func isWords(d prove.Difference) string {
	if d.Because.Rule != nil {
		return d.NowWords()
	}
	return "is " + d.Now
}

// dependsWords names the rule on which an answer depends; it is empty for the zero Step.
func dependsWords(s ir.Step) string {
	if s.Rule == nil {
		return ""
	}
	return fmt.Sprintf("depends on rule %d of %s: %s", s.Index+1, s.Chain.Label(), s.Rule)
}
