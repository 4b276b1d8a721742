package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stepper runs a command under ptrace(2), with all that it starts, and kills it before a step:
// before a call of the kernel that changes something. So the product is killed as it is, without a
// word in it for tests.
type stepper struct {
	t     *testing.T
	cmd   *exec.Cmd // starts with a helper that turns into the program proper
	every bool      // every is true if calls that only read are steps, too.

	main  int // pid
	execs int // of the main process
	steps []string
}

// kill runs the command until its step number n, counting from 1, and kills it there with SIGKILL;
// what it has started goes with it. It returns the steps it met, the last being the one that it was
// kept from; killed is false if there were fewer, and code is how it ended then.
func (r *stepper) kill(n int) (steps []string, killed bool, code int) {
	r.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // that traces; and never unlocked, so that nothing is left of it
		var err error
		killed, code, err = r.run(n)
		done <- err
	}()
	if err := <-done; err != nil {
		r.t.Fatalf("trace %v: %v", r.cmd.Args, err)
	}
	r.cmd.Wait() // for its output; how it ended is known
	return r.steps, killed, code
}

func (r *stepper) run(n int) (killed bool, code int, err error) {
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := r.cmd.Start(); err != nil {
		return false, 0, err
	}
	r.main = r.cmd.Process.Pid
	seen := map[int]bool{}
	held := 0 // the child, or thread, that was at the step
	for {
		pid, status, err := next(seen)
		switch {
		case errors.Is(err, unix.ECHILD):
			return killed, code, nil
		case err != nil:
			return killed, code, err
		case !status.Stopped():
			delete(seen, pid)
			if pid == r.main {
				code = status.ExitStatus()
			}
			if pid == r.main && held != 0 {
				unix.PtraceSyscall(held, int(unix.SIGKILL)) // if it was not to die with its parent, and only reads
			}
			continue
		}
		if !seen[pid] {
			seen[pid] = true
			if pid == r.main {
				if err := unix.PtraceSetOptions(pid,
					unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACEFORK|
						unix.PTRACE_O_TRACEVFORK|unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL); err != nil {
					return false, 0, err
				}
			}
			unix.PtraceSyscall(pid, 0) // it stops once when it begins
			continue
		}
		signal := int(status.StopSignal())
		switch {
		case signal == int(unix.SIGTRAP)|0x80: // PTRACE_O_TRACESYSGOOD marks system calls so
			if signal = 0; !killed && r.isStep(pid) && len(r.steps) == n {
				killed = true
				unix.Kill(r.main, unix.SIGKILL)
				if pid != r.main {
					held = pid
				}
				continue // a child stays where it is until the death of its parent kills it
			}
		case status.StopSignal() == unix.SIGTRAP:
			if signal = 0; status.TrapCause() != unix.PTRACE_EVENT_EXEC {
				break
			}
			if pid == r.main {
				r.execs++
			} else if !r.every && r.reads(pid) {
				unix.PtraceDetach(pid) // which runs faster so
				delete(seen, pid)
				continue
			}
		}
		unix.PtraceSyscall(pid, signal) // the error is that of a process that is being killed
	}
}

// next waits until something happens to a traced process or thread. When a thread of the tests
// ends, its children may become those of this thread; they are left to whoever waits for them.
// Those in known are traced for sure.
func next(known map[int]bool) (pid int, status unix.WaitStatus, err error) {
	for {
		var info struct {
			_   [4]int32 // signal, error, code
			pid int32    // of a SIGCHLD (sigaction(2))
			_   [108]byte
		}
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)),
			unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		pid = int(info.pid)
		if !known[pid] && !tracedHere(pid) {
			time.Sleep(time.Millisecond)
			continue
		}
		_, err = unix.Wait4(pid, &status, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return pid, status, err
		}
	}
}

// tracedHere is true if the calling thread traces the process.
func tracedHere(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return strings.Contains(string(text), fmt.Sprintf("\nTracerPid:\t%d\n", unix.Gettid()))
}

