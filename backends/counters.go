package backends

import "github.com/vnetc/vnetc/ir"

// CounterReader is a Loader that can tell what rules in force have counted.
type CounterReader interface {
	// Counters returns what the kernel's counters of rules say, of every rule that it holds as
	// rules has it, in the order of [Ruleset.Lines]. It changes nothing.
	Counters(rules Ruleset) ([]Counted, error)
}

// Counted is what one counter has counted since the kernel has it.
type Counted struct {
	Family ir.Family
	Rules  []*ir.Rule // whose packets are counted: several where they share the counter, and nobody can tell them apart
	Count
}

// Count is a number of packets, and of their bytes with the IP header and without that of the link.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Plus returns the sum of both.
func (c Count) Plus(o Count) Count { return Count{c.Packets + o.Packets, c.Bytes + o.Bytes} }
