package netxml

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Claims adds the rules of an isolated network that has the bridge, both families, DHCP and TFTP.
func TestClaims(t *testing.T) {
	const ip = "<ip address='10.1.2.1' prefix='24'/>"
	everything := func(bridge string) string {
		return fmt.Sprintf(`<network ipv6='yes'><name>any</name><bridge name='%s'/>
<ip address='192.0.2.1' prefix='24'><tftp root='/srv'/><dhcp><range start='192.0.2.2' end='192.0.2.3'/></dhcp></ip>
<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>`, bridge)
	}
	for _, tt := range []struct{ name, text, bridge string }{
		{"isolated", "<network><name>a</name><bridge name='vb0'/></network>", "vb0"},
		{"NAT by one device", "<network><name>a</name><forward dev='eth0'/><bridge name='vb1'/>" + ip + "</network>",
			"vb1"},
		{"routed", "<network><name>a</name><forward mode='route'/><bridge name='vb2'/>" + ip + "</network>", "vb2"},
		{"bridge chosen", "<network><name>a</name></network>", "virbr0"},
		{"open", "<network><name>a</name><forward mode='open'/><bridge name='vb0'/></network>", ""},
		{"everything", everything("vb3"), "vb3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claimed := parsed(t, tt.text)
			documents := claimed
			if tt.bridge != "" {
				documents = slices.Concat(claimed, parsed(t, everything(tt.bridge)))
			}
			if diff := cmp.Diff(rulesOf(Lower(documents)), rulesOf(Claims(claimed))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if wrong := ir.Verify(Claims(claimed)); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}

func parsed(t *testing.T, text string) []*Network {
	t.Helper()
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(text))
	networks, list := Parse(src, Options{})
	if list.HasErrors() {
		t.Fatal(list)
	}
	return networks
}

// rulesOf returns the rules of p, each once, in no order that means anything.
func rulesOf(p *ir.Program) []string {
	var rules []string
	for _, c := range p.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			line := fmt.Sprint(c.Name, " ", c.Table, " ", r.Family)
			for _, m := range r.Matches {
				line += " " + ir.MatchText(m)
			}
			rules = append(rules, line+" "+ir.VerdictText(r.Verdict))
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}
