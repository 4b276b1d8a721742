package nftables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// Ruleset is a program lowered to nf_tables: tables, their chains, and rules made of statements.
type Ruleset struct {
	families ir.Family
	groups   bool // groups is true if the groups' tables are among them
	guards   bool // guards is true if a group that opens the host is there because it refuses, too
	tables   []*table
}

var _ backends.Ruleset = (*Ruleset)(nil)

type table struct {
	family ir.Family
	name   string
	sets   []*set
	chains []*chain
	admin  bool     // admin is true if chains for the administrator's rules are among them
	absent []*chain // chains that an earlier load may have made, without rules

	fromProgram map[*ir.Set]*set // sets by the program's, or the one that those are the same as
}

type chain struct {
	table *table
	name  string
	base  *ir.Base // nil if the chain is attached to no hook
	rules []rule
}

// chainID is what makes a chain unique.
type chainID struct {
	family       ir.Family
	table, chain string
}

type rule struct {
	statements []statement
	comment    string     // clean; empty for none
	origin     *ir.Rule   // nil for a rule that the layout itself needs, such as the jump to a group
	merged     []*ir.Rule // others that it stands for
}

// Lines returns the rules that came from the program's rules, in the order in which they are
// emitted; one that stands for several comes once for each. Text is what `nft -s list ruleset`
// prints for the loaded rule.
func (r *Ruleset) Lines() []backends.Line {
	n := 0
	for _, t := range r.tables {
		for _, c := range t.chains {
			for i := range c.rules {
				n += 1 + len(c.rules[i].merged)
			}
		}
	}
	lines := make([]backends.Line, 0, n)
	var b []byte
	for _, t := range r.tables {
		for _, c := range t.chains {
			for i := range c.rules {
				if c.rules[i].origin == nil {
					continue
				}
				b = c.rules[i].appendText(b[:0], listing)
				line := backends.Line{Family: t.family, Table: t.name, Chain: c.name, Text: string(b),
					Rule: c.rules[i].origin}
				lines = append(lines, line)
				for _, line.Rule = range c.rules[i].merged {
					lines = append(lines, line)
				}
			}
		}
	}
	return lines
}

// Images returns what [Backend.Read] reads: the netlink batch, as one document.
func (r *Ruleset) Images() []backends.Document {
	return []backends.Document{{File: "rules.netlink", Family: r.families, Text: r.Batch().Bytes}}
}

// Debug returns the rules of the batch in the notation of `nft --debug=netlink`, read back from the
// bytes.
func (r *Ruleset) Debug() []byte {
	text, err := wire.Debug(r.Batch().Bytes)
	if err != nil {
		panic(fmt.Sprintf("nftables: a batch that can't be read: %v", err))
	}
	return text
}
