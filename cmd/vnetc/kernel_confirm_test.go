package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/netsetup/state"
)

// all is every rule in the namespace, in both worlds, without counters. Chains and sets are in the
// order of their names: the kernel lists those of a table in the order in which they were made.
func (h *host) all() string {
	h.t.Helper()
	blocks := make(map[string]string)
	table, block := "", ""
	for line := range strings.Lines(h.ns.Exec("sh", "-c", `nft -s list ruleset
		for s in iptables-legacy ip6tables-legacy; do for t in filter nat mangle; do echo "$s-save $t:"; $s-save -t $t | grep ^-A; done; done; true`)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || line == "}\n":
		case words[0] == "-A":
			blocks[table+words[1]] += line
		case line[0] != '\t':
			table, block = line, line
		case line[0] == '\t' && line[1] != '\t' && words[0] != "}":
			block = table + line
			fallthrough
		default:
			blocks[block] += line
		}
	}
	var rules strings.Builder
	for _, block := range slices.Sorted(maps.Keys(blocks)) {
		rules.WriteString(block + blocks[block])
	}
	return rules.String()
}

// notes is the text of all notes about networks.
func (h *host) notes() string {
	h.t.Helper()
	var all strings.Builder
	paths, err := filepath.Glob(filepath.Join(h.state, "networks", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s: %s", path, text)
	}
	return all.String()
}

// settled waits until no change waits for its confirmation.
func (h *host) settled() {
	h.t.Helper()
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if p, err := state.ReadPending(h.state); p == nil && err == nil {
			return
		}
	}
	h.t.Fatal("the change is not undone")
}

// watchers returns the pids of the processes that would undo the change.
func (h *host) watchers() (pids []int) {
	h.t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range paths {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line),
			"--watch\x00--state-dir\x00"+h.state+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				h.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// unwatched waits until at most n processes would undo a change.
func (h *host) unwatched(n int) {
	h.t.Helper()
	for begin := time.Now(); len(h.watchers()) > n; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			h.t.Fatalf("still running: %v", h.watchers())
		}
	}
}

// overdue makes the change that waits overdue, as if its time had passed.
func (h *host) overdue() {
	h.t.Helper()
	h.pending(func(p *state.Pending) { p.Deadline = 0 })
}

// pending edits the note about the change that waits.
func (h *host) pending(edit func(*state.Pending)) {
	h.t.Helper()
	p, err := state.ReadPending(h.state)
	if err != nil || p == nil {
		h.t.Fatalf("nothing waits (%v)", err)
	}
	edit(p)
	text, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(state.PendingPath(h.state), text, 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// signal sends a signal to the one process that would undo the change.
func (h *host) signal(sig syscall.Signal) {
	h.t.Helper()
	pids := h.watchers()
	if len(pids) != 1 {
		h.t.Fatalf("processes that wait: %v, want one", pids)
	}
	if err := syscall.Kill(pids[0], sig); err != nil {
		h.t.Fatal(err)
	}
}

// hostRules are foreign rules, in every place, and the tables that iptables makes and never takes
// away.
func hostRules(h *host) {
	h.t.Helper()
	h.ns.Exec("sh", "-c", `set -e
		nft add table inet admin
		nft add chain inet admin guard '{ type filter hook forward priority 10; }'
		nft add rule inet admin guard iifname "wlan0" drop
		for s in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
			$s -t mangle -S >/dev/null; $s -t mangle -A POSTROUTING -o eth9 -j ACCEPT; $s -t nat -A POSTROUTING -o eth9 -j ACCEPT; $s -t nat -A PREROUTING -i eth9 -j ACCEPT
			$s -A INPUT -i eth9 -j ACCEPT; $s -A OUTPUT -o eth9 -j ACCEPT; $s -A FORWARD -i eth8 -j DROP; $s -I FORWARD -i eth9 -j ACCEPT
		done`)
}

// amongJumps puts foreign rules before all in the chains of iptables and behind the first, where
// jumps may be.
func (h *host) amongJumps() {
	h.t.Helper()
	h.ns.Exec("sh", "-ec", `for s in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
		$s -I FORWARD -i virbr0 -p tcp -j DROP; $s -I FORWARD 3 -o virbr0 -p udp -j DROP; $s -I INPUT -i virbr0 -j DROP
		$s -t nat -I POSTROUTING -o virbr0 -m comment --comment "an \"admin\"" -j ACCEPT; done`)
}

// provisional is a host with foreign rules where applies wait for their confirmation.
type provisional struct {
	*host
	backend string
	path    string // of a folder with the commands of that world of iptables; empty for those of the machine
}

// inWorlds calls f for each of worlds.
func inWorlds(t *testing.T, f func(h provisional)) {
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := provisional{host: newHost(t), backend: w.backend}
			hostRules(h.host)
			h.path = t.TempDir()
			h.ns.Exec("sh", "-c", fmt.Sprintf(`for c in iptables ip6tables; do for tail in "" -save -restore; do
				ln -s $(command -v xtables-%s-multi) %s/$c$tail; done; done`, w.variant, h.path))
			f(h)
		})
	}
}

