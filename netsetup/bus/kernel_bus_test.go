package bus

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// services plays firewalld and systemd-resolved, method by method as their manuals have them.
type services struct {
	zones    map[string]string // by link
	resolved []string
	domains  []domainOn // of link 7
}

func (s *services) GetZones() ([]string, *dbus.Error) {
	return []string{"public", zoneLibvirt, zoneRouted}, nil
}
func (s *services) GetPolicies() ([]string, *dbus.Error) { return []string{policyOut}, nil }
func (s *services) GetZoneOfInterface(link string) (string, *dbus.Error) {
	return s.zones[link], nil
}

func (s *services) ChangeZoneOfInterface(zone, link string) (string, *dbus.Error) {
	s.zones[link] = zone
	return zone, nil
}

func (s *services) RemoveInterface(zone, link string) (string, *dbus.Error) {
	if s.zones[link] != zone {
		return "", dbus.NewError(firewalldName+".Exception", []any{"UNKNOWN_INTERFACE"})
	}
	delete(s.zones, link)
	return zone, nil
}

func (s *services) SetLinkDNS(index int32, servers []struct {
	Family  int32
	Address []byte
}) *dbus.Error {
	s.resolved = append(s.resolved, fmt.Sprint("dns ", index, servers))
	return nil
}

func (s *services) SetLinkDomains(index int32, domains []struct {
	Name    string
	Routing bool
}) *dbus.Error {
	s.resolved = append(s.resolved, fmt.Sprint("domains ", index, domains))
	for _, d := range domains {
		s.domains = append(s.domains, domainOn(d))
	}
	return nil
}

func (s *services) GetLink(index int32) (dbus.ObjectPath, *dbus.Error) {
	return dbus.ObjectPath(fmt.Sprintf("%s/link/_3%d", resolvedPath, index)), nil
}

// Get is that of org.freedesktop.DBus.Properties.
func (s *services) Get(of, property string) (dbus.Variant, *dbus.Error) {
	if of != resolvedName+".Link" || property != "Domains" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return dbus.MakeVariant(append([]domainOn{}, s.domains...)), nil
}

// startBus runs a bus of the test's own, and the services named on it.
func startBus(t *testing.T, s *services, names ...string) *Bus {
	netnstest.Require(t, "dbus-daemon")
	address := "unix:path=" + filepath.Join(t.TempDir(), "bus")
	var out bytes.Buffer
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	daemon.Stderr = &out
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	conn, err := dbus.Connect(address)
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); conn,
		err = dbus.Connect(address) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("dbus-daemon: %v\n%s", err, &out)
	}
	t.Cleanup(func() { conn.Close() })
	lower := map[string]string{}
	for _, m := range []string{"GetZones", "GetPolicies", "GetZoneOfInterface", "ChangeZoneOfInterface",
		"RemoveInterface"} {
		lower[m] = strings.ToLower(m[:1]) + m[1:]
	}
	for path, interfaces := range map[dbus.ObjectPath][]string{
		firewalldPath: {firewalldName + ".zone", firewalldName + ".policy"}, resolvedPath: {resolvedName + ".Manager"},
	} {
		for _, i := range interfaces {
			if err := conn.ExportWithMap(s, lower, path, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := conn.Export(s, resolvedPath+"/link/_37", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestKernelZones(t *testing.T) {
	s := &services{zones: map[string]string{"virbr1": "public"}}
	b := startBus(t, s, firewalldName)
	if !b.Firewalld || b.Resolved {
		t.Fatalf("firewalld %t, systemd-resolved %t; want the first only", b.Firewalld, b.Resolved)
	}
	for _, tt := range []struct {
		name string
		link ir.Link
		want string
	}{
		{"nat", ir.Link{Mode: ir.ModeNAT}, "libvirt"},
		{"isolated", ir.Link{Mode: ir.ModeNone}, "libvirt"},
		{"route", ir.Link{Mode: ir.ModeRoute}, "libvirt-routed"},
		{"open", ir.Link{Mode: ir.ModeOpen}, ""},
		{"open with a zone", ir.Link{Mode: ir.ModeOpen, Bridge: ir.Bridge{Zone: "public"}}, "public"},
		{"a zone that is not there", ir.Link{Mode: ir.ModeNAT, Bridge: ir.Bridge{Zone: "attic"}},
			"error: no zone attic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := b.ZoneFor(&tt.link)
			if want, refused := strings.CutPrefix(tt.want, "error: "); refused {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			} else if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	steps := []SetZone{{b, "virbr0", "", zoneLibvirt}, {b, "virbr1", "public", zoneLibvirt}}
	for _, s := range steps {
		if err := s.Do(); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	if diff := cmp.Diff(map[string]string{"virbr0": zoneLibvirt, "virbr1": zoneLibvirt}, s.zones); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range slices.Backward(steps) {
		if err := s.Undo(); err != nil {
			t.Errorf("undo %s: %v", s, err)
		}
	}
	if diff := cmp.Diff(map[string]string{"virbr1": "public"}, s.zones); diff != "" {
		t.Errorf("after undoing (-want +got):\n%s", diff)
	}
}

func TestKernelRegister(t *testing.T) {
	s := &services{}
	b := startBus(t, s, resolvedName)
	r := Register{Bus: b, Index: func() (int, error) { return 7, nil }, Link: "virbr0", Domain: "lab.example",
		Server: netip.MustParseAddr("10.0.0.1")}
	if there, err := b.Registered(7, "lab.example"); there || err != nil {
		t.Errorf("registered before: %t, %v", there, err)
	}
	if err := r.Do(); err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]bool{"lab.example": true, "example": false} {
		if there, err := b.Registered(7, domain); there != want || err != nil {
			t.Errorf("%s is registered: %t, %v", domain, there, err)
		}
	}
	if diff := cmp.Diff([]string{"dns 7 [{2 [10 0 0 1]}]", "domains 7 [{lab.example true}]"}, s.resolved); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Bus = &Bus{}
	if err := r.Do(); err == nil || !strings.Contains(err.Error(), "systemd-resolved is not running") {
		t.Errorf("without the service: %v", err)
	}
}

// Without a bus there is no service, and that is no error.
func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "nothing"))
	b, err := Open()
	if err != nil || b.Firewalld || b.Resolved {
		t.Errorf("got %+v, %v", b, err)
	}
	if zone, err := b.ZoneFor(&ir.Link{Mode: ir.ModeNAT}); zone != "" || err != nil {
		t.Errorf("zone %q, %v", zone, err)
	}
	if _, err := b.ZoneFor(&ir.Link{Mode: ir.ModeNAT, Bridge: ir.Bridge{Zone: "public"}}); err == nil {
		t.Error("a zone without firewalld is no error")
	}
}
