package nftables

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Pruner = Loader{}

// Prune implements [backends.Pruner] by one transaction over both families, in which rules go by their handles. The kernel
// refuses it if anybody has changed the ruleset since the handles were read.
func (Loader) Prune(names backends.Names, dry bool, choose backends.Choose) (backends.Pruned, error) {
	for range tries {
		stream, generation, err := dumpTables(tablesOf(names))
		if err != nil {
			return backends.Pruned{}, explain(err)
		}
		p, err := newPruning(names, stream)
		if err != nil {
			return backends.Pruned{}, err
		}
		rules, frame := choose(p.program)
		if err := p.cut(generation, rules, frame); err != nil {
			return backends.Pruned{}, err
		}
		done := backends.Pruned{Changed: p.report.Changed, Gone: p.kept == 0}
		if dry || done.Changed == 0 {
			return done, nil
		}
		if err = p.Batch.Send(); err == nil {
			return done, nil
		}
		if !errors.Is(err, unix.ERESTART) {
			return backends.Pruned{}, explain(err)
		}
	}
	return backends.Pruned{}, fmt.Errorf("take rules away: %w, %d times in a row", errInterrupted, tries)
}

// pruning is one try of a Prune.
type pruning struct {
	delta
	held    *inventory
	program *ir.Program // the same as held
	frame   *inventory  // what stands when no network is in force
	kept    int         // tables that stay
}

// newPruning reads a dump of the tables of names.
func newPruning(names backends.Names, stream []byte) (*pruning, error) {
	none, found := Backend{}.Lower(&ir.Program{}, backends.Options{Families: ir.Both, Names: names, Layout: backends.Chains})
	if found.HasErrors() {
		panic(found.Error()) // of a program without rules
	}
	p := &pruning{}
	var err error
	if p.frame, err = takeInventory(none.(*Ruleset).Batch().Bytes); err != nil {
		panic(err)
	}
	if p.held, err = takeInventory(stream); err != nil {
		return nil, err
	}
	links, err := interfaces()
	if err != nil {
		return nil, err
	}
	p.program, err = readOn(links, []backends.Document{{File: "rules.netlink", Text: stream}})
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

// cut builds the batch that takes the rules away, and with frame the tables in which nothing is left.
func (p *pruning) cut(generation uint32, rules []*ir.Rule, frame bool) error {
	goes := make(map[*ir.Rule]bool, len(rules))
	for _, r := range rules {
		goes[r] = true
	}
	p.open(generation)
	for _, t := range p.held.tables {
		left := &heldTable{family: t.family, name: t.name, sets: t.sets, others: t.others}
		chains := make([]cutChain, len(t.chains))
		for i, c := range t.chains {
			var err error
			if chains[i], err = p.split(t, c, goes); err != nil {
				return err
			}
			left.chains = append(left.chains, chains[i].left)
		}
		if frame && left.within(p.frame.table(t.family, t.name)) {
			p.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
			p.report.Changed++
			continue
		}
		p.kept++
		for i, c := range t.chains {
			for _, r := range chains[i].gone {
				p.deleteRule(t, c, r)
			}
		}
	}
	p.edge(unix.NFNL_MSG_BATCH_END)
	return nil
}

// cutChain is what becomes of a chain.
type cutChain struct {
	left *heldChain
	gone []heldRule
}

// split tells the rules of c that go from those that stay. A chain that the IR has no place for stays whole.
func (p *pruning) split(t *heldTable, c *heldChain, goes map[*ir.Rule]bool) (cutChain, error) {
	out := cutChain{left: &heldChain{name: c.name, place: c.place, policy: c.policy}}
	i := slices.IndexFunc(p.program.Chains, func(o *ir.Chain) bool {
		return o.Family == familyOfNumber(t.family) && o.Table == t.name && o.Name == c.name
	})
	if i < 0 {
		out.left.rules = c.rules
		return out, nil
	}
	read := p.program.Chains[i]
	if len(read.Rules) != len(c.rules) {
		return out, fmt.Errorf("chain %s of table %s has %d rules, of which %d were read", c.name, t.name, len(c.rules), len(read.Rules))
	}
	for i, r := range c.rules {
		if goes[&read.Rules[i]] {
			out.gone = append(out.gone, r)
		} else {
			out.left.rules = append(out.left.rules, r)
		}
	}
	return out, nil
}

// within is true if t has nothing but what frame has.
func (t *heldTable) within(frame *heldTable) bool {
	if frame == nil || len(t.sets)+len(t.others) > 0 {
		return false
	}
	for _, c := range t.chains {
		bare := frame.chain(c.name)
		if bare == nil || bare.place != c.place || bare.policy != c.policy {
			return false
		}
		for _, r := range c.rules {
			if !slices.ContainsFunc(bare.rules, func(b heldRule) bool { return b.key == r.key }) {
				return false
			}
		}
	}
	return true
}
