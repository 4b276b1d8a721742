package diag

import (
	"io"
	"net/url"
	"path"
	"strings"
)

// The parts of a SARIF 2.1.0 log that vnetc writes (OASIS sarif-v2.1.0, section 3), by the
// standard's own names.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool       `json:"tool"`
		ColumnKind string          `json:"columnKind"`
		Artifacts  []sarifArtifact `json:"artifacts,omitempty"`
		Results    []sarifResult   `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules,omitempty"`
	}
	sarifRule struct {
		ID               Code          `json:"id"`
		ShortDescription sarifMessage  `json:"shortDescription"`
		FullDescription  *sarifMessage `json:"fullDescription,omitempty"`
		Help             sarifMessage  `json:"help"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifArtifact struct {
		Location sarifArtifactLocation `json:"location"`
	}
	sarifArtifactLocation struct {
		URI string `json:"uri"`
	}
	sarifResult struct {
		RuleID    Code            `json:"ruleId"`
		RuleIndex *int            `json:"ruleIndex,omitempty"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifMessage `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifactLocation `json:"artifactLocation"`
		Region   *sarifRegion          `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

// SARIF writes l as a SARIF 2.1.0 log of one run of vnetc in version toolVersion: the files of src
// as artifacts, the table of codes as rules, each diagnostic as a result. SARIF has no field for
// why and fix; they are lines of the message.
func SARIF(w io.Writer, l List, src *Sources, toolVersion string) error {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "vnetc", Version: toolVersion, InformationURI: "https://github.com/vnetc/vnetc",
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	if src == nil {
		src = &Sources{}
	}
	for _, name := range src.Names() {
		run.Artifacts = append(run.Artifacts, sarifArtifact{Location: sarifArtifactLocation{URI: fileURI(name)}})
	}
	index := make(map[Code]int)
	for i, info := range Codes() {
		index[info.Code] = i
		rule := sarifRule{ID: info.Code, ShortDescription: sarifMessage{info.Title}}
		if info.Text != "" {
			rule.FullDescription = &sarifMessage{info.Text}
		}
		rule.Help = sarifMessage{helpOf(info)}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
	}
	for _, d := range l {
		run.Results = append(run.Results, sarifResultOf(d, index))
	}
	return WriteJSON(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

// helpOf returns what a page of findings shows for a code: the explanation and both examples.
func helpOf(info Info) string {
	var b strings.Builder
	b.WriteString(info.Title + "\n")
	for _, part := range []struct{ head, text string }{
		{"", info.Text}, {"wrong:\n", info.Bad}, {"right:\n", info.Good},
	} {
		if part.text != "" {
			b.WriteString("\n" + part.head + strings.TrimSuffix(part.text, "\n") + "\n")
		}
	}
	return b.String()
}

func sarifResultOf(d Diagnostic, rules map[Code]int) sarifResult {
	text := d.What
	if d.Why != "" {
		text += "\nwhy: " + d.Why
	}
	if d.Fix != "" {
		text += "\nfix: " + d.Fix
	}
	r := sarifResult{RuleID: d.Code, Level: d.Severity.String(), Message: sarifMessage{text}}
	if i, ok := rules[d.Code]; ok {
		r.RuleIndex = &i
	}
	if d.Span.File != "" {
		r.Locations = []sarifLocation{sarifLocationOf(d.Span)}
	}
	for _, other := range d.Related {
		if other.Span.File != "" {
			location := sarifLocationOf(other.Span)
			location.Message = &sarifMessage{other.Text}
			r.Related = append(r.Related, location)
		}
	}
	return r
}

func sarifLocationOf(s Span) sarifLocation {
	location := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifactLocation{URI: fileURI(s.File)}}}
	if s.IsValid() {
		location.Physical.Region = &sarifRegion{
			StartLine: s.Start.Line, StartColumn: s.Start.Col, EndLine: s.End.Line, EndColumn: s.End.Col,
		}
	}
	return location
}

// fileURI returns the URI reference of a file name: relative names stay relative, every byte that
// RFC 3986 reserves is percent-encoded.
func fileURI(name string) string {
	u := url.URL{Path: name}
	if path.IsAbs(name) {
		u.Scheme = "file"
	}
	return u.String()
}
