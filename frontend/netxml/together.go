package netxml

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// together judges what only shows when all networks are seen at once. Every check is a look-up or a
// sorted walk, so that thousands of networks cost little more than each by itself.
type together struct {
	opts    Options
	nets    []*checker
	subnets []claim // but for link-local ones, which are of one network each; sorted by overlaps
}

// claim is a subnet and who has it.
type claim struct {
	*checker
	order int // of the network
	subnet
}

// checkTogether runs all checks, and chooses the bridges that the documents leave open.
func checkTogether(checkers []*checker, opts Options) {
	t := &together{opts: opts, nets: make([]*checker, 0, len(checkers)), subnets: make([]claim, 0, len(checkers))}
	for _, c := range checkers {
		if c.net == nil || c.net.root.Bad {
			continue
		}
		var local []claim
		for _, s := range c.net.subnets {
			switch {
			case s.ok && s.local():
				local = append(local, claim{c, len(t.nets), s})
			case s.ok:
				t.subnets = append(t.subnets, claim{c, len(t.nets), s})
			}
		}
		overlaps(local)
		t.nets = append(t.nets, c)
	}
	t.names()
	t.bridges()
	t.chooseBridges()
	overlaps(t.subnets)
	t.routes()
	t.natAddresses()
}

// owner is the first network to use a value, and where.
type owner struct {
	*checker
	at xmldoc.Extent
}

// first returns a function that remembers who was the first to use each value.
func (t *together) first() func(value string, c *checker, at xmldoc.Extent) (owner, bool) {
	seen := make(map[string]owner, len(t.nets))
	return func(value string, c *checker, at xmldoc.Extent) (owner, bool) {
		o, found := seen[value]
		if !found {
			seen[value] = owner{c, at}
		}
		return o, found
	}
}

func (o owner) related(text string) diag.Related {
	return o.checker.Related(o.at, text)
}

// names: name and UUID identify a network, and its MAC address the bridge.
func (t *together) names() {
	names, uuids, macs := t.first(), t.first(), t.first()
	for _, c := range t.nets {
		root := c.net.root
		if n := root.Sound("name"); n != nil {
			if o, twice := names(n.Text, c, n.TextAt); twice {
				c.Fault("name-twice", n.TextAt, fmt.Sprintf("two networks have the name %s", xmldoc.Quote(n.Text)),
					"everything that is made for a network has its name",
					"rename one of the two", o.related("the first"))
			}
		}
		if n := root.Sound("uuid"); n != nil {
			id, _ := xmldoc.ParseUUID(n.Text)
			if o, twice := uuids(string(id[:]), c, n.TextAt); twice {
				c.Fault("uuid-twice", n.TextAt, fmt.Sprintf("two networks have the UUID %s", xmldoc.Quote(n.Text)),
					"a UUID identifies one network", "write the output of uuidgen, or leave it out",
					o.related("the first"))
			}
		}
		if n := root.Sound("mac"); n != nil {
			mac, ok := xmldoc.ParseMAC(n.ValueOr("address"))
			if o, twice := macs(string(mac[:]), c, n.At("address")); ok && twice {
				c.Warn("mac-twice", n.At("address"),
					fmt.Sprintf("two networks have the MAC address %s", n.ValueOr("address")),
					"they work while their bridges are never connected with each other",
					"alter one of the two, or leave it out", o.related("the first"))
			}
		}
	}
}

// bridges: a bridge that is made for a network belongs to it. Networks that only use a bridge of
// the host may share it.
func (t *together) bridges() {
	names := t.first()
	for _, c := range t.nets {
		name, ok := c.bridgePattern()
		if !ok || strings.Contains(name, "%") {
			continue
		}
		if o, twice := names(name, c, c.bridgeAt()); twice && c.managed() {
			c.Fault("bridge-twice", c.bridgeAt(), fmt.Sprintf("two networks have the bridge %s", name),
				"a bridge that is made for a network belongs to it alone",
				"rename one of the two, or leave the name out", o.related("the first"))
		}
	}
}

