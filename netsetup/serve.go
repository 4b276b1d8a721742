package netsetup

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/link"
)

// servers is the running dnsmasq of each network, by the path of its configuration.
type servers map[string]dnsmasq.Process

func (s servers) pids() []int {
	var pids []int
	for _, conf := range slices.Sorted(maps.Keys(s)) {
		pids = append(pids, s[conf].PID)
	}
	return pids
}

// FindServers looks for the dnsmasq of each of the networks named. It comes before the plans.
func (h *Host) FindServers(names []string) error {
	var all []dnsmasq.Paths
	for _, name := range names {
		p, err := dnsmasq.At(h.Dir, name)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	found, err := dnsmasq.Find(all...)
	h.servers = found
	return err
}

// serve adds the step that makes the network's dnsmasq as wanted, if it isn't.
func (h *Host) serve(p *Plan, l *ir.Link) error {
	paths, err := dnsmasq.At(h.Dir, l.Name)
	if err != nil {
		return err
	}
	s := server{host: h, paths: paths}
	_, s.running = h.servers[paths.Conf]
	if !h.fresh {
		s.fault = h.health(l, paths)
		s.old, err = dnsmasq.ReadFiles(paths)
	}
	if err != nil {
		return err
	}
	if !dnsmasq.Needed(l) {
		if s.running {
			p.After = append(p.After, &stopServer{server: s, all: &stopping{}})
		}
		return nil
	}
	if s.files, err = dnsmasq.Emit(l, paths); err != nil {
		return err
	}
	change := dnsmasq.Compare(s.old, s.files)
	if !s.running || s.fault != "" || change == dnsmasq.Restart {
		p.After = append(p.After, &startServer{server: s, all: &h.starts})
		return nil
	}
	if running := h.servers[paths.Conf]; !running.Noted(paths) {
		p.After = append(p.After, notePID{running, paths}) // the process that started it was killed before
	}
	if change == dnsmasq.Hosts {
		p.After = append(p.After, reloadServer{s})
	}
	return nil
}

// stop returns the steps that end the network's dnsmasq and that delete its files.
func (h *Host) stop(name string, all *stopping) (stop, files []Step, err error) {
	paths, err := dnsmasq.At(h.Dir, name)
	if err != nil {
		return nil, nil, err
	}
	s := server{host: h, paths: paths}
	if _, s.running = h.servers[paths.Conf]; s.running {
		stop = append(stop, &stopServer{server: s, all: all})
	}
	if s.running || dnsmasq.AnyLeft(paths) {
		files = append(files, removeFiles{paths})
	}
	return stop, files, nil
}

// server is one network's dnsmasq, as it is and as it is to be.
type server struct {
	host       *Host
	paths      dnsmasq.Paths
	running    bool
	fault      string // why one that runs is to be restarted; empty for none
	old, files dnsmasq.Files
}

// begin starts a dnsmasq, as an unprivileged user.
func (s server) begin() (*dnsmasq.Starting, error) {
	account, warning, err := s.host.account()
	if err != nil {
		return nil, err
	}
	starting, err := dnsmasq.Server{Paths: s.paths, Account: account}.Begin()
	if err == nil && warning != "" {
		err = &link.Warning{Step: "start dnsmasq", Err: errors.New(warning)}
	}
	return starting, err
}

// account looks for the user once.
func (h *Host) account() (dnsmasq.Account, string, error) {
	if h.user == nil {
		a, warning, err := dnsmasq.FindAccount(h.Dir)
		h.user = &userFound{a, warning, err}
	}
	return h.user.account, h.user.warning, h.user.err
}

type userFound struct {
	account dnsmasq.Account
	warning string
	err     error
}

// starting waits for many at once: each that is started adds itself, and the first to wait waits
// for all.
type starting struct {
	begun []*dnsmasq.Starting
	errs  map[*dnsmasq.Starting]error // of those that were waited for
}

func (s *starting) wait(one *dnsmasq.Starting) error {
	if s.errs == nil {
		s.errs = make(map[*dnsmasq.Starting]error)
	}
	for i, err := range dnsmasq.Wait(s.begun...) {
		s.errs[s.begun[i]] = err
	}
	s.begun = nil
	return s.errs[one]
}

// startServer starts a dnsmasq, in the place of one whose configuration is another.
type startServer struct {
	server
	all    *starting
	staged bool // staged is true once the new files are written, and the old dnsmasq is about to go.
	begun  *dnsmasq.Starting
}

func (s *startServer) String() string {
	if s.running && s.fault != "" {
		return fmt.Sprintf("restart dnsmasq with %s, which %s", s.paths.Conf, s.fault)
	}
	if s.running {
		return fmt.Sprintf("restart dnsmasq with %s", s.paths.Conf)
	}
	return fmt.Sprintf("start dnsmasq with %s", s.paths.Conf)
}

func (s *startServer) Do() error {
	if err := s.files.Stage(s.paths); err != nil {
		return err
	}
	s.staged = true
	if s.running {
		if err := dnsmasq.Stop(s.paths); err != nil {
			return err
		}
	}
	err := s.files.Put(s.paths)
	if err == nil {
		s.begun, err = s.begin()
	}
	if s.begun != nil {
		s.all.begun = append(s.all.begun, s.begun)
	}
	return err
}

// Wait returns when dnsmasq serves.
func (s *startServer) Wait() error {
	if s.begun == nil {
		return nil
	}
	begun := s.begun
	s.begun = nil
	return s.all.wait(begun)
}

// Undo brings the old one back, if there was one.
func (s *startServer) Undo() error {
	if !s.staged {
		return nil
	}
	_ = s.Wait() // how it ends doesn't matter any more, but it may not start after the Stop
	if err := dnsmasq.Stop(s.paths); err != nil {
		return err
	}
	if s.old.Conf == nil {
		return dnsmasq.Remove(s.paths)
	}
	if err := s.old.Write(s.paths); err != nil || !s.running {
		return err
	}
	return s.restart()
}

// restart starts a dnsmasq that ran before, and waits for it.
func (s server) restart() error {
	starting, err := s.begin()
	if starting == nil {
		return err
	}
	return dnsmasq.Wait(starting)[0]
}

// notePID writes the pid file of a dnsmasq that runs.
type notePID struct {
	process dnsmasq.Process
	paths   dnsmasq.Paths
}

func (s notePID) String() string { return fmt.Sprintf("write dnsmasq's process id to %s", s.paths.PID) }
func (s notePID) Do() error      { return s.process.Note(s.paths) }
func (s notePID) Undo() error    { return nil } // it is as true as before

// reloadServer gives a dnsmasq other hosts; leases and what it remembers of DNS live on.
type reloadServer struct{ server }

func (s reloadServer) String() string {
	return fmt.Sprintf("reload dnsmasq's hosts (%s, %s)", s.paths.Hosts, s.paths.AddnHosts)
}

func (s reloadServer) Do() error   { return s.files.Reload(s.paths) }
func (s reloadServer) Undo() error { return s.old.Reload(s.paths) }

// stopping ends many at once: each that is stopped adds itself, and the first to wait waits for
// all.
type stopping struct {
	paths []dnsmasq.Paths
	err   error
}

func (s *stopping) wait() error {
	if len(s.paths) > 0 {
		s.err = dnsmasq.Stop(s.paths...)
		s.paths = nil
	}
	return s.err
}

// stopServer ends a dnsmasq.
type stopServer struct {
	server
	all *stopping
}

func (s *stopServer) String() string { return fmt.Sprintf("stop dnsmasq with %s", s.paths.Conf) }

func (s *stopServer) Do() error {
	s.all.paths = append(s.all.paths, s.paths)
	return nil
}

// Wait returns when it has ended.
func (s *stopServer) Wait() error { return s.all.wait() }

// Undo starts it again, with the files it had.
func (s *stopServer) Undo() error {
	if err := s.Wait(); err != nil {
		return err
	}
	return s.restart()
}

// removeFiles deletes what a network's dnsmasq read and wrote, its leases among them.
type removeFiles struct{ paths dnsmasq.Paths }

func (r removeFiles) String() string {
	return fmt.Sprintf("remove dnsmasq's files beside %s", r.paths.Conf)
}

func (r removeFiles) Do() error { return dnsmasq.Remove(r.paths) }

// Undo does nothing: this is the last step of taking a network away.
func (r removeFiles) Undo() error { return nil }
