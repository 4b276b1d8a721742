package link

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// limited is a network with nothing but limits.
func limited(in, out *ir.Rate) *ir.Link {
	return &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "virbr7"}, Inbound: in, Outbound: out}
}

// tree is the traffic control of a bridge as tc(8) shows it, without what packets change.
func (h host) tree(bridge string) string {
	h.t.Helper()
	all := h.Exec("tc", "-d", "qdisc", "show", "dev", bridge) + h.Exec("tc", "-d", "class", "show", "dev", bridge) +
		h.Exec("tc", "-d", "filter", "show", "dev", bridge) + h.Exec("tc", "-d", "filter", "show", "dev", bridge,
		"ingress")
	lines := strings.Split(regexp.MustCompile(` leaf \d+:|direct_packets_stat \d+ `).ReplaceAllString(all, ""), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// burst is the size of a burst as tc(8) shows it. Versions of tc round it differently.
var burst = regexp.MustCompile(`burst (\d+)(K?)b`)

// bursts divides a tree into the text between the sizes of bursts, and these sizes.
func bursts(tree string) (divided struct {
	Text  []string
	Bytes []float64
}) {
	divided.Text = burst.Split(tree, -1)
	for _, m := range burst.FindAllStringSubmatch(tree, -1) {
		size, _ := strconv.ParseFloat(m[1], 64) // digits
		if m[2] == "K" {
			size *= 1024
		}
		divided.Bytes = append(divided.Bytes, size)
	}
	return divided
}

// near takes sizes of bursts for equal that differ by at most a byte and what is sent at a rate, in
// kilobytes a second, in one of the kernel's ticks of 64 ns, which is how sizes are stored.
func near(rate uint64) cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1+float64(rate)*1000*64e-9 })
}

// TestKernelTraffic compares with what tc(8) makes of the commands that libvirt 11.3 gives it.
// Kernels without sfq, fw or police have neither.
func TestKernelTraffic(t *testing.T) {
	for _, c := range []struct {
		name    string
		in, out *ir.Rate
		tc      []string
	}{
		{"average", &ir.Rate{Average: 1000}, nil, []string{
			"qdisc add dev virbr7 root handle 1: htb default 2",
			"class add dev virbr7 parent 1: classid 1:1 htb rate 1000kbps ceil 1000kbps quantum 85",
			"class add dev virbr7 parent 1:1 classid 1:2 htb rate 1000kbps quantum 85",
			"qdisc add dev virbr7 parent 1:2 handle 2: sfq perturb 10",
			"filter add dev virbr7 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
		}},
		{"peak and burst", &ir.Rate{Average: 128, Peak: 256, Burst: 512}, nil, []string{
			"qdisc add dev virbr7 root handle 1: htb default 2",
			"class add dev virbr7 parent 1: classid 1:1 htb rate 128kbps ceil 256kbps quantum 10",
			"class add dev virbr7 parent 1:1 classid 1:2 htb rate 128kbps ceil 256kbps burst 512kb quantum 10",
			"qdisc add dev virbr7 parent 1:2 handle 2: sfq perturb 10",
			"filter add dev virbr7 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
		}},
		{"more than 32 bits", &ir.Rate{Average: 5000000, Peak: 10000000}, nil, []string{
			"qdisc add dev virbr7 root handle 1: htb default 2",
			"class add dev virbr7 parent 1: classid 1:1 htb rate 5000000kbps ceil 10000000kbps quantum 426666",
			"class add dev virbr7 parent 1:1 classid 1:2 htb rate 5000000kbps ceil 10000000kbps quantum 426666",
			"qdisc add dev virbr7 parent 1:2 handle 2: sfq perturb 10",
			"filter add dev virbr7 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
		}},
		{"outbound", nil, &ir.Rate{Average: 1000, Burst: 2048}, []string{
			"qdisc add dev virbr7 ingress",
			"filter add dev virbr7 parent ffff: protocol all u32 match u32 0 0 police rate 1000kbps burst 2048kb mtu 64kb drop flowid :1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, other := newHost(t), newHost(t)
			other.Exec("ip", "link", "add", "virbr7", "type", "bridge")
			refused := 0
			for _, line := range c.tc {
				cmd := other.Command("tc", strings.Fields(line)...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Logf("tc %s: %s", line, out)
					refused++
				}
			}
			if refused > 0 && c.out != nil {
				other.Exec("tc", "qdisc", "del", "dev", "virbr7", "ingress") // nothing is left of half a limit
			}
			other.Exec("ip", "link", "set", "virbr7", "up")
			l := limited(c.in, c.out)
			warnings := h.up(l, Options{})
			if (refused > 0) != (len(warnings) > 0) {
				t.Errorf("tc was refused %d things; warnings: %v", refused, warnings)
			}
			for _, w := range warnings {
				t.Log(w)
				if len(w.Modules) == 0 {
					t.Errorf("no module in the warning: %v", w)
				}
			}
			rate := c.in
			if rate == nil {
				rate = c.out
			}
			if diff := cmp.Diff(bursts(other.tree("virbr7")), bursts(h.tree("virbr7")),
				near(max(rate.Average, rate.Peak))); diff != "" {
				t.Errorf("(-tc +ours):\n%s", diff)
			}
			in := c.in != nil
			p, _ := h.plan(l, Options{})
			for _, s := range p.After {
				for _, c := range s.(*setTraffic).changes {
					if refused == 0 || in && !embellishment(c.to) {
						t.Errorf("a second plan changes %#v to %#v", c.from, c.to)
					}
				}
			}
		})
	}
}

