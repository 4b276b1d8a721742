package netnstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside marks a test binary that runs in a user namespace made by [Main], and keeps it from making
// another.
const inside = "VNETC_NETNS_INSIDE"

// sbin holds the tools that a user's PATH may leave out.
const sbin = "/usr/local/sbin:/usr/sbin:/sbin"

// Main runs the tests of m and exits with their code: to be called from TestMain. See [Run].
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests of m, a *testing.M, and returns their code. A user who may not make network
// namespaces gets the whole test binary run again in a user namespace where it may (as unshare -rn
// does). Where the kernel refuses that too, the tests that need it skip.
func Run(m interface{ Run() int }) int {
	if os.Getenv(inside) != "" || mayUnshare() {
		return m.Run()
	}
	runtime.LockOSThread() // Pdeathsig comes when the thread that started the child ends, so it has to last
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return m.Run()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "netnstest:", err)
		return 1
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Fprintln(os.Stderr, "netnstest: tests in user namespace:", err)
	return 1
}

// mayUnshare is true if this process may make network namespaces as it is.
func mayUnshare() bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked, as in New
		answer <- unix.Unshare(unix.CLONE_NEWNET|unix.CLONE_NEWNS) == nil
	}()
	return <-answer
}

// Require skips the test if one of the tools is not installed, and names it; it fails the test
// instead if VNETC_NETNS=require is in the environment.
func Require(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := lookPath(tool); err != nil {
			missing(t, tool)
		}
	}
}

// missing ends a test for what the machine lacks.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("VNETC_NETNS") == "require" {
		t.Fatalf("VNETC_NETNS=require, and this machine lacks %s", what)
	}
	t.Skipf("this machine lacks %s", what)
}

// lookPath finds a tool in PATH or in the sbin folders.
func lookPath(tool string) (string, error) {
	path, err := exec.LookPath(tool)
	if err == nil {
		return path, nil
	}
	for dir := range strings.SplitSeq(sbin, ":") {
		if path, err := exec.LookPath(filepath.Join(dir, tool)); err == nil {
			return path, nil
		}
	}
	return "", err
}
