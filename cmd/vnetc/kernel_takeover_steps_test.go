package main

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/netsetup/state"
)

// taking is a host where libvirt's rules are taken over, and whose packets tell what rules do.
type taking struct {
	*stepping
	record  record
	files   string            // folder of the documents
	world   world             // where ours go
	libvirt []func()          // make libvirt's rules what they were at first, in one world each
	theirs  map[string]string // which are these
	senders [2]*senders
}

// adminRules are rules that others put into libvirt's chains. They do nothing to the packets of
// this test.
var adminRules = map[string][]string{
	"nft": {
		"insert rule ip libvirt_network guest_input oif vbr1 ip daddr 10.20.1.10 tcp dport 22 counter accept",
		`add rule ip libvirt_network guest_cross iif vbr1 oif vbr1 counter accept comment "mine"`,
	},
	"iptables": {
		"-I LIBVIRT_FWI -d 10.20.1.10/32 -o vbr1 -p tcp -m tcp --dport 22 -j ACCEPT",
		"-A LIBVIRT_FWX -i vbr1 -o vbr1 -m comment --comment mine -j ACCEPT",
	},
}

// newTaking makes a host on which libvirt has made rules for three networks with each of tools;
// others have put some beside these if admin is true.
func newTaking(t *testing.T, stride int, w world, admin bool, tools ...string) *taking {
	nats := newTwoNATs(t)
	var variants []string
	for _, variant := range []string{"nft", "legacy"} {
		if w.backend == "iptables" && w.variant == variant || slices.Contains(tools, "iptables-"+variant) {
			variants = append(variants, variant)
		}
	}
	h := &taking{stepping: newStepping(nats.host, stride, variants...), world: w}
	h.record = readRecord(t, "../../golden/libvirt/multi-two-nat.txtar").with(readRecord(t,
		"../../golden/libvirt/nat66.txtar"))
	h.files = h.record.files(t)
	for _, tool := range tools {
		stem, _, _ := strings.Cut(tool, "-")
		rules := adminRules[stem]
		if !admin {
			rules = nil
		}
		h.load(h.record, tool)
		if tool == "nft" {
			h.libvirt = append(h.libvirt, func() { h.loadNFT(rules) })
			continue
		}
		h.addRules(tool, rules)
		for _, family := range []string{"iptables-", "ip6tables-"} {
			command := family + worldOf(tool)
			text := h.ns.Exec(command + "-save")
			h.libvirt = append(h.libvirt, func() { h.ns.Feed([]byte(text), command+"-restore") })
		}
	}
	h.bring()
	h.theirs = h.look().part(true)
	for guest := range h.senders {
		h.senders[guest] = nats.senders(guest)
	}
	return h
}

// loadNFT makes libvirt's tables in nftables anew, and adds rules.
func (h *taking) loadNFT(rules []string) {
	h.t.Helper()
	text := ""
	for _, table := range []string{"table ip libvirt_network\n", "table ip6 libvirt_network\n"} {
		text += table + "delete " + table
	}
	h.addRules("nft", append([]string{text, h.record.nftText()}, rules...))
}

// bring makes libvirt's rules what they were at first.
func (h *taking) bring() {
	h.t.Helper()
	for _, load := range h.libvirt {
		load()
	}
}

// apply is a command line that takes over, on a host made ready by back.
func (h *taking) apply(left []string, args ...string) (there change) {
	there = change{world: h.world, args: append([]string{"apply", "--backend", h.world.backend, "--take-over"},
		args...)}
	there.audit = append(slices.Clone(there.args), "--dry-run")
	there.end = func() {
		h.must(there.world, there.args...)
		h.left(left)
	}
	return there
}

// left wants of libvirt's rules those with which it began, but for the lines of networks taken
// over; nothing where lines is nil.
func (h *taking) left(lines []string) {
	h.t.Helper()
	want := map[string]string{}
	for piece, text := range h.theirs {
		if lines != nil {
			want[piece] = without(text, lines)
		}
	}
	if diff := cmp.Diff(want, h.look().part(true)); diff != "" {
		h.t.Fatalf("libvirt's rules after the take-over (-want +got):\n%s", diff)
	}
}

// back takes ours away, and then libvirt's rules are there again.
func (h *taking) back() change {
	return change{end: func() {
		h.must(h.world, "remove", "--all", "--backend", h.world.backend)
		h.bring()
	}}
}

// may says what a kill must not leave.
func (h *taking) may(now, old, fresh holding) string {
	if wrong := handedOver(now, old, fresh); wrong != "" {
		return wrong
	}
	_, status := h.run(h.world, "status")
	noted, drifted := now.notes == fresh.notes, strings.Contains(status, "drifted")
	if inStep := maps.Equal(now.part(false), fresh.part(false)); noted && inStep == drifted {
		return "status says\n" + status
	}
	for _, s := range h.senders {
		s.guest.Do(func() {
			s.round(true)
			s.leaks(time.Millisecond)
		})
		if wrong := s.wrong(); wrong != "" {
			return s.guest.Name + ": " + wrong
		}
	}
	return ""
}

