package inforce

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// listed are what a verb says that it changes: the steps of each network, and the rules.
type listed struct {
	Steps map[string][]string
	Rules []string
}

func listRules(drifts []backends.Drift) []string {
	var lines []string
	for _, d := range drifts {
		if d.Kind == backends.Unexplained {
			continue // it stays
		}
		line := fmt.Sprintf("%s %d %v %s %d %d", d.Kind, d.Part, d.Networks, d.Target, d.Chains, d.Rules)
		if d.Chain != nil {
			line += " " + d.Chain.Label()
		}
		for _, r := range []*ir.Rule{d.Want, d.Have} {
			if r != nil {
				line += ": " + r.String()
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func listRun(r Run) listed {
	all := listed{make(map[string][]string), listRules(r.Rules.Drifts)}
	for _, n := range r.Networks {
		all.Steps[n.Name] = slices.Clone(n.Steps)
	}
	return all
}

// dryAndReal is a verb in both its ways.
type dryAndReal struct {
	name string
	run  func(h *Host, dry bool) (listed, error)
}

func applies(c Change, docs ...string) dryAndReal {
	return dryAndReal{fmt.Sprintf("apply %v %q", c.Prune, docs), func(h *Host, dry bool) (listed, error) {
		w, err := wanted(h, c, docs)
		if err != nil {
			return listed{}, err
		}
		if dry {
			a, err := h.Audit(w, nil)
			return listed{Rules: listRules(a.Drifts)}, err
		}
		done, err := h.Apply(w, ApplyOptions{})
		return listed{Rules: listRules(done.Drifts)}, err
	}}
}

func ups(docs ...string) dryAndReal {
	return dryAndReal{fmt.Sprintf("up %q", docs), func(h *Host, dry bool) (listed, error) {
		w, err := wanted(h, Change{Whole: true}, docs)
		if err != nil {
			return listed{}, err
		}
		run, err := h.Up(w, dry)
		return listRun(run), err
	}}
}

func downs(names ...string) dryAndReal {
	return dryAndReal{fmt.Sprintf("down %q", names), func(h *Host, dry bool) (listed, error) {
		run, err := h.Down(names, dry)
		all := listRun(run)
		all.Rules = nil // down names the network, not its rules
		return all, err
	}}
}

// TestDryIsReal: on the same host a dry run and a real one list the same, and a dry run after that
// nothing.
func TestDryIsReal(t *testing.T) {
	second := Choice{Backend: "second"}
	at := func(c Choice, v verb) verb {
		v.choice = c
		return v
	}
	// tamper changes the rules that the kernel holds.
	tamper := func(f func(*ir.Program)) func(*world) {
		return func(w *world) { f(w.kernel.Loaded("first", backends.VnetcNames)) }
	}
	filled := func(p *ir.Program) *ir.Chain {
		i := slices.IndexFunc(p.Chains, func(c *ir.Chain) bool { return len(c.Rules) > 0 })
		return p.Chains[i]
	}
	mine := ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{}, Matches: []ir.Match{ir.IIfName{Name: bridge("lab")},
		ir.Mark{Value: 7, Mask: 7}}}
	elsewhere := ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{}, Matches: []ir.Match{ir.IIfName{Name: "mine0"}}}
	tests := []struct {
		name   string
		before []verb
		tamper func(*world)
		choice Choice
		verb   dryAndReal
		rules  bool // rules is true if rules change.
	}{
		{name: "fresh", verb: applies(Change{}, "lab nat"), rules: true},
		{name: "in step", before: []verb{apply("lab nat")}, verb: applies(Change{}, "lab nat")},
		{name: "another", before: []verb{apply("lab nat")}, verb: applies(Change{}, "dmz none"), rules: true},
		{name: "prune", before: []verb{apply("lab nat", "dmz none")}, verb: applies(Change{Prune: true}, "lab nat"),
			rules: true},
		{name: "other mode", before: []verb{apply("lab nat")}, verb: applies(Change{}, "lab none"), rules: true},
		{name: "mine", before: []verb{apply("lab nat")}, verb: applies(Change{}, "lab nat"), rules: true,
			tamper: tamper(func(p *ir.Program) { c := filled(p); c.Rules = slices.Insert(c.Rules, 0, mine) })},
		{name: "of a bridge that nobody knows", before: []verb{apply("lab nat")}, verb: applies(Change{}, "lab nat"),
			tamper: tamper(func(p *ir.Program) { c := filled(p); c.Rules = append(c.Rules, elsewhere) })},
		{name: "flushed", before: []verb{apply("lab nat")}, verb: applies(Change{}, "lab nat"), rules: true,
			tamper: tamper(func(p *ir.Program) { filled(p).Rules = nil })},
		{name: "moves", before: []verb{apply("lab nat")}, choice: second, verb: applies(Change{}, "lab nat"),
			rules: true},
		{name: "up fresh", verb: ups("lab nat", "dmz none"), rules: true},
		{name: "up again", before: []verb{up("lab nat")}, verb: ups("lab nat")},
		{name: "up beside", before: []verb{up("lab nat"), apply("web nat")}, verb: ups("lab nat", "dmz none"),
			rules: true},
		{name: "up with mine", before: []verb{up("lab nat")}, verb: ups("lab nat"), rules: true,
			tamper: tamper(func(p *ir.Program) { c := filled(p); c.Rules = append(c.Rules, mine) })},
		{name: "up elsewhere", before: []verb{up("lab nat")}, choice: second, verb: ups("lab nat"), rules: true},
		{name: "up of applied", before: []verb{at(second, apply("lab nat"))}, choice: second, verb: ups("lab nat")},
		{name: "down", before: []verb{up("lab nat", "dmz none")}, verb: downs("lab")},
		{name: "down all", before: []verb{up("lab nat", "dmz none")}, verb: downs()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(test.before...)
			if test.tamper != nil {
				test.tamper(w)
			}
			run := func(dry bool) (got listed) {
				t.Helper()
				w.must(verb{test.verb.name, test.choice, func(h *Host) (err error) {
					got, err = test.verb.run(h, dry)
					return err
				}})
				return got
			}
			dry, again := run(true), run(true)
			if diff := cmp.Diff(dry, again); diff != "" {
				t.Errorf("a dry run changes something (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(dry, run(false)); diff != "" {
				t.Errorf("(-dry run +real run):\n%s", diff)
			}
			if len(dry.Rules) > 0 != test.rules {
				t.Errorf("rules: %q", dry.Rules)
			}
		})
	}
}

// TestFailedUpLists: a run lists nothing of the rules that it took back, and what else it changed.
func TestFailedUpLists(t *testing.T) {
	for _, beside := range []bool{false, true} {
		w := newWorld(t)
		want := 0
		if beside {
			w.must(apply("dmz none"))
			c := w.kernel.Loaded("first", backends.VnetcNames).Chains
			i := slices.IndexFunc(c, func(c *ir.Chain) bool { return len(c.Rules) > 0 })
			c[i].Rules = append(c[i].Rules, ir.Rule{Family: ir.IPv4, Verdict: ir.Accept{},
				Matches: []ir.Match{ir.IIfName{Name: bridge("dmz")}, ir.Mark{Value: 7, Mask: 7}}})
			want = 1
		}
		w.never = "set up lab"
		w.must(verb{name: "up", run: func(h *Host) error {
			all, err := wanted(h, Change{Whole: true}, []string{"lab nat"})
			if err != nil {
				return err
			}
			run, err := h.Up(all, false)
			if len(run.Networks) != 1 || run.Networks[0].Err == nil {
				t.Errorf("up did not fail: %+v", run)
			}
			if got := listRules(run.Rules.Drifts); len(got) != want {
				t.Errorf("with another network %v: %q", beside, got)
			}
			return err
		}})
	}
}
