package doctor

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Add makes the survey one of the host as it will be with our rules in a world, as its back end
// reads them: in base chains that are there our jumps come first, as a load puts them.
func (s *Survey) Add(ours *ir.Program, world backends.World) {
	s.Program.Sets = append(s.Program.Sets, ours.Sets...)
	for _, c := range ours.Chains {
		if world == backends.LegacyIPTables {
			c.Table += legacyTable
		}
		i := slices.IndexFunc(s.Program.Chains, func(o *ir.Chain) bool {
			return o.Family == c.Family && o.Table == c.Table && o.Name == c.Name
		})
		if i < 0 {
			s.Program.Chains = append(s.Program.Chains, c)
			continue
		}
		there := *s.Program.Chains[i]
		there.Rules = slices.Concat(c.Rules, there.Rules)
		s.Program.Chains[i] = &there
	}
}

// Services that set rules when they start, by the names of their units.
const (
	dockerUnit = "docker.service"
	ufwUnit    = "ufw.service"
)

// StartLater puts in what services set that start at boot and have set nothing yet: Docker drops
// what is forwarded and is none of its own, ufw that and what comes in. Firewalld's rules are the
// same to every back end, so they are left out.
func (s *Survey) StartLater(units []string) {
	for _, unit := range units {
		switch unit {
		case dockerUnit:
			s.dropLater(docker, "FORWARD", ir.Forward)
		case ufwUnit:
			s.dropLater(ufw, "FORWARD", ir.Forward)
			s.dropLater(ufw, "INPUT", ir.Input)
		}
	}
}

// dropLater gives a built-in chain of table filter the policy drop, unless its owner has chains
// there.
func (s *Survey) dropLater(owner, name string, hook ir.Hook) {
	there := slices.ContainsFunc(s.Program.Chains, func(c *ir.Chain) bool {
		return c.Base == nil && ownerOf(s.Program, ir.Step{Chain: c, Rule: &ir.Rule{}}) == owner
	})
	if there {
		return
	}
	for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
		i := slices.IndexFunc(s.Program.Chains, func(c *ir.Chain) bool { return c.Family == f && c.Table == "filter" && c.Name == name })
		if i < 0 {
			s.Program.Chains = append(s.Program.Chains, &ir.Chain{Family: f, Table: "filter", Name: name})
			i = len(s.Program.Chains) - 1
		}
		c := *s.Program.Chains[i]
		c.Base = &ir.Base{Hook: hook, Type: ir.FilterType, Priority: ir.PriorityFilter, Drop: true}
		s.Program.Chains[i] = &c
	}
}
