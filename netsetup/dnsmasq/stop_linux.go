package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// NotRunningError says that a network has no dnsmasq.
type NotRunningError struct{ Conf string }

func (e *NotRunningError) Error() string { return "no dnsmasq runs with " + e.Conf }

// Reload replaces the hosts of a running dnsmasq and has it read them: leases and open queries go
// on. The configuration has to be the same, see [Compare]. Without a dnsmasq the error is a
// *[NotRunningError]. [ReadFiles] finds what was interrupted: hosts that are nil by it stay as they
// are, and untold.
func (f Files) Reload(p Paths) error {
	running, err := Find(p)
	if err != nil {
		return err
	}
	proc, ok := running[p.Conf]
	if !ok {
		return &NotRunningError{p.Conf}
	}
	if err := replace(p.Stale, []byte{}); err != nil {
		return err
	}
	for path, text := range f.All(p) {
		if path == p.Conf || text == nil {
			continue
		}
		if err := replace(path, text); err != nil {
			return err
		}
	}
	h, err := proc.open()
	if err == nil && h == nil {
		err = &NotRunningError{p.Conf}
	}
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.signal(unix.SIGHUP); err != nil {
		return err
	}
	if f.Hosts == nil && f.AddnHosts == nil {
		return nil
	}
	return remove(p.Stale)
}

// Stop ends the dnsmasq of each network and returns when all are gone, after some seconds at the
// latest. That one does not run is no error.
func Stop(networks ...Paths) error {
	// A second look finds what the first one left: processes that ignored it, and children that
	// outlived their parent. A child that runs a script ignores SIGTERM, and ends when it has told
	// the script of its last lease.
	steps := []struct {
		signal  unix.Signal
		timeout time.Duration
	}{{unix.SIGTERM, 5 * time.Second}, {unix.SIGTERM, time.Second}, {unix.SIGKILL, 2 * time.Second},
		{unix.SIGKILL, 2 * time.Second}}
	var running map[string]Process
	for _, step := range steps {
		var err error
		if running, err = Find(networks...); err != nil || len(running) == 0 {
			return err
		}
		if err := end(running, step.signal, step.timeout); err != nil {
			return err
		}
	}
	for conf, p := range running {
		return fmt.Errorf("dnsmasq (process %d) with %s does not end, even by SIGKILL", p.PID, conf)
	}
	return nil
}

// end sends all a signal and waits for them together, as long as timeout.
func end(running map[string]Process, signal unix.Signal, timeout time.Duration) error {
	var handles []*handle
	defer func() {
		for _, h := range handles {
			h.close()
		}
	}()
	for conf, p := range running {
		h, err := p.open()
		if err == nil && h != nil {
			handles = append(handles, h)
			err = errors.Join(h.signal(signal),
				h.signal(unix.SIGCONT)) // a stopped process gets no other signal but SIGKILL
		}
		if err != nil {
			return fmt.Errorf("stop dnsmasq (process %d) with %s: %w", p.PID, conf, err)
		}
	}
	deadline := time.Now().Add(timeout)
	for _, h := range handles {
		if _, err := h.wait(time.Until(deadline)); err != nil {
			return err
		}
	}
	return nil
}

// handle is a pidfd (pidfd_open(2)): it means one process, and no later one with its number.
type handle struct{ fd int }

// open returns a handle on p; nil if p is gone.
func (p Process) open() (*handle, error) {
	h, err := openPID(p.PID)
	if err != nil || h == nil {
		return nil, err
	}
	now := Process{PID: p.PID}
	if _, ok := now.status(); !ok || now.Start != p.Start { // its number was given to another before it was opened
		h.close()
		return nil, nil
	}
	return h, nil
}

func openPID(pid int) (*handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	return &handle{fd}, nil
}

func (h *handle) close() { unix.Close(h.fd) }

// signal sends a signal; that the process is gone is no error.
func (h *handle) signal(signal unix.Signal) error {
	if err := unix.PidfdSendSignal(h.fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s: %w", unix.SignalName(signal), err)
	}
	return nil
}

// wait returns true when the process has ended, false if it has not in time.
func (h *handle) wait(timeout time.Duration) (bool, error) {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0)
		poll := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int((left+time.Millisecond-1)/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}
