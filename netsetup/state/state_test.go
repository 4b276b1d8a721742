package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestSaveListRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd [name]", "state")
	d := open(t, path)
	lab := Network{Name: "lab", File: "lab.xml", XML: "<network/>", Backend: "nftables", Order: 2,
		Applied: time.Unix(1700000000, 0).UTC()}
	dmz := Network{Name: "dmz", Backend: "iptables", Strict: true, Order: 1}
	for _, n := range []Network{lab, dmz, lab} {
		if err := d.Save(n); err != nil {
			t.Fatal(err)
		}
	}
	got, damaged, err := d.Networks()
	if err != nil || len(damaged) > 0 {
		t.Fatal(err, damaged)
	}
	if diff := cmp.Diff([]Network{dmz, lab}, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := d.Remove("lab"); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, _ := d.Networks(); len(got) != 1 || got[0].Name != "dmz" {
		t.Errorf("after the removal of lab: %v", got)
	}
}

// A process that dies while it writes leaves the old note, and the next one clears away the rest.
func TestInterruptedWrite(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if err := d.Save(Network{Name: "lab", File: "old"}); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(path, "networks", ".lab.json.new")
	if err := os.WriteFile(half, []byte(`{"name": "la`), 0o644); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, path)
	got, damaged, err := d.Networks()
	if err != nil || len(damaged) > 0 || len(got) != 1 || got[0].File != "old" {
		t.Errorf("got %v, damaged %v, %v; want the old note", got, damaged, err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-written file is still there (%v)", err)
	}
}

func TestDamagedNotes(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if err := d.Save(Network{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"torn.json": `{"name": "to`, "other.json": `{"name": "lab"}`} {
		if err := os.WriteFile(filepath.Join(path, "networks", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, damaged, err := d.Networks()
	if err != nil || len(got) != 1 || len(damaged) != 2 {
		t.Errorf("got %v, damaged %v, %v; want one good note and two damaged", got, damaged, err)
	}
}

func TestNamesThatLeadElsewhere(t *testing.T) {
	d := open(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "../x", "a/b", "a\x00b"} {
		if d.Save(Network{Name: name}) == nil || d.Remove(name) == nil {
			t.Errorf("name %q is taken", name)
		}
	}
}

// The second process waits for a bounded time and then names the first.
func TestLockNamesItsHolder(t *testing.T) {
	path := t.TempDir()
	open(t, path)
	_, err := Open(path, 50*time.Millisecond)
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, "pid ") || locked.Waited < 50*time.Millisecond {
		t.Errorf("got %v, want a LockedError after 50 ms that names the holder", err)
	}
}

// Many at once: each gets the lock in the end, and no two have it together.
func TestLockIsExclusive(t *testing.T) {
	path := t.TempDir()
	var inside, most, done int
	var count sync.Mutex
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			d, err := Open(path, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			count.Lock()
			inside++
			most = max(most, inside)
			count.Unlock()
			time.Sleep(time.Millisecond)
			count.Lock()
			inside--
			done++
			count.Unlock()
			d.Close()
		})
	}
	all.Wait()
	if most != 1 || done != 32 {
		t.Errorf("%d at once and %d in all, want 1 and 32", most, done)
	}
}

// State files from before a boot and about another namespace are not used, and stay until somebody
// forgets them: their rules may still be loaded. A file that doesn't know where it was written is
// used.
func TestFilesOfOtherBoots(t *testing.T) {
	d := open(t, t.TempDir())
	mine := d.boot
	for name, at := range map[string]bootID{
		"here": mine, "before": {"another boot", mine.NetNS}, "beside": {mine.Boot, mine.NetNS + 1},
		"noboot": {"", mine.NetNS}, "nonetns": {mine.Boot, 0}, "nowhere": {},
	} {
		d.boot = at
		if err := d.Save(Network{Name: name, Bridge: "vb" + name}); err != nil {
			t.Fatal(err)
		}
	}
	d.boot = mine
	check := func(wantUnused map[string]bool) []Unused {
		t.Helper()
		networks, unused, err := d.Networks()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, n := range networks {
			names = append(names, n.Name)
		}
		slices.Sort(names)
		if diff := cmp.Diff([]string{"here", "noboot", "nonetns", "nowhere"}, names); diff != "" {
			t.Errorf("networks (-want +got):\n%s", diff)
		}
		stale := make(map[string]bool)
		for _, u := range unused {
			stale[u.Bridge] = u.Stale
		}
		if diff := cmp.Diff(wantUnused, stale); diff != "" {
			t.Errorf("unused, by bridge (-want +got):\n%s", diff)
		}
		return unused
	}
	unused := check(map[string]bool{"vbbefore": true, "vbbeside": false})
	for _, u := range unused {
		if u.Stale {
			if err := d.Forget(u); err != nil {
				t.Fatal(err)
			}
		}
	}
	check(map[string]bool{"vbbeside": false})
}
