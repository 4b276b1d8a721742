package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// What the host side and the guest side say to each other, over a serial port of their own: objects
// of JSON, a line each.
type (
	// order is from the host: run a script, or reboot.
	order struct {
		Name   string
		Script string
		Limit  time.Duration
		Reboot bool
	}
	// answer is from the guest: it is up, or has run a script.
	answer struct {
		Kernel  string // set if it has just booted
		Outcome Outcome
		Log     string
	}
)

// Where things are in the guest. The boot unit of the image unpacks the second disk to guestHome.
const (
	guestHome = "/opt/vm"
	guestPort = "/dev/virtio-ports/vnetc.scenarios"
)

// timeout is how long a condition may take to come true. Emulated on a busy machine, a second can
// be a minute.
const timeout = 8 * time.Minute

// serveGuest is the whole life of the guest side: install what came with it, say that the machine
// is up, and obey.
func serveGuest() error {
	if err := install(); err != nil {
		return err
	}
	// Not os.Open, which would make it non-blocking: between two machines' clocks the poller is one
	// thing too many.
	fd, err := unix.Open(guestPort, unix.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", guestPort, err)
	}
	port := os.NewFile(uintptr(fd), guestPort)
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	in, out := json.NewDecoder(port), json.NewEncoder(port)
	if err := out.Encode(answer{Kernel: unix.ByteSliceToString(name.Release[:])}); err != nil {
		return err
	}
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if o.Reboot {
			return exec.Command("systemctl", "reboot").Run()
		}
		outcome, log := runScript(o)
		if err := out.Encode(answer{Outcome: outcome, Log: log}); err != nil {
			return err
		}
	}
}

// install puts the product where a package would: the command and its units.
func install() error {
	units, err := filepath.Glob(guestHome + "/units/*")
	if err != nil {
		return err
	}
	args := append([]string{"-m", "644", "-t", "/etc/systemd/system"}, units...)
	if out, err := exec.Command("install", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("install units: %w: %s", err, out)
	}
	if out, err := exec.Command("install", "-m", "755", guestHome+"/vnetc",
		"/usr/bin/vnetc").CombinedOutput(); err != nil {
		return fmt.Errorf("install vnetc: %w: %s", err, out)
	}
	if err := exec.Command("systemctl", "daemon-reload").Run(); err != nil {
		return fmt.Errorf("systemctl daemon-reload: %w", err)
	}
	return os.Setenv("PATH", guestHome+"/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

// runScript runs one stage of a scenario.
func runScript(o order) (Outcome, string) {
	folder, err := os.MkdirTemp("", "scenario")
	if err != nil {
		return Failed, err.Error()
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, filepath.Base(o.Name)+".txtar")
	if err := os.WriteFile(file, []byte(o.Script), 0o644); err != nil {
		return Failed, err.Error()
	}
	t := &scriptT{}
	t.Run(o.Name, func(st testscript.T) {
		testscript.RunT(st, testscript.Params{
			Files:               []string{file},
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			// shorter than the limit of the host, so that the log of what hangs comes out
			Deadline:  time.Now().Add(o.Limit),
			Condition: condition,
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"exits":      exits,
				"eventually": eventually,
				"until":      until,
			},
		})
	})
	_, log, _ := strings.Cut(t.log.String(), "\n\n") // the environment is always the same
	return t.outcome(), log
}

// condition is true of [image:NAME]'s image, and of [has:COMMAND].
func condition(cond string) (bool, error) {
	kind, value, _ := strings.Cut(cond, ":")
	switch kind {
	case "image":
		text, err := os.ReadFile("/etc/os-release")
		return strings.Contains(string(text), `VERSION_ID="`+strings.TrimPrefix(value, "debian")+`"`), err
	case "has":
		_, err := exec.LookPath(value)
		return err == nil, nil
	}
	return false, fmt.Errorf("no condition is called %q", cond)
}

// exits CODE COMMAND ARG... runs a command and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// eventually COMMAND ARG... runs a command until it succeeds; "! eventually", until it fails.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: [!] eventually COMMAND ARG...")
	}
	wait(ts, args, func(_ string, err error) bool { return (err != nil) == neg })
}

// until REGEXP COMMAND ARG... runs a command until its output matches; "! until", until it doesn't.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] until REGEXP COMMAND ARG...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	wait(ts, args[1:], func(out string, _ error) bool { return want.MatchString(out) != neg })
}

// wait runs a command until what it does is enough, and shows the last run only.
func wait(ts *testscript.TestScript, args []string, enough func(out string, err error) bool) {
	for end := time.Now().Add(timeout); ; time.Sleep(300 * time.Millisecond) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = ts.MkAbs(".")
		out, err := cmd.CombinedOutput()
		if enough(string(out), err) || time.Now().After(end) {
			ts.Logf("%s", bytes.TrimRight(out, "\n"))
			if !enough(string(out), err) {
				ts.Fatalf("not within %v; the last time: %v", timeout, err)
			}
			return
		}
	}
}

// scriptT stands for a testing.T where there is no go test.
type scriptT struct {
	log             strings.Builder
	failed, skipped bool
}

func (t *scriptT) outcome() Outcome {
	switch {
	case t.failed:
		return Failed
	case t.skipped:
		return Skipped
	}
	return Passed
}

// Skip ends the script: it can't run here.
func (t *scriptT) Skip(args ...any) {
	t.Log(args...)
	t.skipped = true
	runtime.Goexit()
}

// Fatal ends the script: something is not as it must be.
func (t *scriptT) Fatal(args ...any) {
	t.Log(args...)
	t.FailNow()
}

// FailNow is Fatal without words.
func (t *scriptT) FailNow() {
	t.failed = true
	runtime.Goexit()
}

// Log keeps a line of the log.
func (t *scriptT) Log(args ...any) { fmt.Fprintln(&t.log, args...) }

// Parallel does nothing: scripts have the machine for themselves.
func (t *scriptT) Parallel() {}

// Verbose is true: the log of a failure must be complete.
func (t *scriptT) Verbose() bool { return true }

// Run runs f, which may end its goroutine.
func (t *scriptT) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(t)
	}()
	<-done
}