// reads is true if the process runs a tool that writes nothing.
func (r *stepper) reads(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(line), "\x00")
	return !strings.HasSuffix(name, "-restore")
}

// call is a system call at its beginning (struct ptrace_syscall_info).
type call struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	_, _   uint64 // instruction and stack pointer
	number uint64
	args   [6]uint64
	_      [3]uint64 // room for newer kernels
}

// isStep adds a step if the process is at the beginning of one.
func (r *stepper) isStep(pid int) bool {
	const getSyscallInfo, entry = 0x420e, 1 // PTRACE_GET_SYSCALL_INFO, PTRACE_SYSCALL_INFO_ENTRY
	var c call
	_, _, errno := syscall.RawSyscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(pid), unsafe.Sizeof(c),
		uintptr(unsafe.Pointer(&c)), 0, 0)
	if errno != 0 || c.op != entry || r.execs == 0 {
		return false
	}
	if what := r.step(pid, &c); what != "" {
		r.steps = append(r.steps, what)
		return true
	}
	return false
}

// step says what a call changes, or is about to; it is empty for the others.
func (r *stepper) step(pid int, c *call) string {
	text := func(at uint64) string { return filepath.Base(r.text(pid, at)) }
	switch c.number {
	case unix.SYS_OPENAT:
		if path := text(c.args[1]); c.args[2]&unix.O_CREAT != 0 && path != "xtables.lock" {
			return "open " + path
		}
	case unix.SYS_MKDIRAT:
		return "mkdir " + text(c.args[1])
	case unix.SYS_FSYNC:
		return "fsync"
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return "rename to " + text(c.args[3])
	case unix.SYS_UNLINKAT:
		return "unlink " + text(c.args[1])
	case unix.SYS_EXECVE:
		if path := text(c.args[0]); r.every || strings.HasSuffix(path, "-restore") || path == "dnsmasq" {
			return "start " + path
		}
	case unix.SYS_PIDFD_OPEN: // dnsmasq was begun, or is about to be ended
		return "look at process"
	case unix.SYS_PIDFD_SEND_SIGNAL:
		return "signal"
	// how vnetc speaks to nf_tables, whose batch begins with 0x10, and to rtnetlink, where x2 is a
	// question
	case unix.SYS_SENDTO:
		typ := r.word(pid, c.args[1]+4) & 0xffff
		if typ >= unix.NFNL_MSG_BATCH_BEGIN && typ < 0x100 && typ&3 != 2 || r.every {
			return fmt.Sprintf("send message %#x", typ)
		}
	case unix.SYS_SENDMSG: // how iptables-nft writes
		return "send rules"
	case unix.SYS_SETSOCKOPT: // how iptables-legacy writes: IPT_SO_SET_REPLACE and IPT_SO_SET_ADD_COUNTERS
		if (c.args[1] == unix.SOL_IP || c.args[1] == unix.SOL_IPV6) && c.args[2] >= 64 && c.args[2] < 68 {
			return fmt.Sprintf("set rules %d", c.args[2])
		}
	case unix.SYS_EXIT_GROUP:
		if r.every {
			return "exit"
		}
	}
	return ""
}

// word reads four bytes of a traced process.
func (r *stepper) word(pid int, at uint64) uint32 {
	b := make([]byte, 4)
	unix.PtracePeekData(pid, uintptr(at), b)
	return binary.NativeEndian.Uint32(b)
}

// text reads a string of a traced process.
func (r *stepper) text(pid int, at uint64) string {
	b := make([]byte, 256)
	n, _ := unix.PtracePeekData(pid, uintptr(at), b)
	text, _, _ := strings.Cut(string(b[:n]), "\x00")
	return text
}

// mayTrace is true if a process may trace its children here.
func mayTrace() bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread()
		cmd := exec.Command("/proc/self/exe", "-test.run=^$")
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		cmd.Env = append(os.Environ(), "VNETC_NETNS_INSIDE=1")
		err := cmd.Start()
		if err == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		answer <- err == nil
	}()
	return <-answer
}
