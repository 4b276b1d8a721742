package nftables

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/decode"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Pruner = Loader{}

// Prune implements [backends.Pruner] by one transaction over both families, in which rules go by
// their handles. The kernel refuses it if anybody has changed the ruleset since the handles were
// read.
func (Loader) Prune(names backends.Names, dry bool, choose backends.Choose) (backends.Pruned, error) {
	for range wire.Tries {
		stream, generation, err := wire.Dump(tablesOf(names))
		if err != nil {
			return backends.Pruned{}, explain(err)
		}
		p, err := newPruning(names, stream)
		if err != nil {
			return backends.Pruned{}, err
		}
		rules, frame := choose(p.program)
		cut, err := p.cut(generation, rules, frame)
		if err != nil {
			return backends.Pruned{}, err
		}
		done := backends.Pruned{Changed: cut.Changed, Gone: cut.Kept == 0}
		if dry || done.Changed == 0 {
			return done, nil
		}
		if err = cut.Batch.Send(); err == nil {
			return done, nil
		}
		if !errors.Is(err, unix.ERESTART) {
			return backends.Pruned{}, explain(err)
		}
	}
	return backends.Pruned{}, fmt.Errorf("take rules away: %w, %d times in a row", wire.ErrInterrupted, wire.Tries)
}

// pruning is one try of a Prune.
type pruning struct {
	held    *delta.Inventory
	program *ir.Program      // the same as held
	frame   *delta.Inventory // what stands when no network is in force
}

// newPruning reads a dump of the tables of names.
func newPruning(names backends.Names, stream []byte) (*pruning, error) {
	none, found := Backend{}.Lower(&ir.Program{}, backends.Options{Families: ir.Both, Names: names,
		Layout: backends.Chains})
	if found.HasErrors() {
		panic(found.Error()) // of a program without rules
	}
	p := &pruning{}
	frame, err := backends.Of[*Ruleset](none)
	if err != nil {
		return nil, err
	}
	if p.frame, err = delta.Take(frame.Batch().Bytes); err != nil {
		panic(err)
	}
	if p.held, err = delta.Take(stream); err != nil {
		return nil, err
	}
	p.program, err = readMarked(interfaces, []backends.Document{{File: "rules.netlink", Text: stream}})
	return p, err
}

// interfaces returns the names of this network namespace's interfaces by index.
func interfaces() (map[uint32]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	links := make(map[uint32]string, len(all))
	for _, i := range all {
		links[uint32(i.Index)] = i.Name
	}
	return links, nil
}

// cut builds the batch that takes the rules away, and with frame the tables in which nothing is
// left.
func (p *pruning) cut(generation uint32, rules []*ir.Rule, frame bool) (delta.Cut, error) {
	chosen := make(map[*ir.Rule]bool, len(rules))
	for _, r := range rules {
		chosen[r] = true
	}
	var bare *delta.Inventory
	if frame {
		bare = p.frame
	}
	return delta.Without(p.held, bare, generation, func(t *delta.Table, c *delta.Chain) ([]bool, error) {
		return p.goes(t, c, chosen)
	})
}

// goes reports which rules of c are among those chosen. A chain that the IR has no place for stays
// whole.
func (p *pruning) goes(t *delta.Table, c *delta.Chain, chosen map[*ir.Rule]bool) ([]bool, error) {
	i := slices.IndexFunc(p.program.Chains, func(o *ir.Chain) bool {
		return o.Family == decode.Family(t.Family) && o.Table == t.Name && o.Name == c.Name
	})
	if i < 0 {
		return nil, nil
	}
	read := p.program.Chains[i]
	var goes []bool
	for i := range read.Rules {
		if read.Rules[i].Continues() { // of one with a map, which is none of ours
			continue
		}
		goes = append(goes, chosen[&read.Rules[i]])
	}
	if len(goes) != len(c.Rules) {
		return nil, fmt.Errorf("chain %s of table %s has %d rules, of which %d were read", c.Name, t.Name, len(c.Rules),
			len(goes))
	}
	return goes, nil
}
