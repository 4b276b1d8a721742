// Package systemd holds the units that bring networks up at boot.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// systemd-analyze reads the unit as systemd would. vnetc need not be installed where tests run, so
// another program stands in.
func TestKernelUnits(t *testing.T) {
	netnstest.Require(t, "systemd-analyze")
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(text string) string {
			path := filepath.Join(t.TempDir(), strings.Replace(unit, "@", "@lab", 1))
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/bin/vnetc", self)), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
			if err != nil {
				return string(out) + err.Error()
			}
			return string(out)
		}
		if out := verify(string(text)); out != "" {
			t.Errorf("%s:\n%s", unit, out)
		}
		if out := verify(strings.Replace(string(text), "Type=oneshot", "Type=oneshoot", 1)); out == "" {
			t.Errorf("%s: systemd-analyze finds nothing wrong with a type that does not exist", unit)
		}
	}
}

// TestKernelExposure: by systemd's own count, a unit has no more ways to the host than it had.
func TestKernelExposure(t *testing.T) {
	netnstest.Require(t, "systemd-analyze")
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	most := map[string]string{"vnetc@.service": "48", "vnetc-order.service": "39"} // tenths
	judge := func(t *testing.T, unit, text string) (string, error) {
		path := filepath.Join(t.TempDir(), strings.Replace(unit, "@", "@lab", 1))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+most[unit],
			"--no-pager", path).CombinedOutput()
		return string(out), err
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := judge(t, unit, string(text)); err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
		// How much a single line weighs differs between versions of systemd; this is too much for
		// all.
		if out, err := judge(t, unit, strings.Replace(string(text), "CapabilityBoundingSet=", "#", 1)); err == nil {
			t.Errorf("%s: systemd-analyze finds nothing wrong with a unit that has all capabilities\n%s", unit, out)
		}
	}
}

// TestOrder: networks are before each daemon of libvirt that has guests or networks, and the order
// of rules is put right after each that makes rules.
func TestOrder(t *testing.T) {
	for _, daemon := range []string{"libvirtd.service", "virtqemud.service", "virtnetworkd.service"} {
		for unit, keys := range map[string][]string{"vnetc@.service": {"Before"},
			"vnetc-order.service": {"After", "WantedBy"}} {
			text, err := os.ReadFile(unit)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				found := false
				for line := range strings.Lines(string(text)) {
					value, is := strings.CutPrefix(line, key+"=")
					found = found || is && slices.Contains(strings.Fields(value), daemon)
				}
				if !found {
					t.Errorf("%s: no %s=%s", unit, key, daemon)
				}
			}
		}
	}
}
