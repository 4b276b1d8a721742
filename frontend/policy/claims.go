package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Claims returns what the prover can decide of a list that is not enforced but asserted: that new
// connections get through, or do not.
func Claims(list []Statement) (all []prove.Assertion, found diag.List) {
	for _, s := range list {
		if s.Kind == Publish || s.Kind == Clamp {
			found = append(found, diag.Diagnostic{Severity: diag.Error, Code: "policy-unfit", Span: s.Span,
				What: fmt.Sprintf("%s is no assertion", s.Kind),
				Why:  "an assertion says who can open connections to whom: allow, deny or isolated",
				Fix:  "move the line to a policy that is enforced"})
			continue
		}
		all = append(all, s.claim())
	}
	return all, found
}

func (s Statement) claim() prove.Assertion {
	a := prove.Assertion{
		Kind: map[Kind]prove.AssertionKind{Allow: prove.Allow, Deny: prove.Deny, Isolated: prove.Isolated}[s.Kind],
		From: s.From.endpoint(), To: s.To.endpoint(), Text: s.String(), Span: s.Span,
	}
	if s.Kind == Isolated {
		return a
	}
	a.Query = prove.Query{Proto: s.Proto, Types: s.ICMP, Ports: s.Ports, In: s.From.By, Out: s.To.By,
		Source: s.spoken(s.From), Dest: s.spoken(s.To)}
	if s.Family != ir.Both {
		a.Query.Family = s.Family
	}
	return a
}

// spoken returns the addresses of an end that are of the statement's family.
func (s Statement) spoken(e End) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(e.Addrs), func(p netip.Prefix) bool {
		return familyOf(p.Addr())&s.Family == 0
	})
}

// endpoint returns what the prover calls the end; the zero value for [Anywhere].
func (e End) endpoint() prove.Endpoint {
	switch e.Kind {
	case Network:
		return prove.Endpoint{Kind: prove.Network, Name: e.Name}
	case Host:
		return prove.Endpoint{Kind: prove.Host}
	case Outside:
		return prove.Endpoint{Kind: prove.Outside}
	}
	return prove.Endpoint{}
}
