package dnsmasq

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is a running dnsmasq of a network. It is known by what the kernel says of it and never by a note: it is called
// dnsmasq, has the network's configuration in its command line, is in the network namespace of the thread that looks, and
// belongs to a user as whom vnetc starts dnsmasq.
type Process struct {
	PID   int
	Start uint64 // clock ticks from boot to its start, field 22 of /proc/PID/stat: tells it from a later one with its PID

	parent int
	conf   string
}

// Find returns the dnsmasq of each of the networks that has one, by [Paths.Conf]. It looks at the process that the pid file
// names first, and through all processes once for those networks whose file is missing or names another.
func Find(networks ...Paths) (map[string]Process, error) {
	found := make(map[string]Process)
	s, err := newSearch()
	if err != nil {
		return nil, err
	}
	missing := make(map[string]bool)
	for _, p := range networks {
		if proc, ok := s.inspect(pidIn(p.PID)); ok && proc.conf == p.Conf {
			found[p.Conf] = proc
			continue
		}
		missing[p.Conf] = true
	}
	if len(missing) == 0 {
		return found, nil
	}
	all, err := s.walk(missing)
	for conf, procs := range all {
		found[conf] = oldest(procs)
	}
	return found, err
}

// oldest returns the process that the others descend from: dnsmasq forks for scripts and for queries over TCP.
func oldest(procs []Process) Process {
	return slices.MinFunc(procs, func(a, b Process) int {
		switch {
		case a.parent == b.PID:
			return 1
		case b.parent == a.PID:
			return -1
		}
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.PID, b.PID))
	})
}

// pidIn returns the number in a pid file, 0 if there is none.
func pidIn(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// search looks at processes.
type search struct {
	netns uint64 // of the thread that looks
	users []int  // as whom dnsmasq may run
}

func newSearch() (*search, error) {
	ns, err := netnsOf("thread-self")
	if err != nil {
		return nil, err
	}
	return &search{netns: ns, users: append(accountIDs(), 0, os.Geteuid())}, nil
}

// netnsOf returns a number that processes have in common if they are in one network namespace: the inode of a file that each
// namespace has of its own in /proc. It may be asked of any user's process; /proc/PID/ns takes CAP_SYS_PTRACE for that.
func netnsOf(pid string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+pid+"/net/dev", &st); err != nil {
		return 0, fmt.Errorf("network namespace of process %s: %w", pid, err)
	}
	return st.Ino, nil
}

// walk looks at all processes and returns those that serve one of the configurations.
func (s *search) walk(confs map[string]bool) (map[string][]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]Process)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := s.inspect(pid); ok && confs[p.conf] {
			found[p.conf] = append(found[p.conf], p)
		}
	}
	return found, nil
}

// inspect returns the process if it is a dnsmasq that vnetc may have started in this network namespace. A process that is gone
// meanwhile is none.
func (s *search) inspect(pid int) (Process, bool) {
	if pid == 0 {
		return Process{}, false
	}
	name := strconv.Itoa(pid)
	args, err := os.ReadFile("/proc/" + name + "/cmdline")
	if err != nil {
		return Process{}, false
	}
	p := Process{PID: pid, conf: confOf(args)}
	if p.conf == "" {
		return Process{}, false
	}
	if ns, err := netnsOf(name); err != nil || ns != s.netns {
		return Process{}, false
	}
	user, ok := p.status()
	return p, ok && slices.Contains(s.users, user)
}

// confOf returns the configuration in the command line of a dnsmasq, as Begin writes it; empty for other commands.
func confOf(args []byte) string {
	list := bytes.Split(bytes.TrimSuffix(args, []byte{0}), []byte{0})
	if filepath.Base(string(list[0])) != command {
		return ""
	}
	for _, a := range list[1:] {
		if conf, ok := bytes.CutPrefix(a, []byte(confFlag)); ok {
			return string(conf)
		}
	}
	return ""
}

// status fills in what /proc/PID/stat and status say (proc(5)), and returns the real user.
func (p *Process) status() (user int, ok bool) {
	base := "/proc/" + strconv.Itoa(p.PID)
	stat, err := os.ReadFile(base + "/stat")
	if err != nil {
		return 0, false
	}
	_, rest, ok := strings.Cut(string(stat), ") ") // the name before may hold anything; dnsmasq's holds no bracket
	fields := strings.Fields(rest)                 // from field 3 on
	if !ok || len(fields) < 20 {
		return 0, false
	}
	status, err := os.ReadFile(base + "/status")
	if err != nil {
		return 0, false
	}
	_, uid, _ := strings.Cut(string(status), "\nUid:")
	if p.parent, err = strconv.Atoi(fields[4-3]); err != nil {
		return 0, false
	}
	if p.Start, err = strconv.ParseUint(fields[22-3], 10, 64); err != nil {
		return 0, false
	}
	ids := strings.Fields(uid)
	if len(ids) == 0 {
		return 0, false
	}
	user, err = strconv.Atoi(ids[0])
	return user, err == nil
}
