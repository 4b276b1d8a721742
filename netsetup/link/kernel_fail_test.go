package link

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// changes are ways from one state of a host to another: from nothing, and from a network that runs.
func changes() map[string][2]*ir.Link {
	other := network(ir.ModeNAT)
	other.MAC = []byte{0x52, 0x54, 0, 9, 9, 9}
	other.MTU = 1300
	other.Bridge.NoSTP, other.Bridge.Delay = true, 3*time.Second
	other.Addresses = []ir.Address{
		{Prefix: netip.MustParsePrefix("192.168.122.2/24")},
		{Prefix: netip.MustParsePrefix("fd00:1::2/64")},
	}
	other.Routes = []ir.Route{
		{Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("192.168.122.9")},
		{Dest: netip.MustParsePrefix("10.10.0.0/16"), Gateway: netip.MustParseAddr("192.168.122.9"), Metric: 5},
	}
	only4 := network(ir.ModeNAT)
	only4.Addresses, only4.Routes = only4.Addresses[:2], only4.Routes[:1]
	bare := &ir.Link{Name: "lab", Mode: ir.ModeNone, Bridge: ir.Bridge{Name: "virbr7"}}
	twins := network(ir.ModeNAT)
	twins.Addresses = []ir.Address{
		{Prefix: netip.MustParsePrefix("192.168.122.1/24")},
		{Prefix: netip.MustParsePrefix("192.168.122.2/24")},
		{Prefix: netip.MustParsePrefix("192.168.122.3/24")},
	}
	twins.Routes = twins.Routes[:1]
	fewer := *twins
	fewer.Addresses = twins.Addresses[1:]
	return map[string][2]*ir.Link{
		"nothing to both families": {nil, network(ir.ModeNAT)},
		"nothing to no address":    {nil, bare},
		"everything changes":       {network(ir.ModeNAT), other},
		"IPv6 goes":                {network(ir.ModeNAT), only4},
		"IPv6 comes":               {only4, network(ir.ModeNAT)},
		"all addresses go":         {network(ir.ModeNAT), bare},
		"the primary address goes": {twins, &fewer},
	}
}

// TestKernelChange goes each way and wants nothing to be missing then, and no more there than on a
// host that went straight to the end.
func TestKernelChange(t *testing.T) {
	for name, way := range changes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the kernel makes each wait for itself
			straight := newHost(t)
			straight.up(way[1], Options{MAC: testMAC})
			h := newHost(t)
			if way[0] != nil {
				h.up(way[0], Options{MAC: testMAC})
			}
			if warnings := h.up(way[1], Options{MAC: testMAC}); len(warnings) > 0 {
				t.Errorf("warnings: %v", warnings)
			}
			want, got := straight.shown("virbr7"), h.shown("virbr7")
			slices.Sort(want.Addresses) // IPv4 addresses that come later are last
			slices.Sort(got.Addresses)
			if way[1].MTU == 0 {
				want.Link.MTU = got.Link.MTU // not asked for: it stays
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-straight +changed):\n%s", diff)
			}
			h.wantNothing(way[1], Options{MAC: testMAC})
		})
	}
}

// TestKernelFailure has each way fail behind each step, and undoes the steps, last first: the host
// is as before. The steps behind are undone as well, of which nothing was done.
func TestKernelFailure(t *testing.T) {
	for name, way := range changes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the kernel makes each wait for itself
			h := newHost(t)
			if way[0] != nil {
				h.up(way[0], Options{MAC: testMAC})
			}
			before := h.dump()
			p, _ := h.plan(way[1], Options{MAC: testMAC})
			steps := slices.Concat(p.Before, p.After)
			for k := range steps {
				h.Do(func() {
					for _, s := range steps[:k+1] {
						if err := s.Do(); err != nil {
							t.Fatalf("%s: %v", s, err)
						}
					}
					undo(t, steps[:k+1])
				})
				if diff := cmp.Diff(before, h.dump()); diff != "" {
					t.Fatalf("after %q failed and all was undone (-before +after):\n%s", steps[k], diff)
				}
				h.Do(func() { undo(t, steps) }) // of what was never done, or is undone already
			}
			if diff := cmp.Diff(before, h.dump()); diff != "" {
				t.Errorf("after undoing twice (-before +after):\n%s", diff)
			}
		})
	}
}

func undo(t *testing.T, steps []Step) {
	t.Helper()
	for _, s := range slices.Backward(steps) {
		if err := s.Undo(); err != nil {
			t.Errorf("undo %s: %v", s, err)
		}
	}
}

// TestKernelHalfStep fails in the middle of a step: no device has an MTU of 70000.
func TestKernelHalfStep(t *testing.T) {
	h := newHost(t)
	before := h.dump()
	l := network(ir.ModeNAT)
	l.MTU = 70000
	p, _ := h.plan(l, Options{MAC: testMAC})
	h.Do(func() {
		if err := p.Before[0].Do(); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", p.Before[0], err)
		}
		if d, err := findDevice("virbr7"); err != nil || d.Alias != "vnetc lab" {
			t.Errorf("half-way the bridge is %+v, %v", d, err)
		}
		undo(t, p.Before[:1])
	})
	if diff := cmp.Diff(before, h.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestKernelKill stops after each step, as a process that is killed does: the next plan goes on and
// ends where an undisturbed one does; and from each place, down takes all away.
func TestKernelKill(t *testing.T) {
	for name, way := range changes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the kernel makes each wait for itself
			straight := newHost(t)
			straight.up(way[1], Options{MAC: testMAC})
			want := straight.shown("virbr7")
			slices.Sort(want.Addresses)
			h := newHost(t)
			empty := h.dump()
			for k, steps := 0, 1; k < steps; k++ {
				if way[0] != nil {
					h.up(way[0], Options{MAC: testMAC})
				}
				p, _ := h.plan(way[1], Options{MAC: testMAC})
				steps = len(p.Before) + len(p.After)
				h.Do(func() {
					for _, s := range slices.Concat(p.Before, p.After)[:k] {
						if err := s.Do(); err != nil {
							t.Fatalf("%s: %v", s, err)
						}
					}
				})
				h.up(way[1], Options{MAC: testMAC})
				got := h.shown("virbr7")
				slices.Sort(got.Addresses)
				if way[1].MTU == 0 {
					got.Link.MTU = want.Link.MTU
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("killed after %d steps (-straight +went on):\n%s", k, diff)
				}
				h.down(way[1])
				if diff := cmp.Diff(empty, h.dump()); diff != "" {
					t.Errorf("killed after %d steps, then down (-before +after):\n%s", k, diff)
				}
			}
		})
	}
}

