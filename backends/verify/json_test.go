package verify

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// decoded returns what is in a JSON text.
func decoded(t *testing.T, text []byte) (doc any) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return doc
}

// stepsOf returns the rules of a chain as steps.
func stepsOf(c *ir.Chain) []ir.Step {
	var all []ir.Step
	for i := range c.Rules {
		all = append(all, ir.Step{Chain: c, Index: i, Rule: &c.Rules[i]})
	}
	return all
}

// verificationParts are parts of a Verification, each with the JSON of it and every field another
// value.
func verificationParts(p *ir.Program) []verificationPart {
	fwo := stepsOf(p.Group(ir.FWO))
	lab, host := prove.Endpoint{Kind: prove.Network, Name: "lab"}, prove.Endpoint{Kind: prove.Host}
	packet := ir.Packet{
		Family: ir.IPv4, In: "virbr0", Src: netip.MustParseAddr("10.0.0.5"), Dst: netip.MustParseAddr("10.0.0.1"),
		Proto: ir.UDP, SPort: 40000, DPort: 53, State: ir.StateNew,
	}
	const packetText = `"udp from 10.0.0.5:40000 on virbr0 to 10.0.0.1:53 state new"`
	const acceptRule = `"ir": "ip iifname \"virbr0\" saddr 10.0.0.0/24 accept", "origin": {"file": "lab.xml",
		"line": 4, "column": 2, "element": "network/ip/@address", "reason": "guests may open connections"}`
	const rejectRule = `"ir": "inet iifname \"virbr0\" reject with port-unreachable",
		"origin": {"file": "", "line": 0, "column": 0, "element": "", "reason": ""}`
	way := &Way{Tracer: &Tracer{What: "nft"}, Packet: packet, Fate: ir.Fate{Outcome: ir.Dropped}}
	const wayText = `{"backend": "nft", "packet": ` + packetText + `, "steps": [],
		"fate": {"outcome": "dropped", "text": "dropped"}}`
	claim := prove.Assertion{
		Kind: prove.Deny, From: lab, To: host, Text: "deny from network lab to host", Span: diag.Span{File: "a.txt", Start: diag.Pos{Line: 7, Col: 1}},
	}
	proof := func(label string, r prove.Result, ways ...*Way) Verification {
		return Verification{Proofs: []Proof{{Label: label, Result: r, Ways: ways}}}
	}
	dead := func(d prove.DeadRule) Verification { return Verification{Dead: []prove.DeadRule{d}} }
	return []verificationPart{
		{"proved", proof("one", prove.Result{Answer: prove.Proved}), "proofs",
			`[{"target": "one", "answer": "proved"}]`},
		{"refuted", proof("two", prove.Result{Answer: prove.Refuted, Packet: packet}, way), "proofs",
			`[{"target": "two", "answer": "refuted", "packet": ` + packetText + `, "ways": [` + wayText + `]}]`},
		{"not modelled", proof("three", prove.Result{Answer: prove.Unknown, Because: fwo[1]}), "proofs",
			`[{"target": "three", "answer": "can't prove",
				"rule": "inet iifname \"virbr0\" reject with port-unreachable"}]`},
		{"idle", dead(prove.DeadRule{Step: fwo[0], Families: ir.IPv4, Kind: prove.Idle}), "dead",
			`[{"kind": "idle", "family": "ip", "rule": {"chain": "FWO", "rule": 1, ` + acceptRule + `}}]`},
		{"unreached", dead(prove.DeadRule{Step: fwo[1], Families: ir.IPv6, Kind: prove.Unreached, Cover: fwo[0]}),
			"dead",
			`[{"kind": "unreached", "family": "ip6", "rule": {"chain": "FWO", "rule": 2, ` + rejectRule + `},
				"cover": {"chain": "FWO", "rule": 1, ` + acceptRule + `}}]`},
		{"linear", Verification{Linear: []Linear{{"sets", backends.Linear{
			Family: ir.IPv4, Rule: fwo[0].Rule, Why: "so", Over: fwo[1].Rule,
		}}}}, "linear", `[{"target": "sets", "family": "ip", "why": "so",
				"rule": {` + acceptRule + `}, "over": {` + rejectRule + `}}]`},
		{"matrix", Verification{Cells: []prove.Cell{{
			From: lab, To: host, Family: ir.IPv6, Access: prove.SomeAccess, Some: []string{"udp port 53"},
		}}}, "matrix", `[{"from": "network lab", "to": "host", "family": "ip6", "access": "some",
				"some": ["udp port 53"]}]`},
		{"fails", Verification{Claims: []Claim{{Assertion: claim, Answer: prove.Refuted, Way: way}}}, "assertions",
			`[{"assertion": "deny from network lab to host", "file": "a.txt", "line": 7, "answer": "fails", "holds": false,
				"way": ` + wayText + `}]`},
		{"holds", Verification{Claims: []Claim{{Assertion: claim, Answer: prove.Proved}}}, "assertions",
			`[{"assertion": "deny from network lab to host", "file": "a.txt", "line": 7, "answer": "holds", "holds": true}]`},
		{"too large", Verification{Claims: []Claim{{Assertion: claim, Answer: prove.TooLarge}}}, "assertions",
			`[{"assertion": "deny from network lab to host", "file": "a.txt", "line": 7, "answer": "too large to tell", "holds": false}]`},
		{"not told", Verification{TooLarge: []string{"which rules do nothing"}}, "too_large",
			`["which rules do nothing"]`},
		{"changes", Verification{Changes: []prove.Difference{{
			From: lab, To: host, Family: ir.IPv4, Was: "dropped", Now: "accepted", Packets: []string{"udp"},
			Example: packet, Foreign: true,
		}}}, "changes", `[{"from": "network lab", "to": "host", "family": "ip", "was": "dropped", "now": "accepted",
				"packets": ["udp"], "example": ` + packetText + `, "foreign": true}]`},
		{"more", Verification{More: true}, "more_changes", `true`},
		{"findings", Verification{Leaks: diag.List{{Severity: diag.Warning, Code: "verify-leak", What: "it leaks"}}},
			"findings", `[{"severity": "warning", "code": "verify-leak", "what": "it leaks"}]`},
		{"diagnostics", Verification{Said: diag.List{{Severity: diag.Note, Code: "xml-unknown", What: "unknown"}}},
			"diagnostics", `[{"severity": "note", "code": "xml-unknown", "what": "unknown"}]`},
	}
}

