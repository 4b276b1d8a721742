package verify

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/expect"
)

// Journey is what became of a packet on a host, to be put into words.
type Journey struct {
	*expect.Journey
	Verbose bool              // Verbose is true if rules that do not match are shown.
	Unread  []backends.Unread // what could not be read of the host's rules
	Assumed [][]*ir.Chain     // see [Doctor]
}

// Ends is true if the packet does not arrive, for certain.
func (j Journey) Ends() bool { return j.Verdict == expect.No }

// Failed is true if it is not known what becomes of the packet because reading failed.
func (j Journey) Failed() bool {
	return j.Verdict == expect.CantTell || j.Verdict == expect.Depends && len(j.Unread) > 0
}

// Text returns the journey for people: what the packet meets with its owner, NAT, our rules with
// their line of XML, and its fate.
func (j Journey) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", j.Packet)
	if j.Bridged && len(j.Path.Visits) == 0 {
		fmt.Fprintf(&b, "\n%s passes it from port to port: it meets no rule for IP\n", diag.Visible(j.Packet.In))
	}
	j.path(&b, j.Path, "")
	fmt.Fprintf(&b, "\n%s\n", j.sentence())
	for _, h := range j.Hidden {
		fmt.Fprintf(&b, "  not looked at: %s\n", diag.Visible(h))
	}
	for _, u := range j.Unread {
		fmt.Fprintf(&b, "  could not read %s: %s\n", diag.Visible(u.What), diag.Visible(u.Why))
	}
	if len(j.Assumed) > 0 {
		fmt.Fprintf(&b, "  the order of base chains with one priority is assumed to be that of their tables\n")
	}
	return b.String()
}

// path writes one path, and each path that begins at a rule of which it is not known if it matches
// where that rule stands.
func (j Journey) path(b *strings.Builder, p *expect.Path, indent string) {
	var hook ir.Hook
	var chain *ir.Chain
	forks := p.Forks
	fork := func(at int) {
		for len(forks) > 0 && forks[0].At <= at {
			j.fork(b, forks[0], indent)
			forks, chain = forks[1:], nil
		}
	}
	for i, v := range p.Visits {
		if fork(i); v.Kind == ir.Passed && !j.Verbose {
			continue
		}
		if v.Hook != hook {
			hook, chain = v.Hook, nil
			fmt.Fprintf(b, "\n%s%s\n", indent, hook)
		}
		if v.Kind == ir.Entered {
			continue
		}
		if v.Chain != chain {
			chain = v.Chain
			fmt.Fprintf(b, "%s  %s\n", indent, placeWords(v))
		}
		switch v.Kind {
		case ir.Passed:
			fmt.Fprintf(b, "%s    - rule %d: %s\n%s      %s\n", indent, v.Index+1, diag.Visible(v.Rule.String()),
				indent,
				failedWords(v.Visit))
		case ir.Matched:
			fmt.Fprintf(b, "%s    + rule %d: %s\n", indent, v.Index+1, diag.Visible(v.Rule.String()))
			if v.Origin != nil {
				fmt.Fprintf(b, "%s      from %s\n", indent, originText(*v.Origin))
			}
		case ir.Policy:
			by := ""
			if v.Chain.Base.Drop {
				by = ownedBy(expect.Block{Owner: v.Owner})
			}
			fmt.Fprintf(b, "%s    %spolicy %s\n", indent, by, policyWord(v.Chain))
		}
	}
	fork(len(p.Visits))
	if p.More {
		fmt.Fprintf(b, "%s    more rules of which it is not known if they match are not followed\n", indent)
	}
}

func (j Journey) fork(b *strings.Builder, f expect.Fork, indent string) {
	fmt.Fprintf(b, "%s    ? %s%s\n", indent, ownedBy(expect.Block{Owner: f.Owner}), stepWords(f.Step))
	if f.Cause.Rule != f.Step.Rule {
		fmt.Fprintf(b, "%s      vnetc can't tell whether it matches, because of %s\n", indent, stepWords(f.Cause))
	} else {
		fmt.Fprintf(b, "%s      vnetc can't tell whether it matches\n", indent)
	}
	fmt.Fprintf(b, "%s      if it matches:\n", indent)
	j.path(b, f.Matches, indent+"      ")
	fmt.Fprintf(b, "%s      => %s\n%s      if it does not match:\n", indent, j.pathEnd(f.Matches), indent)
}

// placeWords names a chain with its world and its owner.
func placeWords(v expect.Visit) string {
	words := diag.Visible(fmt.Sprintf("chain %s of table %s %s", v.Chain.Name, v.Chain.Family, v.Chain.Table))
	if v.Owner != "" {
		words += ", " + v.Owner
	}
	if v.World != "" {
		words += " (" + v.World + ")"
	}
	return words
}

// pathEnd says how a path ends.
func (j Journey) pathEnd(p *expect.Path) string {
	switch {
	case p.End != "":
		return "ends: " + diag.Visible(p.End)
	case p.Fate.Outcome == ir.Dropped:
		return "dropped" + lastWords(p) + ": it ends here, without an answer"
	case p.Fate.Outcome == ir.Rejected:
		return fmt.Sprintf("rejected%s: it ends here, and %s gets %s", lastWords(p), j.Packet.Src, p.Fate.Reject)
	}
	words := "arrives: it goes on to the host itself"
	if p.Out != "" {
		words = "arrives: it leaves by " + diag.Visible(p.Out)
	}
	for _, n := range []*ir.NAT{p.Fate.DNAT, p.Fate.SNAT} {
		if n != nil {
			words += "; " + natWords(*n)
		}
	}
	return words
}

// lastWords says whose rule or policy ended a path.
func lastWords(p *expect.Path) string {
	for i := len(p.Visits) - 1; i >= 0; i-- {
		v := p.Visits[i]
		if v.Kind != ir.Matched && v.Kind != ir.Policy {
			continue
		}
		by := v.Owner
		if by == "" {
			by = "a rule of nobody known"
		}
		return fmt.Sprintf(" by %s, chain %s of table %s %s", by, diag.Visible(v.Chain.Name), v.Chain.Family,
			diag.Visible(v.Chain.Table))
	}
	return ""
}

// sentence is the packet's fate.
func (j Journey) sentence() string {
	if j.Verdict == expect.Depends && len(j.Path.Forks) > 0 {
		return "depends on whether the rules marked ? match; if none of them does: " + j.pathEnd(j.Path)
	}
	if j.Verdict == expect.Depends {
		return "depends on what vnetc does not read; by the rules that it reads: " + j.pathEnd(j.Path)
	}
	return j.pathEnd(j.Path)
}
