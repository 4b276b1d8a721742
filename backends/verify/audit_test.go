package verify

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// jsonOf returns what v is in JSON, decoded.
func jsonOf(t *testing.T, v any) any {
	t.Helper()
	var text bytes.Buffer
	if err := diag.WriteJSON(&text, v); err != nil {
		t.Fatal(err)
	}
	return decoded(t, text.Bytes())
}

// cause is a rule of network lab, at lab.xml:4:2.
var cause = &ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{}, Origin: ir.Origin{
	Span:    diag.Span{File: "lab.xml", Start: diag.Pos{Line: 4, Col: 2}, End: diag.Pos{Line: 4, Col: 9}},
	Network: "lab", Element: "network/ip", Reason: "guests may answer",
}}

// auditTests are a drift of each part and kind, with the forms of it. fwi is a chain of table ip
// vnetc.
func auditTests() []auditTest {
	fwi := &ir.Chain{Family: ir.IPv4, Table: "vnetc", Name: "fwi"}
	set := &ir.Set{Family: ir.IPv6, Table: "vnetc", Name: "nets"}
	element := []ir.Match{ir.IIfName{Name: "virbr0"}, ir.SAddr{Prefix: netip.MustParsePrefix("fd00::/64")}}
	drop := &ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.IIfName{Name: "virbr0"}}, Verdict: ir.Drop{}}
	accept := &ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.OIfName{Name: "virbr1"}}, Verdict: ir.Accept{}}
	return []auditTest{
		{
			"a rule that is missing",
			backends.Drift{Kind: backends.Missing, Part: backends.DriftRule, Chain: fwi, Want: drop, Of: cause},
			"- missing  ip vnetc fwi: ip iifname \"virbr0\" drop\n" +
				"             lab.xml:4:2, network lab: guests may answer\n",
			"ip vnetc fwi", `ip iifname "virbr0" drop`, "audit-missing", `ip vnetc fwi lacks ip iifname "virbr0" drop`,
		},
		{
			"an extra rule",
			backends.Drift{Kind: backends.Extra, Part: backends.DriftRule, Chain: fwi, Have: accept},
			"+ extra    ip vnetc fwi: ip oifname \"virbr1\" accept\n",
			"ip vnetc fwi", `ip oifname "virbr1" accept`, "audit-extra",
			`ip vnetc fwi has ip oifname "virbr1" accept, which no network needs`,
		},
		{
			"a rule in another place",
			backends.Drift{Kind: backends.Moved, Part: backends.DriftRule, Chain: fwi, Want: drop, Have: drop,
				Of: cause},
			"~ moved    ip vnetc fwi: ip iifname \"virbr0\" drop\n" +
				"             lab.xml:4:2, network lab: guests may answer\n",
			"ip vnetc fwi", `ip iifname "virbr0" drop`, "audit-moved",
			`ip vnetc fwi has ip iifname "virbr0" drop in another place`,
		},
		{
			"an element",
			backends.Drift{Kind: backends.Extra, Part: backends.DriftElement, Set: set, Element: element},
			"+ extra    ip6 vnetc set nets: iifname \"virbr0\" saddr fd00::/64\n",
			"ip6 vnetc set nets", `iifname "virbr0" saddr fd00::/64`, "audit-extra",
			`ip6 vnetc set nets has iifname "virbr0" saddr fd00::/64, which no network needs`,
		},
		{
			"an empty chain",
			backends.Drift{Kind: backends.Missing, Part: backends.DriftChain, Chain: fwi},
			"- missing  ip vnetc fwi: the chain itself\n",
			"ip vnetc fwi", "the chain itself", "audit-missing", "ip vnetc fwi lacks the chain itself",
		},
		{
			"a hook as it is meant",
			backends.Drift{Kind: backends.Missing, Part: backends.DriftBase, Chain: fwi},
			"- missing  ip vnetc fwi: the chain's hook, priority or policy as meant\n",
			"ip vnetc fwi", "the chain's hook, priority or policy as meant", "audit-missing",
			"ip vnetc fwi lacks the chain's hook, priority or policy as meant",
		},
		{
			"a hook that is not",
			backends.Drift{Kind: backends.Extra, Part: backends.DriftBase, Chain: fwi},
			"+ extra    ip vnetc fwi: another hook, priority or policy\n",
			"ip vnetc fwi", "another hook, priority or policy", "audit-extra",
			"ip vnetc fwi has another hook, priority or policy, which no network needs",
		},
		{
			"an object in no chain",
			backends.Drift{
				Kind: backends.Extra, Part: backends.DriftObject, Words: "counter c",
				Chain: &ir.Chain{Family: ir.IPv6, Table: "vnetc"},
			},
			"+ extra    ip6 vnetc: counter c\n",
			"ip6 vnetc", "counter c", "audit-extra", "ip6 vnetc has counter c, which no network needs",
		},
		{
			"a foreign rule",
			backends.Drift{Kind: backends.Ahead, Part: backends.DriftObject, Words: "-j ADMIN", Chain: fwi},
			"! ahead    ip vnetc fwi: -j ADMIN\n",
			"ip vnetc fwi", "-j ADMIN", "audit-ahead",
			"foreign rules are in the networks' way, in ip vnetc fwi: -j ADMIN",
		},
		{
			"another back end",
			backends.Drift{Kind: backends.Extra, Part: backends.DriftTarget, Target: "iptables", Chains: 3, Rules: 12},
			"+ extra    iptables: 3 of our chains with 12 rules, which packets also meet\n",
			"iptables", "3 of our chains with 12 rules, which packets also meet", "audit-extra",
			"iptables has 3 of our chains with 12 rules, which packets also meet, which no network needs",
		},
		{
			"rules that nothing explains",
			backends.Drift{Kind: backends.Unexplained, Part: backends.DriftBridge, Target: "vbi", Rules: 5},
			"? unexplained bridge vbi: 5 rules with no state file; they stay\n",
			"bridge vbi", "5 rules with no state file; they stay", "audit-unexplained",
			"bridge vbi: 5 rules with no state file; they stay",
		},
		{
			"a state file that is not used",
			backends.Drift{Kind: backends.Unexplained, Part: backends.DriftStateFile,
				Target: "/run/vnetc/networks/a\x1b.json", Words: "is damaged"},
			"? unexplained state file /run/vnetc/networks/a\\x1b.json: is damaged\n",
			"state file /run/vnetc/networks/a\\x1b.json", "is damaged", "audit-unexplained",
			"state file /run/vnetc/networks/a\\x1b.json: is damaged",
		},
	}
}

