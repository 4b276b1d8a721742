package inforce

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/host"
)

// prefer has the rules of w go to the back end under which the fewest promises of its networks are
// broken by foreign rules, if none is in force and the user names none: those that stand now, and
// those of services that start at boot. Networks in force stay where they are. Of equal back ends
// the first counts.
func (h *Host) prefer(w Wanted) error {
	named := h.o.Rules.Backend != "" && h.o.Rules.Backend != auto
	if named || len(h.networks) > 0 || w.Found.HasErrors() || wantsNoRules(w.Program) {
		return nil
	}
	later := host.StartLater("/")
	if len(later) == 0 && !doctor.Foreign(h.o.Places) {
		return nil
	}
	here, err := host.Read()
	if err != nil {
		return failed(err)
	}
	c := h.o.Rules.follow(h.inForce())
	first := h.target.Loader
	lost, known := h.lost(w, first, c, here, later)
	if !known || len(lost) == 0 {
		return nil
	}
	best, fewest := first, len(lost)
	for _, l := range loaders(h.o.Places) {
		if l.Name() == first.Name() || l.Available() != nil {
			continue
		}
		if here, known := h.lost(w, l, c, here, later); known && len(here) < fewest {
			best, fewest = l, len(here)
		}
	}
	if best.Name() != first.Name() {
		h.put(best, c)
		h.tell(Preferred{Backend: best.Name(), Over: first.Name(), Lost: lost, Later: later})
	}
	return nil
}

// wantsNoRules is true if no network of p has rules.
func wantsNoRules(p *ir.Program) bool {
	for _, l := range p.Links {
		if l.Mode.Filtered() {
			return false
		}
	}
	return true
}

// lost returns the promises that are broken for certain if the rules of w are in l; known is false
// if that can't be told.
func (h *Host) lost(w Wanted, l backends.Loader, c Choice, here *ir.Host, later []string) (lost []expect.Answer,
	known bool) {
	surveyor, ok := l.(backends.Surveyor)
	if !ok {
		return nil, false
	}
	rules, found := l.Lower(w.Program, c.options(l))
	if found.HasErrors() {
		return nil, false
	}
	ours, err := l.Read(rules.Images())
	if err != nil {
		return nil, false
	}
	survey := doctor.Look(h.o.Places)
	survey.StartLater(later)
	survey.Add(ours, surveyor.World())
	report := doctor.Examine(doctor.Patient{Meant: w.Program, Survey: survey, Host: here, Only: w.Given()},
		prove.ShortBudget())
	for _, a := range report.Answers {
		if a.Verdict == expect.No && a.Fact == nil {
			lost = append(lost, a)
		}
	}
	return lost, true
}
