package iptables

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// play runs the commands of a script against the rules of one table, as iptables-restore(8) has
// them.
func play(t *testing.T, chains map[string][]string, script string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		words := strings.SplitN(line, " ", 3)
		switch name := words[min(1, len(words)-1)]; {
		case line[0] == '*' || line == "COMMIT":
		case line[0] == ':':
			chains[words[0][1:]] = nil
		case words[0] == "-A":
			chains[name] = append(chains[name], words[2])
		case words[0] == "-F":
			chains[name] = nil
		case words[0] == "-X":
			delete(chains, name)
		case words[0] == "-D" && words[2][0] == '-':
			i := slices.Index(chains[name], words[2])
			chains[name] = slices.Delete(slices.Clone(chains[name]), i, i+1)
		case words[0] == "-D":
			i, _ := strconv.Atoi(words[2])
			chains[name] = slices.Delete(slices.Clone(chains[name]), i-1, i)
		case words[0] == "-I":
			number, rule, _ := strings.Cut(words[2], " ")
			i, _ := strconv.Atoi(number)
			chains[name] = slices.Insert(slices.Clone(chains[name]), i-1, rule)
		default:
			t.Fatalf("unknown command %q", line)
		}
	}
}

// randomTable has rules of few texts in our chains, and jumps in a built-in chain among foreign
// rules.
func randomTable(random *rand.Rand) *tableState {
	t := &tableState{name: "filter"}
	for _, name := range []string{"VNETC_FWX", "VNETC_FWI", "VNETC_more"} {
		c := &chainState{name: name, own: true}
		for range random.IntN(8) {
			c.rules = append(c.rules, rule{text: fmt.Sprintf("-A %s -i eth%d", name, random.IntN(10))})
		}
		if name != "VNETC_more" || random.IntN(2) == 0 {
			t.chains = append(t.chains, c)
		}
	}
	base := &chainState{name: "FORWARD"}
	for i := range 3 {
		base.rules = append(base.rules, rule{text: fmt.Sprintf("-A FORWARD -i other%d", i)})
	}
	for range random.IntN(5) {
		to := []string{"VNETC_FWX", "VNETC_FWI"}[random.IntN(2)]
		base.rules = slices.Insert(base.rules, random.IntN(len(base.rules)+1),
			rule{text: "-A FORWARD -j " + to, jump: to})
	}
	t.chains = append(t.chains, base)
	return t
}

func texts(t *tableState) map[string][]string {
	out := make(map[string][]string)
	for _, c := range t.chains {
		out[c.name] = []string{}
		for _, r := range c.rules {
			out[c.name] = append(out[c.name], strings.TrimPrefix(r.text, "-A "+c.name+" "))
		}
	}
	return out
}

// TestEdit turns random tables into others, and others into themselves.
func TestEdit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		from, to := randomTable(random), randomTable(random)
		s := edit(&state{tables: []*tableState{from}}, &state{tables: []*tableState{to}})
		got := texts(from)
		if len(s.at) > 0 {
			play(t, got, s.text.String())
		}
		for name, rules := range got {
			if rules == nil {
				got[name] = []string{}
			}
		}
		if diff := cmp.Diff(texts(to), got); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, s.text.String())
		}
		if (s.changed == 0) != (len(s.at) == 0) {
			t.Fatalf("%d changes in\n%s", s.changed, s.text.String())
		}
		if same := edit(&state{tables: []*tableState{to}}, &state{tables: []*tableState{to}}); len(same.at) > 0 {
			t.Fatalf("from a table to itself:\n%s", same.text.String())
		}
	}
}

// TestEditSmall counts the commands for small changes among many rules.
func TestEditSmall(t *testing.T) {
	chain := func(numbers ...int) *state {
		c := &chainState{name: "VNETC_FWX", own: true}
		for _, n := range numbers {
			c.rules = append(c.rules, rule{text: fmt.Sprintf("-A VNETC_FWX -i eth%d", n)})
		}
		return &state{tables: []*tableState{{name: "filter", chains: []*chainState{c}}}}
	}
	tests := []struct {
		name     string
		from, to []int
		want     string
	}{
		{"on top", []int{1, 2, 3}, []int{0, 1, 2, 3}, "-I VNETC_FWX 1 -i eth0"},
		{"at the end", []int{1, 2, 3}, []int{1, 2, 3, 4}, "-A VNETC_FWX -i eth4"},
		{"from the middle", []int{1, 2, 3}, []int{1, 3}, "-D VNETC_FWX 2"},
		{"in the middle", []int{1, 2, 3}, []int{1, 9, 3}, "-D VNETC_FWX 2\n-I VNETC_FWX 2 -i eth9"},
		{"up", []int{1, 2, 3, 4}, []int{4, 1, 2, 3}, "-D VNETC_FWX 4\n-I VNETC_FWX 1 -i eth4"},
		{"doubled", []int{1, 1, 2}, []int{1, 2}, "-D VNETC_FWX 2"},
		{"all", []int{1, 2}, []int{3, 4}, "-F VNETC_FWX\n-A VNETC_FWX -i eth3\n-A VNETC_FWX -i eth4"},
	}
	for _, test := range tests {
		got := edit(chain(test.from...), chain(test.to...)).text.String()
		if diff := cmp.Diff("*filter\n"+test.want+"\nCOMMIT\n", got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
