package netnstest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// NS is a network namespace of a test, with a mount namespace for the commands that run in it:
// their /sys shows this network and their /run (where iptables keeps its lock, and ip its names)
// begins empty.
type NS struct {
	t        testing.TB
	net, mnt *os.File // hold the namespaces open
	ctx      context.Context
}

// New returns a new network namespace with nothing but a loopback interface that is up. It and the
// commands still running in it end with the test.
func New(t testing.TB) *NS {
	t.Helper()
	Require(t, "nsenter")
	ns := &NS{t: t}
	made := make(chan error)
	go func() {
		// Never unlocked: the thread has the new namespaces, and ends with this goroutine instead
		// of serving others.
		runtime.LockOSThread()
		made <- ns.unshare()
	}()
	if err := <-made; err != nil {
		missing(t, fmt.Sprintf("leave to make namespaces (%v)", err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ns.ctx = ctx
	t.Cleanup(func() {
		cancel()
		ns.net.Close()
		ns.mnt.Close()
	})
	return ns
}

// unshare gives the calling thread new namespaces and keeps files of them.
func (ns *NS) unshare() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	// sysfs shows the network namespace it was mounted in. Containers may refuse it; an empty /sys
	// is safe as well.
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		if err := unix.Mount("tmpfs", "/sys", "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount /sys: %w", err)
		}
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if ns.net, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	ns.mnt, err = os.Open("/proc/thread-self/ns/mnt")
	return err
}

// Do runs f in the network namespace (not in the mount namespace) on the calling goroutine, so f
// may end the test. Sockets that f opens stay in the namespace; goroutines that f starts are not in
// it.
func (ns *NS) Do(f func()) {
	ns.t.Helper()
	runtime.LockOSThread()
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		ns.t.Fatal(err)
	}
	defer before.Close()
	if err := unix.Setns(int(ns.net.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		ns.t.Fatalf("enter network namespace: %v", err)
	}
	defer func() {
		if err := unix.Setns(int(before.Fd()), unix.CLONE_NEWNET); err != nil {
			// Still locked: the thread is thrown away when this goroutine ends, and none gets it in
			// the wrong namespace.
			ns.t.Fatalf("leave network namespace: %v", err)
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// Command returns a command that runs in the namespaces, in the caller's working directory. It may
// be started as any other, and is killed at the end of the test.
func (ns *NS) Command(name string, args ...string) *exec.Cmd {
	ns.t.Helper()
	path, err := lookPath(name)
	if err != nil {
		ns.t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		ns.t.Fatal(err)
	}
	enter := []string{"--net=/proc/self/fd/3", "--mount=/proc/self/fd/4", "--wdns=" + dir, "--", path}
	cmd := exec.CommandContext(ns.ctx, "nsenter", append(enter, args...)...)
	cmd.ExtraFiles = []*os.File{ns.net, ns.mnt}
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":"+sbin)
	return cmd
}

// Exec runs a command and returns what it wrote to stdout. A command that fails ends the test, with
// what it said.
func (ns *NS) Exec(name string, args ...string) string {
	ns.t.Helper()
	return ns.Feed(nil, name, args...)
}

// Feed is [NS.Exec] with input for the command's stdin.
func (ns *NS) Feed(input []byte, name string, args ...string) string {
	ns.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := ns.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		ns.t.Fatalf("%s %q: %v\n%s%s", name, args, err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// Sysctl sets a sysctl of the network namespace, by its path under /proc/sys/net.
func (ns *NS) Sysctl(path, value string) {
	ns.t.Helper()
	ns.Do(func() {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte(value), 0); err != nil {
			ns.t.Fatalf("set sysctl: %v", err)
		}
	})
}
