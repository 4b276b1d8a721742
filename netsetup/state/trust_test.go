package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFoldersOfOthers: a folder that another user can change, or exchange, is refused by writers
// and readers alike.
func TestFoldersOfOthers(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(above, path string) error
		want    string // empty: the folder is good
	}{
		{"private", func(_, path string) error { return os.Chmod(path, 0o700) }, ""},
		{"everybody writes", func(_, path string) error { return os.Chmod(path, 0o777) }, "all users may write there"},
		{"everybody adds", func(_, path string) error { return os.Chmod(path, 0o777|os.ModeSticky) }, ""},
		{"a group writes", func(_, path string) error { return group(path, 4242, 0o775) },
			"group 4242 may write there"},
		{"root's group writes", func(_, path string) error { return group(path, 0, 0o775) }, ""},
		{"another user's", func(_, path string) error { return os.Chown(path, 4242, -1) }, "belongs to user 4242"},
		{"a folder above is another user's", func(above, _ string) error { return os.Chown(above, 4242, -1) },
			"belongs to user 4242"},
		{"a group writes above", func(above, _ string) error { return group(above, 4242, 0o770) },
			"group 4242 may write there"},
		{"everybody writes above", func(above, _ string) error { return os.Chmod(above, 0o777) },
			"all users may write there"},
		{"everybody adds above", func(above, _ string) error { return os.Chmod(above, 0o777|os.ModeSticky) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			above := filepath.Join(t.TempDir(), "above")
			path := filepath.Join(above, "state")
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := test.prepare(above, path); err != nil {
				t.Skipf("root is needed: %v", err)
			}
			check := func(what string, err error) {
				t.Helper()
				var untrusted *UntrustedError
				if test.want == "" && err != nil ||
					test.want != "" && (!errors.As(err, &untrusted) || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("%s: %v, want %q", what, err, test.want)
				}
			}
			_, err := Look(path)
			check("Look", err)
			d, err := Open(path, 0)
			check("Open", err)
			if err == nil {
				d.Close()
			}
		})
	}
}

func group(path string, gid int, mode os.FileMode) error {
	return errors.Join(os.Chown(path, -1, gid), os.Chmod(path, mode))
}

// TestFilesOfOthers: a state file that is no plain file of root's or the caller's is not used,
// waited for or followed.
func TestFilesOfOthers(t *testing.T) {
	good := `{"name": "lab"}`
	tests := []struct {
		name string
		put  func(path, elsewhere string) error
		want string
	}{
		{"a link", func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "symbolic link"},
		{"a FIFO", func(path, _ string) error { return unix.Mkfifo(path, 0o644) }, "not a regular file"},
		{"a folder", func(path, _ string) error { return os.Mkdir(path, 0o755) }, "not a regular file"},
		{"a device", func(path, _ string) error { return unix.Mknod(path, unix.S_IFCHR|0o644, 1<<8|5) },
			"not a regular file"}, // /dev/zero
		{"another user's", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte(good), 0o644), os.Chown(path, 4242, -1))
		}, "belongs to user 4242"},
		{"a group writes", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte(good), 0o644), group(path, 4242, 0o664))
		}, "group 4242 may write"},
		{"everybody writes", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte(good), 0o644), os.Chmod(path, 0o666))
		}, "all users may write"},
		{"huge", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte(good), 0o644), os.Truncate(path, maxNetwork+1))
		}, "more than 8388608 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
			if err := os.WriteFile(elsewhere, []byte(good), 0o644); err != nil {
				t.Fatal(err)
			}
			d := open(t, path)
			if err := d.Save(Network{Name: "other"}); err != nil {
				t.Fatal(err)
			}
			if err := test.put(filepath.Join(path, "networks", "lab.json"), elsewhere); err != nil {
				t.Skipf("root is needed: %v", err)
			}
			networks, unused, err := d.Networks()
			if err != nil || len(networks) != 1 || len(unused) != 1 || !strings.Contains(unused[0].Why, test.want) ||
				unused[0].Stale {
				t.Errorf("networks %v, unused %v, %v; want the other one, and one unused: %q", networks, unused, err,
					test.want)
			}
			if test.name == "a folder" {
				return // rename does not replace one
			}
			if err := d.Save(Network{Name: "lab"}); err != nil {
				t.Fatalf("replace it: %v", err)
			}
			if networks, unused, err := d.Networks(); err != nil || len(networks) != 2 || len(unused) > 0 {
				t.Errorf("after it was replaced: networks %v, unused %v, %v", networks, unused, err)
			}
		})
	}
}

// TestLockOfOthers: what is in the place of the lock is not written to, and not waited for.
func TestLockOfOthers(t *testing.T) {
	tests := []struct {
		name string
		put  func(lock, precious string) error
		want string
	}{
		{"a link", func(lock, precious string) error { return os.Symlink(precious, lock) }, "symbolic link"},
		{"a hard link", func(lock, precious string) error { return os.Link(precious, lock) }, "2 names"},
		{"a FIFO", func(lock, _ string) error { return unix.Mkfifo(lock, 0o644) }, "not a regular file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
			if err := os.WriteFile(precious, []byte("kept"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := test.put(filepath.Join(path, "lock"), precious); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, time.Second); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open: %v, want %q", err, test.want)
			}
			if text, err := os.ReadFile(precious); string(text) != "kept" {
				t.Errorf("the other file is %q, %v", text, err)
			}
		})
	}
}

// A networks folder that is a link is not written through.
func TestNetworksFolderIsALink(t *testing.T) {
	path, elsewhere := t.TempDir(), t.TempDir()
	d := open(t, path)
	if err := os.Symlink(elsewhere, filepath.Join(path, "networks")); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(Network{Name: "lab"}); err == nil {
		t.Error("Save wrote through the link")
	}
	if _, _, err := d.Networks(); err == nil {
		t.Error("Networks read through the link")
	}
	if left, _ := os.ReadDir(elsewhere); len(left) > 0 {
		t.Errorf("behind the link: %v", left)
	}
}
