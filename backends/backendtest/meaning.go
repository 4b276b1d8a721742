package backendtest

import (
	"errors"
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// kept returns p without the rules that have no line: what a back end leaves out, with a Note, is
// no part of its meaning.
func kept(p *ir.Program, lines []backends.Line) *ir.Program {
	has := make(map[*ir.Rule]bool)
	for _, l := range lines {
		has[l.Rule] = true
	}
	q := &ir.Program{Sets: p.Sets}
	for _, c := range p.Chains {
		d := *c
		d.Rules = nil
		for i := range c.Rules {
			if has[&c.Rules[i]] {
				d.Rules = append(d.Rules, c.Rules[i])
			}
		}
		q.Chains = append(q.Chains, &d)
	}
	return q
}

// maxReported is how many packets with another fate are reported.
const maxReported = 3

// sameMeaning checks point 4: packets chosen to probe every rule have the same fate in want and
// got.
func sameMeaning(want, got *ir.Program, o backends.Options) []error {
	var all []error
	for _, pkt := range Packets(want) {
		if pkt.Family&o.Families == 0 {
			continue
		}
		before, err := ir.Eval(want, pkt)
		if errors.As(err, new(*ir.UnknownError)) {
			continue // a limit decides; the prover compares those
		}
		if err != nil {
			return append(all, fmt.Errorf("point 4: the program itself: %w", err))
		}
		after, err := ir.Eval(got, pkt)
		if err != nil {
			return append(all, fmt.Errorf("point 4: what was read back: %s: %w", pkt, err))
		}
		if before.Equal(after) {
			continue
		}
		all = append(all, fmt.Errorf("point 4: %s\n\tfate in the program: %s%s\n\tfate in what was read back: %s%s",
			pkt, before, trace(before), after, trace(after)))
		if len(all) == maxReported {
			break
		}
	}
	return all
}

// trace prints the rules that held for a packet.
func trace(f ir.Fate) string {
	words := ""
	for _, s := range f.Trace {
		if s.Rule != nil {
			words += "\n\t\t" + describe(s.Chain, s.Index)
		}
	}
	return words
}
