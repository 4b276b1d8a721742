package inforce

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// world is a host in memory, but for its state folder. Everything that the engine does to it is a
// call, and one of the calls may be cut: it fails, or the process is killed before it.
type world struct {
	t      *testing.T
	kernel backendtest.Kernel
	links  map[string]bool // by network whose bridge stands: whether its link is up
	dir    string          // the state folder
	events []Event
	guards int // processes that wait to undo a change

	calls, cutAt int    // of all calls, the one that is cut; 0 for none
	kill         bool   // kill is true if the process is killed there.
	at           string // the call that was cut
	never        string // a call that fails whenever it is made
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, links: make(map[string]bool), dir: t.TempDir()}
	w.kernel.Cut = w.cut
	return w
}

var errCut = errors.New("cut")

// killed is what goes up the stack when the process is killed.
type killed struct{}

func (w *world) cut(call string) error {
	w.calls++
	if call == w.never {
		return fmt.Errorf("%s: %w", call, errCut)
	}
	if w.calls != w.cutAt {
		return nil
	}
	w.at = call
	if w.kill {
		panic(killed{})
	}
	return fmt.Errorf("%s: %w", call, errCut)
}

// options are those of a process on this host.
func (w *world) options(c Choice) Options {
	return Options{
		Compiler: lines{}, Rules: c, Machine: w, Tell: func(e Event) { w.events = append(w.events, e) },
		Places: []firewall.Place{
			{Name: "first", Title: "the first", Loader: w.kernel.Loader("first")},
			{Name: "second", Title: "the second", Loader: w.kernel.Loader("second")},
		},
		Guard: func(string) error {
			w.guards++
			return w.cut("guard")
		},
		files: func(d *state.Dir) files { return cutFiles{d, w} },
	}
}

// verb is one command line.
type verb struct {
	name   string
	choice Choice
	run    func(h *Host) error
}

// do carries a verb out as a process does; dead is true if it was killed.
func (w *world) do(v verb) (dead bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(killed); !dead {
				panic(r)
			}
		}
	}()
	h, err := Open(w.dir, w.options(v.choice))
	if err != nil {
		return false, err
	}
	defer h.Close()
	return false, v.run(h)
}

// must is do for a verb that works.
func (w *world) must(verbs ...verb) {
	w.t.Helper()
	w.cutAt = 0
	for _, v := range verbs {
		if _, err := w.do(v); err != nil {
			w.t.Fatalf("%s: %v", v.name, err)
		}
	}
}

// given are documents: a line each, "NAME MODE", such as "lab nat".
func given(docs []string) *diag.Sources {
	src := &diag.Sources{}
	for _, d := range docs {
		src.Add(strings.Fields(d)[0]+".xml", []byte(d))
	}
	return src
}

func wanted(h *Host, c Change, docs []string) (Wanted, error) {
	w, err := h.Want(given(docs), c)
	if err == nil && w.Found.HasErrors() {
		err = w.Found
	}
	return w, err
}

func apply(docs ...string) verb { return applying("apply", Change{}, ApplyOptions{}, docs) }
func prune(docs ...string) verb {
	return applying("apply --prune", Change{Prune: true}, ApplyOptions{}, docs)
}

func applying(name string, c Change, o ApplyOptions, docs []string) verb {
	return verb{name: fmt.Sprintf("%s %q", name, docs), run: func(h *Host) error {
		w, err := wanted(h, c, docs)
		if err == nil {
			_, err = h.Apply(w, o)
		}
		return err
	}}
}

func up(docs ...string) verb {
	return verb{name: fmt.Sprintf("up %q", docs), run: func(h *Host) error {
		w, err := wanted(h, Change{Whole: true}, docs)
		if err != nil {
			return err
		}
		run, err := h.Up(w, false)
		return errors.Join(err, run.errors())
	}}
}

func down(names ...string) verb {
	return verb{name: fmt.Sprintf("down %q", names), run: func(h *Host) error {
		run, err := h.Down(names, false)
		return errors.Join(err, run.errors())
	}}
}

