package ir

// AdminChain is a chain for the administrator's own rules. Front ends never fill it and no program
// that they make has it: back ends make it empty, lead packets there before any rule of a group at
// its base, and then leave its rules alone.
type AdminChain struct {
	Name string // in small letters
	Base
}

// AdminChains lists the administrator's chains in the order in which a packet may meet them. Those
// at prerouting and postrouting are of type nat, so that address translation works there.
var AdminChains = [...]AdminChain{
	{"admin_prerouting", Base{Hook: Prerouting, Type: NATType, Priority: PriorityDstNAT}},
	{"admin_input", Base{Hook: Input, Type: FilterType, Priority: PriorityFilter}},
	{"admin_forward", Base{Hook: Forward, Type: FilterType, Priority: PriorityFilter}},
	{"admin_postrouting", Base{Hook: Postrouting, Type: NATType, Priority: PrioritySrcNAT}},
}

// AdminAt returns the administrator's chain at a base, nil if there is none.
func AdminAt(b Base) *AdminChain {
	for i := range AdminChains {
		if AdminChains[i].Base == b {
			return &AdminChains[i]
		}
	}
	return nil
}

// WithoutAdmin returns p without the administrator's rules: his chains are there and empty. It is p
// itself if there are no such rules.
func (p *Program) WithoutAdmin() *Program {
	if p.AdminRules() == 0 {
		return p
	}
	out := *p
	out.Chains = make([]*Chain, len(p.Chains))
	for i, c := range p.Chains {
		if c.Admin {
			bare := *c
			bare.Rules = nil
			c = &bare
		}
		out.Chains[i] = c
	}
	return &out
}

// AdminRules returns how many rules the administrator has in p, those in chains that his rules lead
// to among them.
func (p *Program) AdminRules() int {
	n := 0
	for _, c := range p.Chains {
		if c.Admin {
			n += len(c.Rules)
		}
	}
	return n
}
