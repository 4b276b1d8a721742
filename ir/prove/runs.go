package prove

import (
	"maps"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// run is consecutive rules that match a value on the same axes.
type run struct {
	common
	steps []ir.Step
}

// runs cuts rules into runs, each as long as it can be.
func runs(steps []ir.Step) []*run {
	var all []*run
	for len(steps) > 0 {
		r, n := &run{}, 0
		for n < len(steps) && (n == 0 || !steps[n].Rule.Alters()) && r.takes(steps[n].Rule.Matches) {
			if n++; steps[0].Rule.Alters() { // what it alters, the next rule sees
				break
			}
		}
		r.steps, steps = steps[:n], steps[n:]
		all = append(all, r)
	}
	return all
}

// run returns what the rules do: value by value, if there is an axis.
func (m *model) run(r *run, hook ir.Hook) part {
	by, ok := r.axis(hook)
	if !ok || len(r.steps) == 1 {
		return m.oneByOne(r, hook)
	}
	f, all := m.byValue(&r.common, by, func(rule int32) []ir.Match { return r.steps[rule].Rule.Matches })
	ends := make(map[endNumber][]choice)
	var back, stay []choice
	var parts []part
	for len(all) > 0 {
		group := sameValue(all)
		all = all[len(group):]
		parts = parts[:0]
		for _, p := range group {
			step := r.steps[p.rule]
			parts = append(parts, m.does(step, hook, m.meetsBut(step, hook, int(p.but))))
		}
		p := m.fold(parts)
		if len(p.altered) > 0 {
			return m.oneByOne(r, hook)
		}
		for _, e := range p.ends {
			ends[e.end] = append(ends[e.end], choice{group[0].value, e.set})
		}
		if p.back != never {
			back = append(back, choice{group[0].value, p.back})
		}
		if p.on != always {
			stay = append(stay, choice{group[0].value, m.Not(p.on)})
		}
	}
	return m.limited(m.apart(f, ends, back, stay))
}

// oneByOne is run without an axis.
func (m *model) oneByOne(r *run, hook ir.Hook) part {
	parts := make([]part, len(r.steps))
	for i, step := range r.steps {
		parts[i] = m.does(step, hook, m.And(m.scope, m.meets(step, hook)))
	}
	return m.fold(parts)
}

// apart returns what is done to the packets of each value of a field, as one part. Those of stay
// don't go on behind the run.
func (m *model) apart(f field, ends map[endNumber][]choice, back, stay []choice) part {
	out := part{back: m.choose(f, back)}
	met := out.back
	for _, e := range slices.Sorted(maps.Keys(ends)) {
		set := m.choose(f, ends[e])
		out.ends = append(out.ends, ending{e, set})
		met = m.Or(met, set)
	}
	out.on = m.Not(met)
	if m.may {
		out.on = m.Not(m.choose(f, stay))
	}
	return out
}
