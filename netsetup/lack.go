package netsetup

import (
	"errors"
	"os"
	"slices"

	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// leave takes those steps out of the plan that the kernel couldn't do before and of which it can do
// nothing now, unless it has got a module since that was missing then: without that, a network on
// such a kernel would never be as it should be.
func (h *Host) leave(p *Plan) {
	known := h.Lacks[p.Name]
	lacking := func(s Step) bool {
		i := slices.IndexFunc(known, func(l state.Lack) bool { return l.Step == s.String() })
		if i < 0 || slices.ContainsFunc(known[i].Modules, loaded) {
			return false
		}
		f, ok := s.(interface {
			Futile(func(module string) bool) bool
		})
		if ok && !f.Futile(func(m string) bool { return slices.Contains(known[i].Modules, m) }) {
			return false
		}
		p.Lacks = append(p.Lacks, known[i])
		return true
	}
	p.Before = slices.DeleteFunc(p.Before, lacking)
	p.After = slices.DeleteFunc(p.After, lacking)
}

// loaded is true if the kernel has a module, loaded or built in.
func loaded(module string) bool {
	_, err := os.Stat("/sys/module/" + module)
	return err == nil
}

// LacksOf returns what the kernel lacks for a network after its plan was carried out: what was left
// out for that, and what failed for it now.
func LacksOf(p Plan, o Outcome) []state.Lack {
	lacks := slices.Clone(p.Lacks)
	for _, err := range o.Warnings {
		var w *link.Warning
		if errors.As(err, &w) && len(w.Modules) > 0 {
			lacks = append(lacks, state.Lack{Step: w.Step, Modules: w.Modules})
		}
	}
	return lacks
}
