package dnsmasq

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadAllowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dnsmasq-options")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := ReadAllowed(path); err != nil || a.Allows("lab", "user") {
		t.Errorf("no file: %v, %v", a, err)
	}
	write("# what networks may do\nlab dhcp-script # leases\n*   conf-file\n\nmy lab\tport\n")
	a, err := ReadAllowed(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		network, option string
		want            bool
	}{
		{"lab", "dhcp-script", true}, {"web", "dhcp-script", false}, {"lab", "dhcp-luascript", false},
		{"web", "conf-file", true}, {"my lab", "port", true}, {"lab", "port", false}, {"", "", false},
		{"*", "dhcp-script", false},
	} {
		if got := a.Allows(tt.network, tt.option); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.network, tt.option, got, tt.want)
		}
	}
	write("lab\n")
	if _, err := ReadAllowed(path); err == nil || !strings.Contains(err.Error(), path+":1:") {
		t.Errorf("half a line: %v", err)
	}
}

// A list that others could have written is refused, and nothing is waited for.
func TestReadAllowedOwner(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"writable by the group":  func(path string) error { return os.Chmod(path, 0o664) },
		"writable by all":        func(path string) error { return os.Chmod(path, 0o646) },
		"folder writable by all": func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) },
		"another owner":          func(path string) error { return os.Chown(path, 65534, 65534) },
		"a link": func(path string) error {
			if err := os.Rename(path, path+".real"); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		},
		"a FIFO": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return unix.Mkfifo(path, 0o644)
		},
		"a folder": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o755)
		},
		"too much": func(path string) error { return os.Truncate(path, 2<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dnsmasq-options")
			if err := os.WriteFile(path, []byte("* dhcp-script\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := damage(path); err != nil {
				t.Skip(err)
			}
			done := make(chan error, 1)
			go func() {
				a, err := ReadAllowed(path)
				if a.Allows("lab", "dhcp-script") {
					t.Error("it allows")
				}
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil {
					t.Error("no error")
				}
			case <-time.After(5 * time.Second):
				t.Error("waits")
			}
		})
	}
}
