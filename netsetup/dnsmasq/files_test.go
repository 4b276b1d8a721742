package dnsmasq

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	base := Files{Conf: []byte("port=0\n"), Hosts: []byte("a\n"), AddnHosts: []byte{}}
	tests := []struct {
		name   string
		change func(*Files)
		want   Change
	}{
		{"nothing", func(*Files) {}, Same},
		{"a host of DHCP", func(f *Files) { f.Hosts = []byte("a\nb\n") }, Hosts},
		{"the last host of DHCP", func(f *Files) { f.Hosts = []byte{} }, Hosts},
		{"a host of DNS", func(f *Files) { f.AddnHosts = []byte("b\n") }, Hosts},
		{"hosts that were not read", func(f *Files) { f.Hosts, f.AddnHosts = nil, nil }, Hosts},
		{"an option", func(f *Files) { f.Conf = nil }, Restart},
		{"all", func(f *Files) { f.Conf, f.Hosts = nil, nil }, Restart},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := base
			tt.change(&other)
			for _, pair := range [][2]Files{{base, other}, {other, base}} {
				if got := Compare(pair[0], pair[1]); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

// TestWrite: what is written reads back, whatever stood there; all of it can be read by dnsmasq's
// user, and all of it goes.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	p, err := At(dir, "lab")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFiles(p); err != nil || !cmp.Equal(got, Files{}) {
		t.Errorf("before: got %v, %v; want nothing", got, err)
	}
	for _, want := range []Files{
		{Conf: []byte("a\n"), Hosts: []byte("b\n"), AddnHosts: []byte("c\n")},
		{Conf: []byte("d\n"), Hosts: []byte{}},
		{Conf: []byte("a\n"), AddnHosts: []byte{}},
	} {
		if err := want.Write(p); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFiles(p)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("read back %v (-want +got):\n%s", err, diff)
		}
		for path, text := range want.All(p) {
			if info, err := os.Stat(path); text != nil && (err != nil || info.Mode().Perm() != 0o644) {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		}
	}
	for _, path := range []string{p.PID, p.Leases, p.Stale, temporary(p.Conf)} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time nothing is there
		if err := Remove(p); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(p.Conf)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
