package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEnded: a change has ended only where a mark says so of that change.
func TestEnded(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	ended := func(id string, want bool, when string) {
		t.Helper()
		if got := Ended(path, id); got != want {
			t.Errorf("%s: %s has ended: %v, want %v", when, id, got, want)
		}
	}
	ended("one", false, "without a mark")
	ended("", false, "without a mark")
	if err := d.Confirmed("one"); err != nil {
		t.Fatal(err)
	}
	ended("one", true, "confirmed")
	ended("two", false, "another was confirmed")
	if err := d.Undone("two", time.Now()); err != nil {
		t.Fatal(err)
	}
	ended("two", true, "undone")
	ended("one", false, "another was undone since")
	if err := os.WriteFile(filepath.Join(path, undoneFile), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended("two", false, "with a torn mark")
	ended("", false, "with a torn mark")
}

// TestAwaitWatchers: whoever has ended a change waits for those that would undo it, but not for
// ever, and for nobody else.
func TestAwaitWatchers(t *testing.T) {
	const long, short = 20 * time.Second, 60 * time.Millisecond
	path := t.TempDir()
	took := func(wait time.Duration) time.Duration {
		begin := time.Now()
		AwaitWatchers(path, wait)
		return time.Since(begin)
	}
	if d := took(long); d > long/2 {
		t.Errorf("waited %v for nobody", d)
	}
	one, err := Watching(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Watching(path) // as two watchers may
	if err != nil {
		t.Fatal(err)
	}
	if d := took(short); d < short {
		t.Errorf("waited %v for two watchers, want %v", d, short)
	}
	one.Close()
	if d := took(short); d < short {
		t.Errorf("waited %v for a watcher, want %v", d, short)
	}
	two.Close()
	if d := took(long); d > long/2 {
		t.Errorf("waited %v for nobody, once the watchers were gone", d)
	}
}

// TestSysctlFile: the file about sysctls is there while there is something in it.
func TestSysctlFile(t *testing.T) {
	d := open(t, t.TempDir())
	want := map[string]Sysctl{"net/ipv4/ip_forward": {From: "0", To: "1"}}
	for range 2 {
		if err := d.SaveSysctls(want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Sysctls(); err != nil || len(got) != 1 ||
		got["net/ipv4/ip_forward"] != want["net/ipv4/ip_forward"] {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for range 2 { // that there is none is no error
		if err := d.SaveSysctls(nil); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(d.sysctlFile()); !os.IsNotExist(err) {
			t.Errorf("an empty file stays: %v", err)
		}
	}
}

// TestRemoveFails: a state file that can't be removed is an error with the network's name.
func TestRemoveFails(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if err := d.Save(Network{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "networks", "lab.json")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove("lab"); err == nil || !strings.Contains(err.Error(), "lab") {
		t.Errorf("error %v, want one that names lab", err)
	}
}

// TestReadGeneration: whatever is no whole line of a generation is that of a new file.
func TestReadGeneration(t *testing.T) {
	for text, want := range map[string]generation{
		generation(19).text(): 19, generation(1<<64 - 1).text(): 1<<64 - 1, generation(8).text() + "pid 7\n": 8,
		"": 0, "generation 0000": 0, strings.TrimSuffix(generation(19).text(), "\n"): 0,
		strings.Replace(generation(19).text(), "gen", "Gen", 1): 0,
		strings.Replace(generation(19).text(), "19", "1x", 1):   0,
	} {
		if got := readGeneration(strings.NewReader(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
