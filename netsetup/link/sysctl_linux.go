package link

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// SetSysctl sets a sysctl of the network namespace.
type SetSysctl struct {
	Path string // under /proc/sys/net, such as ipv4/ip_forward
	From string // the value before; empty if it goes away with its device, and nothing need be undone
	To   string
}

// String returns its line in a dry run, with the sysctl's name as sysctl(8) takes it.
func (s SetSysctl) String() string { return fmt.Sprintf("set net/%s to %s", s.Path, s.To) }

// Do sets the value.
func (s SetSysctl) Do() error { return s.write(s.To) }

// Undo sets the value that was there before, unless it is another one than Do has set.
func (s SetSysctl) Undo() error {
	if now, err := ReadSysctl(s.Path); s.From == "" || err != nil || now != s.To {
		return nil
	}
	return s.write(s.From)
}

func (s SetSysctl) write(value string) error {
	if err := os.WriteFile(sysctlFile(s.Path), []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl: %w", err)
	}
	return nil
}

// ReadSysctl returns the value of a sysctl by its path under /proc/sys/net.
func ReadSysctl(path string) (string, error) {
	text, err := os.ReadFile(sysctlFile(path))
	return strings.TrimSpace(string(text)), err
}

func sysctlFile(path string) string { return filepath.Join("/proc/sys/net", path) }
