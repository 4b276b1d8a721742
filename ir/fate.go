package ir

import "fmt"

// Fate is what happens to a packet. A packet that is not accepted has no NAT and is not altered:
// its connection never comes to be.
type Fate struct {
	Outcome  Outcome
	Reject   RejectCode // for Rejected
	SNAT     *NAT       // nil if the source stays
	DNAT     *NAT       // nil if the destination stays
	Checksum bool       // Checksum is true if the transport checksum was filled in.
	Altered  Alteration // what actions changed in it, NAT apart
	Trace    []Step
}

// Equal is true if both fates are the same; the way there does not count.
func (f Fate) Equal(o Fate) bool {
	same := func(a, b *NAT) bool { return a == b || a != nil && b != nil && *a == *b }
	return f.Outcome == o.Outcome && f.Reject == o.Reject && f.Checksum == o.Checksum && f.Altered == o.Altered &&
		same(f.SNAT, o.SNAT) && same(f.DNAT, o.DNAT)
}

// String returns the fate in words, without the trace.
func (f Fate) String() string {
	words := f.Outcome.String()
	if f.Outcome == Rejected {
		words += " with " + string(f.Reject)
	}
	for _, n := range []*NAT{f.DNAT, f.SNAT} {
		if n != nil {
			words += ", " + n.String()
		}
	}
	if f.Checksum {
		words += ", checksum filled"
	}
	return words + f.Altered.String()
}

// Step is one rule of which all matches held. Rule is nil for the end of a base chain, where its
// policy decided.
type Step struct {
	Chain *Chain
	Index int // of Rule in Chain
	Rule  *Rule
}

// NATKind is a way to rewrite an address: nft(8)'s statement.
type NATKind string

const (
	KindMasquerade NATKind = "masquerade"
	KindSNAT       NATKind = "snat"
	KindDNAT       NATKind = "dnat"
	KindRedirect   NATKind = "redirect"
)

// NAT is what is done to one end of a connection, with the ranges the rule gave.
type NAT struct {
	Kind  NATKind
	Addrs AddrRange
	Ports PortRange
	Flags NATFlags
}

// TellsAddr is true if n, done at hook, says which address a packet gets: masquerade and the
// redirect of what came in leave that to an interface.
func (n NAT) TellsAddr(hook Hook) bool {
	return !n.Addrs.IsZero() || n.Kind == KindRedirect && hook == Output
}

// Outcome is how a packet's way through a firewall ends.
type Outcome uint8

const (
	Accepted Outcome = iota + 1
	Dropped
	Rejected
)

// String returns the outcome in one word.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Dropped:
		return "dropped"
	case Rejected:
		return "rejected"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// UnknownError says that a packet's fate depends on what is not modelled: a rule with an [Opaque]
// match or verdict, or with an [OpaqueAction] that touches what a later rule looks at.
type UnknownError struct {
	Packet Packet
	Step   Step // the rule
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("rule %d of %s decides and is not modelled: %s", e.Step.Index+1, e.Step.Chain.Label(),
		e.Step.Rule)
}