// start starts a command line as a process, with its output to out.
func (h provisional) start(out io.Writer, args ...string) *exec.Cmd {
	h.t.Helper()
	cmd := h.ns.Command("vnetc", append(args, "--state-dir", h.state)...)
	cmd.Env = append(cmd.Env, "PATH="+h.path+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd
}

// run runs a command line as a process and wants that exit code; it returns what was printed.
func (h provisional) run(want int, args ...string) string {
	h.t.Helper()
	var out strings.Builder
	cmd := h.start(&out, args...)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != want {
		h.t.Errorf("vnetc %s: exit code %d, want %d\n%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), want,
			&out)
	}
	return out.String()
}

// apply applies a network provisionally.
func (h provisional) apply(wait string) string {
	h.t.Helper()
	return h.run(0, "apply", "--backend", h.backend, "--confirm", wait, "--prune", networks+"default.xml")
}

// undone wants everything as it was before, which it waits for.
func (h provisional) undone(rules, notes string) {
	h.t.Helper()
	h.settled()
	if diff := cmp.Diff(rules, h.all()); diff != "" {
		h.t.Errorf("rules (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(notes, h.notes()); diff != "" {
		h.t.Errorf("notes (-before +after):\n%s", diff)
	}
}

// waitFor waits until the rules of the network that apply applies are in the kernel.
func (h provisional) waitFor() {
	h.t.Helper()
	for begin := time.Now(); !strings.Contains(h.all(), "virbr0"); {
		if _, err := os.Stat(filepath.Join(h.state, "undone")); err == nil {
			return // they have been there
		}
		if time.Since(begin) > 30*time.Second {
			h.t.Fatal("no rule comes")
		}
	}
}

// TestKernelConfirmed: what is confirmed stays, and the process that waits ends.
func TestKernelConfirmed(t *testing.T) {
	inWorlds(t, func(h provisional) {
		h.wants(h.apply("60s"), "read back and proved", "undone in 1m0s unless you type: vnetc confirm --state-dir "+
			h.state)
		held := h.all()
		h.pending(func(p *state.Pending) { p.Made = !p.Made })
		h.wants(h.run(1, "confirm"), "the last apply was interrupted, .* it is undone in (1m0|59)s")
		h.pending(func(p *state.Pending) { p.Made = !p.Made })
		h.wants(h.run(0, "confirm"), "^kept; 1 network in force")
		h.unwatched(0)
		if diff := cmp.Diff(held, h.all()); diff != "" {
			h.t.Errorf("rules (-confirmed +later):\n%s", diff)
		}
		h.wants(h.run(0, "audit"), "^in step")
		h.wants(h.run(1, "confirm"), "no change waits for confirmation\n")
	})
}

// TestKernelUnconfirmed: what is not confirmed goes, to the last byte of what was there before:
// nothing of ours, other networks, or the rules of another back end.
func TestKernelUnconfirmed(t *testing.T) {
	inWorlds(t, func(h provisional) {
		other := map[string]string{"nftables": "iptables", "iptables": "nftables"}[h.backend]
		for _, before := range [][]string{
			nil,
			{"apply", "--backend", h.backend, networks + "routed.xml", networks + "isolated.xml"},
			{"apply", "--backend", other, networks + "routed.xml"},
		} {
			if before != nil {
				h.run(0, before...)
			}
			h.amongJumps()
			rules, notes := h.all(), h.notes()
			h.wants(h.apply("500ms"), "[1-9][0-9]* changed")
			h.undone(rules, notes)
			h.wants(h.run(1, "confirm"), "was undone at 2")
			h.wants(h.run(0, "audit"), "(?m)^in step")
		}
	})
}

// TestKernelUnconfirmedKilled: neither the end of the process that applied nor that of its terminal
// keeps the change.
func TestKernelUnconfirmedKilled(t *testing.T) {
	inWorlds(t, func(h provisional) {
		h.run(0, "apply", "--backend", h.backend, networks+"routed.xml")
		rules, notes := h.all(), h.notes()
		cmd := h.start(nil, "apply", "--backend", h.backend, "--confirm", "2s", "--prune", networks+"default.xml")
		h.waitFor()
		cmd.Process.Kill()
		cmd.Wait()
		h.undone(rules, notes)
		h.run(0, "audit")
	})
}

// TestKernelUnconfirmedLost: the change is undone though its file, or the whole state folder, is
// lost meanwhile; and a file that is lost can be confirmed all the same.
func TestKernelUnconfirmedLost(t *testing.T) {
	inWorlds(t, func(h provisional) {
		h.run(0, "apply", "--backend", h.backend, networks+"routed.xml")
		rules, notes := h.all(), h.notes()
		for _, lose := range []string{"rm pending.json", "echo x >pending.json", "rm -rf $PWD",
			"rm -rf networks lock pending.json"} {
			h.apply("3s")
			h.ns.Exec("sh", "-ec", "cd "+h.state+"; "+lose)
			for begin := time.Now(); h.all() != rules && time.Since(begin) < 30*time.Second; {
				time.Sleep(50 * time.Millisecond)
			}
			h.unwatched(0)
			h.undone(rules, notes)
		}
		h.apply("60s")
		held := h.all()
		// the process that waits looks ten times a second; before it has, it knows of no change to
		// keep
		time.Sleep(time.Second)
		h.ns.Exec("rm", h.state+"/pending.json")
		for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
			if p, _ := state.ReadPending(h.state); p != nil {
				break
			}
		}
		h.wants(h.run(0, "confirm"), "^kept; 1 network in force")
		h.unwatched(0)
		if diff := cmp.Diff(held, h.all()); diff != "" {
			h.t.Errorf("rules (-confirmed +later):\n%s", diff)
		}
	})
}

// TestKernelConfirmTerminal: a terminal that goes away takes the session's processes along, and not
// the one that waits.
func TestKernelConfirmTerminal(t *testing.T) {
	h := provisional{host: newHost(t), backend: "nftables"}
	rules, notes := h.all(), h.notes()
	near, far := terminal(t)
	cmd := h.ns.Command("sh", "-c", "vnetc apply --confirm 2s "+networks+"default.xml --state-dir "+h.state+
		"; sleep 60")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	far.Close()
	h.waitFor()
	near.Close()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "hangup") {
		t.Errorf("the shell ends with %v, want the signal hangup", err)
	}
	h.undone(rules, notes)
}

