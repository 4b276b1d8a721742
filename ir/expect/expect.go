// Package expect knows what a network promises its guests (DHCP, DNS, the way out, each other), and
// asks the program of a whole host, with what the host itself decides, whether packets get that
// far.
//
// What a network promises follows from its link and from its own rules: what these alone let
// through must pass, what they refuse must not. The package is pure; it knows neither XML nor
// netfilter syntax, and asks the prover.
package expect

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Kind is what an expectation is about.
type Kind string

const (
	DHCP   Kind = "dhcp"   // an address from the host
	DNS    Kind = "dns"    // names from the host
	RA     Kind = "ra"     // router advertisements and neighbours
	Inside Kind = "inside" // from guest to guest of the network
	Out    Kind = "out"    // connections that guests open to the outside
	Large  Kind = "large"  // packets from guests that are larger than the way out carries
	In     Kind = "in"     // connections that the outside opens to guests
	Across Kind = "across" // connections that guests open to another network's
)

// Expectation is something that a network promises.
type Expectation struct {
	Network string
	Kind    Kind
	Family  ir.Family
	Proto   string // tcp, udp, icmp; empty where the kind says it
	Device  string // for Out and In: the host's interface outside
	To      string // for Across: the other network
	Refused bool   // Refused is true if such packets must not pass.
	Legs    []Leg  // what must pass, each; of Refused, the first alone must not
	// Given is what of the host rules it out, whatever the rules are; of Large, what makes it
	// depend on more than this host.
	Given *Fact
}

// Leg is one kind of packet that an expectation needs.
type Leg struct {
	Words string // what these packets are: the question, the answer
	prove.Traffic
	Bridged bool // Bridged is true for frames between two ports of a bridge.
	Plain   bool // Plain is true for frames that meet no rule of IP.
}

// Verdict is the answer to whether an expectation holds.
type Verdict string

const (
	Yes      Verdict = "yes"
	No       Verdict = "no"      // none of the packets passes (of Refused: all do)
	Part     Verdict = "part"    // some don't
	Depends  Verdict = "depends" // on what is not modelled, or not read
	CantTell Verdict = "?"       // the answer would cost more than the budget has
)

// Answer is what became of an expectation.
type Answer struct {
	Expectation
	Verdict Verdict
	Leg     int       // which of Legs decided
	Packet  ir.Packet // of that leg, one that does not pass (of Refused: that passes), or of which it is not known
	Ends    []ir.Step // what drops or rejects Packet; see [prove.Endings]
	Because ir.Step   // for Depends: the rule
	Fact    *Fact     // what of the host decided, before any rule
	Hidden  string    // for Depends: what was not read, in words
	Blocks  []Block   // whose Ends are, filled in by who knows that
}

// Block is one rule or policy that is in the way, with its owner and what cures it.
type Block struct {
	Step  ir.Step
	World string // nftables, iptables-nft, iptables-legacy
	Owner string // in words: Docker, ufw; empty if it is not known
	Cure  []string
	// Proved is true if the surveyed program with the cure lets the lost packets through, and no
	// others.
	Proved bool
}

// Fact is something of the host beside rules.
type Fact struct {
	What string // in words
	Fix  string // what to type; may be empty
}

// Cures returns what to type so that packets of the answer pass, in order. Proved is true if that
// was shown to let them through, and nothing else.
func (a Answer) Cures() (lines []string, proved bool) {
	if a.Fact != nil {
		if a.Fact.Fix == "" {
			return nil, false
		}
		return []string{a.Fact.Fix}, true
	}
	proved = len(a.Blocks) > 0
	for _, b := range a.Blocks {
		lines, proved = append(lines, b.Cure...), proved && b.Proved
	}
	return lines, proved
}

// Refuses is true if packets of the expectation end here though they must pass.
func (a Answer) Refuses() bool { return a.Verdict == No && !a.Refused }
