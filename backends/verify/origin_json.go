package verify

import "github.com/vnetc/vnetc/ir"

// JSONOrigin is the XML that asked for a rule, as all JSON of vnetc has it.
type JSONOrigin struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Element string `json:"element"`
	Reason  string `json:"reason"`
}

// OriginJSON returns the JSON of o.
func OriginJSON(o ir.Origin) JSONOrigin {
	return JSONOrigin{
		File: o.Span.File, Line: o.Span.Start.Line, Column: o.Span.Start.Col, Element: o.Element, Reason: o.Reason,
	}
}

// JSONLine is one line of a back end, as all JSON of vnetc has it.
type JSONLine struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Rule   string `json:"rule"`
}
