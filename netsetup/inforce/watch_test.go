package inforce

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vnetc/vnetc/netsetup/state"
)

// watching starts a process that would undo the change, as a goroutine, and returns when that knows
// the way back. What it returns waits for its end.
func (w *world) watching(ctx context.Context) (ended func()) {
	w.t.Helper()
	begun, done := make(chan bool), make(chan error)
	go func() { done <- Watch(ctx, w.dir, w.options(Choice{}), func() { close(begun) }) }()
	select {
	case <-begun:
	case err := <-done:
		w.t.Fatalf("the watcher ends at once: %v", err)
	}
	return func() {
		w.t.Helper()
		select {
		case err := <-done:
			if err != nil {
				w.t.Error(err)
			}
		case <-time.After(20 * time.Second):
			w.t.Fatal("the watcher does not end")
		}
	}
}

var pendingLosses = []struct {
	name string
	lose func(dir string) error
}{
	{"the file is removed", func(dir string) error { return os.Remove(state.PendingPath(dir)) }},
	{"the file is torn", func(dir string) error { return os.Truncate(state.PendingPath(dir), 9) }},
	{"the file is empty", func(dir string) error { return os.WriteFile(state.PendingPath(dir), nil, 0o644) }},
	{"the folder is removed", removeAll},
	{"the folder is emptied", func(dir string) error {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
		return err
	}},
	{cannotRewrite, func(dir string) error {
		if err := os.Remove(state.PendingPath(dir)); err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(state.PendingPath(dir), "full"), 0o755)
	}},
}

// cannotRewrite is a loss that the watcher can't fix.
const cannotRewrite = "a folder is in its place"

// removeAll removes a folder into which others may write meanwhile.
func removeAll(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
	}
	return err
}

// TestPendingLost: a change whose file is lost is undone in time, and can be ended until then as if
// the file had not been lost.
func TestPendingLost(t *testing.T) {
	for _, loss := range pendingLosses {
		for _, end := range []string{"time", "the watcher's end", "confirm", "undo"} {
			if loss.name == cannotRewrite && (end == "confirm" || end == "undo") {
				continue
			}
			t.Run(loss.name+", "+end, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				wait := time.Hour
				if end == "time" {
					wait = time.Second
				}
				w.must(apply("lab nat"), provisional(wait, "dmz none"))
				ctx, stop := context.WithCancel(context.Background())
				defer stop()
				ended := w.watching(ctx)
				if err := loss.lose(w.dir); err != nil {
					t.Fatal(err)
				}
				if end == "the watcher's end" {
					stop()
				}
				if end == "confirm" || end == "undo" {
					w.rewritten()
					how := map[string]func(string, Options) (int, error){"confirm": confirm, "undo": Undo}[end]
					o := w.options(Choice{})
					o.Wait = 20 * time.Second // while the watcher writes the file
					if _, err := how(w.dir, o); err != nil {
						t.Error(err)
					}
				}
				ended()
				want := "lab"
				if end == "confirm" {
					want = "dmz"
				}
				if ruled := w.ruled(); !ruled[want] || len(ruled) != 1 {
					t.Errorf("rules of %v, want %s", ruled, want)
				}
				if end != "confirm" { // which keeps rules, and no state files that are lost
					w.holds(end, []string{"lab"}, nil)
				}
				if p, err := state.ReadPending(w.dir); p != nil || err != nil {
					t.Errorf("still waits: %v, %v", p, err)
				}
			})
		}
	}
}

// rewritten waits until the file of the change is there again.
func (w *world) rewritten() {
	w.t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if p, err := state.ReadPending(w.dir); p != nil && err == nil {
			return
		}
		if time.Now().After(until) {
			w.t.Fatal("nobody writes the file again")
		}
	}
}

// TestFolderLostAfterEnd: whoever ended a change returns when no process can undo it any more,
// whatever becomes of the folder; so what is done then stays.
func TestFolderLostAfterEnd(t *testing.T) {
	for name, how := range map[string]func(string, Options) (int, error){"confirm": confirm, "undo": Undo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(apply("lab nat"), provisional(2*time.Second, "dmz none"))
			ended := w.watching(context.Background())
			if _, err := how(w.dir, w.options(Choice{})); err != nil {
				t.Fatal(err)
			}
			if err := removeAll(w.dir); err != nil {
				t.Fatal(err)
			}
			ended()
			want := map[string]string{"confirm": "dmz", "undo": "lab"}[name]
			if ruled := w.ruled(); !ruled[want] || len(ruled) != 1 {
				t.Errorf("rules of %v, want %s", ruled, want)
			}
			if p, err := state.ReadPending(w.dir); p != nil || err != nil {
				t.Errorf("still waits: %v, %v", p, err)
			}
		})
	}
}

// TestForce: what can't be undone can be kept, and nothing waits then.
func TestForce(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat"), provisional(time.Nanosecond, "dmz none"))
	w.never = "restore first"
	if _, err := w.do(apply("web nat")); err == nil {
		t.Error("an apply goes on though the one before can't be undone")
	}
	if _, err := confirm(w.dir, w.options(Choice{})); err == nil {
		t.Error("confirm keeps what is overdue")
	}
	if n, err := Confirm(w.dir, w.options(Choice{}), true); err != nil || n != 1 {
		t.Errorf("confirm --force: %d, %v", n, err)
	}
	w.never = ""
	w.must(apply("web nat"))
	w.holds("kept", []string{"dmz", "web"}, nil)

	w.must(provisional(time.Hour, "lab nat"))
	if err := os.WriteFile(state.PendingPath(w.dir), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.do(apply("web nat")); err == nil {
		t.Error("an apply goes on though the file of a change is damaged")
	}
	if err := w.look(func(*Host) error { return nil }); err != nil {
		t.Errorf("a damaged file stops who looks: %v", err)
	}
	if !slices.ContainsFunc(w.events, func(e Event) bool { _, bad := e.(BadPending); return bad }) {
		t.Errorf("told: %v", w.events)
	}
	if n, err := Confirm(w.dir, w.options(Choice{}), true); err != nil || n != 1 {
		t.Errorf("confirm --force of a damaged file: %d, %v", n, err)
	}
	w.holds("kept", []string{"lab"}, nil)
}