type auditTest struct {
	name        string
	drift       backends.Drift
	text        string
	chain, rule string // in JSON
	code        diag.Code
	what        string // as a diagnostic
}

// TestDriftForms: text, JSON and diagnostics say for each drift what it is, where it is and which
// XML causes it.
func TestDriftForms(t *testing.T) {
	for _, tt := range auditTests() {
		t.Run(tt.name, func(t *testing.T) {
			a := Audit{Drifts: []backends.Drift{tt.drift}}
			want := diag.Diagnostic{Severity: diag.Error, Code: tt.code, What: tt.what, Fix: "vnetc apply fixes it"}
			wantJSON := map[string]any{"kind": string(tt.drift.Kind), "chain": tt.chain, "rule": tt.rule}
			inStep := tt.drift.Kind == backends.Ahead
			if inStep {
				want.Severity, want.Fix = diag.Note, "apply leaves it there; change it if it should not decide"
				tt.text += "in step\n"
			}
			switch {
			case tt.drift.Part == backends.DriftBridge:
				want.Fix = "apply the network's XML again, which writes the state file; or remove the rules: " +
					"vnetc remove --bridge vbi"
			case tt.drift.Kind == backends.Unexplained:
				want.Fix = "apply the network's XML again, which writes the state file"
			}
			if tt.drift.Of != nil {
				want.Span, want.Why = cause.Origin.Span, "network lab: guests may answer"
				wantJSON["origin"] = map[string]any{
					"file": "lab.xml", "line": 4.0, "column": 2.0, "element": "network/ip",
					"reason": "guests may answer",
				}
			}
			var text bytes.Buffer
			if err := a.Text(&text); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.text, text.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			doc := map[string]any{
				"in_step": inStep, "drift": []any{wantJSON}, "packets": []any{}, "more_packets": false,
			}
			if diff := cmp.Diff(any(doc), jsonOf(t, a.JSON())); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(diag.List{want}, a.Diagnostics()); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

// driftEffects are changes between two networks, and two of the same fate that only foreign
// addresses show.
func driftEffects() []prove.Difference {
	lab, dmz := prove.Endpoint{Kind: prove.Network, Name: "lab"}, prove.Endpoint{Kind: prove.Network, Name: "dmz"}
	example := ir.Packet{
		Family: ir.IPv4, In: "virbr0", Out: "virbr1", Proto: ir.TCP, SPort: 40000, DPort: 22, State: ir.StateNew,
		Src: netip.MustParseAddr("10.0.0.5"), Dst: netip.MustParseAddr("10.0.1.6"),
	}
	liar := example
	liar.Src = netip.MustParseAddr("192.0.2.1")
	return []prove.Difference{
		{
			From: lab, To: dmz, Family: ir.IPv4, Was: "dropped", Now: "accepted",
			Packets: []string{"tcp port 22", "udp"}, Example: example,
		},
		{
			From: dmz, To: lab, Family: ir.IPv4, Was: "dropped", Now: "rejected",
			Packets: []string{"any"}, Example: liar, Foreign: true,
		},
		{
			From: lab, To: dmz, Family: ir.IPv4, Was: "dropped", Now: "rejected",
			Packets: []string{"icmp"}, Example: example, Foreign: true,
		},
	}
}

// TestEffectForms: text, JSON and diagnostics say what drift does to packets: the fate that they
// should have and the one that they have.
func TestEffectForms(t *testing.T) {
	a := Audit{
		Drifts: []backends.Drift{{
			Kind: backends.Extra, Part: backends.DriftObject, Words: "set x",
			Chain: &ir.Chain{Family: ir.IPv4, Table: "vnetc"},
		}},
		Changes: driftEffects(), More: true, Diff: "--- meant\n+++ held\n",
	}
	var text bytes.Buffer
	if err := a.Text(&text); err != nil {
		t.Fatal(err)
	}
	const tcp = "tcp from 10.0.0.5:40000 on virbr0 to 10.0.1.6:22 out virbr1 state new"
	const lie = "tcp from 192.0.2.1:40000 on virbr0 to 10.0.1.6:22 out virbr1 state new"
	want := `+ extra    ip vnetc: set x

where that is (- as it should be, + as it is):
--- meant
+++ held

what that does to packets:
  tcp port 22 from network lab to network dmz (ip): is accepted, should be dropped
  udp from network lab to network dmz (ip): is accepted, should be dropped
    for example ` + tcp + `

what it does only to packets with an address that is not of where they come from or go to (--format json has them all):
  such as ` + lie + `: is rejected, should be dropped
  and the same between other networks
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	wantJSON := `{"in_step": false, "more_packets": true,
		"drift": [{"kind": "extra", "chain": "ip vnetc", "rule": "set x"}],
		"diff": "--- meant\n+++ held\n", "packets": [
			{"from": "network lab", "to": "network dmz", "family": "ip", "should_be": "dropped", "is": "accepted",
				"packets": ["tcp port 22", "udp"], "example": "` + tcp + `"},
			{"from": "network dmz", "to": "network lab", "family": "ip", "should_be": "dropped", "is": "rejected",
				"packets": ["any"], "example": "` + lie + `", "foreign": true},
			{"from": "network lab", "to": "network dmz", "family": "ip", "should_be": "dropped", "is": "rejected",
				"packets": ["icmp"], "example": "` + tcp + `", "foreign": true}]}`
	if diff := cmp.Diff(decoded(t, []byte(wantJSON)), jsonOf(t, a.JSON())); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	list := a.Diagnostics()
	if len(list) != 5 {
		t.Fatalf("%d diagnostics, want one for the drift and one for each kind of packet: %v", len(list), list)
	}
	udp := diag.Diagnostic{
		Severity: diag.Error, Code: "audit-packets",
		What: "udp from network lab to network dmz (ip): is accepted, should be dropped",
		Why:  "for example " + tcp, Fix: "vnetc apply fixes it",
	}
	if diff := cmp.Diff(udp, list[2]); diff != "" {
		t.Errorf("a diagnostic (-want +got):\n%s", diff)
	}
}
