package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// killing kills one command line of vnetc before each of its steps, on a host that is made ready
// each time.
type killing struct {
	*ground
	ready  [][]string // command lines that come before
	killed []string
	then   []string // the command line of up after the kill

	kills map[string]int // by what was not done any more
}

func (k *killing) prepare() {
	k.host.t.Helper()
	for _, args := range k.ready {
		k.vnetc(0, args...)
	}
}

// kill runs the command line until its step n; false if it has fewer.
func (k *killing) kill(n int) (step string, ok bool) {
	k.host.t.Helper()
	var said strings.Builder
	cmd := k.ns.Command("vnetc", append(k.killed, "--state-dir", k.state)...)
	cmd.Stderr = &said
	steps, killed, code := (&stepper{t: k.host.t, cmd: cmd}).kill(n)
	if !killed {
		if code != 0 || len(steps) < 10 {
			k.host.t.Fatalf("%v, traced: exit code %d after steps %q\n%s", k.killed, code, steps, &said)
		}
		return "", false
	}
	step = steps[n-1]
	k.kills[strings.Fields(step)[0]]++
	return step, true
}

// TestKernelUpSteps kills vnetc with SIGKILL before each step that changes something, of up on a
// clean host, of up that changes a running network, and of down. After each kill, on the one hand,
// down leaves the host as it was before all; on the other, up completes and is as if nothing had
// been. A test run takes every few steps, from a random one on; for all: go test ./cmd/vnetc -run
// KernelUpSteps -v -every-step
func TestKernelUpSteps(t *testing.T) {
	if !mayTrace() {
		netnstest.Require(t, "leave to trace processes (ptrace)")
	}
	type paths struct{ victim, other, bystander string }
	up := func(paths ...string) []string { return append([]string{"up", "--layout", "chains"}, paths...) }
	for name, c := range map[string]func(p paths) killing{
		"up": func(p paths) killing {
			return killing{killed: up(p.bystander, p.victim), then: up(p.bystander, p.victim)}
		},
		"update": func(p paths) killing {
			return killing{ready: [][]string{up(p.bystander, p.victim)}, killed: up(p.other), then: up(p.other)}
		},
		"back": func(p paths) killing {
			return killing{ready: [][]string{up(p.bystander, p.victim)}, killed: up(p.other), then: up(p.victim)}
		},
		"down": func(p paths) killing {
			return killing{ready: [][]string{up(p.bystander, p.victim)}, killed: []string{"down", "victim"},
				then: up(p.victim)}
		},
		"down all": func(p paths) killing {
			return killing{ready: [][]string{up(p.bystander, p.victim)}, killed: []string{"down", "--all"},
				then: up(p.bystander, p.victim)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			k := c(paths{g.file("victim", victim(false)), g.file("other", victim(true)),
				g.file("bystander", bystander)})
			k.ground, k.kills = g, map[string]int{}
			k.loop()
			t.Logf("killed before: %v", k.kills)
		})
	}
}

func (k *killing) loop() {
	empty := k.still()
	k.prepare()
	k.vnetc(0, k.killed...)
	k.vnetc(0, k.then...)
	want := k.still()
	k.vnetc(0, "down", "--all")
	stride, first := 8, 1
	if *everyStep {
		stride = 1
	} else {
		first += rand.IntN(stride)
	}
	for n := first; ; n += stride {
		for _, end := range []string{"down", "up"} {
			k.prepare()
			step, ok := k.kill(n)
			if !ok {
				return
			}
			at := step + ", killed before it; then " + end
			k.tells()
			if end == "up" {
				k.vnetc(0, k.then...)
				k.wantStill(want, at)
				if status := k.vnetc(0, "status"); strings.Contains(status, "in part") ||
					strings.Contains(status, "drifted") {
					k.host.t.Errorf("%s: status is\n%s", at, status)
				}
				k.vnetc(0, slices.Concat(k.then, []string{"--dry-run"})...)
			}
			k.vnetc(0, "down", "--all")
			k.wantStill(empty, at+", and down")
			if k.host.t.Failed() {
				return
			}
		}
	}
}

// tells has status look at what a killed process left: it may end with 1, if a network is there in
// part, and with nothing else.
func (k *killing) tells() {
	k.host.t.Helper()
	out, code := k.as(nil, "status")
	if code != 0 && !(code == 1 && strings.Contains(out, "in part")) {
		k.host.t.Errorf("status ends with %d:\n%s", code, out)
	}
}