// TestKernelTrafficChange changes limits of a network that runs, and undoes the change.
func TestKernelTrafficChange(t *testing.T) {
	states := []*ir.Link{
		limited(&ir.Rate{Average: 1000}, nil),
		limited(&ir.Rate{Average: 500, Peak: 700, Burst: 100}, &ir.Rate{Average: 10}),
		limited(nil, nil),
	}
	for _, from := range states {
		for _, to := range states {
			h, straight := newHost(t), newHost(t)
			h.up(from, Options{})
			straight.up(to, Options{})
			before := h.tree("virbr7")
			p, _ := h.plan(to, Options{})
			h.Do(func() {
				for _, s := range p.After {
					if err := s.Do(); err != nil && !isWarning(err) {
						t.Fatalf("%s: %v", s, err)
					}
				}
			})
			if diff := cmp.Diff(straight.tree("virbr7"), h.tree("virbr7")); diff != "" {
				t.Errorf("(-straight +changed):\n%s", diff)
			}
			h.Do(func() { undo(t, p.After) })
			if diff := cmp.Diff(before, h.tree("virbr7")); diff != "" {
				t.Errorf("after undo (-before +after):\n%s", diff)
			}
		}
	}
}

// TestKernelTrafficForeign leaves a qdisc of somebody else where it is.
func TestKernelTrafficForeign(t *testing.T) {
	h := newHost(t)
	h.up(limited(nil, nil), Options{})
	h.Exec("tc", "qdisc", "add", "dev", "virbr7", "root", "handle", "7:", "pfifo")
	before := h.tree("virbr7")
	l := limited(&ir.Rate{Average: 1000}, nil)
	p, _ := h.plan(l, Options{})
	want := []string{"limit what the guests of virbr7 receive to 1000 kB/s: left out, because the bridge already has a foreign qdisc pfifo there"}
	if diff := cmp.Diff(want, p.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	h.up(l, Options{})
	h.up(limited(nil, nil), Options{})
	if diff := cmp.Diff(before, h.tree("virbr7")); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func isWarning(err error) bool {
	_, ok := err.(*Warning)
	return ok
}

// TestKernelChecksum has the filter as tc(8) would have it, or else a bridge that leaves no
// checksum to others; either is there once and goes by an Undo.
func TestKernelChecksum(t *testing.T) {
	h, other := newHost(t), newHost(t)
	l := limited(nil, nil)
	h.up(l, Options{})
	other.up(l, Options{})
	warnings := h.up(l, Options{Checksum: true})
	other.Exec("tc", "qdisc", "add", "dev", "virbr7", "root", "handle", "1:", "htb", "default", "2")
	filter := strings.Fields("filter add dev virbr7 prio 2 protocol ip parent 1: u32 match ip dport 68 ffff action csum ip and udp")
	if out, err := other.Command("tc", filter...).CombinedOutput(); err != nil {
		t.Logf("tc: %s", out)
		other.Exec("tc", "qdisc", "del", "dev", "virbr7", "root")
		h.Do(func() {
			if offload, err := checksumOffload("virbr7"); offload || err != nil {
				t.Errorf("checksum offload %v, %v", offload, err)
			}
			step := &fillChecksums{&setTraffic{bridge: bridge{"virbr7", l.Name}}, true}
			if err := step.Undo(); err != nil {
				t.Error(err)
			}
			if offload, err := checksumOffload("virbr7"); !offload || err != nil {
				t.Errorf("after Undo: checksum offload %v, %v", offload, err)
			}
		})
		warnings = append(warnings, h.up(l, Options{Checksum: true})...)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	h.wantNothing(l, Options{Checksum: true})
	if diff := cmp.Diff(other.tree("virbr7"), h.tree("virbr7")); diff != "" {
		t.Errorf("(-tc +ours):\n%s", diff)
	}
}
