package verify

import (
	"encoding/json"
	"io"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// The JSON of `vnetc trace`. Fields are added, never renamed or removed, while version stays the
// same.
type (
	jsonTrace struct {
		Version     int             `json:"version"`
		Backend     string          `json:"backend"` // ir, or whose rules were traced
		Packet      string          `json:"packet"`  // whole, with what the expression left out
		Fate        jsonFate        `json:"fate"`
		Steps       []jsonStep      `json:"steps"`
		Diagnostics json.RawMessage `json:"diagnostics"`
	}
	jsonFate struct {
		Outcome  string   `json:"outcome"` // accepted, dropped, rejected
		Reject   string   `json:"reject,omitempty"`
		SNAT     *jsonNAT `json:"snat,omitempty"`
		DNAT     *jsonNAT `json:"dnat,omitempty"`
		Checksum bool     `json:"checksum,omitempty"`
		Text     string   `json:"text"`
	}
	jsonNAT struct {
		Kind      string `json:"kind"`
		Addresses string `json:"addresses,omitempty"`
		Ports     string `json:"ports,omitempty"`
	}
	// jsonStep is one thing that the packet meets: a chain that it enters, a rule that it passes or
	// that holds, a policy.
	jsonStep struct {
		Kind   string                `json:"kind"` // entered, passed, held, policy
		Hook   string                `json:"hook"`
		Chain  string                `json:"chain"`
		Group  string                `json:"group,omitempty"`
		Rule   int                   `json:"rule,omitempty"` // place in the chain, from 1
		IR     string                `json:"ir,omitempty"`
		Failed string                `json:"failed,omitempty"` // passed: the match that does not hold
		Sets   []string              `json:"sets,omitempty"`   // held: the element of each set looked up
		Policy string                `json:"policy,omitempty"`
		Text   map[string][]JSONLine `json:"text,omitempty"`
		From   *jsonRuleOrigin       `json:"origin,omitempty"`
	}
	jsonRuleOrigin struct {
		Network string `json:"network"`
		JSONOrigin
	}
)

// JSON writes the way as one JSON document, with found, which is about the networks and the packet.
func (w *Way) JSON(out io.Writer, found diag.List) error {
	diagnostics, err := diag.MarshalJSON(found)
	if err != nil {
		return err
	}
	doc := jsonTrace{
		Version: 1, Backend: w.What, Packet: w.Packet.String(), Steps: stepsJSON(w), Diagnostics: diagnostics,
		Fate: fateJSON(w.Fate),
	}
	return diag.WriteJSON(out, doc)
}

func fateJSON(f ir.Fate) jsonFate {
	nat := func(n *ir.NAT) *jsonNAT {
		if n == nil {
			return nil
		}
		j := &jsonNAT{Kind: string(n.Kind)}
		if !n.Addrs.IsZero() {
			j.Addresses = n.Addrs.String()
		}
		if !n.Ports.IsZero() {
			j.Ports = n.Ports.String()
		}
		return j
	}
	return jsonFate{
		Outcome: f.Outcome.String(), Reject: string(f.Reject), SNAT: nat(f.SNAT), DNAT: nat(f.DNAT),
		Checksum: f.Checksum, Text: f.String(),
	}
}

func stepsJSON(w *Way) []jsonStep {
	kinds := map[ir.VisitKind]string{ir.Entered: "entered", ir.Passed: "passed", ir.Matched: "held",
		ir.Policy: "policy"}
	steps := []jsonStep{}
	for _, v := range w.Visits {
		step := jsonStep{Kind: kinds[v.Kind], Hook: v.Hook.String(), Chain: v.Chain.Label()}
		if v.Chain.Group != 0 {
			step.Group = v.Chain.Group.String()
		}
		if v.Kind == ir.Policy {
			step.Policy = policyWord(v.Chain)
		}
		if v.Rule != nil {
			step.rule(w, v)
		}
		steps = append(steps, step)
	}
	return steps
}

// rule fills in what there is to say about a rule.
func (step *jsonStep) rule(w *Way, v ir.Visit) {
	step.Rule, step.IR = v.Index+1, v.Rule.String()
	if v.Failed != nil {
		step.Failed = ir.MatchText(v.Failed)
	}
	if v.Kind == ir.Matched {
		step.Sets = w.Elements(v)
	}
	r := w.Source(v)
	if r == nil {
		return
	}
	step.Text = make(map[string][]JSONLine)
	for _, target := range w.Targets {
		for _, l := range w.Lines(r, target) {
			step.Text[target] = append(step.Text[target], JSONLine{l.Family.String(), l.Table, l.Chain, l.Text})
		}
	}
	o := OriginJSON(r.Origin)
	step.From = &jsonRuleOrigin{r.Origin.Network, o}
}
