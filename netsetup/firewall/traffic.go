package firewall

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Traffic is what the rules of one network, or of all together, have counted since they are in
// force. A nil figure is one that the network's rules do not keep apart from that of others.
type Traffic struct {
	In  *backends.Count `json:"in"`  // accepted on the way to the guests, from elsewhere
	Out *backends.Count `json:"out"` // accepted on the way from the guests, to elsewhere
	// accepted between guests; what the bridge forwards by itself is not among it
	Between *backends.Count `json:"between"`
	Refused *backends.Count `json:"refused"` // rejected and dropped, in whatever direction
}

// Figures is what the rules of a program have counted.
type Figures struct {
	All      Traffic
	Networks map[string]Traffic // by name
}

// Count returns what the rules of p have counted that the target holds: of networks by the names in
// p's links. What others' rules, or p's rules for other chains than those of forwarded packets,
// have counted is not in it.
func Count(p *ir.Program, t Target) (Figures, diag.List, error) {
	counter, ok := t.Loader.(backends.CounterReader)
	if !ok {
		return Figures{}, nil, fmt.Errorf("back end %s has no counters", t.Loader.Name())
	}
	rules, found := t.Loader.Lower(p, t.Options)
	if found.HasErrors() {
		return Figures{}, found, nil
	}
	counters, err := counter.Counters(rules)
	if err != nil {
		return Figures{}, found, err
	}
	return sum(p, counters), found, nil
}

// sum adds the counters up.
func sum(p *ir.Program, counters []backends.Counted) Figures {
	of := directionsOf(p)
	all := new(meter)
	meters := make(map[string]*meter)
	for _, l := range p.Links {
		meters[l.Name] = new(meter)
	}
	for _, t := range counters {
		d, ok := of[t.Rules[0]]
		if !ok {
			continue
		}
		all[d].add(t.Count)
		shared := false
		for _, r := range t.Rules {
			shared = shared || r.Origin.Network != t.Rules[0].Origin.Network
		}
		for _, r := range t.Rules {
			if m := meters[r.Origin.Network]; m != nil && shared {
				m[d].shared = true
			}
		}
		if m := meters[t.Rules[0].Origin.Network]; m != nil && !shared {
			m[d].add(t.Count)
		}
	}
	f := Figures{All: all.traffic(), Networks: make(map[string]Traffic)}
	for name, m := range meters {
		f.Networks[name] = m.traffic()
	}
	return f
}

// direction is which of the figures a rule counts for.
type direction uint8

const (
	in direction = iota
	out
	between
	refused
	directions // their number
)

// directionsOf returns the directions of p's rules that accept or refuse forwarded packets.
func directionsOf(p *ir.Program) map[*ir.Rule]direction {
	of := make(map[*ir.Rule]direction)
	for _, row := range ir.GroupTable {
		c := p.Group(row.Group)
		d, ok := map[ir.Direction]direction{ir.Between: between, ir.Into: in, ir.OutOf: out}[row.Accepts]
		if c == nil || !ok {
			continue
		}
		for i := range c.Rules {
			switch c.Rules[i].Verdict.(type) {
			case ir.Accept:
				of[&c.Rules[i]] = d
			case ir.Reject, ir.Drop:
				of[&c.Rules[i]] = refused
			}
		}
	}
	return of
}

// meter has a figure for each direction.
type meter [directions]figure

type figure struct {
	backends.Count
	shared bool // shared is true if some of it is counted together with what is not in it.
}

func (f *figure) add(c backends.Count) { f.Count = f.Plus(c) }

func (f *figure) count() *backends.Count {
	if f.shared {
		return nil
	}
	return &f.Count
}

func (m *meter) traffic() Traffic {
	return Traffic{In: m[in].count(), Out: m[out].count(), Between: m[between].count(), Refused: m[refused].count()}
}
