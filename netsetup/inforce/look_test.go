package inforce

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// TestLookAgain: who looks while another process changes the host looks again, and tells what there
// is to tell once.
func TestLookAgain(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat"))
	if err := os.WriteFile(filepath.Join(w.dir, "networks", "old.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(){
		"state files": func() { w.must(apply("dmz nat")) },
		"rules only": func() {
			fwi := w.kernel.Loaded("first", backends.VnetcNames).Group(ir.FWI)
			fwi.Rules = fwi.Rules[:0]
			w.must(apply("lab nat"))
		},
		"a change that is undone": func() {
			w.must(provisional(time.Hour, "web nat"))
			if _, err := Undo(w.dir, w.options(Choice{})); err != nil {
				t.Error(err)
			}
		},
	}
	for name, change := range changes {
		var told []Event
		o := w.options(Choice{})
		o.Wait, o.Tell = time.Minute, func(e Event) { told = append(told, e) }
		looks := 0
		err := Look(w.dir, o, func(h *Host) error {
			if looks++; looks == 1 {
				change()
			}
			return nil
		})
		if err != nil || looks != 2 || len(told) != 1 {
			t.Errorf("%s: %d looks, told %v, %v; want 2 looks, and the damaged file told once", name, looks, told, err)
		}
	}
}

// TestLookDelaysNobody: who looks needs no lock, and none is taken; and a process that was killed
// over a change is waited for no longer than that takes.
func TestLookDelaysNobody(t *testing.T) {
	w := newWorld(t)
	w.must(apply("lab nat"))
	h, err := Open(w.dir, w.options(Choice{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.drifts(); err != nil {
		t.Errorf("an audit while the lock is held: %v", err)
	}
	h.Close()
	if err := w.look(func(*Host) error { w.must(apply("dmz nat")); return nil }); err != nil {
		t.Errorf("an apply while somebody looks: %v", err)
	}
	w.calls, w.cutAt, w.kill = 0, 3, true
	if dead, _ := w.do(apply("web nat")); !dead {
		t.Fatal("it was not killed")
	}
	// a killed process closes nothing; here the end of the verb has closed the folder
	h, err = Open(w.dir, w.options(Choice{}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.writer.Begin(); err != nil {
		t.Fatal(err)
	}
	w.events, w.cutAt = nil, 0
	begin := time.Now()
	o := w.options(Choice{})
	o.Wait = 100 * time.Millisecond
	looks := 0
	if err := Look(w.dir, o, func(*Host) error { looks++; return nil }); err != nil || time.Since(begin) < o.Wait ||
		looks != 1 {
		t.Errorf("within a change: %d looks, %v after %v; want one, at last", looks, err, time.Since(begin))
	}
	if !slices.Contains(w.events, Event(Changing{})) {
		t.Errorf("told: %v", w.events)
	}
}

// TestLookAtUnreadable: where the kernel can't be read list works, and says that it can't tell of
// more; and an error of reading is one of the verb.
func TestLookAtUnreadable(t *testing.T) {
	w := newWorld(t)
	w.never = "dump first"
	if err := w.look(func(h *Host) error { h.TellUnexplained(); return nil }); err != nil {
		t.Error(err)
	}
	if len(w.events) != 1 {
		t.Fatalf("told: %v", w.events)
	}
	if u, ok := w.events[0].(Unread); !ok || !errors.Is(u.Err, errCut) {
		t.Errorf("told: %v", w.events[0])
	}
	if err := w.look(func(*Host) error { return errCut }); err != errCut {
		t.Errorf("the error of who looks came back as %v", err)
	}
}
