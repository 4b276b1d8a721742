package verify

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// The JSON of `vnetc trace` without PATH. Fields are added, never renamed or removed.
type (
	// JourneyJSON is the JSON of a [Journey].
	JourneyJSON struct {
		Version   int          `json:"version"`
		Packet    string       `json:"packet"`
		Answer    string       `json:"answer"` // yes: it arrives; no, depends, ?
		Path      jsonPath     `json:"path"`
		NotLooked []string     `json:"not_looked_at"`
		NotRead   []jsonUnread `json:"not_read"`
		Assumed   [][]string   `json:"order_assumed"`
	}
	jsonPath struct {
		Steps []jsonPlace `json:"steps"`
		End   string      `json:"end"` // how it ends, in words
		Out   string      `json:"out,omitempty"`
		Fate  *jsonFate   `json:"fate,omitempty"` // of the rules; none if the host itself ends it
		More  bool        `json:"more,omitempty"` // true if more unknown rules were met than are followed
	}
	jsonPlace struct {
		Kind   string          `json:"kind"` // entered, passed, held, policy, unknown
		Hook   string          `json:"hook,omitempty"`
		Place  string          `json:"place"`
		Owner  string          `json:"owner,omitempty"`
		Family string          `json:"family"`
		Table  string          `json:"table"`
		Chain  string          `json:"chain"`
		Number int             `json:"rule,omitempty"` // from 1
		IR     string          `json:"ir,omitempty"`
		Failed string          `json:"failed,omitempty"`
		Policy string          `json:"policy,omitempty"`
		Origin *jsonRuleOrigin `json:"origin,omitempty"`
		Match  *jsonPath       `json:"if_it_matches,omitempty"` // unknown: the path goes on as if it did not
	}
)

// JSON returns the journey as a document for [diag.WriteJSON].
func (j Journey) JSON() JourneyJSON {
	d := Doctor{Unread: j.Unread, Assumed: j.Assumed}.JSON()
	doc := JourneyJSON{Version: 1, Packet: j.Packet.String(), Answer: string(j.Verdict), Path: j.pathJSON(j.Path),
		NotLooked: append([]string{}, j.Hidden...), NotRead: d.NotRead, Assumed: d.Assumed}
	return doc
}

func (j Journey) pathJSON(p *expect.Path) jsonPath {
	kinds := map[ir.VisitKind]string{ir.Entered: "entered", ir.Passed: "passed", ir.Matched: "held",
		ir.Policy: "policy"}
	out := jsonPath{Steps: []jsonPlace{}, End: j.pathEnd(p), Out: p.Out, More: p.More}
	if p.End == "" {
		f := fateJSON(p.Fate)
		out.Fate = &f
	}
	forks := p.Forks
	fork := func(at int) {
		for ; len(forks) > 0 && forks[0].At <= at; forks = forks[1:] {
			f := forks[0]
			step := placeJSON(f.Step.Chain, f.World, f.Owner)
			match := j.pathJSON(f.Matches)
			step.Kind, step.Number, step.IR, step.Match = "unknown", f.Step.Index+1, f.Step.Rule.String(), &match
			out.Steps = append(out.Steps, step)
		}
	}
	for i, v := range p.Visits {
		if fork(i); v.Kind == ir.Passed && !j.Verbose {
			continue
		}
		step := placeJSON(v.Chain, v.World, v.Owner)
		step.Kind, step.Hook = kinds[v.Kind], v.Hook.String()
		if v.Kind == ir.Policy {
			step.Policy = policyWord(v.Chain)
		}
		if v.Rule != nil {
			step.Number, step.IR = v.Index+1, v.Rule.String()
		}
		if v.Failed != nil {
			step.Failed = ir.MatchText(v.Failed)
		}
		if v.Origin != nil {
			step.Origin = &jsonRuleOrigin{v.Origin.Network, OriginJSON(*v.Origin)}
		}
		out.Steps = append(out.Steps, step)
	}
	fork(len(p.Visits))
	return out
}

func placeJSON(c *ir.Chain, world, owner string) jsonPlace {
	return jsonPlace{Place: world, Owner: owner, Family: c.Family.String(), Table: c.Table, Chain: c.Name}
}
