package inforce

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// TestRefusals: what would leave guests open, or means nothing, is refused before anything is
// touched.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		before []verb
		then   func(w *world)
		verb   verb
		kind   Kind
		want   string
	}{
		{"remove what is up", []verb{up("lab nat")}, nil, remove("lab"), Usage,
			"network lab is up, and a bridge without its rules is open; take it down with: vnetc down lab"},
		{"remove all, one is up", []verb{up("lab nat"), apply("dmz nat")}, nil, remove(), Usage, "network lab is up"},
		{"remove what isn't", []verb{apply("lab nat")}, nil, remove("dmz"), Usage,
			`no network "dmz" is in force; vnetc list shows those that are`},
		{"down what isn't up", []verb{apply("lab nat")}, nil, down("lab"), Usage, `no network "lab" is up`},
		{"apply in a mode without rules", []verb{up("lab nat")}, nil, apply("lab bridge"), No,
			"network lab is up on bridge virbr-lab, which this XML leaves without rules"},
		{"a back end that isn't", nil, nil, apply("lab nat").to(Choice{Backend: "third"}), Failed,
			"there is no such back end"},
		{"a bridge that no file tells of", nil, func(w *world) { w.links["old net"] = true }, apply("lab nat"), Failed,
			"\n  fix: name them as well: their XML for vnetc up, or vnetc down 'old net'"},
		{"the same for up", nil, func(w *world) { w.links["old"] = true }, up("lab nat"), Failed,
			`have no state file in`},
		{"the same for down", []verb{up("lab nat")}, func(w *world) { w.links["old"] = true }, down("lab"), Failed,
			`have no state file in`},
		{"the same for remove", []verb{apply("lab nat")}, func(w *world) { w.links["old"] = true }, remove("lab"),
			Failed, `have no state file in`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(tt.before...)
			if tt.then != nil {
				tt.then(w)
			}
			files, rules := w.inForce(), w.text()
			_, err := w.do(tt.verb)
			var e *Error
			if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%+v), want kind %d and %q", err, e, tt.kind, tt.want)
			}
			if now := w.inForce(); !slices.Equal(now, files) || w.text() != rules {
				t.Errorf("state files %v, were %v; rules:\n%s", now, files, cmp.Diff(rules, w.text()))
			}
		})
	}
}

// text returns the rules that the kernel holds.
func (w *world) text() string {
	var all []string
	for _, p := range w.kernel.All() {
		all = append(all, p.String())
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestMerge: networks that were given stand where they stood, new ones behind all, and what was
// neither changed nor given is as it was.
func TestMerge(t *testing.T) {
	w := newWorld(t)
	w.must(apply("a nat", "b nat", "c nat"), up("b nat"))
	tests := []struct {
		name   string
		change Change
		docs   []string
		want   []string // name, and + if it is up
	}{
		{"none", Change{}, nil, []string{"a", "b+", "c"}},
		{"one changes", Change{}, []string{"c none", "d nat", "a nat"}, []string{"a", "b+", "c", "d"}},
		{"prune keeps what is up", Change{Prune: true}, []string{"d nat", "c nat"}, []string{"b+", "c", "d"}},
	}
	h, err := Open(w.dir, w.options(Choice{}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, tt := range tests {
		all, err := wanted(h, tt.change, tt.docs)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		last := -1
		for i, n := range all.networks {
			name := n.Name
			if n.Up {
				name += "+"
			}
			got = append(got, name)
			if n.Order <= last || all.Program.Links[i].Name != n.Name {
				t.Errorf("%s: %s has order %d behind %d, and link %s", tt.name, n.Name, n.Order, last,
					all.Program.Links[i].Name)
			}
			last = n.Order
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTampered: an audit and the status tell of rules that were taken out, and of rules left in
// another place.
func TestTampered(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat", "dmz nat"))
	fwi := w.kernel.Loaded("first", backends.VnetcNames).Group(ir.FWI)
	fwi.Rules = fwi.Rules[1:]
	drifts, err := w.drifts()
	if err != nil || len(drifts) != 1 || drifts[0].Kind != backends.Missing {
		t.Errorf("audit: %v, %v; want one rule that is missing", drifts, err)
	}
	h, err := Open(w.dir, w.options(Choice{}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s, err := h.Status(nil)
	if err != nil || s.InStep || s.Differences != 1 || len(s.Networks) != 2 {
		t.Fatalf("status: %+v, %v", s, err)
	}
	for _, n := range s.Networks {
		if want := n.Name != "lab"; n.Firewall == nil || n.Firewall.InStep != want {
			t.Errorf("%s in step: %+v, want %t", n.Name, n.Firewall, want)
		}
	}
	if one, err := h.Status([]string{"dmz"}); err != nil || len(one.Networks) != 1 || one.Networks[0].Name != "dmz" {
		t.Errorf("status of dmz: %+v, %v", one, err)
	}
}

// TestDryRun says what is to be done, and does none of it.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	steps := func(run func(h *Host) (Run, error)) []string {
		t.Helper()
		h, err := Open(w.dir, w.options(Choice{}))
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		r, err := run(h)
		if err != nil || len(r.Networks) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Networks[0].Steps
	}
	got := steps(func(h *Host) (Run, error) {
		all, err := wanted(h, Change{Whole: true}, []string{"lab nat"})
		if err != nil {
			return Run{}, err
		}
		return h.Up(all, true)
	})
	// A rule in each of FWX and FWI, and the four other chains.
	if want := []string{"make lab", "load rules of all networks (first): 6 differences", "set up lab",
		"look after lab"}; !slices.Equal(got, want) {
		t.Errorf("up: %q, want %q", got, want)
	}
	w.holdsNothing("a dry up")
	w.must(up("lab nat"))
	got = steps(func(h *Host) (Run, error) { return h.Down(nil, true) })
	if want := []string{"delete lab", "remove its rules (first)"}; !slices.Equal(got, want) {
		t.Errorf("down: %q, want %q", got, want)
	}
	w.holds("a dry down", []string{"lab"}, []string{"lab"})
}

func (w *world) holdsNothing(when string) {
	w.t.Helper()
	w.holds(when, nil, nil)
}

// TestErrorText: an error that needs no reason is one line.
func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{What: "it rains"}, "it rains"},
		{Error{What: "it rains", Fix: "go home"}, "it rains; go home"},
		{Error{What: "it rains", Why: "it is April", Fix: "go home"}, "it rains\n  why: it is April\n  fix: go home"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestInputError: rules that a back end can't say are told with their sources, and nothing is
// touched.
func TestInputError(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat"))
	o := w.options(Choice{})
	o.Places = slices.Clone(o.Places)
	o.Places[0].Loader = mute{o.Places[0].Loader}
	h, err := Open(w.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := wanted(h, Change{}, []string{"dmz nat"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(all, ApplyOptions{})
	h.Close()
	var input *InputError
	if !errors.As(err, &input) || input.Sources != all.Sources || !input.Found.HasErrors() {
		t.Errorf("got %v, want an InputError", err)
	}
	w.holds("what can't be said", []string{"lab"}, nil)
}

// mute is a back end that can't say anything.
type mute struct{ backends.Loader }

func (mute) Lower(*ir.Program, backends.Options) (backends.Ruleset, diag.List) {
	return nil, diag.List{{Severity: diag.Error, Code: "backend-unsupported", What: "nothing can be said"}}
}
