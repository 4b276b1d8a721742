package verify

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// faulty is a back end whose rules are the program's own text with a word in it replaced: what a
// fault of lowering, or of reading, would make of them.
type faulty struct {
	old, new string
	refuses  bool
}

func (faulty) Name() string               { return "faulty" }
func (faulty) Layouts() []backends.Layout { return []backends.Layout{backends.Chains} }
func (faulty) FillsChecksums() bool       { return true }

func (f faulty) Lower(p *ir.Program, _ backends.Options) (backends.Ruleset, diag.List) {
	if f.refuses {
		return nil, diag.List{{Severity: diag.Error, Code: "backend-unsupported", What: "it can't say that"}}
	}
	return emitted{p, strings.Replace(p.String(), f.old, f.new, 1)}, nil
}

func (faulty) Read(images []backends.Document) (*ir.Program, error) {
	p, found := ir.Parse("image", images[0].Text)
	if found.HasErrors() {
		return nil, errors.New(found.Error())
	}
	return p, nil
}

type emitted struct {
	program *ir.Program
	text    string
}

func (e emitted) Emit() []backends.Document   { return []backends.Document{{Text: []byte(e.text)}} }
func (e emitted) Images() []backends.Document { return e.Emit() }

func (e emitted) Lines() (all []backends.Line) {
	for _, c := range e.program.Chains {
		for i := range c.Rules {
			all = append(all, backends.Line{Family: c.Rules[i].Family, Chain: c.Label(), Text: c.Rules[i].String(),
				Rule: &c.Rules[i]})
		}
	}
	return all
}

// site is a NAT network and a routed one.
const site = `
link "lab" { mode nat  bridge { name virbr0 }  addresses { prefix 10.0.0.1/24 } }
link "dmz" { mode route  bridge { name virbr1 }  addresses { prefix 10.0.1.1/24 } }
group FWI {
    ip oifname "virbr0" daddr 10.0.0.0/24 ct state established,related accept
    inet oifname "virbr0" reject with port-unreachable
    ip oifname "virbr1" daddr 10.0.1.0/24 accept
    inet oifname "virbr1" reject with port-unreachable
}
group FWO {
    ip iifname "virbr0" saddr 10.0.0.0/24 accept
        from "lab.xml" at 4:2-4:9 network "lab" element network/ip/@address reason "guests may open connections" bytes 60-67
    inet iifname "virbr0" reject with port-unreachable
    ip iifname "virbr1" saddr 10.0.1.0/24 accept
    inet iifname "virbr1" reject with port-unreachable
}
group PRT {
    ip saddr 10.0.0.0/24 daddr != 10.0.0.0/24 masquerade
}`

