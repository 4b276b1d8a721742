package inforce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// provisional is apply with a change that waits for its confirmation.
func provisional(wait time.Duration, docs ...string) verb {
	return applying(fmt.Sprintf("apply --confirm %s --prune", wait), Change{Prune: true}, ApplyOptions{Confirm: wait},
		docs)
}

// confirm is Confirm without force.
func confirm(dir string, o Options) (int, error) { return Confirm(dir, o, false) }

// pending is true if a change waits.
func (w *world) pending() bool {
	w.t.Helper()
	h, p, _, err := settled(w.dir, w.options(Choice{}))
	if err != nil {
		w.t.Fatal(err)
	}
	h.Close()
	return p != nil
}

// TestConfirm: while a change waits others are refused, and both ways out end the waiting.
func TestConfirm(t *testing.T) {
	for _, keep := range []bool{false, true} {
		w := newWorld(t)
		w.must(apply("lab nat"), provisional(time.Hour, "dmz none"))
		if w.guards != 1 {
			t.Errorf("%d processes would undo the change, want 1", w.guards)
		}
		var refused *Error
		if _, err := w.do(apply("web nat")); !errors.As(err, &refused) || refused.Kind != Failed {
			t.Errorf("another apply meanwhile: %v", err)
		}
		how, want := Undo, "lab"
		if keep {
			how, want = confirm, "dmz"
		}
		if n, err := how(w.dir, w.options(Choice{})); n != 1 || err != nil {
			t.Errorf("keep %t: %d, %v", keep, n, err)
		}
		w.holds(fmt.Sprintf("keep %t", keep), []string{want}, nil)
		if _, err := how(w.dir, w.options(Choice{})); !errors.As(err, &refused) || refused.Kind != No {
			t.Errorf("keep %t, again: %v", keep, err)
		}
	}
}

// TestOverdue: what is not confirmed in time is undone by whoever comes next, be it the process
// that watches.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat"), provisional(time.Nanosecond, "dmz none"))
	if _, err := w.drifts(); err != nil {
		t.Error(err)
	}
	if got := w.inForce(); !slices.Equal(got, []string{"dmz"}) {
		t.Errorf("who looks has undone it: %v is in force", got)
	}
	w.must(apply())
	w.holds("by the next verb", []string{"lab"}, nil)
	if !slices.Contains(w.events, Event(Overdue{})) {
		t.Errorf("told: %v", w.events)
	}
	w.must(provisional(10*time.Millisecond, "dmz none"))
	if err := Watch(context.Background(), w.dir, w.options(Choice{}), func() {}); err != nil {
		t.Error(err)
	}
	w.holds("by the watcher", []string{"lab"}, nil)
	w.must(provisional(time.Hour, "dmz none"))
	ended, end := context.WithCancel(context.Background())
	end()
	if err := Watch(ended, w.dir, w.options(Choice{}), func() {}); err != nil {
		t.Error(err)
	}
	w.holds("by the watcher's end", []string{"lab"}, nil)
}

// TestEveryCutOfConfirm cuts a provisional change, its confirmation and its undoing at each of
// their calls. One that was cut can't be kept; whatever was cut, undoing brings back what was in
// force.
func TestEveryCutOfConfirm(t *testing.T) {
	change := provisional(time.Hour, "dmz none", "web nat")
	ending := func(how func(string, Options) (int, error)) func(w *world) (bool, error) {
		return func(w *world) (dead bool, err error) {
			defer func() {
				if r := recover(); r != nil {
					_, dead = r.(killed)
				}
			}()
			_, err = how(w.dir, w.options(Choice{}))
			return dead, err
		}
	}
	for _, c := range []struct {
		name   string
		before []verb
		run    func(w *world) (bool, error)
		done   []string // what is in force when it is not cut
	}{
		{"change", nil, func(w *world) (bool, error) { return w.do(change) }, []string{"dmz", "web"}},
		{"confirm", []verb{change}, ending(confirm), []string{"dmz", "web"}},
		{"undo", []verb{change}, ending(Undo), []string{"lab"}},
	} {
		before := append([]verb{apply("lab nat", "dmz nat"), prune("lab nat")}, c.before...)
		w := newWorld(t)
		w.must(before...)
		w.calls = 0
		if _, err := c.run(w); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		calls := w.calls
		for _, kill := range []bool{false, true} {
			for k := 1; k <= calls; k++ {
				w := newWorld(t)
				w.must(before...)
				w.calls, w.cutAt, w.kill = 0, k, kill
				dead, err := c.run(w)
				when := fmt.Sprintf("%s, cut at %q (kill: %t)", c.name, w.at, kill)
				if dead != kill || !dead && err == nil {
					t.Errorf("%s: killed: %t, error %v", when, dead, err)
				}
				if c.name != "undo" { // the file of the change stands for the state files until the undoing is over
					w.failsClosed(when)
				}
				w.cutAt = 0
				if !w.pending() {
					if c.name != "change" || !slices.Equal(w.inForce(), []string{"lab"}) {
						t.Errorf("%s: nothing waits, and %v is in force", when, w.inForce())
					}
					continue
				}
				if c.name == "change" {
					if _, err := confirm(w.dir, w.options(Choice{})); err == nil {
						t.Errorf("%s: it could be kept", when)
					}
				}
				if _, err := Undo(w.dir, w.options(Choice{})); err != nil {
					t.Errorf("%s: undo: %v", when, err)
				}
				w.holds(when+", undone", []string{"lab"}, nil)
			}
		}
		t.Logf("%s: %d calls", c.name, calls)
	}
}

// inForce returns the networks that have state files, sorted.
func (w *world) inForce() []string {
	var names []string
	for name := range w.noted() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
