package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// firewalld plays the service of that name on a host without libvirt's zones.
type firewalld struct{ zones []string }

func (f *firewalld) GetZones() ([]string, *dbus.Error)                       { return f.zones, nil }
func (f *firewalld) GetPolicies() ([]string, *dbus.Error)                    { return nil, nil }
func (f *firewalld) GetZoneOfInterface(string) (string, *dbus.Error)         { return "", nil }
func (f *firewalld) ChangeZoneOfInterface(z, _ string) (string, *dbus.Error) { return z, nil }

// start runs a bus of the test's own for vnetc to find, and the service on it.
func (f *firewalld) start(t *testing.T) {
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
	names := map[string]string{
		"GetZones": "getZones", "GetPolicies": "getPolicies", "GetZoneOfInterface": "getZoneOfInterface",
		"ChangeZoneOfInterface": "changeZoneOfInterface",
	}
	const name, path = "org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1"
	for _, i := range []string{".zone", ".policy"} {
		if err := conn.ExportWithMap(f, names, path, name+i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
}

// TestKernelReloadZone runs what systemctl reload of vnetc@lab runs, on a host whose firewalld
// lacks libvirt's zones: a network comes up and changes, and says what is missing. A new network
// whose own zone is missing is refused; one that runs is changed.
func TestKernelReloadZone(t *testing.T) {
	unit, err := os.ReadFile("../../netsetup/systemd/vnetc@.service")
	if err != nil {
		t.Fatal(err)
	}
	reload := regexp.MustCompile(`(?m)^ExecReload=/usr/bin/vnetc (.+)$`).FindStringSubmatch(string(unit))
	if reload == nil {
		t.Fatal("the unit has no ExecReload that runs vnetc")
	}
	g := newGround(t)
	lab := func(subnet, zone string) []string {
		file := g.file("lab", "<network><name>lab</name><forward mode='nat'/><bridge name='vb0'"+zone+"/><ip address='"+
			subnet+".1' prefix='24'/></network>")
		return strings.Fields(strings.ReplaceAll(reload[1], "/etc/vnetc/networks/%i.xml", file))
	}
	g.vnetc(0, lab("10.20.0", "")...)
	service := &firewalld{zones: []string{"public"}}
	service.start(t)
	missing := `firewalld has no zone libvirt.*<bridge zone=`
	g.wants(g.vnetc(0, lab("10.20.1", "")...), `lab: note: .*`+missing, `(?m)^lab is up`, "add address 10.20.1.1/24")
	g.wants(g.ns.Exec("nft", "list", "ruleset"), `10\.20\.1\.0`)
	g.wants(g.vnetc(1, "status", "lab"), `(?m)^fault .*`+missing)
	g.wants(g.vnetc(0, lab("10.20.1", " zone='attic'")...), `lab: note: .*no zone attic`, `lab is up`)

	g.vnetc(0, "down", "lab")
	g.wants(g.vnetc(3, lab("10.20.1", " zone='attic'")...), `lab is not up: .*no zone attic`)
	if out, err := g.ns.Command("ip", "link", "show", "vb0").CombinedOutput(); err == nil {
		t.Errorf("a network that is refused has a bridge:\n%s", out)
	}
	g.wants(g.vnetc(0, lab("10.20.1", "")...), `lab: note: .*`+missing, `(?m)^lab is up`)
	g.vnetc(0, "down", "lab")
	service.zones = append(service.zones, "libvirt")
	g.wants(g.vnetc(0, lab("10.20.1", "")...), `put vb0 into zone libvirt`)
}
