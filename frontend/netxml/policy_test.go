package netxml

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir/diag"
)

const policyTag = "<vnetc:policy xmlns:vnetc='urn:vnetc:policy:1'>"

// inMetadata is a network with metadata.
func inMetadata(metadata string) *diag.Sources {
	src := &diag.Sources{}
	src.Add("lab.xml", []byte("<network>\n  <name>lab</name>\n  <metadata>"+metadata+"</metadata>\n"+
		"  <bridge name='virbr0'/>\n  <ip address='10.0.0.1' prefix='24'/>\n</network>\n"))
	return src
}

// TestPolicy: the text of a policy is that of XML, and each part of it is found where it is
// written.
func TestPolicy(t *testing.T) {
	const close = "</vnetc:policy>"
	for _, c := range []struct{ name, metadata, text, part, at string }{
		{"one line", policyTag + "deny to outside" + close, "deny to outside", "outside", "outside"},
		{"a default namespace", "<policy xmlns='urn:vnetc:policy:1'>deny to host</policy>", "deny to host", "to", "to"},
		{"a namespace that is declared outside", "<a xmlns:v='urn:a'/><v:policy xmlns:v='urn:vnetc:policy:1'>deny</v:policy>",
			"deny", "deny", "deny"},
		{"entities", policyTag + "deny &#116;o &quot;b&quot; host" + close, `deny to "b" host`, "host", "host"},
		{"within an entity", policyTag + "deny &#116;o host" + close, "deny to host", "to", "&#116;o"},
		{"CDATA", policyTag + "\n<![CDATA[deny\r\n# <&>\ndeny to host]]>" + close, "\ndeny\n# <&>\ndeny to host", "host",
			"host"},
		{"comments of XML", policyTag + "deny<!-- all --> to<!-- b --> host" + close, "deny to host", "host", "host"},
		{"beside others", "<x:a xmlns:x='urn:x'><x:policy>no</x:policy></x:a>" + policyTag + "deny" + close, "deny", "deny",
			"deny"},
		{"empty", policyTag + close, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := inMetadata(c.metadata)
			nets, list := Parse(src, Options{})
			if len(list) > 0 {
				t.Fatal(list)
			}
			text, span, ok := nets[0].Policy()
			if !ok || text != c.text {
				t.Fatalf("got %q %t, want %q", text, ok, c.text)
			}
			from := strings.LastIndex(text, c.part)
			s := span(from, from+len(c.part))
			if got := string(src.Text("lab.xml")[s.Start.Offset:s.End.Offset]); got != c.at || s.File != "lab.xml" {
				t.Errorf("%q is at %v, which has %q", c.part, s, got)
			}
			if line := 1 + strings.Count(string(src.Text("lab.xml")[:s.Start.Offset]), "\n"); s.Start.Line != line {
				t.Errorf("line %d, want %d", s.Start.Line, line)
			}
		})
	}
}

// TestNoPolicy: what looks like a policy and is none is reported; metadata of others is left alone.
func TestNoPolicy(t *testing.T) {
	for _, c := range []struct{ name, metadata, want string }{ // CODE LINE:COLUMN, and the text there
		{"others' metadata", "<x:policy xmlns:x='urn:x'><x:b c='1'/>deny</x:policy>", ""},
		{"none", "", ""},
		{"two", policyTag + "</vnetc:policy>" + policyTag + "</vnetc:policy>", "metadata-policy-twice vnetc:policy"},
		{"another version", "<v:policy xmlns:v='urn:vnetc:policy:2'/>", "metadata-policy-version v:policy"},
		{"another spelling", "<v:policy xmlns:v='urn:vnetc:policy'/>", "metadata-policy-version v:policy"},
		{"a prefix that is not declared", "<vnetc:policy>deny</vnetc:policy>", "metadata-policy-version vnetc:policy"},
		{"no namespace", "<policy>deny</policy>", "metadata-policy-version policy"},
		{"another name", "<v:polcy xmlns:v='urn:vnetc:policy:1'/>", "metadata-policy-element v:polcy"},
		{"too deep", "<x>" + policyTag + "</vnetc:policy></x>", "metadata-policy-element vnetc:policy"},
		{"an element in it", policyTag + "<b/></vnetc:policy>", "metadata-policy-element b"},
		{"an attribute", "<v:policy xmlns:v='urn:vnetc:policy:1' a=''/>", "metadata-policy-element a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := inMetadata(c.metadata)
			_, list := Parse(src, Options{Lax: true})
			got := ""
			for _, d := range list {
				checkDiagnostic(t, d, src)
				got += string(d.Code) + " " + string(src.Text("lab.xml")[d.Span.Start.Offset:d.Span.End.Offset])
				if (d.Severity == diag.Error) != (c.name != "no namespace") {
					t.Errorf("severity %s", d.Severity)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
