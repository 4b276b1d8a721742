package netsetup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Sysctls below /proc/sys that let the host forward between its links.
const (
	forwardIPv4 = "net/ipv4/ip_forward"
	forwardIPv6 = "net/ipv6/conf/all/forwarding"
)

// inotifyInstances is how many of its watchers of files inotify(7) gives each user: 128, unless set
// otherwise. A dnsmasq that uses the host's name servers takes one, to see that /etc/resolv.conf
// changes.
const inotifyInstances = "fs/inotify/max_user_instances"

// ForwardingOf returns the sysctls that a network shares with others: if its guests are routed,
// those that have the host forward its addresses' families, which libvirt sets as well, and leaves
// so; and the limit on dnsmasq's watchers.
func ForwardingOf(l *ir.Link) []string {
	paths := forwardingOf(l)
	if dnsmasq.Watches(l) {
		paths = append(paths, inotifyInstances)
	}
	return paths
}

func forwardingOf(l *ir.Link) (paths []string) {
	routed := l.Mode == ir.ModeNAT || l.Mode == ir.ModeRoute || l.Mode == ir.ModeOpen
	for _, a := range l.Addresses {
		path, forwards := forwardIPv4, l.Forwards4
		if a.Prefix.Addr().Is6() {
			path, forwards = forwardIPv6, l.Forwards6
		}
		if (routed || forwards) && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Forwarding is the sysctls that networks share. What they were before vnetc set them is noted
// first, and comes back when the last network that needs them goes, unless somebody has changed
// them since.
type Forwarding struct {
	Dir    *state.Dir
	Others []string // needed by networks that are up and not at hand
	// Watchers counts the networks whose dnsmasq watches a file, of all that are up or to be.
	Watchers int

	proc string // where the sysctls are; empty for /proc/sys
}

func (f *Forwarding) path(name string) string {
	if f.proc == "" {
		return "/proc/sys/" + name
	}
	return f.proc + "/" + name
}

// Count counts a network that is up or to be among the Watchers, if its dnsmasq is one.
func (f *Forwarding) Count(l *ir.Link) {
	if dnsmasq.Watches(l) {
		f.Watchers++
	}
}

// spare is how many watchers the user of all dnsmasq has for others than ours.
const spare = 64

// wanted returns what a sysctl is to be when it is now; the same if that will do.
func (f *Forwarding) wanted(name, now string) string {
	if name != inotifyInstances {
		return "1"
	}
	limit, err := strconv.Atoi(now)
	if err != nil || f.Watchers == 0 || limit >= f.Watchers+spare {
		return now
	}
	for limit = 2 * spare; limit < f.Watchers+spare; { // in few steps, for networks that come one by one
		limit *= 2
	}
	return strconv.Itoa(limit)
}

// Missing returns what of paths is not as it is to be, as lines of a dry run.
func (f *Forwarding) Missing(paths []string) []string {
	var lines []string
	for _, name := range paths {
		if now, err := f.read(name); err == nil && f.wanted(name, now) != now {
			lines = append(lines, holding(name, f.wanted(name, now)))
		}
	}
	return lines
}

// holding says at what a sysctl is held, as sysctl(8) names it.
func holding(name, value string) string {
	return fmt.Sprintf("set %s to %s, until no network needs it", strings.ReplaceAll(name, "/", "."), value)
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
		if err != nil && name == inotifyInstances {
			continue // a kernel without it
		}
		if err != nil {
			return err
		}
		want := f.wanted(name, value)
		if value == want {
			continue
		}
		note, known := notes[name]
		if !known || name == inotifyInstances && value != note.To { // raised by others since
			note.From = value
		}
		note.To = want
		notes[name] = note
		set = append(set, name)
	}
	if len(set) == 0 {
		return nil
	}
	if err := f.Dir.SaveSysctls(notes); err != nil {
		return err
	}
	for _, name := range set {
		err := f.write(name, notes[name].To)
		if name == inotifyInstances && err != nil {
			continue // as in a container, where the limit may be enough all the same; if it isn't, dnsmasq says so
		}
		if err != nil {
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
