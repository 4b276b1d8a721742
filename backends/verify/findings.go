package verify

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// leakFindings turns leaks into warnings: one for each network whose guests get past it with its
// own addresses, and one for all those whose guests must lie about their address, which reverse
// path filtering (rp_filter) may stop.
func leakFindings(p *ir.Program, leaks []prove.Leak) diag.List {
	var list diag.List
	var liars []prove.Leak
	seen := make(map[prove.Endpoint]bool) // in both families it is one finding
	for _, l := range leaks {
		switch {
		case !honest(p, l):
			liars = append(liars, l)
		case !seen[l.From]:
			seen[l.From] = true
			list = append(list, leakFinding(l, "guests of "+l.From.String(), placesWords(l.To)))
		}
	}
	if len(liars) == 0 {
		return list
	}
	var from, to []prove.Endpoint
	known := make(map[prove.Endpoint]bool)
	clear(seen)
	for _, l := range liars {
		if !seen[l.From] {
			seen[l.From] = true
			from = append(from, l.From)
		}
		for _, place := range l.To {
			if !known[place] {
				known[place] = true
				to = append(to, place)
			}
		}
	}
	return append(list, leakFinding(liars[0], "guests of "+placesWords(from)+
		" with addresses that are not the network's", placesWords(to)))
}

func leakFinding(l prove.Leak, who, into string) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: "verify-leak", Span: spanOf(l.Refused),
		What: fmt.Sprintf("%s open connections to %s, which the rules of their own network refuse", who, into),
		Why:  "a rule that accepts them is met first; such as " + l.Packet.String(),
		Fix:  "compile with --strict-isolation, or let the network out if that is what you want",
	}
	if from := spanOf(l.Accepted); from.File != "" {
		d.Related = []diag.Related{{Span: from, Text: "this lets them in: " + l.Accepted.Rule.Origin.Reason}}
	}
	if d.Span.File == "" {
		d.Span = spanOf(l.Accepted)
	}
	return d
}

// honest is true if the leak's packet has an address of its network.
func honest(p *ir.Program, l prove.Leak) bool {
	for _, link := range p.Links {
		for _, a := range link.Addresses {
			if link.Name == l.From.Name && a.Prefix.Masked().Contains(l.Packet.Src) {
				return true
			}
		}
	}
	return false
}

// spanOf returns the place of XML that asked for the step's rule, the zero value if there is no
// rule.
func spanOf(s ir.Step) diag.Span {
	if s.Rule == nil {
		return diag.Span{}
	}
	return s.Rule.Origin.Span
}

// maxPlaces is how many places a message names before it counts them.
const maxPlaces = 4

func placesWords(places []prove.Endpoint) string {
	var words []string
	for i, p := range places {
		if i == maxPlaces && len(places) > maxPlaces+1 {
			words = append(words, fmt.Sprintf("and %d more", len(places)-maxPlaces))
			break
		}
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}
