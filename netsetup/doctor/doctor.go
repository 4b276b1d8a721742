package doctor

import (
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
)

// Patient is what is examined.
type Patient struct {
	Meant  *ir.Program // the networks' own rules, with their links
	Survey Survey
	Host   *ir.Host
	Dead   map[string]expect.Fact // by network: why its server of DHCP and DNS serves nobody
	Only   []string               // names of the networks that are asked about; nil for all
}

// Report is what was found.
type Report struct {
	Answers []expect.Answer
	Hidden  []ir.Hidden
	Unread  []backends.Unread
	// Assumed are base chains of which the order among each other was taken to be that of their
	// tables.
	Assumed [][]*ir.Chain
	Notes   []Note
}

// Note is something of the host that a network's guests may feel, and that no answer says.
type Note struct{ Network, Text string }

// Examine asks what becomes of every promise, and finds a cure for each that is broken. It looks at
// no host. A nil budget is the usual one.
func Examine(p Patient, budget *prove.Budget) Report {
	decideTypes(p.Survey.Program, p.Host)
	r := Report{Hidden: p.Survey.Hidden, Unread: p.Survey.Unread, Assumed: p.Survey.Program.AssumedOrder(),
		Notes: notes(p)}
	r.Answers = expect.Ask(expect.Question{
		Meant: p.Meant, Whole: p.Survey.Program, Host: p.Host, Hidden: p.Survey.Hidden, Unread: p.Survey.blind(),
		Dead: p.Dead, Only: p.Only, Budget: budget,
	})
	c := curer{Patient: p, budget: budget}
	for i := range r.Answers {
		if r.Answers[i].Verdict == expect.No || r.Answers[i].Verdict == expect.Part {
			c.blame(&r.Answers[i])
		}
	}
	r.Notes = append(r.Notes, c.zones(r.Answers)...)
	return r
}

// blind is true if rules that packets meet were not read in any form.
func (s *Survey) blind() bool {
	for _, u := range s.Unread {
		if !u.Worse {
			return true
		}
	}
	return false
}

// Cut is true if a promise is broken for certain.
func (r Report) Cut() bool { return r.has(expect.No) }

// Doubtful is true if an answer depends on what was not modelled, or not read by design.
func (r Report) Doubtful() bool { return r.has(expect.Depends) }

// Failed is true if an answer is not known because reading failed, or for its cost.
func (r Report) Failed() bool {
	return r.has(expect.CantTell) || len(r.Unread) > 0 && slices.ContainsFunc(r.Answers,
		func(a expect.Answer) bool { return a.Verdict == expect.Depends && a.Fact == nil })
}

func (r Report) has(v expect.Verdict) bool {
	for _, a := range r.Answers {
		if a.Verdict == v {
			return true
		}
	}
	return false
}
