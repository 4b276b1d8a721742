package dnsmasq

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// capabilities returns what a dnsmasq with this configuration can't do without: ports below 1024;
// for DHCP and router advertisements also raw sockets (is an address free?) and entries in the ARP
// table, for which it asks before it starts.
func capabilities(conf []byte) []uintptr {
	caps := []uintptr{unix.CAP_NET_BIND_SERVICE}
	for line := range strings.Lines(string(conf)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "dhcp-range", "dhcp-relay", "enable-ra", "ipset", "nftset", "conntrack", "connmark-allowlist-enable",
			"conf-file", "conf-dir", "conf-script": // the last three may have any of the others
			return append(caps, unix.CAP_NET_RAW, unix.CAP_NET_ADMIN)
		case "server", "rev-server", "servers-file":
			if name == "servers-file" || strings.Contains(value, "@") { // a server that is asked by one device only
				caps = append(caps, unix.CAP_NET_RAW)
			}
		}
	}
	slices.Sort(caps)
	return slices.Compact(caps)
}

// launch starts cmd as the account, with these capabilities and no way to others: neither a setuid
// program nor one with capabilities of its own gives it any (no_new_privs), and where vnetc may say
// so they are out of its bounding set. It runs in the network namespace of the calling thread.
//
// The limits are those of a thread, and can't be taken back. So cmd is started from a thread of its
// own, that ends with it.
func launch(cmd *exec.Cmd, a Account, caps []uintptr) error {
	if a != (Account{}) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: a.uid, Gid: a.gid},
			AmbientCaps: caps,
		}
	}
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	done := make(chan error)
	go ownThread(func() {
		err := enter(ns)
		if err == nil {
			err = limit(caps)
		}
		if err == nil {
			err = cmd.Start()
		}
		done <- err
	})
	return <-done
}

// ownThread calls f on a thread that ends when f returns. The process's first thread never ends, so
// f doesn't get that one.
func ownThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // and the thread, which is locked, ends with the goroutine
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ownThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// enter puts the thread into a network namespace, if it isn't there.
func enter(ns *os.File) error {
	var want, have unix.Stat_t
	if err := unix.Fstat(int(ns.Fd()), &want); err != nil {
		return err
	}
	if err := unix.Stat("/proc/thread-self/ns/net", &have); err != nil {
		return err
	}
	if want.Ino == have.Ino && want.Dev == have.Dev {
		return nil
	}
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
}

// limit takes from the thread, and what it starts, the way to other capabilities than caps.
func limit(caps []uintptr) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for c := uintptr(0); c < 64; c++ {
		if slices.Contains(caps, c) {
			continue
		}
		switch err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); {
		case errors.Is(err, unix.EINVAL): // the kernel has no more
			return nil
		case errors.Is(err,
			unix.EPERM): // not without CAP_SETPCAP; no_new_privs says the same for a user who isn't root
			return nil
		case err != nil:
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}
