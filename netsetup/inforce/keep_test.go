package inforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// loss is a way in which the state file of network lab comes to say nothing.
type loss struct {
	name string
	lose func(path string) error // path is that of the file
}

func rewrite(pattern, with string) func(string) error {
	return func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, regexp.MustCompile(pattern).ReplaceAll(text, []byte(with)), 0o644)
	}
}

var losses = []loss{
	{"deleted", os.Remove},
	{"torn", func(path string) error { return os.Truncate(path, 30) }},
	{"everybody writes it", func(path string) error { return os.Chmod(path, 0o666) }},
	{"of another boot", rewrite(`"boot": ".`, `"boot": "x`)},
	{"of another namespace", rewrite(`"netns": .`, `"netns": 99`)},
}

// lose loses the state file of lab.
func (w *world) lose(how loss) {
	w.t.Helper()
	if err := how.lose(filepath.Join(w.dir, "networks", "lab.json")); err != nil {
		w.t.Fatal(err)
	}
	w.events = nil
}

// protects is true if the kernel refuses what enters the bridge of the network called name, in some
// place under some names.
func (w *world) protects(name string) bool {
	for _, p := range w.kernel.All() {
		if c := p.Group(ir.FWI); c != nil && slices.ContainsFunc(c.Rules, func(r ir.Rule) bool {
			_, refuses := r.Verdict.(ir.Reject)
			return refuses && slices.Equal(r.Matches, []ir.Match{ir.OIfName{Name: bridge(name)}})
		}) {
			return true
		}
	}
	return false
}

// TestLostFileOpensNothing: whatever is done to other networks, and wherever that is interrupted,
// the rules of a network whose state file is lost stay.
func TestLostFileOpensNothing(t *testing.T) {
	second := Choice{Backend: "second"}
	changes := []verb{
		apply("dmz none"), apply("new nat"), apply("new nat").to(second),
		apply("new nat").to(Choice{Names: backends.LibvirtNames}),
		up("new nat"), up("new none").to(second), remove("dmz"), remove("dmz").to(second), remove(),
		down("web"), down("web").to(second), down(), provisional(0, "new nat"),
	}
	changes[len(changes)-1] = applying("apply --confirm 1h", Change{}, ApplyOptions{Confirm: 3600e9},
		[]string{"new nat"})
	for _, change := range changes {
		for i, how := range losses {
			if i > 0 && change.name != changes[0].name && change.name != changes[8].name {
				continue // each loss comes before some of the changes, and one before all
			}
			t.Run(change.name+", "+how.name, func(t *testing.T) {
				t.Parallel()
				before := func() *world {
					w := newWorld(t)
					if change.name == remove().name {
						w.must(apply("lab none", "dmz nat"))
					} else {
						w.must(apply("lab none", "dmz nat"), up("web nat"))
					}
					w.lose(how)
					w.calls = 0
					return w
				}
				w := before()
				w.must(change)
				calls := w.calls
				if want := []Event{Unexplained{[]string{bridge("lab")}}}; !slices.ContainsFunc(w.events,
					func(e Event) bool { return cmp.Equal(e, want[0]) }) {
					t.Errorf("told: %v, want %v among it", w.events, want)
				}
				w.staysKnown(change.name)
				for _, kill := range []bool{false, true} {
					for k := 1; k <= calls; k++ {
						w := before()
						w.cutAt, w.kill = k, kill
						w.do(change)
						if !w.protects("lab") {
							t.Errorf("cut at %q (kill: %t): nothing protects lab any more", w.at, kill)
						}
					}
				}
			})
		}
	}
}

