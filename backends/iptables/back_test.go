package iptables

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// forward is a chain of one letter a rule: x i o ours, all else others'.
func forward(letters string) (rules []rule) {
	jumps := map[rune]string{'x': "VNETC_FWX", 'i': "VNETC_FWI", 'o': "VNETC_FWO"}
	for _, c := range letters {
		if name := jumps[c]; name != "" {
			rules = append(rules, rule{text: "-A FORWARD -j " + name, jump: name})
		} else {
			rules = append(rules, rule{text: "-A FORWARD -i " + string(c) + ` -m comment --comment "a \"b\"` + "\n" +
				`c" -j ACCEPT`})
		}
	}
	return rules
}

func textOf(rules []rule) (text string) {
	for _, r := range rules {
		text += r.text + "\n"
	}
	return text
}

// TestAgain: jumps stand where they stood, whatever has become of the foreign rules. The packets
// that an administrator's rule kept from ours, it keeps from them withJumps.
func TestAgain(t *testing.T) {
	tests := []struct{ name, then, now, want string }{
		{"empty chain", "xio", "", "xio"},
		{"at the head", "xioab", "ab", "xioab"},
		{"behind an administrator's", "axioab", "aab", "axioab"},
		{"with others between", "axbicod", "abcd", "axbicod"},
		{"of the same text", "aaxaioaa", "aaaaa", "aaxaioaa"},
		{"still there", "axbicod", "axbicod", "axbicod"},
		{"elsewhere now", "axbicod", "xioabcd", "axbicod"},
		{"others in between since", "axiob", "amxionb", "amxionb"},
		{"others since", "axiob", "mab", "maxiob"},
		{"others gone", "axbio", "b", "xbio"},
		{"all others gone", "axbio", "", "xio"},
		{"others the other way round", "axbio", "ba", "xbioa"},
		{"doubled", "axioxb", "ab", "axioxb"},
		{"no more", "ab", "axiob", "ab"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(textOf(forward(test.want)), textOf(withJumps(forward(test.now),
				forward(test.then)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// The same by way of a Dump.
			s := &state{family: ir.IPv4, prefix: "VNETC_", tables: []*tableState{{name: "filter", chains: []*chainState{
				{name: "FORWARD", rules: forward(test.then)}, {name: "VNETC_FWX", own: true},
				{name: "VNETC_FWI", own: true}, {name: "VNETC_FWO", own: true},
			}}}}
			dump := s.document(true)
			if _, err := (Backend{}).Read([]backends.Document{dump}); err != nil {
				t.Fatal(err)
			}
			read, err := parseState(ir.IPv4, "VNETC_", dump.Text)
			if err != nil {
				t.Fatal(err)
			}
			now := &state{family: ir.IPv4, prefix: "VNETC_", tables: []*tableState{{name: "filter",
				chains: []*chainState{{name: "FORWARD", rules: forward(test.now)}}}}}
			if diff := cmp.Diff(textOf(forward(test.want)),
				textOf(read.back(now).table("filter").chain("FORWARD").rules)); diff != "" {
				t.Errorf("restored (-want +got):\n%s", diff)
			}
		})
	}
}
