package verify

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Audit is how the rules of a host differ from what some networks mean. The caller that compared
// them sets it.
type Audit struct {
	Drifts []backends.Drift
	// what the drift does to packets: Was as it should be, Now as it is; the foreign ones last
	Changes []prove.Difference
	More    bool // More is true if there are changes of the kinds of Changes that are left out.
	// TooLarge is true if there may be other changes of any kind: to find them would cost more than
	// the budget has.
	TooLarge bool
	// Admin is the administrator's own rules, AdminChanges what they do to packets: Was without
	// them, Now with them. AdminMore is true if there may be more of that.
	Admin        []backends.AdminRules
	AdminChanges []prove.Difference
	AdminMore    bool
	// AdminElsewhere is such rules in places where no networks' rules are.
	AdminElsewhere []backends.AdminRules
	Diff           string // a unified diff from what should be to what is, in the target's own words; may be empty
}

// Diagnostics returns the audit as diagnostics, each rule at the XML that causes it.
func (a Audit) Diagnostics() diag.List {
	var list diag.List
	for i := range a.Drifts {
		list = append(list, driftDiagnostic(&a.Drifts[i]))
	}
	for _, c := range a.Changes {
		why := fmt.Sprintf("for example %s", c.Example)
		if words := dependsWords(c.Because); words != "" {
			why += "; it " + words
		}
		for _, p := range c.Packets {
			list = append(list, diag.Diagnostic{
				Severity: diag.Error, Code: "audit-packets",
				What: fmt.Sprintf("%s from %s to %s (%s): %s, should be %s", p, c.From, c.To, c.Family, isWords(c),
					c.Was),
				Why: why, Fix: "vnetc apply fixes it",
			})
		}
	}
	if a.TooLarge {
		list = append(list, diag.Diagnostic{
			Severity: diag.Error, Code: "audit-too-large",
			What: "what the drift does to packets, or some of it, is too large for the budget",
			Why:  tooLargeWhy, Fix: "vnetc apply fixes it; to see first what it does: vnetc audit --budget 60s",
		})
	}
	return list
}

func driftDiagnostic(d *backends.Drift) diag.Diagnostic {
	out := diag.Diagnostic{Severity: diag.Error, Fix: "vnetc apply fixes it"}
	where, what := driftPlace(d), driftWords(d)
	switch d.Kind {
	case backends.Missing:
		out.Code, out.What = "audit-missing", fmt.Sprintf("%s lacks %s", where, what)
	case backends.Extra:
		out.Code, out.What = "audit-extra", fmt.Sprintf("%s has %s, which no network needs", where, what)
	case backends.Moved:
		out.Code, out.What = "audit-moved", fmt.Sprintf("%s has %s in another place", where, what)
	case backends.Ahead:
		out.Code, out.What = "audit-ahead", fmt.Sprintf("foreign rules are in the networks' way, in %s: %s", where,
			what)
		out.Severity, out.Fix = diag.Note, "apply leaves it there; change it if it should not decide"
		if d.Lets != nil {
			out.Why = letWords(d)
		}
	case backends.Unexplained:
		out.Code, out.What = "audit-unexplained", fmt.Sprintf("%s: %s", where, what)
		out.Fix = "apply the network's XML again, which writes the state file"
		if d.Part == backends.DriftBridge {
			out.Fix += "; or remove the rules: vnetc remove --bridge " + diag.ShellWord(d.Target)
		}
	default:
		panic(fmt.Sprintf("unknown kind of drift %q", d.Kind))
	}
	if d.Of != nil {
		out.Span, out.Why = d.Of.Origin.Span, fmt.Sprintf("network %s: %s", d.Of.Origin.Network, d.Of.Origin.Reason)
	}
	return out
}

// driftPlace names the chain, the set or the target in which d is.
func driftPlace(d *backends.Drift) string {
	switch d.Part {
	case backends.DriftElement:
		return strings.Join([]string{d.Set.Family.String(), d.Set.Table, "set", d.Set.Name}, " ")
	case backends.DriftTarget:
		return d.Target
	case backends.DriftBridge:
		return "bridge " + d.Target
	case backends.DriftStateFile:
		return "state file " + diag.Visible(d.Target)
	}
	return d.Chain.Label()
}

// driftWords says what it is that differs: in the words of the IR, or in the target's where the IR
// has none.
func driftWords(d *backends.Drift) string {
	switch d.Part {
	case backends.DriftRule:
		text := driftRule(d).String()
		if d.Words != "" {
			text += ", " + d.Words
		}
		return text
	case backends.DriftElement:
		return elementWords(d.Element)
	case backends.DriftChain:
		return "the chain itself"
	case backends.DriftBase:
		if d.Kind == backends.Missing {
			return "the chain's hook, priority or policy as meant"
		}
		return "another hook, priority or policy"
	case backends.DriftObject:
		return d.Words
	case backends.DriftBridge:
		return fmt.Sprintf("%d rules with no state file; they stay", d.Rules)
	case backends.DriftStateFile:
		return d.Words
	case backends.DriftTarget:
		return fmt.Sprintf("%d of our chains with %d rules, which packets also meet", d.Chains, d.Rules)
	}
	panic(fmt.Sprintf("unknown part of drift %d", d.Part))
}

// letWords says what a foreign rule lets through: packet, fates and networks.
func letWords(d *backends.Drift) string {
	text := fmt.Sprintf("it lets through, from %s to %s: %s is %s, should be %s", d.Lets.From, d.Lets.To, d.Lets.Packet,
		d.Lets.Is, d.Lets.Should)
	if len(d.Networks) > 0 {
		text += fmt.Sprintf(" (network %s)", strings.Join(d.Networks, ", "))
	}
	return text
}

// driftRule returns the rule as it is meant; one that nothing explains, as the host has it.
func driftRule(d *backends.Drift) *ir.Rule {
	if d.Want != nil {
		return d.Want
	}
	return d.Have
}