type verificationPart struct {
	name string
	v    Verification
	key  string
	want string
}

// TestVerificationJSON: each part of a verification is in the JSON under its key with all its
// fields; the others stay empty.
func TestVerificationJSON(t *testing.T) {
	for _, tt := range verificationParts(program(t)) {
		t.Run(tt.name, func(t *testing.T) {
			var text bytes.Buffer
			if err := tt.v.JSON(&text); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"version": 1.0}
			for _, key := range []string{"proofs", "dead", "linear", "findings", "assertions", "diagnostics"} {
				want[key] = []any{}
			}
			want[tt.key] = decoded(t, []byte(tt.want))
			if diff := cmp.Diff(any(want), decoded(t, text.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// ofWay is the way of a packet that meets a bit of everything.
func ofWay(p *ir.Program, low Lowering) *Way {
	addr := netip.MustParseAddr
	forward := p.Group(ir.FWO)
	looking := &ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{}, Matches: []ir.Match{ir.Lookup{Set: &ir.Set{
		Name: "nets", Elements: [][]ir.Match{{ir.IIfName{Name: "virbr9"}}, {ir.IIfName{Name: "virbr0"}}},
	}}}}
	base := &ir.Chain{Family: ir.IPv4, Table: "vnetc", Name: "forward", Base: &ir.Base{Hook: ir.Forward, Drop: true}}
	snat := &ir.NAT{
		Kind: ir.KindSNAT, Addrs: ir.AddrRange{From: addr("192.0.2.2"), To: addr("192.0.2.3")},
		Ports: ir.PortRange{From: 1024, To: 2048},
	}
	return &Way{
		Tracer: NewTracer(p, []Lowering{low}),
		Packet: ir.Packet{
			Family: ir.IPv4, In: "virbr0", Out: "eth0", Src: addr("10.0.0.5"), Dst: addr("192.0.2.1"),
			Proto: ir.TCP, SPort: 40000, DPort: 443, State: ir.StateNew,
		},
		Fate: ir.Fate{Outcome: ir.Accepted, Checksum: true, SNAT: snat, DNAT: &ir.NAT{Kind: ir.KindRedirect}},
		Visits: []ir.Visit{
			{Kind: ir.Entered, Hook: ir.Forward, Chain: forward},
			{
				Kind: ir.Passed, Hook: ir.Forward, Chain: forward, Index: 1, Rule: &forward.Rules[1],
				Failed: ir.IIfName{Name: "virbr0"},
			},
			{Kind: ir.Matched, Hook: ir.Forward, Chain: forward, Index: 0, Rule: &forward.Rules[0]},
			{Kind: ir.Matched, Hook: ir.Forward, Chain: base, Index: 4, Rule: looking},
			{Kind: ir.Policy, Hook: ir.Forward, Chain: base},
		},
	}
}

// TestWayJSON: the JSON of a way has what the packet meets, in order, with lines, sets and origins,
// and its fate.
func TestWayJSON(t *testing.T) {
	p := program(t)
	low, found := Lower(p, Target{Backend: faulty{}, Label: "faulty"}, backends.VnetcNames)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	w := ofWay(p, low)
	const none = `{"network": "", "file": "", "line": 0, "column": 0, "element": "", "reason": ""}`
	want := `{"version": 1, "backend": "ir",
		"packet": "tcp from 10.0.0.5:40000 on virbr0 to 192.0.2.1:443 out eth0 state new",
		"fate": {"outcome": "accepted", "checksum": true, "dnat": {"kind": "redirect"}, "text": "` + w.Fate.String() + `",
			"snat": {"kind": "snat", "addresses": "192.0.2.2-192.0.2.3", "ports": "1024-2048"}},
		"steps": [
			{"kind": "entered", "hook": "forward", "chain": "FWO", "group": "FWO"},
			{"kind": "passed", "hook": "forward", "chain": "FWO", "group": "FWO", "rule": 2,
				"failed": "iifname \"virbr0\"", "origin": ` + none + `,
				"ir": "inet iifname \"virbr0\" reject with port-unreachable", "text": {"faulty": [
					{"family": "inet", "table": "", "chain": "FWO",
						"rule": "inet iifname \"virbr0\" reject with port-unreachable"}]}},
			{"kind": "held", "hook": "forward", "chain": "FWO", "group": "FWO", "rule": 1,
				"ir": "ip iifname \"virbr0\" saddr 10.0.0.0/24 accept", "text": {"faulty": [
					{"family": "ip", "table": "", "chain": "FWO",
						"rule": "ip iifname \"virbr0\" saddr 10.0.0.0/24 accept"}]},
				"origin": {"network": "lab", "file": "lab.xml", "line": 4, "column": 2,
					"element": "network/ip/@address", "reason": "guests may open connections"}},
			{"kind": "held", "hook": "forward", "chain": "ip vnetc forward", "rule": 5,
				"ir": "ip lookup nets accept", "sets": ["nets: iifname \"virbr0\""], "origin": ` + none + `},
			{"kind": "policy", "hook": "forward", "chain": "ip vnetc forward", "policy": "drop"}],
		"diagnostics": [{"severity": "warning", "code": "packet-interface", "what": "eth0?"}]}`
	var text bytes.Buffer
	if err := w.JSON(&text, diag.List{{Severity: diag.Warning, Code: "packet-interface", What: "eth0?"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decoded(t, []byte(want)), decoded(t, text.Bytes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