func remove(names ...string) verb {
	return verb{name: fmt.Sprintf("remove %q", names), run: func(h *Host) error { return h.Remove(names, nil) }}
}

// to returns v with rules in another place.
func (v verb) to(c Choice) verb {
	v.choice, v.name = c, fmt.Sprintf("%s to %v", v.name, c)
	return v
}

func (r Run) errors() error {
	err := r.Unnoted
	for _, n := range r.Networks {
		err = errors.Join(err, n.Err)
	}
	return err
}

// noted returns the networks that have a state file, by name.
func (w *world) noted() map[string]bool {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "networks", "*.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, f := range files {
		names[strings.TrimSuffix(filepath.Base(f), ".json")] = true
	}
	return names
}

// bridge is the bridge of the network called name: "virbr-NAME", so that rules tell whose they are.
func bridge(name string) string { return "virbr-" + name }

// ruled returns the networks of which the kernel holds rules, wherever.
func (w *world) ruled() map[string]bool {
	names := make(map[string]bool)
	for _, p := range w.kernel.All() {
		for name := range interfacesOf(p) {
			names[strings.TrimPrefix(name, "virbr-")] = true
		}
	}
	return names
}

// failsClosed checks what holds at every moment: a link that is up has rules, and what there is of
// a network has a state file.
func (w *world) failsClosed(when string) {
	w.t.Helper()
	ruled, noted := w.ruled(), w.noted()
	for name, up := range w.links {
		if up && !ruled[name] {
			w.t.Errorf("%s: the link of %s is up and has no rules", when, name)
		}
		if !noted[name] {
			w.t.Errorf("%s: the bridge of %s stands and has no state file", when, name)
		}
	}
	for name := range ruled {
		if !noted[name] {
			w.t.Errorf("%s: the kernel has rules of %s, which has no state file", when, name)
		}
	}
}

// holds checks that exactly these networks are in force, and up, and that the kernel holds their
// rules and no others.
func (w *world) holds(when string, inForce, up []string) {
	w.t.Helper()
	w.cutAt = 0
	if got := slices.Sorted(maps.Keys(w.noted())); !slices.Equal(got, inForce) {
		w.t.Errorf("%s: state files of %v, want %v", when, got, inForce)
	}
	if got := slices.Sorted(maps.Keys(w.ruled())); !slices.Equal(got, inForce) {
		w.t.Errorf("%s: rules of %v, want %v", when, got, inForce)
	}
	if got := slices.Sorted(maps.Keys(w.links)); !slices.Equal(got, up) {
		w.t.Errorf("%s: bridges of %v, want %v", when, got, up)
	}
	if drifts, err := w.drifts(); err != nil || len(drifts) > 0 {
		w.t.Errorf("%s: drift %v, %v", when, drifts, err)
	}
}

// look is a verb that changes nothing. It does not wait for a process that was killed.
func (w *world) look(read func(*Host) error) error {
	o := w.options(Choice{})
	o.Wait = 0
	return Look(w.dir, o, read)
}

// drifts returns what an audit of what is in force finds.
func (w *world) drifts() ([]backends.Drift, error) {
	var a Audited
	err := w.look(func(h *Host) error {
		all, err := h.Want(&diag.Sources{}, Change{})
		if err != nil {
			return err
		}
		for _, n := range h.Networks() {
			if n.Leaving != "" {
				w.t.Errorf("%s still leaves names %s", n.Name, n.Leaving)
			}
		}
		a, err = h.Audit(all, nil)
		return err
	})
	return a.Drifts, err
}

// interfacesOf returns the interfaces that p names.
func interfacesOf(p *ir.Program) map[string]bool {
	all := make(map[string]bool)
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, m := range c.Rules[i].Matches {
				switch m := m.(type) {
				case ir.IIfName:
					all[m.Name] = true
				case ir.OIfName:
					all[m.Name] = true
				}
			}
		}
	}
	return all
}
