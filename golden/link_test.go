package golden

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/netsetup/link"
)

// recordedHost is the host of the records, as their README says.
func recordedHost() *link.Facts {
	return &link.Facts{
		IPv6: true,
		Devices: []link.Device{
			{Index: 1, Name: "lo", Addresses: []link.Address{{Prefix: netip.MustParsePrefix("127.0.0.1/8")}}},
			{Index: 2, Name: "eth0", Kind: "veth", Addresses: []link.Address{
				{Prefix: netip.MustParsePrefix("198.51.100.2/24")},
				{Prefix: netip.MustParsePrefix("2001:db8:ffff::2/64")}}},
			{Index: 3, Name: "eth1", Kind: "veth"},
			{Index: 4, Name: "br-ext", Kind: "bridge"},
		},
		Routes: []link.Route{
			{Dest: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("198.51.100.1"), Device: 2},
			{Dest: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("2001:db8:ffff::1"), Device: 2},
		},
	}
}

// hostOnly are the cases that compile and can't come up on the host of the records, with what is
// found there.
var hostOnly = map[string]string{
	"bad-bridge-is-nic":         "eth1 is there already",
	"bad-bridge-mode-notbridge": "eth1 is not a bridge",
	"bad-default-route-addr":    "overlaps with 198.51.100.2/24 of eth0",
}

var ownSysctl = regexp.MustCompile(`^net/ipv6/conf/([^/]+)/(accept_ra|autoconf|disable_ipv6): default=\d+ now=(\d+)$`)

var setSysctl = regexp.MustCompile(`^set net\.ipv6\.conf\.(.+)\.(\w+) to (\d+)$`)

// TestLibvirtLinks plans every case on the host of the records: what libvirt starts has no
// obstacle, and the sysctls of new bridges become what libvirt makes them, where that differs from
// the kernel's own choice.
func TestLibvirtLinks(t *testing.T) {
	kernel := map[string]string{"accept_ra": "1", "autoconf": "1", "disable_ipv6": "0"}
	all := func(string) bool { return true }
	corpusFiles(t, "libvirt", all, func(t *testing.T, name string, s *Scenario) {
		p, found := Compile(s.Sources)
		if found.HasErrors() {
			return
		}
		facts := recordedHost()
		var got, obstacles []string
		for _, l := range p.Links {
			plan, problems := link.PlanUp(l, facts, link.Options{})
			problems = slices.Concat(problems, link.Collisions(l, facts, nil),
				link.CheckDevices(l, facts, fstest.MapFS{}))
			for _, p := range problems {
				obstacles = append(obstacles, p.What)
			}
			for _, step := range plan.Before {
				if m := setSysctl.FindStringSubmatch(step.String()); m != nil && kernel[m[2]] != m[3] {
					got = append(got, m[1]+" "+m[2]+" "+m[3])
				}
			}
		}
		if want := hostOnly[name]; want != "" {
			if !strings.Contains(strings.Join(obstacles, "\n"), want) {
				t.Errorf("obstacles %q, want one that says %q", obstacles, want)
			}
			return
		}
		if isValid(name) && len(obstacles) > 0 {
			t.Errorf("libvirt starts it; obstacles: %q", obstacles)
		}
		record := string(textOf(s.Sections, "libvirt.txt"))
		if strings.Contains(record, ": refused") {
			return
		}
		want := recordedSysctls(record)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sysctls differ from libvirt's (-libvirt +vnetc):\n%s", diff)
		}
	})
}

// recordedSysctls returns the bridges' own, sorted; each back end has the same.
func recordedSysctls(record string) (all []string) {
	for line := range strings.Lines(record) {
		if m := ownSysctl.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			all = append(all, m[1]+" "+m[2]+" "+m[3])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
