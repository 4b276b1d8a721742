// Package frontend joins the front ends: it turns the sources of one compilation, networks and
// policies, into a verified program. Like them it is pure, and knows neither back ends nor a host.
package frontend

import (
	"slices"

	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Options alter a compilation. The zero value is the strict one.
type Options struct {
	netxml.Options // but for Skip, which is set here
	// Policies are the sources that are policies whatever their names, and whose statements decide
	// before all others: those of --policy, in the order given.
	Policies []string
	// Expected is true of networks that are not in this compilation and may come to it later: what
	// statements say of them has no effect, and is a warning. Nil expects none.
	Expected func(network string) bool
	// OwnRules is true if only the networks' own rules are wanted: all policies are left out.
	OwnRules bool
}

// Parsed is what the sources of one compilation say.
type Parsed struct {
	Networks []*netxml.Network
	// Policy is all policies in one list, in the order in which statements decide: those of
	// [Options.Policies], then of other sources that are policies, in the order of the sources,
	// then of the documents of networks, in the order of the networks.
	Policy []policy.Statement
	// Expected is [Options.Expected].
	Expected func(network string) bool
	// Files are the sources that are policies, in that order.
	Files []string
}

// Parse reads the sources: policies by their names (see [docpath.IsPolicy]) and the options, and
// all others as networks. What it returns may be lowered only if the list has no error.
func Parse(src *diag.Sources, o Options) (p Parsed, found diag.List) {
	files := slices.Clone(o.Policies)
	for _, name := range src.Names() {
		if docpath.IsPolicy(name) && !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	o.Skip = func(name string) bool { return slices.Contains(files, name) }
	p.Networks, found = netxml.Parse(src, o.Options)
	if o.OwnRules {
		return p, found
	}
	var documents []policy.Document
	for _, n := range p.Networks {
		if text, span, ok := n.Policy(); ok {
			documents = append(documents, policy.Document{Network: n.Name(), Text: text, Span: span})
		}
	}
	list, more := policy.ParseAll(src, files, documents)
	p.Expected = o.Expected
	p.Policy, p.Files, found = list, files, append(found, more...)
	if len(files) > 0 || len(documents) > 0 {
		found.Sort(src)
	}
	return p, found
}

// Strict returns which networks are under strict isolation, by name, and where their documents say
// what kind of network they are: what [policy.Check] asks for.
func (p Parsed) Strict() map[string]diag.Span {
	all := make(map[string]diag.Span)
	for _, n := range p.Networks {
		if n.Strict {
			all[n.Name()] = n.Place()
		}
	}
	return all
}

// Compile returns the verified program of the sources; nil, with the reasons, if there are errors.
func Compile(src *diag.Sources, o Options) (*ir.Program, diag.List) {
	parsed, found := Parse(src, o)
	if found.HasErrors() {
		return nil, found
	}
	p, more := parsed.Lower(src, nil)
	if found = append(found, more...); len(more) > 0 {
		found.Sort(src)
	}
	if !found.HasErrors() {
		found = append(found, ir.Verify(p)...)
	}
	if found.HasErrors() {
		return nil, found
	}
	return p, found
}

// Lower makes one program of the networks and the policies, which are judged by the networks that
// there are; nil, with the reasons, if there are errors. What statements of sources that were
// judged before say of networks that are not there has no effect; a nil function is true of none.
func (p Parsed) Lower(src *diag.Sources, judged func(source string) bool) (*ir.Program, diag.List) {
	out := netxml.Lower(p.Networks)
	var found diag.List
	list := slices.DeleteFunc(slices.Clone(p.Policy), func(s policy.Statement) bool {
		if judged != nil && judged(s.Span.File) {
			return !s.Concerns(out.Links)
		}
		waits := s.Waits(out.Links, p.Expected)
		found = append(found, waits...)
		return len(waits) > 0
	})
	found = append(found, policy.Check(list, out.Links, p.Strict())...)
	policy.Conceal(src, found)
	if found.HasErrors() {
		return nil, found
	}
	policy.Lower(out, list)
	return out, found
}
