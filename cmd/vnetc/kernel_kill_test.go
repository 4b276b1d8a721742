package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// process starts a command line as a process of its own.
func (h *host) process(args ...string) *exec.Cmd {
	h.t.Helper()
	cmd := h.ns.Command("vnetc", append(args, "--state-dir", h.state)...)
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd
}

// tables lists what is ours in the kernel, in the pieces that one transaction changes each.
func (h *host) tables(backend string) []string {
	h.t.Helper()
	if backend == "nftables" {
		return []string{h.ns.Exec("sh", "-c",
			"nft -s list table ip vnetc 2>/dev/null; nft -s list table ip6 vnetc 2>/dev/null; true")}
	}
	return strings.SplitAfter(h.ns.Exec("sh", "-c",
		`for s in iptables ip6tables; do for t in mangle nat filter; do $s-save -t $t | grep VNETC; echo ---; done; done`), "---\n")
}

// ofNetworks writes files of n NAT networks with numbers from first, into a folder of their own.
func ofNetworks(t *testing.T, first, n int) (dir string, files []string) {
	dir = t.TempDir()
	for i := first; i < first+n; i++ {
		path := filepath.Join(dir, fmt.Sprintf("net%02d.xml", i))
		xml := fmt.Sprintf("<network>\n  <name>net%02d</name>\n  <forward mode='nat'/>\n  <bridge name='vb%d'/>\n  <ip address='10.9.%d.1' prefix='24'/>\n</network>\n", i, i, i)
		if err := os.WriteFile(path, []byte(xml), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return dir, files
}

// TestKernelKilled kills apply, over and over, at any moment between its start and its end. The
// kernel holds the rules from before or those that were to come, audit tells which, and the next
// apply ends what was begun.
func TestKernelKilled(t *testing.T) {
	for backend, rounds := range map[string]int{"nftables": 16, "iptables": 8} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			sets := make([]string, 2)
			sets[0], _ = ofNetworks(t, 0, 12)
			sets[1], _ = ofNetworks(t, 6, 14) // half of them are in both
			h.process("apply", "--backend", backend, "--prune", sets[1]).Wait()
			var held [2][]string
			var took time.Duration
			for i, set := range sets {
				begin := time.Now()
				if err := h.process("apply", "--backend", backend, "--prune", set).Wait(); err != nil {
					t.Fatal(err)
				}
				took = time.Since(begin)
				held[i] = h.tables(backend)
			}
			ends := map[string]int{}
			for i := range rounds {
				to := i % 2
				cmd := h.process("apply", "--backend", backend, "--prune", sets[to])
				time.Sleep(time.Duration(rand.Int64N(int64(took))))
				cmd.Process.Kill()
				cmd.Wait()
				time.Sleep(10 * time.Millisecond) // for what the kernel had begun
				ends[h.oldOrNew(held[1-to], held[to], backend, sets[to])]++
				h.vnetc(0, "apply", "--backend", backend, "--prune", sets[to])
				if diff := cmp.Diff(held[to], h.tables(backend)); diff != "" {
					t.Fatalf("after the next apply (-want +got):\n%s", diff)
				}
				h.wants(h.vnetc(0, "audit"), "^in step")
			}
			t.Logf("killed %d times in %v each: %v", rounds, took.Round(time.Millisecond), ends)
		})
	}
}

