package main

import (
	"fmt"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// driftList says what audit found as diagnostics, each rule at the XML that asks for it.
func driftList(a firewall.Audit) diag.List {
	var list diag.List
	for _, d := range a.Drifts {
		list = append(list, driftDiagnostic(d))
	}
	for _, c := range a.Changes {
		for _, p := range c.Packets {
			list = append(list, diag.Diagnostic{
				Severity: diag.Error, Code: "audit-packets",
				What: fmt.Sprintf("%s from %s to %s (%s): is %s, should be %s", p, c.From, c.To, c.Family, c.Now, c.Was),
				Why:  fmt.Sprintf("for example %s", c.Example), Fix: "vnetc apply mends it",
			})
		}
	}
	return list
}

func driftDiagnostic(d firewall.Drift) diag.Diagnostic {
	out := diag.Diagnostic{Severity: diag.Error, Fix: "vnetc apply mends it"}
	switch d.Kind {
	case firewall.Missing:
		out.Code, out.What = "audit-missing", fmt.Sprintf("%s lacks %s", d.Chain, d.Rule)
	case firewall.Extra:
		out.Code, out.What = "audit-extra", fmt.Sprintf("%s has %s, which nothing asks for", d.Chain, d.Rule)
	case firewall.Moved:
		out.Code, out.What = "audit-moved", fmt.Sprintf("%s has %s in another place", d.Chain, d.Rule)
	case firewall.Ahead:
		out.Code, out.What = "audit-ahead", fmt.Sprintf("others have in the networks' way, in %s: %s", d.Chain, d.Rule)
		out.Severity, out.Fix = diag.Note, "apply leaves it there; change it if it is not meant to decide"
	default:
		panic(fmt.Sprintf("unknown kind of drift %q", d.Kind))
	}
	if d.Of != nil {
		out.Span, out.Why = d.Of.Origin.Span, fmt.Sprintf("network %s: %s", d.Of.Origin.Network, d.Of.Origin.Reason)
	}
	return out
}
