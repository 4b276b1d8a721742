package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDies: an end that is nobody's wrong usage doesn't look like it. The child is vnetc as it is
// built, which waits for its input.
func TestDies(t *testing.T) {
	dir := t.TempDir() // of many megabytes of XML
	large := filepath.Join(dir, "0.xml")
	if err := os.WriteFile(large, []byte("<network><name>n</name>"+strings.Repeat(" ", 1_000_000)+"</network>"),
		0o644); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := os.Link(large, filepath.Join(dir, fmt.Sprintf("%d.xml", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	size := func(pid int) uint64 { // of its address space, once main has begun
		time.Sleep(300 * time.Millisecond)
		var pages uint64
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if _, err2 := fmt.Sscan(string(text), &pages); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return pages * uint64(os.Getpagesize())
	}
	child := func(limit uint64) (*exec.Cmd, io.WriteCloser,
		*strings.Builder) { // limit is what more of memory it may have, in bytes; 0 for all
		t.Helper()
		cmd := exec.Command("vnetc", "check", "-", dir) // the test's own binary; see TestMain
		cmd.Env = append(os.Environ(), "GOTRACEBACK=", "GOMAXPROCS=1")
		var said strings.Builder
		cmd.Stderr = &said
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil && limit > 0 {
			limit += size(cmd.Process.Pid)
			err = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}, nil)
		}
		if err == nil {
			err = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return cmd, in, &said
	}

	cmd, in, said := child(0)
	io.WriteString(in, "<network>")
	time.Sleep(300 * time.Millisecond) // it reads by now
	cmd.Process.Signal(unix.SIGQUIT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitHost || !strings.Contains(said.String(), "goroutine") {
		t.Errorf("SIGQUIT: %v, want exit code %d, and where it was:\n%s", cmd.ProcessState, exitHost, said)
	}

	cmd, in, said = child(60 << 20)
	io.WriteString(in, "<network><name>n</name></network>")
	in.Close()
	cmd.Wait()
	if end := cmd.ProcessState.String(); !strings.Contains(said.String(), "memory") ||
		!strings.HasPrefix(end, "signal: aborted") {
		t.Errorf("out of memory: %s, want signal: aborted:\n%.300s", end, said)
	}
}