// TestKernelKilledSwitch kills apply while it goes from one back end to the other: one of them
// holds all rules at any moment, and the next apply leaves them in one place.
func TestKernelKilledSwitch(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	backends := []string{"nftables", "iptables"}
	dir, _ := ofNetworks(t, 0, 12)
	whole := map[string]string{}
	var took time.Duration
	for _, backend := range backends {
		begin := time.Now()
		h.vnetc(0, "apply", "--backend", backend, dir)
		took = max(took, time.Since(begin))
		whole[backend] = strings.Join(h.tables(backend), "")
	}
	ends := map[string]int{}
	for i := range 8 {
		to := backends[i%2]
		cmd := h.process("apply", "--backend", to, dir)
		time.Sleep(time.Duration(rand.Int64N(int64(took))))
		cmd.Process.Kill()
		cmd.Wait()
		time.Sleep(10 * time.Millisecond) // for what the kernel had begun
		var in []string
		for _, backend := range backends {
			if strings.Join(h.tables(backend), "") == whole[backend] {
				in = append(in, backend)
			}
		}
		if len(in) == 0 {
			t.Fatalf("round %d: neither back end holds all rules", i)
		}
		ends[fmt.Sprintf("to %s: in %v", to, in)]++
		h.vnetc(0, "apply", "--backend", to, dir)
		h.wants(h.vnetc(0, "audit"), "^in step")
		if other := backends[1-i%2]; strings.Contains(strings.ToLower(strings.Join(h.tables(other), "")), "vnetc") {
			t.Errorf("round %d: there are still rules in %s", i, other)
		}
	}
	t.Logf("%v", ends)
}

// oldOrNew says which of two states the kernel holds, piece by piece, and that the audit against
// the new one tells so.
func (h *host) oldOrNew(old, fresh []string, backend, set string) string {
	h.t.Helper()
	got, is := h.tables(backend), "new"
	for i := range got {
		switch got[i] {
		case fresh[i]:
		case old[i]:
			is = "not all new"
		default:
			h.t.Fatalf("neither the old rules nor the new ones (-old +got):\n%s", cmp.Diff(old[i], got[i]))
		}
	}
	h.vnetc(map[string]int{"new": 0, "not all new": 1}[is], "audit", "--backend", backend, "--prune", set)
	return is
}

// TestKernelAtOnce starts 32 applies of one network each at once: all end well, and all networks
// are in force.
func TestKernelAtOnce(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			dir, files := ofNetworks(t, 0, 32)
			var running []*exec.Cmd
			for _, file := range files {
				running = append(running, h.process("apply", "--backend", backend, file))
			}
			for _, cmd := range running {
				if err := cmd.Wait(); err != nil {
					t.Errorf("%v: %v\n%s", cmd.Args, err, cmd.Stderr)
				}
			}
			h.wants(h.vnetc(0, "audit", dir), "^in step")
			if n := strings.Count(h.vnetc(0, "list"), "net"); n < 32 {
				t.Errorf("%d networks in force, want 32", n)
			}
		})
	}
}

// TestKernelFullDisk: notes that don't fit leave the rules, and the old notes, as they were.
func TestKernelFullDisk(t *testing.T) {
	netnstest.Require(t, "mount", "dd")
	h := newHost(t)
	h.ns.Exec("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", h.state)
	run := func(want int, args ...string) {
		t.Helper()
		cmd := h.process(args...)
		err := cmd.Wait()
		var exit *exec.ExitError
		if code := cmd.ProcessState.ExitCode(); code != want || err != nil && !errors.As(err, &exit) {
			t.Errorf("%v: exit code %d (%v), want %d\n%s", args, code, err, want, cmd.Stderr)
		}
	}
	dir, files := ofNetworks(t, 0, 3)
	run(0, "apply", files[0])
	before, notes := h.ns.Exec("nft", "-a", "list", "ruleset"), h.ns.Exec("sh", "-c", "cat "+h.state+"/networks/*")
	h.ns.Exec("sh", "-c", "dd if=/dev/zero of="+h.state+"/full bs=4k 2>/dev/null; true")
	for _, args := range [][]string{{"apply", dir}, {"apply", "--backend", "iptables", files[1]},
		{"apply", "--prune", files[2]}} {
		run(3, args...)
		if diff := cmp.Diff(before, h.ns.Exec("nft", "-a", "list", "ruleset")); diff != "" {
			t.Errorf("%v changed rules (-before +after):\n%s", args, diff)
		}
		if diff := cmp.Diff(notes, h.ns.Exec("sh", "-c", "cat "+h.state+"/networks/*")); diff != "" {
			t.Errorf("%v changed notes (-before +after):\n%s", args, diff)
		}
	}
	run(0, "audit")
	h.ns.Exec("rm", h.state+"/full")
	run(0, "apply", dir)
	run(0, "audit", dir)
	h.ns.Exec("umount", h.state)
}
