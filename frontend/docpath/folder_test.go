package docpath

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A link that leads out of the directory is followed, and what it leads to is hidden; others are
// files like any.
func TestLinks(t *testing.T) {
	folder(t, "d/a.xml", "d/sub/b", "secret")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"in.xml": "a.xml", "below.xml": "sub/b", "out.xml": "../secret", "absolute.xml": filepath.Join(here, "secret"),
		"out.policy": "../secret", "through.xml": "../d/a.xml", // which leaves the directory on its way
	} {
		if err := os.Symlink(target, filepath.Join("d", name)); err != nil {
			t.Fatal(err)
		}
	}
	src, err := Read(nil, []string{"d"})
	if err != nil {
		t.Fatal(err)
	}
	for name, hidden := range map[string]bool{"a.xml": false, "in.xml": false, "below.xml": false, "out.xml": true, "out.policy": true,
		"absolute.xml": true, "through.xml": true} {
		name = filepath.Join("d", name)
		if src.Hidden(name) != hidden {
			t.Errorf("%s: hidden is %t", name, !hidden)
		}
		if hidden && !strings.Contains("d/a.xml secret", string(src.Text(name))) || len(src.Text(name)) == 0 {
			t.Errorf("%s: got %q", name, src.Text(name))
		}
	}
	if src, err = Read(nil, []string{"d/out.xml"}); err != nil || src.Hidden("d/out.xml") {
		t.Errorf("named by itself a file is hidden, or not read: %v", err)
	}
}

// What would have to be waited for, or is no file, is refused at once.
func TestNoFiles(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a pipe": func(path string) error {
			return link(path,
				func(p string) error { return syscall.Mkfifo(p, 0o600) })
		},
		"a device":              func(path string) error { return os.Symlink("/dev/zero", path) },
		"a socket":              listen,
		"a link to a socket":    func(path string) error { return link(path, listen) },
		"a link to a directory": func(path string) error { return os.Symlink("..", path) },
	} {
		t.Run(name, func(t *testing.T) {
			folder(t, "d/a.xml")
			if err := make("d/b.xml"); err != nil {
				t.Skip(err)
			}
			done := time.AfterFunc(20*time.Second, func() { panic("waits for " + name) })
			defer done.Stop()
			_, err := Read(nil, []string{"d"})
			what := strings.TrimPrefix(name, "a link to ")
			if err == nil || !strings.Contains(err.Error(), "d/b.xml is ") || !strings.Contains(err.Error(), what) {
				t.Errorf("got %v, want d/b.xml refused as %s", err, what)
			}
		})
	}
}

// link makes something beside path and a link to it.
func link(path string, make func(string) error) error {
	if err := make("thing"); err != nil {
		return err
	}
	return os.Symlink("../thing", path)
}

func listen(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}
