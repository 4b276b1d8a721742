package expect

import (
	"testing"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// large are hosts of a size that real ones have, and how many steps of a budget an examination of
// them may take.
var large = []struct {
	name  string
	rules func() []*ir.Chain
	steps int
}{
	{"plain", func() []*ir.Chain { return nil }, 200_000},
	{"5500-unknown", func() []*ir.Chain { return unknowns(5500) }, 2_500_000},
	{"550-services", func() []*ir.Chain { return services(550) }, 5_000_000},
	{"160-published", func() []*ir.Chain { return published(160) }, 200_000},
	{"50000-bans", func() []*ir.Chain { return bans(50_000) }, 2_000_000},
	{"50000-in-a-set", func() []*ir.Chain { return banSet(50_000) }, 2_000_000},
	{"20000-strangers", func() []*ir.Chain { return strangers(20_000) }, 200_000},
}

// TestAskCosts: no promise of a network on a large host is too large to tell.
func TestAskCosts(t *testing.T) {
	for _, host := range large {
		t.Run(host.name, func(t *testing.T) {
			q := hosted(host.rules())
			q.Budget = prove.StepBudget(host.steps)
			for _, a := range Ask(q) {
				if a.Verdict == CantTell {
					t.Fatalf("%s %s: not answered with %d steps", a.Network, a.Kind, host.steps)
				}
			}
			t.Logf("%d of %d steps", host.steps-q.Budget.Left(), host.steps)
		})
	}
}

func hosted(rules []*ir.Chain) Question {
	meant, h := networks(1)
	return beside(meant, h, rules...)
}

// TestAskCostsByNetwork: another network costs what the first does.
func TestAskCostsByNetwork(t *testing.T) {
	cost := func(n int) int {
		meant, h := networks(n)
		q := beside(meant, h)
		q.Budget = prove.NewBudget()
		before := q.Budget.Left()
		for _, a := range Ask(q) {
			if a.Verdict != Yes {
				t.Fatalf("%d networks: %s %s: %s", n, a.Network, a.Kind, a.Verdict)
			}
		}
		return before - q.Budget.Left()
	}
	few, many := cost(20), cost(200)
	if many > 15*few {
		t.Errorf("20 networks take %d steps, and 200 take %d", few, many)
	}
}
