package prove

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove/bdd"
)

// Difference is a kind of packet whose fate is not the same under two programs.
type Difference struct {
	From, To Endpoint
	Family   ir.Family
	Was, Now string    // their fate, in words
	Packets  []string  // which packets, in words
	Example  ir.Packet // one of them

	// Because is the rule that is not modelled and decides whether it is so: these packets may have
	// fate Now, or may keep theirs. Its Rule is nil for what is certain.
	Because ir.Step

	// Foreign is true if all of them have an address that is not of the endpoint where they come
	// from or go to, as those of guests who lie about theirs; reverse path filtering may drop such
	// packets.
	Foreign bool
}

// String returns the difference in one line for each kind of packet: tcp port 22 from network lab
// to network dmz: was rejected with port-unreachable, now accepted.
func (d Difference) String() string {
	text := ""
	for _, p := range d.Packets {
		text += fmt.Sprintf("%s from %s to %s (%s): was %s, now %s\n", p, d.From, d.To, d.Family, d.Was, d.NowWords())
	}
	return text
}

// NowWords returns the fate of the packets now, or the possible one: accepted, may be accepted.
func (d Difference) NowWords() string {
	if d.Because.Rule != nil {
		return "may be " + d.Now
	}
	return d.Now
}

// Change returns the packets whose fate differs between a, the old program, and b, the new one, by
// where they come from and where they go; endpoints are those of both programs. Those with foreign
// addresses come last. Nothing is returned for packets that have the same fate. What depends on
// rules that are not modelled is reported as such. It has no bound: [Budget.Change] does.
func Change(a, b *ir.Program) []Difference {
	return noBudget().Change(a, b, math.MaxInt).All
}

// Changes is what [Budget.Change] found.
type Changes struct {
	All  []Difference
	More bool // More is true if there are others of the same kinds.
	// TooLarge is true if there may be others of any kind: to find them would cost more than the
	// budget has.
	TooLarge bool
}

// Change is the function Change, but returns at most "most" differences of each kind: of one family
// and one way through the host, from one fate to another. One rule can make a difference between
// every two of a thousand networks.
func (budget *Budget) Change(a, b *ir.Program, most int) Changes {
	links := append([]*ir.Link(nil), b.Links...)
	known := make(map[string]bool)
	for _, l := range links {
		known[l.Name] = true
	}
	for _, l := range a.Links {
		if !known[l.Name] {
			links = append(links, l)
		}
	}
	var found Changes
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		functions := bdd.New()
		c := &changes{most: most, programs: []*ir.Program{b, a}}
		whole := budget.spend(functions, func() {
			c.space = newSpaceIn(functions, byField, family, a, b)
			c.places = newPlaces(c.space, links)
			ma, mb := newModel(c.space, a), newModel(c.space, b)
			for _, w := range ways {
				if looked, _ := unlike(ma, mb, w); looked != never {
					c.in(w, ma.fates(w, looked), mb.fates(w, looked))
				}
			}
		})
		found.All = append(found.All, c.found...)
		found.More = found.More || c.more
		found.TooLarge = found.TooLarge || !whole
	}
	slices.SortStableFunc(found.All, func(a, b Difference) int { return cmp.Compare(rank(a), rank(b)) })
	return found
}

// rank puts differences of packets with foreign addresses behind the others.
func rank(d Difference) int {
	if d.Foreign {
		return 1
	}
	return 0
}

// changes compares in one family.
type changes struct {
	*space
	places   *places
	programs []*ir.Program
	most     int  // of one kind
	more     bool // true if there were more of a kind
	found    []Difference
}

// in finds the differences of packets that go way w.
func (c *changes) in(w way, was, now fates) {
	within := c.packets(w)
	for _, before := range c.inOrder(was) {
		rest := c.Diff(c.And(within, was[before]), now[before])
		for _, after := range c.inOrder(now) {
			if set := c.And(rest, now[after]); before != after && set != never {
				c.record(set, before, after)
			}
		}
	}
}

// record finds the differences of packets in set, some or all of which depend on what is not
// modelled.
func (c *changes) record(set node, before, after fate) {
	for _, f := range []fate{after, before} {
		if f.unknown != nil {
			c.byPlace(c.Without(set, c.opaqueCube()), before.String(), after.String(), stepOf(f.unknown, c.programs...))
			return
		}
	}
	sure := set
	if len(c.opaque) > 0 {
		sure = c.certain(set)
	}
	if sure != never {
		c.byPlace(sure, before.String(), after.String(), ir.Step{})
	}
	if rest := c.Diff(set, sure); rest != never {
		c.byPlace(c.Without(rest, c.opaqueCube()), before.String(), after.String(), c.opaqueIn(rest))
	}
}

// byPlace divides the packets of set by where they come from and go to.
func (c *changes) byPlace(set node, was, now string, because ir.Step) {
	kind := len(c.found)
	for _, from := range c.places.occurring(set, source) {
		part := c.And(set, c.places.by(from, source))
		for _, to := range c.places.occurring(part, dest) {
			packets := c.And(part, c.places.by(to, dest))
			if packets == never {
				continue
			}
			if len(c.found)-kind == c.most {
				c.more = true
				return
			}
			usual := c.And(packets, c.And(c.places.from(from), c.places.to(to)))
			if usual != never {
				packets = usual // those with the addresses of their endpoints are the plainer case
			}
			c.found = append(c.found, Difference{
				From: from, To: to, Family: c.family, Was: was, Now: now, Packets: c.words(packets, from, to),
				Example: c.pick(packets),
				Foreign: usual == never, Because: because,
			})
		}
	}
}

// numberOf returns the number of the end that an unknown fate is; it distinguishes such fates.
func (s *space) numberOf(f fate) endNumber {
	if f.unknown == nil {
		return 0
	}
	return s.number(end{kind: endUnknown, rule: f.unknown})
}

// inOrder returns the fates in the order of their words, so that results don't depend on the order
// of a map.
func (s *space) inOrder(f fates) []fate {
	var all []fate
	for one := range f {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b fate) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), cmp.Compare(s.numberOf(a), s.numberOf(b)))
	})
	return all
}

// String returns what [ir.Fate] says.
func (f fate) String() string {
	if f.unknown != nil {
		return "anything" // the rule goes with it
	}
	public := ir.Fate{Outcome: f.outcome, Reject: f.reject, Altered: f.altered}
	if f.snat != (ir.NAT{}) {
		public.SNAT = &f.snat
	}
	if f.dnat != (ir.NAT{}) {
		public.DNAT = &f.dnat
	}
	return public.String()
}
