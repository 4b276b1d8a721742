package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace of its own, kept by a thread of its own. It ends with the
// process.
type namespace struct {
	tid  int // of the thread, by which ip(8) finds the namespace
	work chan func()
}

// newNamespace makes a network namespace. It needs root.
func newNamespace() (*namespace, error) {
	ns := &namespace{work: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		ns.tid = unix.Gettid()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- fmt.Errorf("a network namespace: %w", err)
			return
		}
		made <- nil
		for f := range ns.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		return nil, err
	}
	return ns, nil
}

// do runs f in the namespace, processes that f starts included.
func (ns *namespace) do(f func()) {
	done := make(chan struct{})
	ns.work <- func() { defer close(done); f() }
	<-done
}

// close gives the namespace up.
func (ns *namespace) close() { close(ns.work) }

// sh runs a script of sh(1) in the namespace.
func (ns *namespace) sh(script string) (err error) {
	ns.do(func() {
		if out, e := exec.Command("sh", "-ec", script).CombinedOutput(); e != nil {
			err = fmt.Errorf("%s: %w: %s", strings.TrimSpace(script), e, out)
		}
	})
	return err
}
