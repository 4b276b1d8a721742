package prove

import (
	"errors"
	"slices"

	"github.com/vnetc/vnetc/ir"
)

// maxFlips bounds how many rules are tried one by one.
const maxFlips = 64

// deciding returns a rule that is not modelled and decides whether pkt gets through p: one that
// makes a difference by itself if there is one, else one that does if those before it match. Ok is
// false if the packet meets none.
func deciding(p *ir.Program, pkt ir.Packet) (step ir.Step, ok bool) {
	d := &decider{program: p, packet: pkt, causes: make(map[*ir.Rule]ir.Step)}
	first, ok := d.passes(func(*ir.Rule) bool { return false })
	asked := slices.Clone(d.asked)
	if !ok {
		return d.stuck, d.stuck.Rule != nil
	}
	for _, r := range asked[:min(len(asked), maxFlips)] {
		if passes, ok := d.passes(func(o *ir.Rule) bool { return o == r }); !ok || passes != first {
			return d.causes[r], true
		}
	}
	return d.bisect(first, asked)
}

// decider walks one packet with unknown matches decided.
type decider struct {
	program *ir.Program
	packet  ir.Packet
	asked   []*ir.Rule           // by the last walk, each once
	causes  map[*ir.Rule]ir.Step // which rule is to blame that it had to ask
	stuck   ir.Step              // where the last walk came to what has no two sides
}

// passes walks the packet; ok is false if its fate is not known all the same.
func (d *decider) passes(holds func(*ir.Rule) bool) (passes, ok bool) {
	d.asked = d.asked[:0]
	fate, err := ir.EvalIf(d.program, d.packet, func(at, cause ir.Step) bool {
		if _, known := d.causes[at.Rule]; !known {
			d.causes[at.Rule] = cause
		}
		if !slices.Contains(d.asked, at.Rule) {
			d.asked = append(d.asked, at.Rule)
		}
		return holds(at.Rule)
	})
	var unknown *ir.UnknownError
	if errors.As(err, &unknown) {
		d.stuck = unknown.Step
	}
	return fate.Outcome == ir.Accepted, err == nil
}

// bisect finds a rule that makes a difference if those before it match: all that match, in the
// order of the program, differ from none.
func (d *decider) bisect(first bool, asked []*ir.Rule) (ir.Step, bool) {
	place := make(map[*ir.Rule]int)
	var all []*ir.Rule
	for _, c := range d.program.Chains {
		for i := range c.Rules {
			place[&c.Rules[i]] = len(all)
			all = append(all, &c.Rules[i])
		}
	}
	from, to := 0, len(all) // the first so many rules hold
	for to-from > 1 {
		half := (from + to) / 2
		passes, ok := d.passes(func(r *ir.Rule) bool { return place[r] < half })
		if ok && passes == first {
			from = half
		} else {
			to = half
		}
	}
	if cause, known := d.causes[all[from]]; known {
		return cause, true
	}
	if len(asked) > 0 {
		return d.causes[asked[0]], true
	}
	return ir.Step{}, false
}