func program(t *testing.T) *ir.Program {
	t.Helper()
	p, found := ir.Parse("site", []byte(site))
	if p != nil {
		found = append(found, ir.Verify(p)...)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// A target whose rules are others is refuted by a packet that [ir.Eval] treats as stated, in the
// program and in the rules that were read back; and only such a target fails.
func TestDecideFaultyTargets(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           prove.Answer
	}{
		{"nothing is wrong", "", "", prove.Proved},
		{"a source is lost", `saddr 10.0.0.0/24 accept`, `accept`, prove.Refuted},
		{"a subnet is wider", `daddr 10.0.1.0/24 accept`, `daddr 10.0.0.0/23 accept`, prove.Refuted},
		{"a reject code is another", "reject with port-unreachable", "reject with host-unreachable", prove.Refuted},
		{"a state is lost", "established,related", "established", prove.Refuted},
		{"NAT is lost", "masquerade", "accept", prove.Refuted},
		{"a match is not modelled", `ct state established,related`, `opaque-match "-m u32 --u32 0=0"`, prove.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(t)
			v := &Verification{Sources: &diag.Sources{}, Program: p}
			b := faulty{old: c.old, new: c.new}
			if err := v.Decide([]Target{{Backend: faulty{}, Label: "right"}, {Backend: b, Label: "faulty"}},
				false); err != nil {
				t.Fatal(err)
			}
			if len(v.Proofs) != 2 || v.Proofs[0].Result.Answer != prove.Proved {
				t.Fatalf("proofs: %+v", v.Proofs)
			}
			proof := v.Proofs[1]
			if proof.Result.Answer != c.want || v.Failed() != (c.want != prove.Proved) {
				t.Fatalf("%s, failed %v; want %s", proof.Result.Answer, v.Failed(), c.want)
			}
			said := fmt.Sprint(v.Diagnostics())
			if (c.want != prove.Proved) != strings.Contains(said, "the rules of faulty") {
				t.Errorf("it says %q", said)
			}
			if c.want != prove.Refuted {
				return
			}
			low, _ := Lower(p, Target{Backend: b}, backends.VnetcNames)
			read, err := low.Read()
			if err != nil {
				t.Fatal(err)
			}
			for i, side := range []*ir.Program{p, read} {
				fate, err := ir.Eval(side, proof.Result.Packet)
				if err != nil || !fate.Equal(proof.Ways[i].Fate) {
					t.Errorf("side %d: %s (%v), and the way says %s", i, fate, err, proof.Ways[i].Fate)
				}
			}
			if proof.Ways[0].Fate.Equal(proof.Ways[1].Fate) {
				t.Errorf("both ways end %s", proof.Ways[0].Fate)
			}
		})
	}
}

// A target that refuses the program, or whose rules can't be read, is an error and no proof.
func TestDecideErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		b    faulty
		want string
	}{
		{"refused", faulty{refuses: true}, "can't say"},
		{"unreadable", faulty{old: "group", new: "gruop"}, "read the rules of faulty back"},
	} {
		v := &Verification{Sources: &diag.Sources{}, Program: program(t)}
		err := v.Decide([]Target{{Backend: c.b, Label: "faulty"}}, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		var found diag.List
		if errors.As(err, &found) != c.b.refuses {
			t.Errorf("%s: %T; only what a target can't say is a list of diagnostics", c.name, err)
		}
	}
}

// An assertion that fails has a packet of those it speaks of, which does what it denies; the rule
// that decided is named by its place in the XML.
func TestDecideClaims(t *testing.T) {
	v := &Verification{Sources: &diag.Sources{}, Program: program(t)}
	lab, dmz := prove.Endpoint{Kind: prove.Network, Name: "lab"}, prove.Endpoint{Kind: prove.Network, Name: "dmz"}
	outside := prove.Endpoint{Kind: prove.Outside}
	port := func(n uint16) []ir.PortRange { return []ir.PortRange{{From: n, To: n}} }
	v.Asserted = []prove.Assertion{
		{Kind: prove.Deny, From: outside, To: lab},
		{Kind: prove.Deny, From: lab, To: outside, Query: prove.Query{Proto: ir.TCP, Ports: port(443)}},
		{Kind: prove.Allow, From: lab, To: dmz, Query: prove.Query{Proto: ir.UDP, Ports: port(53)}},
		{Kind: prove.Isolated, From: dmz},
	}
	if err := v.Decide(nil, true); err != nil {
		t.Fatal(err)
	}
	for i, holds := range []bool{true, false, true, false} {
		if (v.Claims[i].Answer == prove.Proved) != holds {
			t.Errorf("%+v: %v, want %v", v.Claims[i], v.Claims[i].Answer, holds)
		}
	}
	way := v.Claims[1].Way
	if way.Packet.In != "virbr0" || way.Packet.DPort != 443 || way.Packet.Proto != ir.TCP ||
		way.Fate.Outcome != ir.Accepted {
		t.Errorf("%s: %s", way.Packet, way.Fate)
	}
	if r := way.Decider(); r == nil || r.Origin.Span.File != "lab.xml" {
		t.Errorf("decided by %v", r)
	}
	if !v.Failed() {
		t.Error("it has not failed")
	}
}
