package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/frontend/docpath"
)

// The documents that help promises, field by field.
type (
	upDocument struct {
		Networks []struct {
			Name, Bridge                   string
			Done                           bool
			Steps, Warnings, Notes, Errors []string
		}
		Rules *struct {
			Backend       string
			Changed, Kept int
			RemovedFrom   []string `json:"removed_from"`
			Steps         []string
		}
	}
	leasesDocument []struct {
		Network, Address, MAC, Host string
		Expires                     *time.Time
		ClientID                    string `json:"client_id"`
	}
	statusDocument struct {
		InStep   bool `json:"in_step"`
		Networks []struct {
			Name, Mode, Bridge, File string
			Applied                  time.Time
			Up                       bool
			Firewall                 *struct {
				Backend, Layout, Names string
				Strict                 bool `json:"strict_isolation"`
				InStep                 bool `json:"in_step"`
				Traffic                any
			}
			Host *struct {
				Bridge    string
				Exists    bool
				LinkUp    bool `json:"link_up"`
				Devices   []any
				Addresses []string
				Ports     []string
				DHCP      []struct {
					From, To string
					InUse    int `json:"in_use"`
				}
				DNSMasq                   string
				PID                       int `json:"dnsmasq_pid"`
				Lacks                     []any
				Missing, Faults, Overlaps []string
			}
		}
		Together any
	}
)

// decode reads one document that has no other fields.
func decode[T any](t *testing.T, text string) (doc T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil || d.More() {
		t.Errorf("%v, or more than one document:\n%s", err, text)
	}
	return doc
}