// terminal opens a pseudo terminal, pts(4).
func terminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine lacks terminals: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestKernelWatcherKilled: without the process that waits, the next vnetc undoes what is overdue.
func TestKernelWatcherKilled(t *testing.T) {
	inWorlds(t, func(h provisional) {
		rules, notes := h.all(), h.notes()
		h.apply("60s")
		h.signal(syscall.SIGKILL)
		h.overdue()
		if p, err := state.ReadPending(h.state); p == nil || err != nil {
			h.t.Errorf("somebody else undid the change (%v)", err)
		}
		h.wants(h.run(1, "confirm"), "not confirmed in time", "was undone at")
		h.undone(rules, notes)
	})
}

// TestKernelConfirmAtOnce: while an apply waits nothing else is changed, and both ways out are
// quick: confirm --undo, and the end of the process that waits.
func TestKernelConfirmAtOnce(t *testing.T) {
	t.Parallel()
	h := provisional{host: newHost(t), backend: "nftables"}
	h.run(0, "apply", networks+"routed.xml")
	rules, notes := h.all(), h.notes()
	h.apply("60s")
	held := h.all()
	for _, args := range [][]string{{"apply", networks + "isolated.xml"},
		{"apply", "--confirm", "9s", networks + "isolated.xml"}, {"remove", "--all"}, {"remove", "default"}} {
		h.wants(h.run(3, args...), `undone in (1m0|5\d)s: vnetc confirm keeps it`)
	}
	h.wants(h.run(0, "list"), "default", "undone in .* unless vnetc confirm comes")
	h.wants(h.run(0, "audit"), "in step")
	if diff := cmp.Diff(held, h.all()); diff != "" {
		t.Errorf("what was refused changed rules:\n%s", diff)
	}
	h.wants(h.run(0, "confirm", "--undo"), "^undone; 1 network in force")
	h.undone(rules, notes)

	h.apply("60s")
	h.unwatched(1) // that of the first apply has gone
	h.signal(syscall.SIGTERM)
	h.undone(rules, notes)
	h.run(1, "confirm", "--undo")
	h.run(0, "apply", networks+"isolated.xml")
}

// TestKernelUnconfirmedElsewhere: what is overdue in one network namespace is not undone in another
// that shares the notes.
func TestKernelUnconfirmedElsewhere(t *testing.T) {
	here, there := provisional{host: newHost(t), backend: "nftables"}, newHost(t)
	there.vnetc(0, "apply", networks+"default.xml")
	rules, before := there.all(), here.all()
	there.state = here.state
	here.apply("60s")
	here.signal(syscall.SIGKILL)
	here.overdue()
	here.wants(there.vnetc(3, "apply", networks+"routed.xml"), "another network namespace", "vnetc confirm --force")
	if diff := cmp.Diff(rules, there.all()); diff != "" {
		t.Errorf("rules of the other namespace (-before +after):\n%s", diff)
	}
	here.wants(here.run(0, "list"), "not confirmed in time and is not undone yet")
	here.run(1, "confirm")
	here.undone(before, "")
}

