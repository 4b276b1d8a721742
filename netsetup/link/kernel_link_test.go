package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// Kernel tests look at the host with ip(8), bridge(8) and tc(8), never with what they test.
func TestMain(m *testing.M) { netnstest.Main(m) }

// host is a namespace where networks come up, looked at with ip(8).
type host struct {
	*netnstest.NS
	t *testing.T
}

func newHost(t *testing.T) host {
	t.Helper()
	netnstest.Require(t, "ip", "tc", "bridge", "sysctl")
	return host{netnstest.New(t), t}
}

// plan reads the host and plans.
func (h host) plan(l *ir.Link, o Options) (p Plan, problems []Problem) {
	h.t.Helper()
	h.Do(func() {
		f, err := ReadFacts()
		if err != nil {
			h.t.Fatal(err)
		}
		p, problems = PlanUp(l, f, o)
	})
	return p, problems
}

// up brings the network up and returns its warnings.
func (h host) up(l *ir.Link, o Options) (warnings []*Warning) {
	h.t.Helper()
	p, problems := h.plan(l, o)
	if len(problems) > 0 {
		h.t.Fatalf("plan of %s: %v", l.Name, problems)
	}
	h.Do(func() {
		for _, s := range slices.Concat(p.Before, p.After) {
			var w *Warning
			if err := s.Do(); errors.As(err, &w) {
				warnings = append(warnings, w)
			} else if err != nil {
				h.t.Fatalf("%s: %v", s, err)
			}
		}
	})
	return warnings
}

// down takes the network away.
func (h host) down(l *ir.Link) {
	h.t.Helper()
	h.Do(func() {
		f, err := ReadFacts()
		if err != nil {
			h.t.Fatal(err)
		}
		for _, s := range PlanDown(l.Name, l.Bridge.Name, f) {
			if err := errors.Join(s.Do(), s.Wait()); err != nil {
				h.t.Fatalf("%s: %v", s, err)
			}
		}
	})
}

// wantNothing fails the test if something is missing for the network.
func (h host) wantNothing(l *ir.Link, o Options) {
	h.t.Helper()
	p, problems := h.plan(l, o)
	if diff := cmp.Diff([]string(nil), lines(p)); diff != "" || len(problems) > 0 {
		h.t.Errorf("a second plan of %s isn't empty (-want +got):\n%s%v", l.Name, diff, problems)
	}
}

// dump is everything of the host that a network could change, sorted: the order of addresses and
// routes is the kernel's.
func (h host) dump() string {
	h.t.Helper()
	const show = "ip -d -o link && ip -o addr && ip route show table all && ip -6 route show table all && bridge -d link && tc qdisc"
	all := h.Exec("sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; "+show) + h.sysctls()
	var kept []string
	for line := range strings.Lines(all) {
		if !changing(line) {
			kept = append(kept, carrier.ReplaceAllString(withoutTimers(line), ""))
		}
	}
	slices.Sort(kept)
	return strings.Join(kept, "")
}

func (h host) sysctls() string {
	h.t.Helper()
	var all strings.Builder
	h.Do(func() {
		filepath.WalkDir("/proc/sys/net", func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				value, _ := os.ReadFile(path) // some can only be written
				fmt.Fprintf(&all, "%s = %q\n", path, value)
			}
			return nil
		})
	})
	return all.String()
}

