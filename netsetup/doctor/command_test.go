package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
)

// TestFirewalldCommands: firewall-cmd of firewalld 1.3 and 2.3 does the first action of its line
// that it knows, in the order of its own source, and passes over the others.
func TestFirewalldCommands(t *testing.T) {
	for kind, want := range map[expect.Kind][]string{
		expect.DHCP: {"--change-interface=virbr0", "--add-service=dhcp", "--reload"},
		expect.DNS:  {"--change-interface=virbr0", "--add-service=dns", "--reload"},
		expect.Out: {"--change-interface=virbr0", "--add-ingress-zone=vnetc", "--add-egress-zone=ANY", "--set-target=ACCEPT",
			"--reload"},
	} {
		var done []string
		for _, line := range firewalldCommands(expect.Answer{Expectation: expect.Expectation{
			Kind: kind, Family: ir.IPv4, Legs: []expect.Leg{{Traffic: prove.Traffic{In: "virbr0"}}},
		}}) {
			actions := actionsOf(t, line)
			if len(actions) != 1 {
				t.Errorf("%s: %q has the actions %q, want one", kind, line, actions)
			}
			done = append(done, actions...)
		}
		for _, w := range want {
			if !slices.Contains(done, w) {
				t.Errorf("%s: no %s among %q", kind, w, done)
			}
		}
	}
}

// actionsOf returns the options of a firewall-cmd that do something, without those that say where.
func actionsOf(t *testing.T, command string) (actions []string) {
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != "firewall-cmd" {
		t.Fatalf("%q is not a firewall-cmd", command)
	}
	for _, w := range words[1:] {
		name, _, _ := strings.Cut(w, "=")
		if !slices.Contains([]string{"--permanent", "--zone", "--policy"}, name) {
			actions = append(actions, w)
		}
	}
	return actions
}
