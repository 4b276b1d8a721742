package state

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A change that waits is noted whole, has the time it was given, and is overdue after another boot;
// confirmed or undone it waits no more.
func TestPending(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if p, err := d.Pending(); p != nil || err != nil {
		t.Fatalf("at first: %v, %v", p, err)
	}
	want := &Pending{ID: "one", Networks: []Network{{Name: "lab", Order: 1}},
		Rules: json.RawMessage(`[{"place":"nftables"}]`)}
	if err := want.Give(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := d.SavePending(want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPending(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the note (-want +got):\n%s", diff)
	}
	if left, err := got.Left(); err != nil || left > time.Hour || left < 59*time.Minute {
		t.Errorf("%v left (%v), want an hour", left, err)
	}
	got.Boot = "another"
	if left, err := got.Left(); err != nil || left > 0 {
		t.Errorf("after another boot: %v left (%v), want none", left, err)
	}

	if err := d.Undone(want.ID, time.Unix(1700000000, 0)); err != nil {
		t.Fatal(err)
	}
	if at, ok := d.LastUndone(); !ok || at.Unix() != 1700000000 {
		t.Errorf("undone at %v, %v", at, ok)
	}
	if err := d.SavePending(want); err != nil {
		t.Fatal(err)
	}
	if err := d.Confirmed(want.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.LastUndone(); ok {
		t.Error("the change is confirmed, and the last one was undone")
	}
	if p, err := d.Pending(); p != nil || err != nil {
		t.Errorf("at last: %v, %v", p, err)
	}
}

// A damaged note is an error that says what to do: nobody knows any more what was in force.
func TestPendingDamaged(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(PendingPath(path), []byte(`{"boot": "x`), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadPending(path); p != nil || err == nil {
		t.Errorf("got %v, %v; want an error", p, err)
	}
}
