package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestView: who looks sees whether what they read is from one moment, and takes nothing from those
// who write.
func TestView(t *testing.T) {
	path := t.TempDir()
	look := func() *View {
		t.Helper()
		v, err := Look(path)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	moved := func(v *View) bool {
		t.Helper()
		yes, err := v.Moved()
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	empty := look()
	d := open(t, path)
	if moved(empty) || look().Changing() {
		t.Error("the lock alone is a change")
	}
	if err := d.Save(Network{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	during := look()
	if !moved(empty) || !during.Changing() {
		t.Error("a state file was written, and that is no change")
	}
	if networks, _, err := during.Networks(); err != nil || len(networks) != 1 {
		t.Errorf("while another holds the lock: %v, %v", networks, err)
	}
	d.Close()
	after := look()
	if !moved(during) || after.Changing() {
		t.Error("the change ended, and that isn't seen")
	}
	d = open(t, path)
	d.Close()
	if moved(after) {
		t.Error("taking the lock moved the generation")
	}
	// a process that is killed leaves the mark; the next one that ends takes it away
	d = open(t, path)
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	d.lock.Close()
	if !look().Changing() {
		t.Error("the mark of a killed process is gone")
	}
	d = open(t, path)
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if last := look(); last.Changing() || !moved(after) {
		t.Error("the mark of a killed process stays")
	}
}

// A lock as older versions wrote it counts as generation 0, and is taken.
func TestLockOfOlderVersion(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "lock"), []byte("pid 1: vnetc apply default and more words\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	if v, err := Look(path); err != nil || v.Changing() {
		t.Errorf("%+v, %v", v, err)
	}
	d := open(t, path)
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if v, err := Look(path); err != nil || v.seen != 2 {
		t.Errorf("%+v, %v; want generation 2", v, err)
	}
}

// A missing folder is an empty one, and is not made.
func TestLookMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	v, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	if networks, unused, err := v.Networks(); err != nil || len(networks)+len(unused) > 0 {
		t.Errorf("%v, %v, %v", networks, unused, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the folder was made (%v)", err)
	}
	d, err := Open(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Save(Network{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	if yes, err := v.Moved(); err != nil || !yes {
		t.Errorf("a first network came: moved %v, %v", yes, err)
	}
}
