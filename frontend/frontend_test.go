package frontend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// network is the document of a network with a policy in its metadata; none if that is empty.
func network(n int, policy string) string {
	if policy != "" {
		policy = "<metadata><p:policy xmlns:p='urn:vnetc:policy:1'>" + policy + "</p:policy></metadata>"
	}
	return fmt.Sprintf("<network><name>n%d</name>%s<bridge name='virbr%d'/>\n<ip address='10.0.%d.1' prefix='24'/></network>",
		n, policy, n, n)
}

func sources(nameText ...string) *diag.Sources {
	src := &diag.Sources{}
	for i := 0; i < len(nameText); i += 2 {
		src.Add(nameText[i], []byte(nameText[i+1]))
	}
	return src
}

// TestOrder: files that are policies by the options come first, then by their names, then those in
// documents, each in the order given.
func TestOrder(t *testing.T) {
	src := sources("b.policy", "deny to host", "n2.xml", network(2, "deny tcp"), "a.policy", "# none\n",
		"c.policy", "deny udp\ndeny icmp", "n1.xml", network(1, "deny ipv6\ndeny ipv4"), "first.txt", "deny to outside")
	parsed, found := Parse(src, Options{Policies: []string{"first.txt", "c.policy"}})
	if len(found) > 0 {
		t.Fatal(found)
	}
	var got []string
	for _, s := range parsed.Policy {
		got = append(got, fmt.Sprint(s.Span.File, " ", s, " ", s.Network))
	}
	want := []string{"first.txt deny to outside ", "c.policy deny udp ", "c.policy deny icmp ", "b.policy deny to host ",
		"n2.xml deny tcp n2", "n1.xml deny ipv6 n1", "n1.xml deny ipv4 n1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(parsed.Networks) != 2 || parsed.Networks[0].File() != "n2.xml" {
		t.Errorf("%d networks", len(parsed.Networks))
	}
}

// TestExpected: what statements say of a network that may come later is a warning and has no
// effect, in a document and in a file; of a network that nobody expects it is an error.
func TestExpected(t *testing.T) {
	expected := func(name string) bool { return name == "n2" || name == "n3" }
	text := "deny tcp from network n1 to network n2\ndeny from network n2 to network n3\ndeny udp from network n1 to outside"
	for _, src := range []*diag.Sources{sources("n1.xml", network(1, text)),
		sources("n1.xml", network(1, ""), "a.policy", text)} {
		p, found := Compile(src, Options{Expected: expected})
		if found.HasErrors() || found.Count(diag.Warning) != 3 {
			t.Fatalf("found %v", found)
		}
		if p.Group(ir.POX) != nil || p.Group(ir.POO) == nil {
			t.Errorf("POX %v, POO %v", p.Group(ir.POX), p.Group(ir.POO))
		}
	}
	src := sources("n1.xml", network(1, "deny from network n2 to network other"))
	_, found := Compile(src, Options{Expected: expected})
	if got := found.Count(diag.Error); got != 2 {
		t.Errorf("%d errors, want both names: %v", got, found)
	}
}

// TestFound: faults of all sources are reported, in the order of the sources, each at its place.
func TestFound(t *testing.T) {
	src := sources("a.policy", "dney", "n1.xml", network(1, "deny\n deny to hsot"), "b.xml", "<network/>", "c.policy",
		"deny from lan in network n1")
	for _, compile := range []func() diag.List{
		func() diag.List { _, found := Parse(src, Options{}); return found },
		func() diag.List { _, found := Compile(src, Options{}); return found },
	} {
		var got []string
		for _, d := range compile() {
			got = append(got, fmt.Sprint(d.Span, " ", d.Code))
		}
		want := []string{"a.policy:1:1 policy-syntax", "n1.xml:2:10 policy-syntax", "b.xml:1:2 name-missing",
			"c.policy:1:11 policy-set"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, found := Compile(src, Options{OwnRules: true}); len(found) != 1 || found[0].Code != "name-missing" {
		t.Errorf("without policies: %v", found)
	}
	// what needs the networks is judged when there are no other errors
	_, found := Compile(sources("a.policy", "deny from network n3", "n2.xml", network(2, "isolated network n1")), Options{})
	if len(found) != 2 || found[0].Code != "policy-network" || found[1].Span.File != "n2.xml" {
		t.Errorf("%v", found)
	}
}

// TestStrict: a policy that contradicts strict isolation is an error with both places.
func TestStrict(t *testing.T) {
	src := sources("n1.xml", network(1, ""), "n2.xml", network(2, ""), "a.policy", "# x\nallow from network n1 to network n2")
	options := Options{Options: netxml.Options{StrictIsolation: true}}
	p, found := Compile(src, options)
	if p != nil || len(found) == 0 || found[0].Code != "policy-strict" || found[0].Span.String() != "a.policy:2:1" ||
		len(found[0].Related) != 1 || found[0].Related[0].Span.String() != "n1.xml:1:16" {
		t.Errorf("%+v", found)
	}
	if _, found := Compile(src, Options{}); found.HasErrors() {
		t.Errorf("without strict isolation: %v", found)
	}
}

// TestHidden: nothing is quoted of a policy that its reader may not be allowed to see.
func TestHidden(t *testing.T) {
	for _, text := range []string{"root:secret", "deny from network secret", "deny from secret in network n1"} {
		src := sources("n1.xml", network(1, ""), "a.policy", text)
		src.Hide("a.policy")
		_, found := Compile(src, Options{})
		if len(found) != 1 || found[0].Span.File != "a.policy" {
			t.Fatalf("%v", found)
		}
		if d := found[0]; d.What == "" || strings.Contains(d.What+d.Why+d.Fix, "secret") {
			t.Errorf("%+v", d)
		}
	}
}