// TestKernelKilledUnnamed takes a bridge whose maker was killed before it could write the network's
// name.
func TestKernelKilledUnnamed(t *testing.T) {
	for _, then := range []string{"up", "down"} {
		t.Run(then, func(t *testing.T) {
			h := newHost(t)
			before := h.dump()
			h.Exec("ip", "link", "add", "virbr7", "group", fmt.Sprint(Group), "type", "bridge")
			l := network(ir.ModeNAT)
			if then == "up" {
				h.up(l, Options{MAC: testMAC})
				h.wantNothing(l, Options{MAC: testMAC})
				if got := h.shown("virbr7").Link; got.Alias != "vnetc lab" || got.MTU != 1400 {
					t.Errorf("bridge: %+v", got)
				}
			}
			h.down(l)
			if diff := cmp.Diff(before, h.dump()); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// TestKernelForeign has devices of others in the place of the bridge: they are named and never
// changed, whatever is tried.
func TestKernelForeign(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup [][]string
		what  string
	}{
		{"bridge", [][]string{{"ip", "link", "add", "virbr7", "type", "bridge"}},
			"virbr7 is there already: a bridge that " +
				"vnetc didn't create"},
		{"NIC", [][]string{{"ip", "link", "add", "virbr7", "type", "veth", "peer", "name", "far"},
			{"ip", "addr", "add", "10.1.1.1/24", "dev", "virbr7"}},
			"virbr7 is there already: a device of kind veth with address 10.1.1.1/24"},
		{"bridge of another network", [][]string{{"ip", "link", "add", "virbr7", "type", "bridge"},
			{"ip", "link", "set", "virbr7", "alias", "vnetc other"}},
			"virbr7 is there already: the bridge of vnetc's network other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			empty, h := newHost(t), newHost(t)
			for _, command := range c.setup {
				h.Exec(command[0], command[1:]...)
			}
			before := h.dump()
			l := network(ir.ModeNAT)
			_, problems := h.plan(l, Options{MAC: testMAC})
			if len(problems) != 1 || problems[0].What != c.what {
				t.Errorf("problems: %q, want %q", problems, c.what)
			}
			h.down(l)
			p, _ := empty.plan(l, Options{MAC: testMAC}) // made before the other came
			h.Do(func() {
				for _, s := range slices.Concat(p.Before, p.After) {
					if err := s.Do(); err == nil {
						t.Errorf("%s: done to a device of somebody else", s)
					}
				}
				undo(t, slices.Concat(p.Before, p.After))
			})
			if diff := cmp.Diff(before, h.dump()); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// TestKernelOwnChoice leaves alone what an administrator has added to the bridge.
func TestKernelOwnChoice(t *testing.T) {
	h := newHost(t)
	l := network(ir.ModeNAT)
	h.up(l, Options{MAC: testMAC})
	h.Exec("ip", "addr", "add", "172.16.5.5/32", "dev", "virbr7")
	h.Exec("ip", "route", "add", "172.17.0.0/16", "via", "192.168.122.77", "dev", "virbr7")
	h.wantNothing(l, Options{MAC: testMAC})
	l.Addresses = l.Addresses[:1]
	l.Routes = l.Routes[:1]
	h.up(l, Options{MAC: testMAC})
	got := h.Exec("ip", "-o", "addr", "show", "dev", "virbr7") + h.Exec("ip", "route")
	for _, word := range []string{"172.16.5.5/32", "172.17.0.0/16"} {
		if !strings.Contains(got, word) {
			t.Errorf("%s is gone:\n%s", word, got)
		}
	}
}

// TestKernelKilledDown is killed when the bridge is in the group of those that go and not yet
// deleted: up takes it out again, and down of another network doesn't take it along then; down ends
// its work.
func TestKernelKilledDown(t *testing.T) {
	h := newHost(t)
	before := h.dump()
	l := network(ir.ModeNAT)
	h.up(l, Options{MAC: testMAC})
	want := h.shown("virbr7")
	kill := func() {
		f := h.facts()
		h.Do(func() {
			for _, s := range PlanDown(l.Name, l.Bridge.Name, f) {
				if err := s.Do(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	kill()
	h.up(l, Options{MAC: testMAC})
	if diff := cmp.Diff(want, h.shown("virbr7")); diff != "" {
		t.Errorf("up again (-want +got):\n%s", diff)
	}
	other := &ir.Link{Name: "other", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr8"}}
	h.up(other, Options{})
	h.down(other)
	h.wantNothing(l, Options{MAC: testMAC})
	kill()
	h.down(l)
	if diff := cmp.Diff(before, h.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
