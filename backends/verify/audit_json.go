package verify

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/prove"
)

// The JSON of `vnetc audit`. Fields are added, never renamed or removed.
type (
	// AuditJSON is the JSON of an [Audit]. Callers embed it to add what else they found.
	AuditJSON struct {
		InStep  bool              `json:"in_step"`
		Drift   []jsonDrift       `json:"drift"`
		Packets []jsonDriftEffect `json:"packets"`
		More    bool              `json:"more_packets"` // true if others of the same kinds are left out
		// TooLarge is true if what the drift does to packets did not fit the budget, all or some of
		// it.
		TooLarge bool   `json:"packets_too_large,omitempty"`
		Diff     string `json:"diff,omitempty"`
		// Admin is the administrator's own rules, which are no drift, and AdminPackets what they do
		// to packets: should_be is the fate without them.
		Admin        []JSONAdmin       `json:"admin_rules,omitempty"`
		AdminPackets []jsonDriftEffect `json:"admin_packets,omitempty"`
		AdminMore    bool              `json:"more_admin_packets,omitempty"`
		Elsewhere    []JSONAdmin       `json:"admin_rules_elsewhere,omitempty"` // where no networks' rules are
	}
	jsonDrift struct {
		Kind   string      `json:"kind"`
		Chain  string      `json:"chain"`
		Rule   string      `json:"rule"`
		Origin *JSONOrigin `json:"origin,omitempty"`
		// Of what is ahead and lets through what ours refuse: the networks, a packet and its fates.
		Networks []string `json:"networks,omitempty"`
		Packet   string   `json:"packet,omitempty"`
		Should   string   `json:"should_be,omitempty"`
		Is       string   `json:"is,omitempty"`
	}
	jsonDriftEffect struct {
		From    string   `json:"from"`
		To      string   `json:"to"`
		Family  string   `json:"family"`
		Should  string   `json:"should_be"`
		Is      string   `json:"is"`
		Packets []string `json:"packets"`
		Example string   `json:"example"`
		Foreign bool     `json:"foreign,omitempty"` // true if all of them have an address that is not of From or To
		Depends string   `json:"depends,omitempty"` // on which rule that is not modelled, where is says "may be"
	}
)

// JSON returns the audit as a document for [diag.WriteJSON].
func (a Audit) JSON() AuditJSON {
	doc := AuditJSON{
		InStep: backends.InStep(a.Drifts), Drift: []jsonDrift{}, Packets: []jsonDriftEffect{},
		More: a.More, TooLarge: a.TooLarge, Diff: a.Diff,
		Admin: AdminJSON(a.Admin), AdminMore: a.AdminMore, Elsewhere: AdminJSON(a.AdminElsewhere),
	}
	for i := range a.Drifts {
		doc.Drift = append(doc.Drift, driftJSON(&a.Drifts[i]))
	}
	for _, c := range a.Changes {
		doc.Packets = append(doc.Packets, effectJSON(c))
	}
	for _, c := range a.AdminChanges {
		doc.AdminPackets = append(doc.AdminPackets, effectJSON(c))
	}
	return doc
}

func effectJSON(c prove.Difference) jsonDriftEffect {
	return jsonDriftEffect{
		From: c.From.String(), To: c.To.String(), Family: c.Family.String(), Should: c.Was, Is: c.NowWords(),
		Packets: c.Packets, Example: c.Example.String(), Foreign: c.Foreign, Depends: dependsWords(c.Because),
	}
}

func driftJSON(d *backends.Drift) jsonDrift {
	j := jsonDrift{Kind: string(d.Kind), Chain: driftPlace(d), Rule: driftWords(d)}
	if d.Of != nil {
		o := OriginJSON(d.Of.Origin)
		j.Origin = &o
	}
	if d.Lets != nil {
		j.Networks, j.Packet, j.Should, j.Is = d.Networks, d.Lets.Packet.String(), d.Lets.Should, d.Lets.Is
	}
	return j
}
