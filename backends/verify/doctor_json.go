package verify

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// The JSON of `vnetc doctor`. Fields are added, never renamed or removed.
type (
	// DoctorJSON is the JSON of a [Doctor].
	DoctorJSON struct {
		Cut       bool         `json:"cut_off"` // true if an answer is "no"
		Answers   []jsonAnswer `json:"answers"`
		Notes     []jsonNote   `json:"notes"`
		NotRead   []jsonUnread `json:"not_read"`
		NotLooked []string     `json:"not_looked_at"`
		Assumed   [][]string   `json:"order_assumed"`
	}
	jsonAnswer struct {
		Network string      `json:"network"`
		Kind    string      `json:"kind"`
		Family  string      `json:"family"`
		Proto   string      `json:"protocol,omitempty"`
		Device  string      `json:"device,omitempty"`
		To      string      `json:"to,omitempty"`
		Must    bool        `json:"must_pass"` // false if such packets must be refused
		Answer  string      `json:"answer"`    // yes, no, part, depends, ?
		Why     string      `json:"why,omitempty"`
		Packet  string      `json:"packet,omitempty"`
		Blocks  []jsonBlock `json:"blocks"`
		Fix     string      `json:"fix,omitempty"` // of a fact of the host
	}
	jsonBlock struct {
		Place  string   `json:"place"`
		Owner  string   `json:"owner,omitempty"`
		Family string   `json:"family"`
		Table  string   `json:"table"`
		Chain  string   `json:"chain"`
		Rule   string   `json:"rule,omitempty"` // empty for a policy
		Cure   []string `json:"cure"`
		Proved bool     `json:"proved"`
	}
	jsonNote struct {
		Network string `json:"network"`
		Text    string `json:"text"`
	}
	jsonUnread struct {
		What   string `json:"what"`
		Why    string `json:"why"`
		InPart bool   `json:"in_part"`
	}
)

// JSON returns what was found as a document for [diag.WriteJSON].
func (d Doctor) JSON() DoctorJSON {
	doc := DoctorJSON{Answers: []jsonAnswer{}, Notes: []jsonNote{}, NotRead: []jsonUnread{}, NotLooked: []string{},
		Assumed: [][]string{}}
	for _, a := range d.Answers {
		doc.Cut = doc.Cut || a.Verdict == expect.No
		doc.Answers = append(doc.Answers, answerJSON(a))
	}
	for _, n := range d.Notes {
		doc.Notes = append(doc.Notes, jsonNote(n))
	}
	for _, u := range d.Unread {
		doc.NotRead = append(doc.NotRead, jsonUnread{u.What, u.Why, u.Worse})
	}
	for _, h := range d.Hidden {
		doc.NotLooked = append(doc.NotLooked, h.Text)
	}
	for _, chains := range d.Assumed {
		var labels []string
		for _, c := range chains {
			labels = append(labels, c.Label())
		}
		doc.Assumed = append(doc.Assumed, labels)
	}
	return doc
}

func answerJSON(a expect.Answer) jsonAnswer {
	j := jsonAnswer{
		Network: a.Network, Kind: string(a.Kind), Family: a.Family.String(), Proto: a.Proto, Device: a.Device, To: a.To,
		Must: !a.Refused, Answer: string(a.Verdict), Blocks: []jsonBlock{},
	}
	if a.Verdict != expect.Yes {
		j.Why = causeWords(a)
	}
	if a.Packet.Family != 0 {
		j.Packet = a.Packet.String()
	}
	if a.Fact != nil {
		j.Fix = a.Fact.Fix
	}
	for _, b := range a.Blocks {
		c := b.Step.Chain
		j.Blocks = append(j.Blocks, jsonBlock{
			Place: b.World, Owner: b.Owner, Family: c.Family.String(), Table: c.Table, Chain: c.Name,
			Rule: blockRule(b.Step),
			Cure: append([]string{}, b.Cure...), Proved: b.Proved,
		})
	}
	return j
}

func blockRule(s ir.Step) string {
	if s.Rule == nil {
		return ""
	}
	return s.Rule.String()
}
