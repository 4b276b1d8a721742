package doctor

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// Trace follows one packet through the host; see [expect.Trace].
func Trace(p Patient, request ir.Request) (*expect.Journey, error) {
	decideTypes(p.Survey.Program, p.Host)
	j, err := expect.Trace(expect.Question{Meant: p.Meant, Whole: p.Survey.Program, Host: p.Host,
		Hidden: p.Survey.Hidden, Unread: p.Survey.blind()}, request)
	if err != nil {
		return nil, err
	}
	p.Survey.sign(j.Path)
	return j, nil
}

// sign fills in whose rules a path meets. A rule is a network's only where it is in vnetc's chains,
// or in those that libvirt made of the same network.
func (s *Survey) sign(p *expect.Path) {
	who := func(step ir.Step) (world, owner string) {
		return s.worldOf(step.Chain), ownerOf(s.Program, step)
	}
	for i := range p.Visits {
		v := &p.Visits[i]
		step := ir.Step{Chain: v.Chain, Index: v.Index, Rule: v.Rule}
		if v.World, v.Owner = who(step); v.Owner != vnetc && v.Owner != libvirt {
			v.Origin = nil
		}
	}
	for i := range p.Forks {
		f := &p.Forks[i]
		f.World, f.Owner = who(f.Step)
		s.sign(f.Matches)
	}
}