// overlaps: an address is in one subnet of one network. Of prefixes sorted by address, the largest
// first of those with the same, those that overlap one are the ones that hold it, and they lie on
// the stack.
func overlaps(subnets []claim) {
	slices.SortStableFunc(subnets, func(a, b claim) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	var stack []claim
	told := map[*xmldoc.Node]bool{} // one complaint for an <ip>
	for _, s := range subnets {
		for len(stack) > 0 && !stack[len(stack)-1].prefix.Overlaps(s.prefix) {
			stack = stack[:len(stack)-1]
		}
		if len(stack) > 0 {
			early, late := stack[len(stack)-1], s
			if late.order < early.order || late.order == early.order && late.node.Tag.Start < early.node.Tag.Start {
				early, late = late, early
			}
			if !told[late.node] {
				told[late.node] = true
				late.Fault("ip-overlap", late.node.At("address"),
					fmt.Sprintf("subnet %s overlaps %s", late.prefix, early.prefix),
					"the host would not know on which bridge an address is",
					"choose a subnet that no other <ip> has",
					owner{early.checker, early.node.At("address")}.related("the other subnet"))
			}
		}
		stack = append(stack, s)
	}
}

// in returns the subnet that holds a; ok is false if none does. Where subnets overlap it may be any
// of them.
func (t *together) in(a netip.Addr) (c claim, ok bool) {
	i, found := slices.BinarySearchFunc(t.subnets, a, func(c claim, a netip.Addr) int {
		return c.prefix.Addr().Compare(a)
	})
	if !found {
		i--
	}
	if i >= 0 && t.subnets[i].prefix.Contains(a) {
		return t.subnets[i], true
	}
	return c, false
}

// routes: a subnet is on a bridge or behind a gateway, not both, and behind one gateway.
func (t *together) routes() {
	dests := t.first()
	for _, c := range t.nets {
		mine := map[string]bool{}
		for _, r := range c.statics {
			at := r.node.At("address")
			if s, found := t.in(r.dest.Addr()); found && r.dest.Bits() >= s.prefix.Bits() {
				other := owner{s.checker, s.node.At("address")}.related("the subnet")
				switch {
				case r.dest == s.prefix:
					why := "the host is on that subnet itself and needs no gateway"
					if s.checker != c && r.dest.Addr().Is4() { // libvirt looks for others of IPv4 only
						why += "; libvirt refuses to start the second of the two"
					}
					c.Fault("route-overlap", at,
						fmt.Sprintf("the route leads to %s, which is a subnet of network %s", r.dest,
							xmldoc.Quote(s.net.Name())),
						why, "remove the route, or correct its address", other)
				case s.checker != c:
					c.Warn("route-part", at,
						fmt.Sprintf("the route takes %s out of %s, a subnet of network %s", r.dest, s.prefix,
							xmldoc.Quote(s.net.Name())),
						"the host would send packets for guests there to a guest here", "correct the route's address",
						other)
				}
			}
			key, why := r.dest.String(), "libvirt refuses to start the second of the two"
			if r.dest.Addr().Is6() { // libvirt looks for others of IPv4 only; routes of IPv6 may differ in metric
				key += fmt.Sprint(" metric ", r.metric)
				why = "the kernel takes one route to a subnet, or several that differ in metric"
			}
			if o, twice := dests(key, c, at); twice && o.checker != c && !mine[key] {
				c.Fault("route-twice", at, fmt.Sprintf("two networks have a route to %s", r.dest), why,
					"remove one of the two",
					o.related("the first"))
			}
			mine[key] = true
		}
	}
}

// natAddresses: the addresses that guests share should be the host's own, and of one network.
func (t *together) natAddresses() {
	var spans []natSpan
	for _, c := range t.nets {
		n := c.net.root.Sound("forward").Sound("nat").Sound("address")
		from, ok1 := n.Addr("start")
		to, ok2 := n.Addr("end")
		if !ok1 || !ok2 || to.Less(from) {
			continue
		}
		spans = append(spans, natSpan{owner{c, n.At("start")}, from, to})
		if _, known := t.in(from); !known {
			c.Warn("nat-address-unknown", n.At("start"), fmt.Sprintf("%s is in no subnet of these networks", from),
				"neither libvirt nor vnetc gives the host these addresses: answers come back only if it has them or "+
					"they are routed to it",
				"make sure of it; or leave <address> out, to take the address of the interface")
		}
	}
	slices.SortStableFunc(spans, func(a, b natSpan) int { return a.from.Compare(b.from) })
	for i := 1; i < len(spans); i++ {
		a, b := spans[i-1], spans[i]
		if !a.to.Less(b.from) {
			early, late := a, b
			if slices.Index(t.nets, late.checker) < slices.Index(t.nets, early.checker) {
				early, late = late, early
			}
			late.Warn("nat-address-twice", late.at,
				fmt.Sprintf("two networks share addresses of %s-%s", late.from, late.to),
				"guests of both look the same from outside, and use up the same ports",
				"give each network addresses of its own", early.related("the other"))
		}
		if b.to.Less(a.to) {
			spans[i].owner, spans[i].to = a.owner, a.to // what follows is compared with the one that reaches farther
		}
	}
}

// natSpan is the range of addresses that the guests of a network share.
type natSpan struct {
	owner
	from, to netip.Addr
}
