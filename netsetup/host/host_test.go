package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/link"
)

// TestFrom takes each fact from where the kernel keeps it: the sysctl of the device for IPv4, that
// of all devices for IPv6, the larger rp_filter of the two.
func TestFrom(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"bridge/bridge-nf-call-iptables": "1", "ipv4/conf/all/rp_filter": "1", "ipv4/conf/eth0/rp_filter": "2",
		"ipv4/conf/virbr0/forwarding": "1", "ipv4/conf/eth0/forwarding": "0", "ipv6/conf/all/forwarding": "0",
		"ipv6/conf/eth0/force_forwarding": "1",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	subnet := netip.MustParsePrefix("192.168.122.1/24")
	facts := &link.Facts{
		Devices: []link.Device{
			{Index: 2, Name: "eth0", Up: true, MTU: 1400},
			{Index: 3, Name: "virbr0", Up: true, MTU: 1500, Bridge: &link.BridgeInfo{FiltersIPv6: true},
				Addresses: []link.Address{{Prefix: subnet}}},
			{Index: 4, Name: "vnet0", Master: 3},
		},
		Routes: []link.Route{
			{Dest: netip.MustParsePrefix("0.0.0.0/0"), Device: 2}, {Dest: subnet, Device: 3},
			{Dest: netip.MustParsePrefix("10.0.0.0/8"), Device: 9}, // of a device that went meanwhile
		},
	}
	want := &ir.Host{
		Bridged: ir.IPv4,
		Devices: []ir.HostDevice{
			{Name: "eth0", Up: true, MTU: 1400, RPFilter: 2, Forwards: ir.IPv6},
			{Name: "virbr0", Up: true, MTU: 1500, RPFilter: 1, Forwards: ir.IPv4, Bridged: ir.IPv6,
				Addresses: []netip.Prefix{subnet}},
			{Name: "vnet0", Master: "virbr0", RPFilter: 1},
		},
		Routes: []ir.HostRoute{
			{Dest: netip.MustParsePrefix("0.0.0.0/0"), Device: "eth0"}, {Dest: netip.MustParsePrefix("192.168.122.0/24"), Device: "virbr0"},
		},
	}
	got := From(facts, dir)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := got.Defaults(ir.IPv4); !cmp.Equal(got, []string{"eth0"}) {
		t.Errorf("default routes of IPv4 lead by %q, want eth0", got)
	}
	if !got.Filters("virbr0", ir.IPv6) || got.Filters("eth0", ir.IPv6) || !got.Filters("any", ir.IPv4) {
		t.Error("bridged packets: virbr0 alone filters those of IPv6, all bridges those of IPv4")
	}
}
