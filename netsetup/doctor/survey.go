// Package doctor reads all rules of a host, whoever made them, joins them into one program with
// what the host itself decides, and says which of a network's promises to its guests do not hold
// there, whose rules are in the way, and what cures it. It knows back ends by their contract,
// changes nothing, and prints nothing.
package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// Survey is all that was read of a host's rules.
type Survey struct {
	Program *ir.Program
	Hidden  []ir.Hidden
	Unread  []backends.Unread

	worlds map[*ir.Chain]string // the name of its place
}

// Look reads the rules of all places in the network namespace of the calling thread.
func Look(places []firewall.Place) Survey {
	s := look(places, backends.Surveyor.Survey)
	s.check()
	return s
}

// Foreign is true if foreign rules, or the ends of their chains, may be in the way of packets, in
// any of the places. It is far cheaper than Look.
func Foreign(places []firewall.Place) bool {
	s := look(places, backends.Surveyor.Hooks)
	return s.foreign()
}

func look(places []firewall.Place, read func(backends.Surveyor) (backends.Survey, error)) Survey {
	s := Survey{Program: &ir.Program{}, worlds: make(map[*ir.Chain]string)}
	for _, p := range places {
		l, ok := p.Loader.(backends.Surveyor)
		if !ok {
			continue
		}
		found, err := read(l)
		if err != nil {
			s.Unread = append(s.Unread, backends.Unread{What: "the rules in " + p.Title, Why: err.Error()})
			continue
		}
		s.Hidden = append(s.Hidden, found.Hidden...)
		s.Unread = append(s.Unread, found.Unread...)
		s.join(found, p.Name)
	}
	return s
}

// legacyTable ends the names of tables of iptables-legacy, which are others than those of
// iptables-nft.
const legacyTable = " (legacy)"

// join adds what was found in one place. Chains of nf_tables that are there already are replaced by
// what tells more of them; those of another world have tables of their own, even where these go by
// the same names.
func (s *Survey) join(found backends.Survey, tool string) {
	s.Program.Sets = append(s.Program.Sets, found.Program.Sets...)
	for _, c := range found.Program.Chains {
		if found.World == backends.LegacyIPTables {
			c.Table += legacyTable
		}
		s.worlds[c] = tool
		i := slices.IndexFunc(s.Program.Chains, func(o *ir.Chain) bool {
			return o.Family == c.Family && o.Table == c.Table && o.Name == c.Name
		})
		switch {
		case i < 0 && found.World == backends.NFTables && tool != "nftables":
			// The kernel has no such chain: it is one that the text has for being built in, or it
			// went meanwhile.
		case i < 0:
			s.Program.Chains = append(s.Program.Chains, c)
		case tells(c, s.Program.Chains[i]):
			c.Base = s.Program.Chains[i].Base
			s.Program.Chains[i] = c
		default:
			s.worlds[s.Program.Chains[i]] = tool
			s.Unread = append(s.Unread, backends.Unread{
				What: fmt.Sprintf("rules of %s in the words of %s", c.Label(), tool), Worse: true,
				Why: "nft made rules there, which that tool can't list, or somebody changed them meanwhile",
			})
		}
	}
}

// tells is true if text, a chain as a tool lists it, has the same rules as the kernel's chain. A
// rule that looks packets up in a set was made by nft, and the tools of iptables list it without
// that (1.8.9).
func tells(text, kernel *ir.Chain) bool {
	lines := make(map[int]bool)
	for i := range text.Rules {
		lines[text.Rules[i].Origin.Span.Start.Line] = true
	}
	looksUp := func(r ir.Rule) bool {
		return slices.ContainsFunc(r.Matches, func(m ir.Match) bool {
			_, is := m.(ir.Lookup)
			o, opaque := m.(ir.Opaque)
			u, unknown := m.(ir.Unknown)
			return is || opaque && strings.Contains(o.Text, " @") || unknown && strings.Contains(u.Text, " @")
		}) || r.Origin.Element != "" // a part of a rule with a map
	}
	return len(lines) == len(kernel.Rules) && !slices.ContainsFunc(kernel.Rules, looksUp)
}

// check leaves out tables that can't be a program, so that nothing that follows has to expect them.
func (s *Survey) check() {
	for range s.Program.Chains {
		found := ir.Verify(s.Program)
		if !found.HasErrors() {
			return
		}
		bad := s.blamed()
		if bad == nil {
			return
		}
		s.Unread = append(s.Unread, backends.Unread{
			What: fmt.Sprintf("table %s %s", bad.Family, bad.Table), Why: "its rules are not understood: " + strings.TrimSpace(found[0].String()),
		})
		s.Program.Chains = slices.DeleteFunc(s.Program.Chains,
			func(c *ir.Chain) bool { return c.Family == bad.Family && c.Table == bad.Table })
	}
}

// blamed returns a chain of a table that by itself is no program; nil if there is none.
func (s *Survey) blamed() *ir.Chain {
	for _, c := range s.Program.Chains {
		alone := ir.Program{Sets: s.Program.Sets}
		for _, o := range s.Program.Chains {
			if o.Family == c.Family && o.Table == c.Table {
				alone.Chains = append(alone.Chains, o)
			}
		}
		if ir.Verify(&alone).HasErrors() {
			return c
		}
	}
	return nil
}

// foreign is true if a rule, or the end of a chain, may do anything to packets that vnetc's own do
// not; or if something was not read. Vnetc's own are those under its names.
func (s *Survey) foreign() bool {
	if len(s.Unread) > 0 || slices.ContainsFunc(s.Hidden, func(h ir.Hidden) bool { return h.Chain != "" }) {
		return true
	}
	return slices.ContainsFunc(s.Program.Chains, func(c *ir.Chain) bool {
		if c.Base == nil || isOurs(c.Table, c.Name) {
			return false
		}
		return c.Base.Drop || slices.ContainsFunc(c.Rules, func(r ir.Rule) bool { return mayAct(c, &r) })
	})
}

// isOurs is true for a chain of vnetc's.
func isOurs(table, chain string) bool {
	return ownerOf(nil, ir.Step{Chain: &ir.Chain{Table: table, Name: chain}, Rule: &ir.Rule{}}) == vnetc
}

// mayAct is true if r does more than to let packets on as they are, or to lead them to vnetc's
// chains.
func mayAct(c *ir.Chain, r *ir.Rule) bool {
	if r.Alters() {
		return true
	}
	switch v := r.Verdict.(type) {
	case ir.Accept, ir.Return, ir.Counter, ir.ChecksumFill:
		return false
	case ir.Jump:
		return !isOurs(c.Table, v.Chain)
	}
	return true
}
