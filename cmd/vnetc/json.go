package main

import (
	"bytes"
	"encoding/json"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// loweredTarget is a program lowered for one back end.
type loweredTarget struct {
	name  string
	rules backends.Ruleset
}

// The JSON of `compile --emit json`. Fields are added, never renamed or removed, while version
// stays the same.
type (
	jsonProgram struct {
		Version     int             `json:"version"`
		Networks    []jsonNetwork   `json:"networks"`
		Rules       []jsonRule      `json:"rules"`
		Diagnostics json.RawMessage `json:"diagnostics"`
	}
	jsonNetwork struct {
		Name      string   `json:"name"`
		Mode      string   `json:"mode"`
		Bridge    string   `json:"bridge,omitempty"`
		Addresses []string `json:"addresses,omitempty"`
	}
	// jsonRule is one rule of the program. Text holds, by back end, the lines it became; a back end
	// that leaves the rule out by nature has no entry.
	jsonRule struct {
		Group   string                       `json:"group"`
		Family  string                       `json:"family"`
		IR      string                       `json:"ir"`
		Text    map[string][]verify.JSONLine `json:"text"`
		Network string                       `json:"network"`
		Origin  verify.JSONOrigin            `json:"origin"`
	}
)

// programJSON renders p, what the back ends made of it and what was found, as one JSON document.
func programJSON(p *ir.Program, lowered []loweredTarget, found diag.List) ([]byte, error) {
	diagnostics, err := diag.MarshalJSON(found)
	if err != nil {
		return nil, err
	}
	doc := jsonProgram{Version: 1, Networks: []jsonNetwork{}, Rules: []jsonRule{}, Diagnostics: diagnostics}
	for _, l := range p.Links {
		n := jsonNetwork{Name: l.Name, Mode: string(l.Mode), Bridge: l.Bridge.Name}
		for _, a := range l.Addresses {
			n.Addresses = append(n.Addresses, a.Prefix.String())
		}
		doc.Networks = append(doc.Networks, n)
	}
	lines := make(map[*ir.Rule]map[string][]verify.JSONLine)
	for _, t := range lowered {
		for _, l := range t.rules.Lines() {
			if lines[l.Rule] == nil {
				lines[l.Rule] = make(map[string][]verify.JSONLine)
			}
			lines[l.Rule][t.name] = append(lines[l.Rule][t.name], verify.JSONLine{
				Family: l.Family.String(), Table: l.Table, Chain: l.Chain, Rule: l.Text,
			})
		}
	}
	for _, g := range ir.Groups {
		chain := p.Group(g)
		if chain == nil {
			continue
		}
		for i := range chain.Rules {
			doc.Rules = append(doc.Rules, ruleJSON(g, &chain.Rules[i], lines))
		}
	}
	var text bytes.Buffer
	err = diag.WriteJSON(&text, doc)
	return text.Bytes(), err
}

func ruleJSON(g ir.Group, r *ir.Rule, lines map[*ir.Rule]map[string][]verify.JSONLine) jsonRule {
	text := lines[r]
	if text == nil {
		text = map[string][]verify.JSONLine{}
	}
	return jsonRule{
		Group: g.String(), Family: r.Family.String(), IR: r.String(), Text: text, Network: r.Origin.Network,
		Origin: verify.OriginJSON(r.Origin),
	}
}
