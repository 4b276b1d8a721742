package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/expect"
)

// Doctor is what an examination of a host found, to be put into words.
type Doctor struct {
	Answers []expect.Answer
	Hidden  []ir.Hidden
	Unread  []backends.Unread
	Assumed [][]*ir.Chain
	Notes   []DoctorNote
	Verbose bool // Verbose is true if what is as it should be is listed, too.
}

// DoctorNote is something else that guests of a network may feel.
type DoctorNote struct{ Network, Text string }

// finding is answers that are told as one: of protocols that fare alike.
type finding struct {
	expect.Answer
	protos []string
}

// findings returns the answers about a network, those that differ by their protocol only as one.
func (d Doctor) findings(network string) (all []finding) {
	for _, a := range d.Answers {
		if a.Network != network {
			continue
		}
		i := slices.IndexFunc(all, func(f finding) bool { return sameFinding(f.Answer, a) })
		if i < 0 {
			all = append(all, finding{Answer: a})
			i = len(all) - 1
		}
		if a.Proto != "" {
			all[i].protos = append(all[i].protos, a.Proto)
		}
	}
	return all
}

func sameFinding(a, b expect.Answer) bool {
	return a.Kind == b.Kind && a.Family == b.Family && a.Device == b.Device && a.To == b.To && a.Refused == b.Refused &&
		a.Verdict == b.Verdict && a.Hidden == b.Hidden && a.Because.Rule == b.Because.Rule &&
		causeWords(a) == causeWords(b) &&
		slices.Equal(cures(a), cures(b))
}

// networks returns the networks that were asked about, in order.
func (d Doctor) networks() (names []string) {
	for _, a := range d.Answers {
		if !slices.Contains(names, a.Network) {
			names = append(names, a.Network)
		}
	}
	for _, n := range d.Notes {
		if !slices.Contains(names, n.Network) {
			names = append(names, n.Network)
		}
	}
	return names
}

// doing says what guests do, in the infinitive: reach the outside by eth0 (tcp, udp).
func (f finding) doing() string {
	words := ""
	switch f.Kind {
	case expect.DHCP:
		words = "get addresses from the host (DHCP)"
	case expect.DNS:
		words = "resolve names at the host (DNS)"
	case expect.RA:
		words = "find the host as their router (router advertisements, neighbour discovery)"
	case expect.Inside:
		words = "reach each other"
	case expect.Out:
		words = "reach the outside by " + f.Device
	case expect.Large:
		words = "send large packets to the outside by " + f.Device
	case expect.In:
		words = "be reached from outside by " + f.Device
	case expect.Across:
		words = "reach network " + f.To
	default:
		panic(fmt.Sprintf("verify: unknown kind of expectation %q", f.Kind))
	}
	if len(f.protos) > 0 && !f.Refused {
		words += " over " + strings.Join(f.protos, ", ")
	}
	if f.Family == ir.IPv6 {
		words += ", IPv6"
	}
	return words
}

// sentence says whether guests can.
func (f finding) sentence() string {
	if f.Refused {
		switch f.Verdict {
		case expect.No:
			return "guests can " + f.doing() + ", and must not"
		case expect.Part:
			return "guests can " + f.doing() + " in part, and must not"
		case expect.Yes:
			return "guests can't " + f.doing() + ", as it should be"
		}
		return "guests may " + f.doing() + ", and must not"
	}
	switch f.Verdict {
	case expect.No:
		return "guests can't " + f.doing()
	case expect.Part:
		return "guests can " + f.doing() + " in part"
	case expect.Depends:
		return "guests may or may not " + f.doing()
	case expect.CantTell:
		return "too large to tell whether guests can " + f.doing()
	}
	return "guests can " + f.doing()
}

// causeWords says what decides the answer, empty for nothing in particular.
func causeWords(a expect.Answer) string {
	switch {
	case a.Fact != nil:
		return a.Fact.What
	case a.Hidden != "":
		return "depends on " + a.Hidden + ", which vnetc does not read"
	case a.Because.Rule != nil:
		return "depends on " + stepWords(a.Because) + ", of which vnetc can't tell whether it matches"
	}
	var words []string
	for i, s := range a.Ends {
		by := stepWords(s)
		if i < len(a.Blocks) && a.Blocks[i].Step.Chain.Label() == s.Chain.Label() {
			by = ownedBy(a.Blocks[i]) + by
		}
		words = append(words, by)
	}
	return strings.Join(words, ", or ")
}

// ownedBy names the owner of a block, empty if nobody is known.
func ownedBy(b expect.Block) string {
	if b.Owner == "" {
		return ""
	}
	return b.Owner + ": "
}

// stepWords names a rule, or a policy, with its chain.
func stepWords(s ir.Step) string {
	where := diag.Visible(fmt.Sprintf("chain %s of table %s %s", s.Chain.Name, s.Chain.Family, s.Chain.Table))
	if s.Chain.Group != 0 {
		where = "group " + s.Chain.Label()
	}
	if s.Rule == nil {
		return where + ": policy " + policyWord(s.Chain)
	}
	return fmt.Sprintf("%s, rule %d: %s", where, s.Index+1, diag.Visible(s.Rule.String()))
}

// cures returns what to type, in order.
func cures(a expect.Answer) []string {
	all, _ := a.Cures()
	return all
}

// proved is true if the cures of a were shown to do what they are for, and no more.
func proved(a expect.Answer) bool {
	_, proved := a.Cures()
	return a.Fact == nil && proved
}

// Short says in a line each what guests of a network can't do for certain, with the cause. There
// are none if nothing is.
func (d Doctor) Short(network string) (lines []string) {
	for _, f := range d.findings(network) {
		if f.Verdict == expect.No {
			lines = append(lines, fmt.Sprintf("%s: %s", f.sentence(), causeWords(f.Answer)))
		}
	}
	return lines
}

// Cut is true if guests of any network are cut off for certain.
func (d Doctor) Cut() bool {
	return slices.ContainsFunc(d.Answers, func(a expect.Answer) bool { return a.Verdict == expect.No })
}

// CantTell is true if an answer would have cost more than the budget had.
func (d Doctor) CantTell() bool {
	return slices.ContainsFunc(d.Answers, func(a expect.Answer) bool { return a.Verdict == expect.CantTell })
}

// Diagnostics returns what guests can't do for certain as errors, and what they can't in every
// case, or perhaps, as notes.
func (d Doctor) Diagnostics() (list diag.List) {
	for _, name := range d.networks() {
		for _, f := range d.findings(name) {
			found := diag.Diagnostic{
				Severity: diag.Warning, Code: "doctor-depends", What: "network " + name + ": " + f.sentence(),
				Why: causeWords(f.Answer),
				Fix: strings.Join(cures(f.Answer), "; "),
			}
			switch f.Verdict {
			case expect.Yes:
				continue
			case expect.No:
				found.Severity, found.Code = diag.Error, "doctor-cut-off"
			}
			list = append(list, found)
		}
	}
	return list
}
