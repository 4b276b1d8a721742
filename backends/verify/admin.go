package verify

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/backends"
)

// JSONAdmin is the administrator's own rules in one chain, in the JSON of several verbs.
type JSONAdmin struct {
	Target string `json:"backend"`
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Rules  int    `json:"rules"`
	Flush  string `json:"flush,omitempty"` // the command that deletes them
}

// AdminJSON returns rules for JSON, nil if there are none.
func AdminJSON(rules []backends.AdminRules) (all []JSONAdmin) {
	for _, r := range rules {
		all = append(all, JSONAdmin{r.Target, r.Chain.Family.String(), r.Chain.Table, r.Chain.Name, r.Rules, r.Flush})
	}
	return all
}

// ButAdmin returns what a proof does not cover, as the end of a sentence: ", but for 2 rules in
// admin_forward (ip vnetc)". It is empty if there are no rules of the administrator.
func ButAdmin(rules []backends.AdminRules) string {
	if len(rules) == 0 {
		return ""
	}
	return ", but for " + adminWords(rules)
}

func adminWords(rules []backends.AdminRules) string {
	words := make([]string, len(rules))
	for i, r := range rules {
		words[i] = fmt.Sprintf("%s in %s (%s %s)", plural(r.Rules, "rule"), r.Chain.Name, r.Chain.Family, r.Chain.Table)
	}
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return words[0]
}

// LeftRules says that rules of the administrator stay where all others went.
func LeftRules(rules []backends.AdminRules) string {
	kept := make([]string, len(rules))
	flush := make([]string, 0, len(rules))
	for i, r := range rules {
		kept[i] = fmt.Sprintf("%s of yours in %s of table %s %s", plural(r.Rules, "rule"), r.Chain.Name, r.Chain.Family,
			r.Chain.Table)
		if r.Flush != "" {
			flush = append(flush, r.Flush)
		}
	}
	text := "kept " + strings.Join(kept, ", ") + "; still in force"
	if len(flush) > 0 {
		text += ". To remove them: " + strings.Join(flush, "; ")
	}
	return text
}
