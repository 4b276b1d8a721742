// Package libvirt finds what a libvirt daemon on this host runs, from files and processes that
// others can see: its process, and the status files of its networks. It changes nothing, and knows
// no XML.
package libvirt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Host is the file system of a host, as seen from the calling thread.
type Host struct {
	Proc string // where procfs is: /proc
	Run  string // libvirt's folder for what lives as long as the boot: /run/libvirt
}

// Daemon is a process of libvirt's that runs networks.
type Daemon struct {
	Name string // libvirtd, or virtnetworkd where each driver has a daemon of its own
	PID  int
}

// String returns "libvirtd (pid 812)".
func (d Daemon) String() string { return fmt.Sprintf("%s (pid %d)", d.Name, d.PID) }

// daemons are the names of the processes that have libvirt's network driver.
var daemons = [...]string{"libvirtd", "virtnetworkd"}

// Daemon returns the daemon that runs networks in the network namespace of the calling thread, nil
// if there is none. One of another user than root and this one is a session's, which can't make
// bridges or rules.
func (h Host) Daemon() (*Daemon, error) {
	entries, err := os.ReadDir(h.Proc)
	if err != nil {
		return nil, fmt.Errorf("look for a libvirt daemon: %w", err)
	}
	here, _ := os.Readlink(filepath.Join(h.Proc, "thread-self/ns/net"))
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		process := filepath.Join(h.Proc, e.Name())
		name := daemonName(process)
		if name == "" || !privileged(process) {
			continue
		}
		there, err := os.Readlink(filepath.Join(process, "ns/net"))
		if err != nil || here == "" || there == here { // where it is unknown, it may be this one
			return &Daemon{name, pid}, nil
		}
	}
	return nil, nil
}

// daemonName returns the daemon's name that a process goes by, "" for others and for one that has
// ended.
func daemonName(process string) string {
	line, err := os.ReadFile(filepath.Join(process, "cmdline"))
	if err != nil || len(line) == 0 {
		return ""
	}
	comm, _ := os.ReadFile(filepath.Join(process, "comm"))
	program, _, _ := strings.Cut(string(line), "\x00")
	for _, name := range []string{strings.TrimSuffix(string(comm), "\n"), filepath.Base(program)} {
		if slices.Contains(daemons[:], name) {
			return name
		}
	}
	return ""
}

// privileged is true for a process of root or of this user.
func privileged(process string) bool {
	info, err := os.Stat(process)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || int(stat.Uid) == os.Geteuid()
}

// Status is the status file of an active network. It outlives the daemon.
type Status struct {
	Name string // of the network
	Path string
	Text []byte // XML: <networkstatus> around the live <network>
}

// maxStatus is the length in bytes of the longest status file that is read. Beside the network it
// lists a command for each of its rules.
const maxStatus = 4 << 20

// Networks returns the status files of active networks, by name.
func (h Host) Networks() ([]Status, error) {
	dir := filepath.Join(h.Run, "network")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("libvirt's active networks: %w", err)
	}
	var all []Status
	for _, e := range entries {
		name, isXML := strings.CutSuffix(e.Name(), ".xml")
		if !isXML || !e.Type().IsRegular() {
			continue
		}
		s := Status{Name: name, Path: filepath.Join(dir, e.Name())}
		info, err := e.Info()
		if err == nil && info.Size() <= maxStatus {
			s.Text, err = os.ReadFile(s.Path)
		}
		if errors.Is(err, fs.ErrNotExist) { // stopped meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("libvirt's active networks: %w", err)
		}
		all = append(all, s)
	}
	return all, nil
}
