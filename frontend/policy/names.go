package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// maxNear is for how many unknown names of a policy a similar one is looked for: it takes long
// where there are thousands of networks.
const maxNear = 100

// CheckNames says which networks the statements name that are not among links, or have no rules.
func CheckNames(list []Statement, links []*ir.Link) (found diag.List) {
	known := make(map[string]bool)
	var names []string
	for _, l := range links {
		if l.Mode.Managed() {
			known[l.Name] = true
			names = append(names, l.Name)
		}
	}
	for _, s := range list {
		for _, e := range []End{s.From, s.To} {
			if e.Kind == Network && !known[e.Name] {
				found = append(found, unknownNetwork(e, names, links, len(found) < maxNear))
			}
		}
	}
	return found
}

func unknownNetwork(e End, names []string, links []*ir.Link, near bool) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "policy-network", Span: e.Span,
		What: fmt.Sprintf("there is no network %s here", e.Name),
		Why:  "a statement is about the networks that are compiled with it, those for which the host forwards",
		Fix:  "add the document of that network, or correct the name",
	}
	for _, l := range links {
		if l.Name == e.Name {
			d.What = fmt.Sprintf("network %s is of mode %s, and has no rules", l.Name, l.Mode)
			d.Why = "its guests are on a bridge or a device of somebody else, and the host forwards nothing for them"
			d.Fix = "remove the statement, or name a network of mode nat, route, open or isolated"
			return d
		}
	}
	switch {
	case len(names) == 0:
		d.Fix = "remove the line: none of these networks is of mode nat, route, open or isolated"
	case len(names) <= 10:
		d.Fix = "name one of " + strings.Join(names, ", ")
	}
	if near {
		if other, ok := diag.Near(e.Name, names); ok {
			d.Fix = fmt.Sprintf("did you mean %s?", other)
		}
	}
	return d
}

// Concerns is true if all networks that s names are among the links, and the guest of a published
// port is in one of them.
func (s Statement) Concerns(links []*ir.Link) bool {
	for _, e := range []End{s.From, s.To} {
		if e.Kind == Network && !slices.ContainsFunc(links, func(l *ir.Link) bool { return l.Name == e.Name }) {
			return false
		}
	}
	return s.Kind != Publish || slices.ContainsFunc(links, func(l *ir.Link) bool {
		return slices.ContainsFunc(l.Addresses, func(a ir.Address) bool { return a.Prefix.Contains(s.Guest) })
	})
}

// Waits returns a warning for each network that s names, that is not among the links, and that is
// expected to come; none if another that s names is not expected.
func (s Statement) Waits(links []*ir.Link, expected func(network string) bool) (found diag.List) {
	for _, e := range []End{s.From, s.To} {
		if e.Kind != Network || slices.ContainsFunc(links, func(l *ir.Link) bool { return l.Name == e.Name }) {
			continue
		}
		if expected == nil || !expected(e.Name) {
			return nil
		}
		found = append(found, diag.Diagnostic{Severity: diag.Warning, Code: "policy-network", Span: e.Span,
			What: fmt.Sprintf("network %s is not in force yet", e.Name),
			Why:  "a statement has no effect before all networks that it names are in force",
			Fix:  "bring the network up: vnetc up " + diag.ShellWord(e.Name)})
	}
	return found
}
