package dnsmasq

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is a running dnsmasq of a network. It is known by what the kernel says of it and never by
// a note: it is called dnsmasq, has the network's configuration in its command line, is in the
// network namespace of the thread that looks, belongs to a user as whom vnetc starts dnsmasq, and
// may use ports below 1024.
//
// No other process of that user can have the last: a command line is free to choose, and a
// capability is given by root only. All of this may be read of any user's process; what would need
// CAP_SYS_PTRACE, its program and its sockets, is not asked for.
type Process struct {
	PID int
	// clock ticks from boot to its start, field 22 of /proc/PID/stat: distinguishes it from a later
	// one with its PID
	Start uint64
	// Stopped is true if it runs no instruction, by SIGSTOP or for a debugger, and so answers no
	// guest.
	Stopped bool
	// Dated is true if it was not started as this vnetc would: with other arguments, as root, or
	// with a way to more capabilities.
	Dated bool

	parent int
	conf   string
}

// Find returns the dnsmasq of each of the networks that has one, by [Paths.Conf]. It looks at the
// process that the pid file names first, and through all processes once for those networks whose
// file is missing or names another.
func Find(networks ...Paths) (map[string]Process, error) {
	found := make(map[string]Process)
	s, err := newSearch(networks...)
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

// Noted is true if the pid file of its network names p. Without it p is found all the same, by a
// look at all processes.
func (p Process) Noted(of Paths) bool { return pidIn(of.PID) == p.PID }

// Note writes the pid file: dnsmasq itself may not write where root does.
func (p Process) Note(of Paths) error { return replace(of.PID, fmt.Appendf(nil, "%d\n", p.PID)) }

// oldest returns the process that the others descend from: dnsmasq forks for scripts and for
// queries over TCP.
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
	netns    uint64           // of the thread that looks
	users    []int            // as whom dnsmasq may run
	rootOnly bool             // rootOnly is true if this is a user namespace without other users.
	of       map[string]Paths // by configuration
}

// arguments returns what one of our dnsmasq processes has behind its name; nil if it serves none of
// the networks looked for.
func (s *search) arguments(conf string) []string {
	p, ok := s.of[conf]
	if !ok {
		return nil
	}
	return arguments(p)
}

func newSearch(networks ...Paths) (*search, error) {
	ns, err := netnsOf("thread-self")
	if err != nil {
		return nil, err
	}
	s := &search{netns: ns, users: append(accountIDs(), 0, os.Geteuid()), of: make(map[string]Paths)}
	for _, p := range networks {
		s.of[p.Conf] = p
	}
	if len(networks) > 0 {
		a, _, err := FindAccount(filepath.Dir(networks[0].Conf))
		s.rootOnly = err == nil && a == (Account{})
	}
	return s, nil
}

// netnsOf returns a number that processes have in common if they are in one network namespace: the
// inode of a file that each namespace has of its own in /proc. It may be asked of any user's
// process; /proc/PID/ns takes CAP_SYS_PTRACE for that.
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

// inspect returns the process if it is a dnsmasq that vnetc may have started in this network
// namespace. A process that is gone meanwhile is none.
func (s *search) inspect(pid int) (Process, bool) {
	if pid == 0 {
		return Process{}, false
	}
	name := strconv.Itoa(pid)
	text, err := os.ReadFile("/proc/" + name + "/cmdline")
	if err != nil {
		return Process{}, false
	}
	args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	p := Process{PID: pid, conf: confOf(args)}
	if p.conf == "" {
		return Process{}, false
	}
	if ns, err := netnsOf(name); err != nil || ns != s.netns {
		return Process{}, false
	}
	c, ok := p.status()
	if !ok || !slices.Contains(s.users, c.user) || c.permitted>>unix.CAP_NET_BIND_SERVICE&1 == 0 {
		return Process{}, false
	}
	p.Dated = !c.noNewPrivs || c.user == 0 && !s.rootOnly || !slices.Equal(args[1:], s.arguments(p.conf))
	return p, true
}

// confOf returns the configuration in the command line of a dnsmasq, as Begin writes it; empty for
// other commands.
func confOf(args []string) string {
	if filepath.Base(args[0]) != command {
		return ""
	}
	for _, a := range args[1:] {
		if conf, ok := strings.CutPrefix(a, confFlag); ok {
			return conf
		}
	}
	return ""
}

// credentials is what a process may do.
type credentials struct {
	user       int // the real one
	permitted  uint64
	noNewPrivs bool
}

// status fills in what /proc/PID/stat says (proc(5)), and returns what status does. It is false for
// a process that is gone.
func (p *Process) status() (c credentials, ok bool) {
	base := "/proc/" + strconv.Itoa(p.PID)
	stat, err := os.ReadFile(base + "/stat")
	if err != nil {
		return c, false
	}
	end := strings.LastIndex(string(stat), ") ") // the name before may hold anything
	const state, parent, start = 3, 4, 22        // numbers of fields
	fields := append([]string{"", "", ""}, strings.Fields(string(stat)[end+1:])...)
	if end < 0 || len(fields) <= start {
		return c, false
	}
	p.Stopped = fields[state] == "T" || fields[state] == "t"
	if p.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return c, false
	}
	if p.Start, err = strconv.ParseUint(fields[start], 10, 64); err != nil {
		return c, false
	}
	text, err := os.ReadFile(base + "/status")
	if err != nil {
		return c, false
	}
	user, ok := field(string(text), "Uid")
	if ok {
		c.user, err = strconv.Atoi(user)
	}
	permitted, has := field(string(text), "CapPrm")
	if ok = ok && has && err == nil; ok {
		c.permitted, err = strconv.ParseUint(permitted, 16, 64)
	}
	noNew, _ := field(string(text), "NoNewPrivs") // Linux 4.10
	c.noNewPrivs = noNew == "1"
	return c, ok && err == nil
}

// field returns the first word behind a name in a /proc/PID/status. The name of the process, which
// may hold anything, has its line breaks escaped there.
func field(status, name string) (string, bool) {
	_, rest, ok := strings.Cut(status, "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return "", false
	}
	return words[0], true
}