// handedOver says that rules went before all that come in their place were there (ours, or
// libvirt's on the way back), that ours are whole nowhere, or that a piece is neither as before nor
// as after.
func handedOver(now, old, fresh holding) string {
	back := len(fresh.part(false)) == 0
	if !maps.Equal(now.part(!back), old.part(!back)) && !maps.Equal(now.part(back), fresh.part(back)) {
		return "rules went before all that come in their place were there"
	}
	ours := func(h holding) holding { return holding{rules: h.part(false)} }
	if wrong := oneWhole(ours(now), ours(old), ours(fresh)); wrong != "" && !back {
		return wrong
	}
	return pieces(now, old, fresh)
}

// two takes two of the three networks over, and leaves nat-dev.
func (h *taking) two(args ...string) change {
	lines := h.record.lines(ofDefault + `|\bvbr10\b|10\.20\.10\.0|fd00:20:10::`)
	return h.apply(lines, append(args, filepath.Join(h.files, "nat-default.xml"),
		filepath.Join(h.files, "nat66.xml"))...)
}

// from is back for a host where ours are in force in another back end.
func (h *taking) from(w world) change {
	back := h.back()
	return change{end: func() {
		back.end()
		h.must(w, "apply", "--backend", w.backend, h.files)
	}}
}

// confirmable returns a take-over that waits for its confirmation, and its undoing.
func (h *taking) confirmable() (there, undo change) {
	h.listed = anyHandle // rules that come back have new ones
	h.theirs = h.look().part(true)
	undo = change{world: h.world, args: []string{"confirm", "--undo"},
		audit: []string{"audit", "--backend", h.world.backend}}
	undo.done = func(now, old, fresh holding) bool { // ours are as the notes say
		if strings.Contains(now.notes, "networks/") {
			fresh = old
		}
		return maps.Equal(now.part(false), fresh.part(false))
	}
	undo.end = func() {
		if p, err := state.ReadPending(h.state); p != nil || err != nil {
			h.must(h.world, undo.args...)
		}
	}
	there = h.two("--confirm", "10m")
	there.audit = h.two("--dry-run").args
	again := there.end
	there.end = func() {
		if p, err := state.ReadPending(h.state); p != nil && err == nil && !p.Made {
			if code, out := h.run(h.world, "confirm"); code != 1 || !strings.Contains(out, "interrupted") {
				h.t.Fatalf("an apply that was interrupted is confirmed: exit code %d\n%s", code, out)
			}
		}
		undo.end()
		again()
	}
	return there, undo
}

// TestKernelTakeOverSteps kills vnetc with SIGKILL before each step of a take-over that changes
// something, its own and those of the tools that it runs: from each place of libvirt's rules to
// each back end, of two networks out of three, of all from all places at once, and together with
// going to another back end; and of a take-over that waits for its confirmation, and of its
// undoing. After each kill nothing of libvirt's has gone before all of ours stands, packets pass
// and are refused as they were, status and --dry-run tell what is so, and the same command ends
// what was begun, so that of libvirt's exactly the rules of its other networks are left, and those
// that others put there, with their handles. A test run takes some of these, every few steps from a
// random one on; for all: go test ./cmd/vnetc -run KernelTakeOverSteps -v -every-step
func TestKernelTakeOverSteps(t *testing.T) {
	run := func(name string, sample bool, f func(t *testing.T) *taking) {
		if !sample && !*everyStep {
			return
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := f(t)
			t.Logf("killed %d times, before: %v", h.kills, h.steps)
		})
	}
	names := slices.Sorted(maps.Keys(worlds))
	sample := rand.Perm(len(names)) // by place of libvirt's rules, the back end that is tried in a short run
	for i, name := range names {
		to, from := worlds[name], worlds[names[(i+1)%len(names)]]
		for j, tool := range libvirtTools {
			run("two from "+tool+" to "+name, sample[j] == i, func(t *testing.T) *taking {
				h := newTaking(t, 14, to, true, tool)
				h.loop(h.two(), h.back(), h.may)
				return h
			})
		}
		run("all to "+name, false, func(t *testing.T) *taking {
			h := newTaking(t, 10, to, false, libvirtTools...)
			h.loop(h.apply(nil, h.files), h.back(), h.may)
			return h
		})
		run("all, and from another back end to "+name, false, func(t *testing.T) *taking {
			h := newTaking(t, 10, to, false, libvirtTools...)
			h.loop(h.apply(nil, h.files), h.from(from), h.may)
			return h
		})
		run("to be confirmed, to "+name, sample[0] == i, func(t *testing.T) *taking {
			h := newTaking(t, 45, to, true, libvirtTools[i])
			there, undo := h.confirmable()
			h.loop(there, undo, h.may)
			return h
		})
	}
}
