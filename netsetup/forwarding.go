package netsetup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Sysctls below /proc/sys that let the host forward between its links.
const (
	forwardIPv4 = "net/ipv4/ip_forward"
	forwardIPv6 = "net/ipv6/conf/all/forwarding"
)

// ForwardingOf returns the sysctls that a network needs to be 1: those of its addresses' families, if its guests are routed.
// libvirt sets the same, and leaves them so.
func ForwardingOf(l *ir.Link) []string {
	if l.Mode != ir.ModeNAT && l.Mode != ir.ModeRoute && l.Mode != ir.ModeOpen {
		return nil
	}
	var paths []string
	for _, a := range l.Addresses {
		path := forwardIPv4
		if a.Prefix.Addr().Is6() {
			path = forwardIPv6
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Forwarding is the sysctls that networks share. What they were before vnetc set them is noted first, and comes back when
// the last network that needs them goes, unless somebody has changed them since.
type Forwarding struct {
	Dir    *state.Dir
	Others []string // needed by networks that are up and not at hand

	proc string // where the sysctls are; empty for /proc/sys
}

func (f *Forwarding) path(name string) string {
	if f.proc == "" {
		return "/proc/sys/" + name
	}
	return f.proc + "/" + name
}

// Missing returns what of paths is not 1 now, as lines of a dry run.
func (f *Forwarding) Missing(paths []string) []string {
	var lines []string
	for _, name := range paths {
		if value, err := f.read(name); err == nil && value != "1" {
			lines = append(lines, holding(name))
		}
	}
	return lines
}

// holding says that a sysctl is held at 1, as sysctl(8) names it.
func holding(name string) string {
	return fmt.Sprintf("set %s to 1, until no network needs it", strings.ReplaceAll(name, "/", "."))
}

// hold sets what is not set yet, after noting what it was.
func (f *Forwarding) hold(paths []string) error {
	notes, err := f.Dir.Sysctls()
	if err != nil {
		return err
	}
	var set []string
	for _, name := range paths {
		value, err := f.read(name)
		if err != nil {
			return err
		}
		if value == "1" {
			continue
		}
		if _, known := notes[name]; !known {
			notes[name] = state.Sysctl{From: value, To: "1"}
		}
		set = append(set, name)
	}
	if len(set) == 0 {
		return nil
	}
	if err := f.Dir.SaveSysctls(notes); err != nil {
		return err
	}
	for _, name := range set {
		if err := f.write(name, "1"); err != nil {
			return err
		}
	}
	return nil
}

// release gives back what neither the others nor needed need.
func (f *Forwarding) release(needed []string) error {
	notes, err := f.Dir.Sysctls()
	if err != nil {
		return err
	}
	var all error
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		if slices.Contains(f.Others, name) || slices.Contains(needed, name) {
			continue
		}
		value, err := f.read(name)
		if err == nil && value == notes[name].To {
			err = f.write(name, notes[name].From)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
			continue
		}
		delete(notes, name)
	}
	return errors.Join(all, f.Dir.SaveSysctls(notes))
}

func (f *Forwarding) read(name string) (string, error) {
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (f *Forwarding) write(name, value string) error {
	if err := os.WriteFile(f.path(name), []byte(value), 0); err != nil {
		return fmt.Errorf("sysctl %s = %s: %w", name, value, err)
	}
	return nil
}
