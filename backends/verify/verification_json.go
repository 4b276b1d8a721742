package verify

import (
	"encoding/json"
	"io"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// The JSON of `vnetc verify`. Fields are added, never renamed or removed, while version stays the
// same.
type (
	jsonVerify struct {
		Version     int             `json:"version"`
		Proofs      []jsonProof     `json:"proofs"`
		Dead        []jsonDead      `json:"dead"`   // rules that do nothing
		Linear      []jsonLinear    `json:"linear"` // rules that a layout could not merge with others like them
		Matrix      []jsonCell      `json:"matrix,omitempty"`
		Findings    json.RawMessage `json:"findings"`
		Assertions  []jsonClaim     `json:"assertions"`
		Changes     []jsonChange    `json:"changes,omitempty"`
		More        bool            `json:"more_changes,omitempty"` // true if others of the same kinds are left out
		TooLarge    []string        `json:"too_large,omitempty"`    // what the budget did not suffice to tell
		Diagnostics json.RawMessage `json:"diagnostics"`            // about the input
	}
	jsonProof struct {
		Target string    `json:"target"` // back end, and layout
		Answer string    `json:"answer"` // proved, refuted, can't prove, too large to tell
		Rule   string    `json:"rule,omitempty"`
		Packet string    `json:"packet,omitempty"`
		Ways   []jsonWay `json:"ways,omitempty"` // as the networks mean it, and as the target has it
	}
	jsonWay struct {
		Backend string     `json:"backend"`
		Packet  string     `json:"packet"`
		Fate    jsonFate   `json:"fate"`
		Steps   []jsonStep `json:"steps"`
	}
	jsonRuleAt struct {
		Chain  string      `json:"chain,omitempty"`
		Number int         `json:"rule,omitempty"` // place in the chain, from 1
		IR     string      `json:"ir"`
		Origin *JSONOrigin `json:"origin"`
	}
	jsonDead struct {
		// unreached: no packet comes to it; idle: without it the same would become of what it
		// matches
		Kind   string      `json:"kind"`
		Family string      `json:"family"`
		Rule   jsonRuleAt  `json:"rule"`
		Cover  *jsonRuleAt `json:"cover,omitempty"` // of an unreached rule: one that takes such packets before it
	}
	jsonLinear struct {
		Target string      `json:"target"`
		Family string      `json:"family"`
		Rule   jsonRuleAt  `json:"rule"`
		Why    string      `json:"why"`
		Over   *jsonRuleAt `json:"over,omitempty"` // the rule that must keep its place
	}
	jsonCell struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Family string `json:"family"`
		// yes, some, no; depends on Depends; ? if it is too large to tell; - for what is not asked
		Access  string   `json:"access"`
		Some    []string `json:"some,omitempty"`
		Depends string   `json:"depends,omitempty"` // on which rule that is not modelled
	}
	jsonClaim struct {
		Assertion string   `json:"assertion"`
		File      string   `json:"file"`
		Line      int      `json:"line"`
		Answer    string   `json:"answer"`        // holds, fails, depends, too large to tell
		Holds     bool     `json:"holds"`         // true if the answer is that
		Way       *jsonWay `json:"way,omitempty"` // of a packet that shows that it does not
	}
	jsonChange struct {
		From    string   `json:"from"`
		To      string   `json:"to"`
		Family  string   `json:"family"`
		Was     string   `json:"was"`
		Now     string   `json:"now"`
		Packets []string `json:"packets"`
		Example string   `json:"example"`
		Foreign bool     `json:"foreign,omitempty"` // true if all of them have an address that is not of From or To
		Depends string   `json:"depends,omitempty"` // on which rule that is not modelled, where now says "may be"
	}
)

// JSON writes what was decided as one JSON document.
func (v *Verification) JSON(out io.Writer) error {
	doc := jsonVerify{Version: 1, Proofs: []jsonProof{}, Assertions: []jsonClaim{}, Dead: []jsonDead{},
		Linear: []jsonLinear{}}
	var err error
	if doc.Findings, err = diag.MarshalJSON(v.Leaks); err != nil {
		return err
	}
	if doc.Diagnostics, err = diag.MarshalJSON(v.Said); err != nil {
		return err
	}
	for _, p := range v.Proofs {
		doc.Proofs = append(doc.Proofs, proofJSON(p))
	}
	for _, d := range v.Dead {
		doc.Dead = append(doc.Dead, deadJSON(d))
	}
	for _, l := range v.Linear {
		doc.Linear = append(doc.Linear, jsonLinear{Target: l.Label, Family: l.Family.String(), Rule: ruleAtJSON(l.Rule),
			Why: l.Why, Over: overJSON(l.Over)})
	}
	for _, c := range v.Cells {
		doc.Matrix = append(doc.Matrix, jsonCell{c.From.String(), c.To.String(), c.Family.String(), string(c.Access),
			c.Some, dependsWords(c.Because)})
	}
	for _, c := range v.Claims {
		j := jsonClaim{Assertion: c.Text, File: c.Span.File, Line: c.Span.Start.Line, Answer: claimWords(c.Answer),
			Holds: c.Answer == prove.Proved}
		if c.Way != nil {
			way := wayJSON(c.Way)
			j.Way = &way
		}
		doc.Assertions = append(doc.Assertions, j)
	}
	doc.More, doc.TooLarge = v.More, v.TooLarge
	for _, d := range v.Changes {
		doc.Changes = append(doc.Changes, jsonChange{d.From.String(), d.To.String(), d.Family.String(), d.Was,
			d.NowWords(), d.Packets, d.Example.String(), d.Foreign, dependsWords(d.Because)})
	}
	return diag.WriteJSON(out, doc)
}

func claimWords(a prove.Answer) string {
	switch a {
	case prove.Proved:
		return "holds"
	case prove.Refuted:
		return "fails"
	case prove.Unknown:
		return "depends"
	}
	return a.String()
}

func deadJSON(d prove.DeadRule) jsonDead {
	j := jsonDead{Kind: "idle", Family: d.Families.String(), Rule: stepJSON(d.Step)}
	if d.Kind == prove.Unreached {
		j.Kind = "unreached"
	}
	if d.Cover.Rule != nil {
		cover := stepJSON(d.Cover)
		j.Cover = &cover
	}
	return j
}

func stepJSON(s ir.Step) jsonRuleAt {
	p := ruleAtJSON(s.Rule)
	p.Chain, p.Number = s.Chain.Label(), s.Index+1
	return p
}

func ruleAtJSON(r *ir.Rule) jsonRuleAt {
	o := OriginJSON(r.Origin)
	return jsonRuleAt{IR: r.String(), Origin: &o}
}

func overJSON(r *ir.Rule) *jsonRuleAt {
	if r == nil {
		return nil
	}
	p := ruleAtJSON(r)
	return &p
}

func proofJSON(p Proof) jsonProof {
	j := jsonProof{Target: p.Label, Answer: p.Result.Answer.String()}
	switch p.Result.Answer {
	case prove.Unknown:
		j.Rule = p.Result.Because.Rule.String()
	case prove.Refuted:
		j.Packet = p.Result.Packet.String()
	}
	for _, w := range p.Ways {
		j.Ways = append(j.Ways, wayJSON(w))
	}
	return j
}

func wayJSON(w *Way) jsonWay {
	return jsonWay{Backend: w.What, Packet: w.Packet.String(), Fate: fateJSON(w.Fate), Steps: stepsJSON(w)}
}
