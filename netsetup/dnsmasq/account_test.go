//go:build linux

package dnsmasq

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMapped has maps as user_namespaces(7) describes them.
func TestMapped(t *testing.T) {
	const all = "         0          0 4294967295\n"
	const rootOnly = "         0       1000          1\n"
	const two = "         0       1000          1\n         1     100000      65536\n"
	tests := []struct {
		name, idMap, id string
		want            bool
	}{
		{"host", all, "65534", true},
		{"unshare -r, root", rootOnly, "0", true},
		{"unshare -r, nobody", rootOnly, "65534", false},
		{"rootless container", two, "65534", true},
		{"rootless container, beyond", two, "65537", false},
		{"no map yet", "", "0", false},
		{"no number", all, "nobody", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapped(tt.idMap, tt.id); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClosedTo(t *testing.T) {
	dir := openDir(t)
	inner := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := closedTo(filepath.Join(inner, "missing")); got != "" {
		t.Errorf("closed: %s", got)
	}
	if err := os.Chmod(filepath.Dir(inner), 0o750); err != nil {
		t.Fatal(err)
	}
	if got := closedTo(inner); got != filepath.Dir(inner) {
		t.Errorf("got %q, want %s", got, filepath.Dir(inner))
	}
}

// openDir returns a new folder that every user may enter. Those of testing are closed.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
