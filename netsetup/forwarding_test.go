package netsetup

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

// TestWatchers: the limit on watchers of files rises with the networks whose dnsmasq has one, is
// left alone while it will do, and comes back to what it was with the last of them, unless it was
// set by others.
func TestWatchers(t *testing.T) {
	f := testForwarding(t, "1")
	if err := os.MkdirAll(filepath.Dir(f.path(inotifyInstances)), 0o755); err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		t.Helper()
		if err := os.WriteFile(f.path(inotifyInstances), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(when, want string) {
		t.Helper()
		if got, _ := f.read(inotifyInstances); got != want {
			t.Errorf("%s: the limit is %s, want %s", when, got, want)
		}
	}
	hold := func(networks int, missing ...string) {
		t.Helper()
		f.Watchers = networks
		if diff := cmp.Diff(missing, f.Missing([]string{inotifyInstances})); diff != "" {
			t.Errorf("a dry run with %d networks (-want +got):\n%s", networks, diff)
		}
		if err := f.hold([]string{inotifyInstances}); err != nil {
			t.Fatal(err)
		}
	}
	says := func(n int) string {
		return fmt.Sprintf("set fs.inotify.max_user_instances to %d, until no network needs it", n)
	}
	set("128")
	hold(64)
	wants("64 networks", "128")
	hold(65, says(256))
	wants("65 networks", "256")
	hold(120)
	hold(500, says(1024))
	wants("500 networks", "1024")
	f.Others = []string{inotifyInstances}
	if err := f.release(nil); err != nil {
		t.Fatal(err)
	}
	wants("while others need it", "1024")
	f.Others = nil
	if err := f.release(nil); err != nil {
		t.Fatal(err)
	}
	wants("without networks", "128")

	hold(100, says(256))
	set("4096")
	hold(5000, says(8192))
	if err := f.release(nil); err != nil {
		t.Fatal(err)
	}
	wants("raised by others meanwhile", "4096")

	// A limit that can't be raised keeps no network down: it may do all the same.
	if err := os.Remove(f.path(inotifyInstances)); err != nil {
		t.Fatal(err)
	}
	hold(5000)
	if notes, err := f.Dir.Sysctls(); err != nil || len(notes) > 0 {
		t.Errorf("notes %v, %v", notes, err)
	}
}

// TestWatches: networks that ask the host's name servers have a watcher, and no others.
func TestWatches(t *testing.T) {
	with := func(mode ir.Mode, dns ir.DNS) *ir.Link {
		return &ir.Link{Name: "lab", Mode: mode, DNS: dns,
			Addresses: []ir.Address{{Prefix: netip.MustParsePrefix("10.1.0.1/24")}}}
	}
	server := netip.MustParseAddr("192.0.2.53")
	for _, tt := range []struct {
		name string
		link *ir.Link
		want bool
	}{
		{"nat", with(ir.ModeNAT, ir.DNS{}), true},
		{"isolated", with(ir.ModeNone, ir.DNS{}), false},
		{"no DNS", with(ir.ModeNAT, ir.DNS{Off: true}), false},
		{"a server for all", with(ir.ModeNAT, ir.DNS{Forwarders: []ir.Forwarder{{Addr: server}}}), false},
		{"a server for a domain", with(ir.ModeNAT, ir.DNS{Forwarders: []ir.Forwarder{{Addr: server,
			Domain: "corp.example"}}}), true},
		{"no address", &ir.Link{Name: "lab", Mode: ir.ModeNAT}, false},
	} {
		if got := slices.Contains(ForwardingOf(tt.link), inotifyInstances); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestForwardingOfPolicies: an isolated network needs what policies let through, in each family for
// which it has an address, and nothing else.
func TestForwardingOfPolicies(t *testing.T) {
	both := []ir.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}, {Prefix: netip.MustParsePrefix("fd00::1/64")}}
	for _, tt := range []struct {
		link *ir.Link
		want []string
	}{
		{&ir.Link{Mode: ir.ModeNone, Addresses: both}, nil},
		{&ir.Link{Mode: ir.ModeNone, Addresses: both, Forwards4: true}, []string{forwardIPv4}},
		{&ir.Link{Mode: ir.ModeNone, Addresses: both, Forwards6: true}, []string{forwardIPv6}},
		{&ir.Link{Mode: ir.ModeNone, Addresses: both[:1], Forwards6: true}, nil},
		{&ir.Link{Mode: ir.ModeNAT, Addresses: both}, []string{forwardIPv4, forwardIPv6}},
	} {
		if got := forwardingOf(tt.link); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.link, got, tt.want)
		}
	}
}
