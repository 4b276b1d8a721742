package policy

import (
	"fmt"
	"net/netip"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Check says what is wrong with the statements of one compilation, in the order in which they
// decide, as far as it follows from the networks: links are all of these; strict has those under
// strict isolation, by name, with the place where a document says what kind of network it is.
func Check(list []Statement, links []*ir.Link, strict map[string]diag.Span) diag.List {
	found := CheckNames(list, links)
	c := newChecker(links, strict)
	for i := range list {
		if s := &list[i]; c.knows(s.From) && c.knows(s.To) {
			c.statement(s)
		}
	}
	return append(found, c.found...)
}

// knows is true if the network that an end names, if any, is there.
func (c *checker) knows(e End) bool { return e.Kind != Network || c.named[e.Name] != nil }

// checker judges statements, one after the other.
type checker struct {
	links     []*ir.Link // those for which the host forwards
	named     map[string]*ir.Link
	strict    map[string]diag.Span
	published map[portScope][]*Statement // those before the statement at hand
	found     diag.List
}

func newChecker(links []*ir.Link, strict map[string]diag.Span) *checker {
	c := &checker{named: make(map[string]*ir.Link), strict: strict, published: make(map[portScope][]*Statement)}
	for _, l := range links {
		if l.Mode.Managed() {
			c.links, c.named[l.Name] = append(c.links, l), l
		}
	}
	return c
}

func (c *checker) statement(s *Statement) {
	switch s.Kind {
	case Publish:
		c.target(s)
		c.publishedTwice(s)
		c.served(s)
	case Allow:
		c.strictly(s)
		c.routeBack(s)
		c.addresses(s)
	case Deny:
		c.addresses(s)
	}
}

func (c *checker) report(severity diag.Severity, code diag.Code, at diag.Span, what, why, fix string,
	related ...diag.Related) {
	c.found = append(c.found, diag.Diagnostic{Severity: severity, Code: code, Span: at, What: what, Why: why, Fix: fix,
		Related: related})
}

// strictly reports an allow that --strict-isolation is there to prevent: guests of an isolated
// network get out, or what comes by a bridge with a source that is not its network's.
func (c *checker) strictly(s *Statement) {
	var from []*ir.Link
	switch {
	case len(c.strict) == 0:
	case s.From.Kind == Anywhere:
		from = c.links
	case s.From.Kind == Network:
		from = []*ir.Link{c.named[s.From.Name]}
	}
	for _, l := range from {
		where, ok := c.strict[l.Name]
		if !ok {
			continue
		}
		related := diag.Related{Span: where, Text: fmt.Sprintf("network %s is under --strict-isolation", l.Name)}
		leaves := s.To.Kind == Outside || s.To.Kind == Anywhere || s.To.Kind == Network && s.To.Name != l.Name
		if l.Mode == ir.ModeNone && leaves {
			c.report(diag.Error, "policy-strict", s.Span,
				fmt.Sprintf("this lets guests of the isolated network %s out", l.Name),
				"with --strict-isolation no guest gets out past the rules of its own network",
				"name another network with from, or compile without --strict-isolation", related)
			return
		}
		if p, outside := outsideOf(l, s.From.Addrs); outside {
			c.report(diag.Error, "policy-strict", s.From.Span,
				fmt.Sprintf("%s is no address of network %s", addrWord(p), l.Name),
				"with --strict-isolation what comes from a network with a source of another is dropped",
				"write addresses of the network, or compile without --strict-isolation", related)
			return
		}
	}
}

// routeBack warns of connections that guests can't answer or begin: they have no address of the
// family, or an isolated network offers them no route.
func (c *checker) routeBack(s *Statement) {
	for _, pair := range [][2]End{{s.From, s.To}, {s.To, s.From}} {
		l, other := c.named[pair[0].Name], pair[1]
		switch {
		case pair[0].Kind != Network:
		case s.Family&familiesOf(l) == 0:
			what := map[ir.Family]string{ir.IPv4: "IPv4 addresses", ir.IPv6: "IPv6 addresses"}[s.Family]
			if what == "" {
				what = "addresses"
			}
			c.report(diag.Warning, "policy-no-route", pair[0].Span,
				fmt.Sprintf("guests of network %s have no %s", l.Name, what),
				"the network has no such address, so nothing is routed there",
				"add such an <ip> to the network, or remove the statement")
			return
		case other.Kind == Outside, other.Kind == Network && other.Name != l.Name:
			if l.Mode == ir.ModeNone && !routesOffered(l, s.Family) {
				c.report(diag.Warning, "policy-no-route", pair[0].Span,
					fmt.Sprintf("guests of the isolated network %s get no route to %s", l.Name, plainEnd(other)),
					"an isolated network offers its guests no router, so they know no way to other networks",
					"add such a route to the guests by hand, or give the network another mode")
				return
			}
		}
	}
}

// routesOffered is true if guests of an isolated network may get a route by their network in one of
// the families: options of dnsmasq may say so, and nobody knows what is set by hand where there is
// no DHCP.
func routesOffered(l *ir.Link, family ir.Family) bool {
	if len(l.Options) > 0 {
		return true
	}
	dhcp := false
	for _, a := range l.Addresses {
		dhcp = dhcp || a.Prefix.Addr().Is4() && a.DHCP != nil
	}
	return family&familiesOf(l)&ir.IPv4 != 0 && !dhcp
}

// familiesOf returns the families of which the bridge of l has addresses.
func familiesOf(l *ir.Link) (all ir.Family) {
	for _, a := range l.Addresses {
		all |= familyOf(a.Prefix.Addr())
	}
	return all
}

// addresses warns of addresses in a network that it does not have. A deny from them is not in
// vain, as guests may lie about theirs.
func (c *checker) addresses(s *Statement) {
	if l := c.named[s.From.Name]; s.Kind == Allow && s.From.Kind == Network {
		if _, ok := c.strict[l.Name]; !ok { // else it is an error already
			c.address(s.From, l)
		}
	}
	if s.To.Kind == Network {
		c.address(s.To, c.named[s.To.Name])
	}
}

func (c *checker) address(e End, l *ir.Link) {
	if p, outside := outsideOf(l, e.Addrs); outside {
		c.report(diag.Warning, "policy-address", e.Span,
			fmt.Sprintf("%s is no address of network %s", addrWord(p), l.Name),
			"the addresses of a network are those of its subnets, and what its routes lead to",
			"correct the address, or name its network")
	}
}

// outsideOf returns the first of addrs that has no address of the network; ok is false if all have.
func outsideOf(l *ir.Link, addrs []netip.Prefix) (p netip.Prefix, ok bool) {
	for _, p := range addrs {
		if !hasAddress(l, p) {
			return p, true
		}
	}
	return p, false
}

// hasAddress is true if some address of p is in a subnet of l, or behind one of its routes.
func hasAddress(l *ir.Link, p netip.Prefix) bool {
	for _, a := range l.Addresses {
		if a.Prefix.Overlaps(p) {
			return true
		}
	}
	for _, r := range l.Routes {
		if r.Dest.Overlaps(p) {
			return true
		}
	}
	return false
}