// staysKnown checks that the rules of lab are kept, are told by those who look, and go when that is
// asked for.
func (w *world) staysKnown(when string) {
	w.t.Helper()
	w.cutAt = 0
	if !w.protects("lab") {
		w.t.Errorf("%s: nothing protects lab any more", when)
	}
	drifts, err := w.drifts()
	about := slices.IndexFunc(drifts, func(d backends.Drift) bool { return d.Part == backends.DriftBridge })
	if err != nil || about < 0 || drifts[about].Target != bridge("lab") || backends.Mendable(drifts) > 0 ||
		backends.InStep(drifts) {
		w.t.Errorf("%s: audit finds %v, %v; want the bridge, and nothing else of rules", when, drifts, err)
	}
	var s Status
	if err := w.look(func(h *Host) (err error) { s, err = h.Status(nil); return err }); err != nil || s.InStep {
		w.t.Errorf("%s: status in step: %t, %v", when, s.InStep, err)
	}
	for name := range w.links {
		delete(w.links, name)
	}
	if _, err := Undo(w.dir, w.options(Choice{})); err != nil && strings.Contains(err.Error(), "namespace") {
		w.t.Error(err)
	}
	w.must(verb{name: "remove --bridge", run: func(h *Host) error { return h.Remove(nil, []string{bridge("lab")}) }})
	if w.ruled()["lab"] {
		w.t.Errorf("%s, and removed: there are rules of lab", when)
	}
}

// TestUnexplainedEnds: rules that nothing explains go with --prune and by their bridge, and belong
// to a network again when its document is applied.
func TestUnexplainedEnds(t *testing.T) {
	removal := func(bridges ...string) verb {
		return verb{name: "remove --bridge", run: func(h *Host) error { return h.Remove(nil, bridges) }}
	}
	tests := []struct {
		name   string
		change verb
		want   []string // whose rules are left
		told   []Event
	}{
		{"prune", prune("dmz nat"), []string{"dmz"}, []Event{Pruned{Networks: []string{"web"},
			Bridges: []string{bridge("lab")}}}},
		{"its document", apply("lab none"), []string{"dmz", "lab", "web"}, nil},
		{"its bridge", removal(bridge("lab")), []string{"dmz", "web"}, nil},
		{"all networks", remove(), []string{"lab"}, []Event{Unexplained{[]string{bridge("lab")}}}},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.must(apply("lab none", "dmz nat", "web nat"))
		w.lose(losses[0])
		w.must(tt.change)
		ruled := w.ruled()
		for _, name := range []string{"dmz", "lab", "web"} {
			if ruled[name] != slices.Contains(tt.want, name) {
				t.Errorf("%s: rules of %s: %t", tt.name, name, ruled[name])
			}
		}
		if diff := cmp.Diff(tt.told, w.events); diff != "" {
			t.Errorf("%s: told (-want +got):\n%s", tt.name, diff)
		}
	}
	w := newWorld(t)
	w.must(up("lab none", "dmz nat"))
	w.lose(losses[0])
	w.must(down("lab")) // it is known by the mark on its bridge
	w.holds("down without a file", []string{"dmz"}, []string{"dmz"})
	w = newWorld(t)
	w.must(apply("lab none", "dmz nat"))
	w.lose(losses[0])
	rules := w.text()
	for bridges, want := range map[string]string{bridge("dmz"): "bridge virbr-dmz is network dmz's",
		"eth0": "found no rules for eth0 without a state file; there are such rules for virbr-lab"} {
		var e *Error
		if _, err := w.do(removal(bridges)); !errors.As(err, &e) || e.Kind != Usage ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("remove --bridge %s: %v, want %q", bridges, err, want)
		}
	}
	if w.text() != rules {
		t.Errorf("the rules are others:\n%s", cmp.Diff(rules, w.text()))
	}
}

// TestStaleFiles: a state file of an earlier boot stays as long as the kernel has rules of its
// bridge, and is no fault by itself; one that is damaged is a fault as long as it is there.
func TestStaleFiles(t *testing.T) {
	for _, tt := range []struct {
		how    loss
		ruled  bool // whether the rules are still there
		stays  bool
		inStep bool // of an audit
	}{
		{losses[3], true, true, false},
		{losses[3], false, false, true},
		{losses[1], false, true, false},
	} {
		w := newWorld(t)
		w.must(apply("lab none"))
		if !tt.ruled {
			l := w.kernel.Loader("first")
			if err := l.Unload(backends.VnetcNames); err != nil {
				t.Fatal(err)
			}
		}
		w.lose(tt.how)
		w.must(apply("dmz nat"))
		when := fmt.Sprintf("%s, rules: %t", tt.how.name, tt.ruled)
		if got := w.noted()["lab"]; got != tt.stays {
			t.Errorf("%s: the file is there: %t", when, got)
		}
		drifts, err := w.drifts()
		if err != nil || backends.InStep(drifts) != tt.inStep {
			t.Errorf("%s: audit finds %v, %v", when, drifts, err)
		}
	}
}