// said is what vnetc writes to stdout, as a program that reads it gets it.
func (g *ground) said(want int, args ...string) string {
	g.host.t.Helper()
	var out, errs strings.Builder
	code := 0
	g.ns.Do(func() {
		code = run(streams{in: strings.NewReader(""), out: &out, err: &errs},
			append(args, "--format", "json", "--state-dir", g.state))
	})
	if code != want {
		g.host.t.Errorf("vnetc %v: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
	}
	return out.String()
}

// full is a stdout without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, unix.ENOSPC }

// TestKernelUpFull: up and down whose results can't be written have done their work, and don't call
// it done.
func TestKernelUpFull(t *testing.T) {
	g := newGround(t)
	for _, args := range [][]string{{"up", "default"}, {"status"}, {"down", "default"},
		{"up", "default", "--format", "json"}, {"down", "--all", "--format", "json"}} {
		var code int
		var errs strings.Builder
		g.ns.Do(func() {
			code = run(streams{in: strings.NewReader(""), out: full{}, err: &errs},
				append(args, "--state-dir", g.host.state))
		})
		if code != 3 || strings.Count(errs.String(), unix.ENOSPC.Error()) != 1 {
			t.Errorf("%v: exit code %d, want 3\n%s", args, code, &errs)
		}
	}
	g.wants(g.vnetc(0, "status"), "^no network is in force")
}

// TestKernelUpJSON follows the network that is built in from up to down, as a program does.
func TestKernelUpJSON(t *testing.T) {
	g := newGround(t)
	for i, tt := range []struct {
		args          []string
		code          int
		done, changed bool
		steps         bool
	}{
		{[]string{"up", "default", "--dry-run"}, 1, false, false, true},
		{[]string{"up", "default"}, 0, true, true, true},
		{[]string{"up", "default"}, 0, true, false, false},
		{[]string{"up", "default", "--dry-run"}, 0, true, false, false},
	} {
		text := g.said(tt.code, tt.args...)
		doc := decode[upDocument](t, text)
		if len(doc.Networks) != 1 || doc.Networks[0].Name != "default" || doc.Networks[0].Bridge != "virbr0" ||
			doc.Networks[0].Done != tt.done ||
			(len(doc.Networks[0].Steps) > 0) != tt.steps || doc.Rules != nil && (doc.Rules.Changed > 0) != tt.changed ||
			strings.Contains(text, "null") {
			t.Errorf("%d: %v says:\n%s", i, tt.args, text)
		}
	}
	lab := networks + "isolated.xml"
	if first, second := g.said(1, "up", lab, "--dry-run"), g.said(1, "up", lab, "--dry-run"); first != second {
		t.Errorf("the same is planned in two ways:\n%s\n%s", first, second)
	}
	if first, second := g.said(0, "up", "default"), g.said(0, "up", "default"); first != second {
		t.Errorf("the same is said in two ways:\n%s\n%s", first, second)
	}
	if got := g.said(0, "leases"); got != "[]\n" {
		t.Errorf("no leases are %q", got)
	}
	a := g.join("a", "virbr0")
	g.lease([]*guest{a})
	leases := decode[leasesDocument](t, g.said(0, "leases", "default"))
	if len(leases) != 1 || leases[0].Network != "default" || leases[0].Address != a.addr() ||
		leases[0].MAC != a.mac() || leases[0].Host != "a" || leases[0].Expires == nil {
		t.Errorf("leases: %+v", leases)
	}
	status := decode[statusDocument](t, g.said(0, "status"))
	if n := status.Networks[0]; !status.InStep || n.Mode != "nat" || !n.Up || n.Host == nil || !n.Host.LinkUp ||
		n.Host.DNSMasq != "running" || n.Host.PID == 0 ||
		n.Host.Addresses[0] != "192.168.122.1/24" || n.Host.DHCP[0].InUse != 1 || len(n.Host.Ports) != 1 ||
		len(n.Host.Missing) > 0 {
		t.Errorf("status: %+v", status)
	}
	g.ns.Exec("ip", "addr", "del", "192.168.122.1/24", "dev", "virbr0")
	if status := decode[statusDocument](t, g.said(1, "status")); status.InStep ||
		len(status.Networks[0].Host.Missing) != 1 {
		t.Errorf("status of a bridge that lost its address: %+v", status)
	}
	g.ns.Exec("sh", "-ec", "echo torn >> "+g.host.state+"/dnsmasq/default.leases")
	if status := decode[statusDocument](t, g.said(3, "status")); status.Networks[0].Host == nil ||
		status.Networks[0].Host.DNSMasq != "running" || status.Networks[0].Host.DHCP[0].InUse != 1 {
		t.Errorf("status with a torn lease: %+v", status)
	}
	if leases := decode[leasesDocument](t, g.said(3, "leases")); len(leases) != 1 {
		t.Errorf("leases with a torn one: %+v", leases)
	}
	wrong := g.file("wrong",
		"<network><name>wrong</name><bridge name='eth0'/><ip address='192.168.122.9' prefix='24'/></network>")
	if got := g.said(1, "up", wrong); got != "" {
		t.Errorf("with an error in the input there is half a document: %s", got)
	}
	g.ns.Exec("ip", "link", "add", "taken0", "type", "bridge")
	taken := g.file("taken",
		"<network><name>taken</name><bridge name='taken0'/><ip address='10.83.1.1' prefix='24'/></network>")
	if doc := decode[upDocument](t, g.said(3, "up", taken)); doc.Networks[0].Done || len(doc.Networks[0].Errors) == 0 {
		t.Errorf("a bridge that is another's: %+v", doc)
	}
	open := g.file("default", strings.Replace(string(docpath.DefaultNetwork()), "mode='nat'", "mode='open'", 1))
	for i, want := range [][]string{{"nftables"}, {}} {
		if doc := decode[upDocument](t, g.said(0, "up", open)); doc.Rules == nil ||
			!slices.Equal(doc.Rules.RemovedFrom, want) {
			t.Errorf("%d: from nat to open, rules %+v; want them removed from %v", i, doc.Rules, want)
		}
	}
	for i, want := range []struct {
		code int
		done bool
	}{{1, false}, {0, true}} {
		args := append([]string{"down", "default"}, []string{"--dry-run"}[:1-i]...)
		if doc := decode[upDocument](t, g.said(want.code, args...)); len(doc.Networks) != 1 ||
			doc.Networks[0].Done != want.done || len(doc.Networks[0].Steps) == 0 {
			t.Errorf("%v says %+v", args, doc)
		}
	}
}
