package verify

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Text returns the way for people: hooks, chains, rules with their lines and origins, and the fate.
func (w *Way) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", w.Packet)
	var hook ir.Hook
	var chain *ir.Chain
	for i, v := range w.Visits {
		if v.Hook != hook {
			hook, chain = v.Hook, nil
			fmt.Fprintf(&b, "\n%s\n", hook)
		}
		if v.Chain != chain {
			chain = v.Chain
			fmt.Fprintf(&b, "  %s%s\n", chainWords(chain), emptyWords(w.Visits[i:]))
		}
		switch v.Kind {
		case ir.Passed:
			fmt.Fprintf(&b, "    - %s\n      %s\n", diag.Visible(v.Rule.String()), failedWords(v))
		case ir.Matched:
			fmt.Fprintf(&b, "    + %s\n", diag.Visible(v.Rule.String()))
			writeMatched(&b, w, v)
		case ir.Policy:
			fmt.Fprintf(&b, "    policy %s\n", policyWord(v.Chain))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", fateWords(w.Fate, w.Packet))
	return b.String()
}

// writeMatched writes what there is to say about a rule that matched.
func writeMatched(b *strings.Builder, w *Way, v ir.Visit) {
	for _, words := range w.Elements(v) {
		fmt.Fprintf(b, "      %-10s%s\n", "in set", diag.Visible(words))
	}
	r := w.Source(v)
	if r == nil {
		return
	}
	for _, target := range w.Targets {
		all := w.Lines(r, target)
		for _, l := range all {
			fmt.Fprintf(b, "      %-10s%s\n", target, diag.Visible(l.Text))
		}
		if len(all) == 0 {
			fmt.Fprintf(b, "      %-10sleft out; vnetc compile -v --backend %s says why\n", target, target)
		}
	}
	if from := originText(r.Origin); from != "" {
		fmt.Fprintf(b, "      %-10s%s\n", "from", from)
	}
}

// originText returns an origin in words: lab.xml:5:3, network lab: what guests may open.
func originText(o ir.Origin) string {
	words := o.Span.String()
	if o.Network != "" {
		words += ", network " + o.Network
	}
	if o.Reason != "" {
		words += ": " + o.Reason
	}
	return diag.Visible(strings.TrimPrefix(words, ", "))
}

// chainWords names a chain, with what it is for if it is a group.
func chainWords(c *ir.Chain) string {
	words := diag.Visible(c.Label())
	if c.Group != 0 {
		words += ", " + c.Group.About()
	}
	return words
}

// emptyWords returns words for a chain in which nothing is shown; visits begins with its entry.
func emptyWords(visits []ir.Visit) string {
	for _, v := range visits {
		if v.Chain != visits[0].Chain {
			break
		}
		if v.Kind != ir.Entered {
			return ""
		}
	}
	return ": no rule matches"
}

func failedWords(v ir.Visit) string {
	if v.Failed == nil {
		return "does not match"
	}
	return "does not match: " + diag.Visible(ir.MatchText(v.Failed))
}

// policyWord returns the fate of a packet that no rule of base chain c ends.
func policyWord(c *ir.Chain) string {
	if c.Base.Drop {
		return "drop"
	}
	return "accept"
}

// fateWords says the fate of the packet, in a sentence for each part of it.
func fateWords(f ir.Fate, p ir.Packet) string {
	switch f.Outcome {
	case ir.Dropped:
		return "dropped: it ends here, without an answer"
	case ir.Rejected:
		return fmt.Sprintf("rejected: it ends here, and %s gets %s", p.Src, f.Reject)
	}
	words := "accepted: it goes on to the host itself"
	if p.Out != "" {
		words = "accepted: it leaves by " + p.Out
	}
	for _, n := range []*ir.NAT{f.DNAT, f.SNAT} {
		if n != nil {
			words += "\n  " + natWords(*n)
		}
	}
	if f.Checksum {
		words += "\n  its checksum is filled in"
	}
	if p.State != ir.StateNew && p.State != ir.StateUntracked && p.State != ir.StateInvalid {
		words += "\n  its addresses are rewritten as those of its connection's first packet were; trace that one with state new"
	}
	return words
}

// natWords says what NAT does to the packet.
func natWords(n ir.NAT) string {
	end, to := "source", n.Addrs.String()
	switch n.Kind {
	case ir.KindMasquerade:
		to = "the address of the interface by which it leaves"
	case ir.KindRedirect:
		end, to = "destination", "the host itself"
	case ir.KindDNAT:
		end = "destination"
	}
	if n.Kind != ir.KindMasquerade && n.Kind != ir.KindRedirect && n.Addrs.IsZero() {
		to = "its own address"
	}
	words := fmt.Sprintf("its %s becomes %s", end, to)
	if !n.Ports.IsZero() {
		words += ", port " + n.Ports.String()
	}
	return words + " (" + n.String() + ")"
}
