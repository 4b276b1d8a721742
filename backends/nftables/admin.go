package nftables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/decode"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/ir"
)

// administer tells inv which chains are kept for the administrator's rules.
func administer(inv *delta.Inventory) {
	names := make([]string, len(ir.AdminChains))
	for i := range ir.AdminChains {
		names[i] = ir.AdminChains[i].Name
	}
	inv.Administer(namesOf(backends.VnetcNames).table, names)
}

// isAdmin is true if c, which was read, is kept for the administrator's rules.
func isAdmin(c *ir.Chain) bool {
	return c.Table == namesOf(backends.VnetcNames).table && c.Base == nil && c.Family != ir.Both && isAdminName(c.Name)
}

func isAdminName(chain string) bool {
	return slices.ContainsFunc(ir.AdminChains[:], func(a ir.AdminChain) bool { return a.Name == chain })
}

// markAdmin marks the administrator's chains in p, which was read from images, and the chains and
// sets of our tables that only his rules use.
func markAdmin(p *ir.Program, images []backends.Document) error {
	filled := false
	for _, c := range p.Chains {
		c.Admin = isAdmin(c)
		filled = filled || c.Admin && len(c.Rules) > 0
	}
	if !filled {
		return nil
	}
	var stream []byte
	for _, d := range images {
		stream = append(stream, d.Text...)
	}
	inv, err := delta.Take(stream)
	if err != nil {
		return err
	}
	administer(inv)
	for _, t := range inv.Tables {
		his := t.Administered()
		if his == nil {
			continue
		}
		family := decode.Family(t.Family)
		chains, sets := t.UsedByOthers(groupChains()...)
		for _, c := range p.Chains {
			if c.Family == family && c.Table == t.Name && his.Chain(c.Name) != nil && !slices.Contains(chains, c.Name) {
				c.Admin = true
			}
		}
		for _, s := range p.Sets {
			name := s.Name
			if dot := strings.LastIndexByte(name, '.'); t.Set(name) == nil && dot > 0 {
				name = name[:dot] // a set that is looked up for several things is several here
			}
			if s.Family == family && s.Table == t.Name && his.Set(name) != nil && !slices.Contains(sets, name) {
				s.Admin = true
			}
		}
	}
	return nil
}

// groupChains returns the names of the groups' chains.
func groupChains() (names []string) {
	of := namesOf(backends.VnetcNames)
	for i := range ir.GroupTable {
		names = append(names, of.of(&ir.GroupTable[i]))
	}
	return names
}

// readMarked is [decode.Read] that also says what is the administrator's.
func readMarked(links decode.Links, images []backends.Document) (*ir.Program, error) {
	p, err := decode.Read(links, images)
	if err != nil {
		return nil, err
	}
	return p, markAdmin(p, images)
}

var _ backends.Flusher = Loader{}

// FlushCommand implements [backends.Flusher].
func (Loader) FlushCommand(c *ir.Chain) string {
	return fmt.Sprintf("nft flush chain %s %s %s", c.Family, c.Table, c.Name)
}