// changing is true for lines that change by themselves. The route to all multicast groups of IPv6
// comes with carrier, or with an address that is added while the link is up.
func changing(line string) bool {
	for _, word := range []string{"multicast ff00::/8", "fdb_", "nf_conntrack_count", "random", "netdev_rss_key",
		"neigh.default.gc"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// carrier is whether a link has a carrier and what state follows from it, which the kernel finds
// out some time later.
var carrier = regexp.MustCompile(`NO-CARRIER,|,LOWER_UP|,M-DOWN| state \w+`)

func withoutTimers(line string) string {
	fields := strings.Fields(line)
	for i := 1; i < len(fields); i++ {
		if strings.HasSuffix(fields[i-1], "_timer") || fields[i-1] == "expires" {
			fields[i] = "-"
		}
	}
	return strings.Join(fields, " ") + "\n"
}

func lines(p Plan) (all []string) {
	for _, s := range slices.Concat(p.Before, p.After) {
		all = append(all, s.String())
	}
	return all
}

var testMAC = net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}

// network returns a network with both families and a route in each.
func network(mode ir.Mode) *ir.Link {
	return &ir.Link{
		Name:   "lab",
		Mode:   mode,
		Bridge: ir.Bridge{Name: "virbr7"},
		MTU:    1400,
		Addresses: []ir.Address{
			{Prefix: netip.MustParsePrefix("192.168.122.1/24")},
			{Prefix: netip.MustParsePrefix("192.168.128.1/25")},
			{Prefix: netip.MustParsePrefix("fd00:1::1/64")},
		},
		Routes: []ir.Route{
			{Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("192.168.122.9")},
			{Dest: netip.MustParsePrefix("fd00:9::/48"), Gateway: netip.MustParseAddr("fd00:1::9"), Metric: 7},
		},
	}
}

// shown is what ip(8) says of a bridge.
type shown struct {
	Link struct {
		Address, Group string
		MTU            int
		Up             bool
		Alias          string
		STP, Delay     int
	}
	Addresses []string
	Routes    []string
	Sysctls   string
}

func (h host) shown(bridge string) (s shown) {
	h.t.Helper()
	var links []struct {
		Address, Group, IfAlias string
		MTU                     int
		Flags                   []string
		LinkInfo                struct {
			Data struct {
				STP   int `json:"stp_state"`
				Delay int `json:"forward_delay"`
			} `json:"info_data"`
		}
		Addrs []struct {
			Local, Broadcast string
			PrefixLen        int
			Scope            string
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(h.Exec("ip", "-d", "-j", "addr", "show", "dev", bridge)), &links); err != nil {
		h.t.Fatal(err)
	}
	l := links[0]
	s.Link.Address, s.Link.Group, s.Link.MTU, s.Link.Alias = l.Address, l.Group, l.MTU, l.IfAlias
	s.Link.Up = slices.Contains(l.Flags, "UP")
	s.Link.STP, s.Link.Delay = l.LinkInfo.Data.STP, l.LinkInfo.Data.Delay
	for _, a := range l.Addrs {
		s.Addresses = append(s.Addresses, strings.TrimSpace(fmt.Sprintf("%s/%d %s %s", a.Local, a.PrefixLen, a.Scope,
			a.Broadcast)))
	}
	for _, family := range []string{"-4", "-6"} {
		var routes []struct {
			Dst, Gateway, Protocol string
			Metric                 int
		}
		if err := json.Unmarshal([]byte(h.Exec("ip", family, "-j", "route", "show", "dev", bridge)),
			&routes); err != nil {
			h.t.Fatal(err)
		}
		for _, r := range routes {
			if r.Gateway != "" {
				s.Routes = append(s.Routes, fmt.Sprintf("%s via %s proto %s metric %d", r.Dst, r.Gateway, r.Protocol,
					r.Metric))
			}
		}
	}
	for _, name := range []string{"accept_ra", "autoconf", "disable_ipv6"} {
		s.Sysctls += strings.TrimSpace(h.Exec("sysctl", "-n", "net.ipv6.conf."+bridge+"."+name))
	}
	return s
}

func TestKernelUp(t *testing.T) {
	for _, mode := range []ir.Mode{ir.ModeNone, ir.ModeNAT, ir.ModeRoute, ir.ModeOpen} {
		t.Run(string(mode), func(t *testing.T) {
			h := newHost(t)
			before := h.dump()
			l, o := network(mode), Options{MAC: testMAC}
			if warnings := h.up(l, o); len(warnings) > 0 {
				t.Errorf("warnings: %v", warnings)
			}
			var want shown
			want.Link.Address, want.Link.Group, want.Link.MTU, want.Link.Alias = testMAC.String(), "1986946420", 1400,
				"vnetc lab"
			want.Link.Up, want.Link.STP, want.Link.Delay = true, 1, 200
			want.Addresses = []string{"192.168.122.1/24 global 192.168.122.255",
				"192.168.128.1/25 global 192.168.128.127", "fd00:1::1/64 global"}
			want.Routes = []string{"10.9.0.0/16 via 192.168.122.9 proto 118 metric 1",
				"fd00:9::/48 via fd00:1::9 proto 118 metric 7"}
			want.Sysctls = "000"
			if diff := cmp.Diff(want, h.shown("virbr7")); diff != "" {
				t.Errorf("bridge (-want +got):\n%s", diff)
			}
			h.wantNothing(l, o)
			h.wantNothing(l, Options{}) // no MAC at hand: that of the bridge stays
			h.down(l)
			if diff := cmp.Diff(before, h.dump()); diff != "" {
				t.Errorf("left after down (-before +after):\n%s", diff)
			}
		})
	}
}

func TestKernelSTP(t *testing.T) {
	h := newHost(t)
	l := &ir.Link{Name: "lab", Mode: ir.ModeNone, Bridge: ir.Bridge{Name: "virbr7"}}
	for _, c := range []struct {
		noSTP      bool
		delay      time.Duration
		stp, shown int // in 1/100 s
	}{
		{false, 0, 1, 200},
		{true, 0, 0, 0},
		{false, 4 * time.Second, 1, 400},
		{false, 40 * time.Second, 1, 3000},
		{true, 40 * time.Second, 0, 4000},
		{false, time.Second, 1, 200},
		{true, 1500 * time.Millisecond, 0, 150},
	} {
		l.Bridge.NoSTP, l.Bridge.Delay = c.noSTP, c.delay
		h.up(l, Options{MAC: testMAC})
		if got := h.shown("virbr7").Link; got.STP != c.stp || got.Delay != c.shown {
			t.Errorf("STP off %v, delay %v: the kernel shows stp %d, delay %d, want %d, %d", c.noSTP, c.delay, got.STP,
				got.Delay, c.stp, c.shown)
		}
		h.wantNothing(l, Options{MAC: testMAC})
	}
}