// TestKernelUnconfirmedTakeOver: libvirt's rules that were taken over come back; with a daemon that
// may change them meanwhile it is refused.
func TestKernelUnconfirmedTakeOver(t *testing.T) {
	inWorlds(t, func(h provisional) {
		load := map[string]string{"nftables": "nft -f rules.nft",
			"iptables": "iptables-restore -n <rules.v4; ip6tables-restore -n <rules.v6"}[h.backend]
		h.ns.Exec("sh", "-ec", fmt.Sprintf("cd %s; PATH=%s:$PATH; %s", h.compiled(), h.path, load))
		h.amongJumps()
		rules, notes := h.all(), h.notes()
		args := []string{"apply", "--backend", h.backend, "--take-over", "--confirm", "500ms", networks + "default.xml",
			"--libvirt-root"}
		h.wants(h.run(0, append(args, fakeLibvirt(h.t, "", nil))...), "no libvirt rules are left there")
		h.undone(rules, notes)
		h.wants(h.run(1, append(args, fakeLibvirt(h.t, "virtnetworkd", nil))...), "refused while a libvirt daemon runs")
		h.undone(rules, notes)
	})
}

// compiled returns a folder with libvirt's rules for a network.
func (h provisional) compiled() string {
	h.t.Helper()
	dir := h.t.TempDir()
	var out, errs strings.Builder
	args := []string{"compile", "--backend", h.backend, "--layout", "chains", "--names", "libvirt", "-o", dir + "/",
		networks + "default.xml"}
	if code := run(streams{out: &out, err: &errs}, args); code != 0 {
		h.t.Fatal(errs.String())
	}
	return dir
}

// TestKernelConfirmRefused: an apply that fails leaves nothing to confirm, and what can't be noted
// is not begun.
func TestKernelConfirmRefused(t *testing.T) {
	t.Parallel()
	h := provisional{host: newHost(t), backend: "nftables"}
	bad := filepath.Join(t.TempDir(), "bad.xml")
	if err := os.WriteFile(bad, []byte("<network><name>x</name><bridge name='a b'/></network>"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(1, "apply", "--confirm", "1s", bad)
	h.run(2, "apply", "--confirm", "0s", networks+"default.xml")
	h.run(2, "apply", "--confirm", "1s", "--dry-run", networks+"default.xml")
	if p, err := state.ReadPending(h.state); p != nil || err != nil {
		t.Errorf("something waits: %v, %v", p, err)
	}
	rules := h.all()
	h.ns.Exec("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", h.state)
	h.ns.Exec("sh", "-c", "echo x > "+h.state+"/lock; dd if=/dev/zero of="+h.state+"/full bs=4k 2>/dev/null; true")
	h.wants(h.run(3, "apply", "--confirm", "1s", networks+"default.xml"), "no rule was changed")
	if diff := cmp.Diff(rules, h.all()); diff != "" {
		t.Errorf("rules changed:\n%s", diff)
	}
	h.ns.Exec("umount", h.state)
}

// TestKernelUnconfirmedBoot: a change that waited when the host went down brings no rules back into
// a kernel that has none; its notes are those from before.
func TestKernelUnconfirmedBoot(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml")
	h.ns.Do(func() { // notes belong to a namespace
		dir, err := state.Open(h.state, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		before, _, err := dir.Networks()
		if err != nil || len(before) != 1 {
			t.Fatalf("notes %v, %v", before, err)
		}
		here, err := state.Namespace()
		if err != nil {
			t.Fatal(err)
		}
		p := &state.Pending{ID: "x", Namespace: here, Boot: "another", Networks: before,
			Rules: json.RawMessage(`{"no": "use"}`)}
		if err := dir.SavePending(p); err != nil {
			t.Fatal(err)
		}
	})
	h.ns.Exec("nft", "flush", "ruleset")
	clean := h.all()
	h.wants(h.vnetc(1, "audit"), "the last apply was not confirmed in time and is not undone yet")
	h.wants(h.vnetc(1, "confirm"), "the last apply was not confirmed in time, and was undone")
	if diff := cmp.Diff(clean, h.all()); diff != "" {
		t.Errorf("rules came back (-before +after):\n%s", diff)
	}
	if p, err := state.ReadPending(h.state); p != nil || err != nil {
		t.Errorf("%v still waits, %v", p, err)
	}
}