// TestLibvirtsRulesStay: under libvirt's names nothing is loaded, moved or removed while rules
// stand there that may be libvirt's.
func TestLibvirtsRulesStay(t *testing.T) {
	libvirt := Choice{Names: backends.LibvirtNames}
	tests := []struct {
		name    string
		before  []verb
		theirs  []string // networks of libvirt's; none for its chains alone
		place   string
		changes []verb
	}{
		{"none is ours", nil, []string{"vm nat"}, "first", []verb{apply("lab nat").to(libvirt),
			up("lab nat").to(libvirt), remove().to(libvirt)}},
		{"in another place", nil, []string{"vm nat"}, "second", []verb{apply("lab nat").to(libvirt),
			up("lab nat").to(libvirt), remove().to(libvirt)}},
		{"only chains", nil, nil, "first", []verb{apply("lab nat").to(libvirt), remove().to(libvirt)}},
		{"vnetc's are to move there", []verb{apply("lab nat")}, []string{"vm nat"}, "first",
			[]verb{apply("dmz nat").to(libvirt), up("dmz nat").to(libvirt), remove("lab").to(libvirt)}},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.must(tt.before...)
		w.libvirtHas(tt.place, tt.theirs...)
		files, rules := w.inForce(), w.text()
		for _, change := range tt.changes {
			var e *Error
			if _, err := w.do(change); !errors.As(err, &e) || e.Kind != No ||
				!strings.Contains(e.What, "under libvirt's names in "+tt.place) {
				t.Errorf("%s, %s: %v", tt.name, change.name, err)
			}
			if w.text() != rules || !slices.Equal(w.inForce(), files) {
				t.Errorf("%s, %s: rules are\n%s", tt.name, change.name, cmp.Diff(rules, w.text()))
			}
		}
	}
	w := newWorld(t)
	w.must(apply("lab nat").to(libvirt))
	w.libvirtAdds("first", "vm nat")
	rules := w.text()
	for _, change := range []verb{apply("dmz nat"), up("dmz nat"), remove("lab"), remove(),
		apply("dmz nat").to(Choice{Names: backends.VnetcNames})} {
		var e *Error
		if _, err := w.do(change); !errors.As(err, &e) || e.Kind != No ||
			!strings.Contains(e.What, "rules for virbr-vm under libvirt's names in first") {
			t.Errorf("beside ours, %s: %v", change.name, err)
		}
		if w.text() != rules {
			t.Errorf("beside ours, %s: rules are\n%s", change.name, cmp.Diff(rules, w.text()))
		}
	}
}

// libvirtAdds puts the rules that libvirt makes for networks beside ours under its names.
func (w *world) libvirtAdds(backend string, docs ...string) {
	w.t.Helper()
	all, found := lines{}.Parse(given(docs), ParseOptions{})
	if found.HasErrors() {
		w.t.Fatal(found)
	}
	there := w.kernel.Loaded(backend, backends.LibvirtNames)
	for _, c := range (lines{}).program(all.Networks).Chains {
		there.Add(c.Group, c.Rules...)
	}
}

// TestRefusedFile: a state file with a document that this front end refuses is named, and its
// network can be taken away or given anew.
func TestRefusedFile(t *testing.T) {
	broken := func() *world {
		w := newWorld(t)
		w.must(apply("lab none", "dmz nat"))
		w.lose(loss{"refused", rewrite(`"xml": "lab none"`, `"xml": "lab none of these"`)})
		return w
	}
	w := broken()
	for _, change := range []verb{apply("web nat"), up("web nat"), remove("dmz")} {
		_, err := w.do(change)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(w.dir, "networks", "lab.json")+
			" has XML that this vnetc refuses: lab.xml:") ||
			!strings.Contains(err.Error(), "vnetc remove lab") {
			t.Errorf("%s: %v", change.name, err)
		}
	}
	if !w.protects("lab") {
		t.Error("lab has no rules")
	}
	w.must(remove("lab"))
	w.holds("removed", []string{"dmz"}, nil)
	w = broken()
	w.must(apply("lab nat"))
	w.holds("applied again", []string{"dmz", "lab"}, nil)
}
