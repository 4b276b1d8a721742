package netconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
)

// parse returns the back end, and what is said in short: place, severity and code.
func parse(text string) (string, []string) {
	c, found := Parse("network.conf", []byte(text))
	backend, more := c.Chosen()
	var said []string
	for _, d := range append(found, more...) {
		said = append(said, fmt.Sprintf("%d:%d %s %s", d.Span.Start.Line, d.Span.Start.Col, d.Severity, d.Code))
	}
	return backend, said
}

// The accepted and refused forms are those of libvirt's reader of configuration files.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text, backend string
		said                []string
	}{
		{name: "empty"},
		{name: "comments only", text: "# Master configuration\n#firewall_backend = \"nftables\"\n\n"},
		{name: "double quotes", text: "firewall_backend = \"nftables\"", backend: "nftables"},
		{name: "single quotes, no blanks, CRLF", text: "firewall_backend='iptables'\r\n", backend: "iptables"},
		{name: "triple quotes", text: "firewall_backend = \"\"\"iptables\"\"\"\n", backend: "iptables"},
		{name: "comment behind", text: "\tfirewall_backend\t=\t\"nftables\" # or iptables\n", backend: "nftables"},
		{name: "semicolon", text: "a = 1; firewall_backend = \"nftables\"", backend: "nftables"},
		{name: "other keys",
			text: "n = -12\nlist = [ \"a\",\n 2,\n [ ] , ]\ntext = \"\"\"two\nlines # \"\"\"\nfirewall_backend = \"nftables\"", backend: "nftables"},
		{name: "no escapes", text: `a = "\"` + "\nfirewall_backend = \"nftables\"", backend: "nftables"},
		{name: "no quotes", text: "x = 1\nfirewall_backend = nftables\n", said: []string{"2:20 error conf-syntax"}},
		{name: "no value", text: "firewall_backend =\n", said: []string{"1:19 error conf-syntax"}},
		{name: "no =", text: "firewall_backend \"nftables\"", said: []string{"1:18 error conf-syntax"}},
		{name: "no key", text: "= 1\n_x = 1\n9 = 1\n", said: []string{"1:1 error conf-syntax", "2:1 error conf-syntax",
			"3:1 error conf-syntax"}},
		{name: "open string", text: "a = \"x\nfirewall_backend = \"nft\"\n",
			said: []string{"1:5 error conf-syntax", "2:20 error conf-backend"}},
		{name: "open triple string", text: "a = \"\"\"x\n", said: []string{"1:5 error conf-syntax"}},
		{name: "open list", text: "a = [ 1,\n", said: []string{"1:5 error conf-syntax"}},
		{name: "list without commas", text: "a = [ 1 2 ]\n", said: []string{"1:9 error conf-syntax"}},
		{name: "sign alone", text: "a = -\n", said: []string{"1:5 error conf-syntax"}},
		{name: "more behind", text: "a = 1 2\nb = 2\n", said: []string{"1:7 error conf-syntax"}},
		{name: "an error empties all", text: "firewall_backend = \"nftables\"\na\n",
			said: []string{"2:2 error conf-syntax"}},
		{name: "deep lists", text: "a = " + strings.Repeat("[", 100000), said: []string{"1:21 error conf-syntax"}},
		{name: "not a string", text: "firewall_backend = 1\n", said: []string{"1:20 error conf-backend"}},
		{name: "a list", text: "firewall_backend = [ \"nftables\" ]\n", said: []string{"1:20 error conf-backend"}},
		{name: "another back end", text: "firewall_backend = \"pf\"\n", said: []string{"1:20 error conf-backend"}},
		{name: "none", text: "\nfirewall_backend = \"none\"\n", said: []string{"2:20 error conf-none"}},
		{name: "twice", text: "firewall_backend = \"iptables\"\nfirewall_backend = \"nftables\"\n", backend: "iptables",
			said: []string{"2:1 warning conf-twice"}},
		{name: "a slip", text: "firewal_backend = \"iptables\"\n", said: []string{"1:1 warning conf-unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			backend, said := parse(c.text)
			if diff := cmp.Diff(c.said, said); diff != "" || backend != c.backend {
				t.Errorf("back end %q, want %q; said (-want +got):\n%s", backend, c.backend, diff)
			}
		})
	}
}

// TestCodes tries the examples of the codes.
func TestCodes(t *testing.T) {
	n := 0
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "conf-") {
			continue
		}
		n++
		if _, said := parse(info.Bad); len(said) != 1 || !strings.HasSuffix(said[0], " "+string(info.Code)) {
			t.Errorf("the bad example of %s draws %v", info.Code, said)
		}
		if _, said := parse(info.Good); len(said) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, said)
		}
	}
	if n != 5 {
		t.Errorf("%d codes are tried, want 5", n)
	}
}

// FuzzParse: no input makes it panic, all that is said is about a place in the input, and an answer
// comes without errors.
func FuzzParse(f *testing.F) {
	for _, info := range diag.Codes() {
		f.Add(info.Bad)
		f.Add(info.Good)
	}
	f.Add("a = [ 1, '2', \"\"\"3\n\"\"\", [ +4 ] ]; firewall_backend = 'iptables' # x\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, found := Parse("network.conf", []byte(text))
		for _, d := range found {
			if !d.Span.IsValid() || d.Span.Start.Offset > d.Span.End.Offset || d.Span.End.Offset > len(text) {
				t.Errorf("%v: span %+v in %d bytes", d, d.Span, len(text))
			}
		}
		if c.FirewallBackend != "" && (found.HasErrors() || !strings.Contains(text, c.FirewallBackend)) {
			t.Errorf("%q from %q, %v", c.FirewallBackend, text, found)
		}
	})
}
