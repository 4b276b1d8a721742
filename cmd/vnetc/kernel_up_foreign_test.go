package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelUpForeign has a device of others where the bridge is to be: up refuses and says why,
// and nothing that vnetc does changes the device, not even with notes by which the network is up.
func TestKernelUpForeign(t *testing.T) {
	for name, add := range map[string]string{
		"bridge": "ip link add victim0 type bridge",
		"veth":   "ip link add victim0 type veth peer name far0 address 52:54:00:66:00:04",
		"tap":    "ip tuntap add victim0 mode tap",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			a, b := g.file("a", victim(false)), g.file("b", bystander)
			foreign := func() {
				g.ns.Exec("sh", "-ec",
					add+"; ip link set victim0 address 52:54:00:66:00:03; ip addr add 192.0.2.1/24 dev victim0; ip link set victim0 up; ip link set victim0 alias theirs")
			}
			foreign()
			before := g.still()
			refused := []string{`victim0 is there already: .*192\.0\.2\.1/24`, `(?m)^  why: .*victim`,
				`(?m)^  fix: .*victim0`}
			g.wants(g.vnetc(3, "up", "--layout", "chains", a), refused...)
			g.wantStill(before, "up")
			g.vnetc(2, "down", "victim")
			g.vnetc(0, "down", "--all")
			g.wantStill(before, "down")

			g.ns.Exec("ip", "link", "del", "victim0")
			g.vnetc(0, "up", "--layout", "chains", a)
			g.ns.Exec("ip", "link", "del", "victim0")
			foreign()
			device := func() string {
				return moving.ReplaceAllString(g.ns.Exec("sh", "-ec", "ip -d link show victim0; ip addr show victim0"),
					"")
			}
			theirs := device()
			out := g.vnetc(3, "up", "--layout", "chains", a, b)
			g.wants(out, append(refused, `bystander is up`)...)
			g.wants(g.vnetc(1, "status"), `victim +in part`) // its dnsmasq is bound to the bridge that is gone
			if now := strings.TrimSpace(g.ns.Exec("cat", "/proc/sys/net/ipv6/conf/all/forwarding")); now != "1" {
				t.Errorf("IPv6 forwarding, which the refused network needs as it was, is %s", now)
			}
			if diff := diffLines(theirs, device()); diff != "" {
				t.Errorf("up changed the device:\n%s", diff)
			}
			g.vnetc(0, "down", "--all")
			g.wantStill(before, "down with notes of a bridge that was")
		})
	}
}

// TestKernelUpLostState has the state folder go while networks run: they are taken over by up, and
// taken away by down. What forwarding was is known no more.
func TestKernelUpLostState(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a, b := g.file("a", victim(false)), g.file("b", bystander)
	up := []string{"up", "--layout", "chains", a, b}
	before := g.still()
	g.vnetc(0, up...)
	running := g.still()
	g.ns.Exec("sh", "-ec", "echo torn > "+g.state+"/networks/bystander.json")
	for _, args := range [][]string{{"apply", "--prune", a}, {"up", a}} {
		g.wants(g.vnetc(3, args...), `bystander.json is damaged`,
			`found bridges of vnetc networks that have no state file in .*: "bystander"`)
	}
	lose := func() { g.ns.Exec("sh", "-ec", "rm -rf "+g.state+"/*") }
	lose()
	for _, args := range [][]string{{"up", a}, {"down", "victim"}, {"apply", a}, {"remove", "--all"}} {
		g.wants(g.vnetc(3, args...), `found bridges of vnetc networks that have no state file in .*: "bystander"`,
			`(?m)^  why: `, `(?m)^  fix: `)
	}
	g.vnetc(0, up...)
	if diff := forwardingNotes.ReplaceAllString(diffLines(running, g.still()), ""); diff != "" {
		t.Errorf("taken over by up:\n%s", diff)
	}
	g.wants(g.vnetc(0, append(up, "--dry-run")...), `victim is up: nothing to change`,
		`bystander is up: nothing to change`)
	lose()
	g.vnetc(0, "down", "victim", "bystander", "victim")
	diff := diffLines(before, g.still())
	if wrong := regexp.MustCompile(`(?m)^[+-] /proc/sys/net/ipv[46]/.*forwarding?:[01]\n|^[+-] /proc/sys/net/ipv4/ip_forward:[01]\n|^[+-] /proc/sys/net/ipv4/conf/.*\n`).ReplaceAllString(diff, ""); wrong != "" {
		t.Errorf("taken away by down:\n%s", wrong)
	}
}

// forwardingNotes are lines of a difference about what forwarding was.
var forwardingNotes = regexp.MustCompile(`(?m)^[+-] .*sysctls\.json.*\n`)

// TestKernelUpOtherBoot has a state folder that outlived a boot: what it says counts for nothing,
// and leases stay.
func TestKernelUpOtherBoot(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := g.file("a", victim(false))
	before := g.still()
	g.vnetc(0, "up", "--layout", "chains", a)
	kept := t.TempDir()
	g.ns.Exec("cp", "-a", g.state+"/.", kept)
	g.vnetc(0, "down", "--all")
	restore := func() {
		g.ns.Exec("cp", "-a", kept+"/.", g.state)
		g.ns.Exec("sh", "-ec", `sed -i 's/"boot": "[^"]*"/"boot": "another"/' `+g.state+"/*.json "+g.state+
			"/networks/*.json")
	}
	restore()
	g.Sysctl("ipv4/ip_forward", "1") // an administrator's, in this boot
	g.wants(g.vnetc(0, "up", "--layout", "chains", a), `victim is up`)
	g.wants(g.vnetc(0, "status"), `victim +yes`)
	g.vnetc(0, "down", "--all")
	if now := strings.TrimSpace(g.ns.Exec("cat", "/proc/sys/net/ipv4/ip_forward")); now != "1" {
		t.Errorf("forwarding was 1 before the network, and is %s", now)
	}
	g.Sysctl("ipv4/ip_forward", "0")
	g.wantStill(before, "up and down")
}

// TestKernelUpAtOnce: eight of the same up at once end well, and as one would.
func TestKernelUpAtOnce(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a, b := g.file("a", victim(false)), g.file("b", bystander)
	g.vnetc(0, "up", "--layout", "chains", a, b)
	want := g.still()
	g.vnetc(0, "down", "--all")
	for _, n := range []int{2, 8} {
		var running []*exec.Cmd
		for range n {
			running = append(running, g.process("up", "--layout", "chains", a, b))
		}
		for _, cmd := range running {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %v\n%s", cmd.Args, err, cmd.Stderr)
			}
		}
		g.wantStill(want, "at once")
		if servers := g.servers(); len(servers) != 1 {
			t.Errorf("%d dnsmasq run, want 1", len(servers))
		}
		g.vnetc(0, "down", "--all")
	}
}

// TestKernelUpMends: what somebody takes from a network that is up, status tells and up brings
// back. The bridge keeps its MAC.
func TestKernelUpMends(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := g.file("a", strings.Replace(victim(false), "<mac address='52:54:00:66:00:01'/>", "", 1))
	up := []string{"up", "--layout", "chains", a}
	g.vnetc(0, up...)
	want := g.still()
	for _, c := range []struct {
		damage, status string
		code           int
	}{
		{"nft flush ruleset", `victim +yes .* drifted`, 1},
		{"p=$(cat " + g.state + "/dnsmasq/victim.pid); kill -9 $p; while [ -d /proc/$p ]; do sleep 0.01; done",
			`victim +in part`, 1},
		{"kill -STOP $(cat " + g.state + "/dnsmasq/victim.pid)", `victim +in part`, 1},
		{"ip link set victim0 down", `victim +in part`, 1},
		{"ip link del victim0", `victim +in part`, 1}, // dnsmasq is bound to it
		{"ip addr flush dev victim0", `victim +in part`, 1},
		{"echo 0 >/proc/sys/net/ipv4/ip_forward", `victim +in part`, 1},
		{"echo 0 >/proc/sys/net/ipv4/conf/victim0/forwarding", `victim +in part`, 1},
		{"echo 0 >/proc/sys/net/ipv4/conf/victim0/arp_ignore", `victim +in part`, 1},
		{"rm " + g.state + "/dnsmasq/victim.conf", `victim +in part`, 1},
		{"rm " + g.state + "/dnsmasq/victim.pid", `victim +in part`, 1},
	} {
		g.ns.Exec("sh", "-ec", c.damage)
		if status := g.vnetc(c.code, "status"); !regexp.MustCompile(c.status).MatchString(status) {
			t.Errorf("%s: status says\n%s", c.damage, status)
		}
		g.vnetc(1, append(up, "--dry-run")...)
		g.vnetc(0, up...)
		g.wantStill(want, "mended after "+c.damage)
		g.vnetc(0, append(up, "--dry-run")...)
		g.wants(g.ns.Exec("busybox", "nslookup", "-type=a", "gate.victim.test", "10.66.1.1"), `Address: 10\.66\.1\.8`)
	}
}

// TestKernelUpStateDir: one folder by two spellings is one; one that can't be written is named, and
// nothing is left of what didn't fit into it.
func TestKernelUpStateDir(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := g.file("a", victim(false))
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(dir, g.state)
	if err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(g.state, linked); err != nil {
		t.Fatal(err)
	}
	real := g.state
	g.state = relative
	g.vnetc(0, "up", "--layout", "chains", a)
	g.state = linked
	g.wants(g.vnetc(0, "up", "--layout", "chains", a), `nothing to change`)
	g.state = relative
	g.wants(g.vnetc(0, "status"), `victim +yes`)
	g.vnetc(0, "leases", "victim")
	g.state = linked
	g.vnetc(0, "down", "victim")
	g.state = real
	before := g.still()
	if len(g.servers()) > 0 {
		t.Error("dnsmasq runs")
	}

	g.ns.Exec("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs",
		g.state) // the lock, the notes, and no room for dnsmasq's files
	process := func(want int, args ...string) string {
		t.Helper()
		cmd := g.process(args...)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: exit code %d, want %d\n%s", args, code, want, cmd.Stderr)
		}
		return cmd.Stderr.(*strings.Builder).String()
	}
	g.wants(process(3, "up", "--layout", "chains", a), `no space left on device`)
	if left := g.ns.Exec("sh", "-c", "find "+g.state+" -type f -not -name lock"); left != "" {
		t.Errorf("left in a full folder: %s", left)
	}
	g.ns.Exec("umount", g.state)
	g.wantStill(before, "a full folder")
}

// TestKernelUpFullDisk changes a running network while its state folder has less and less room
// missing: until the change fits, the network runs as before, by the same dnsmasq unless that was
// to be another already.
func TestKernelUpFullDisk(t *testing.T) {
	netnstest.Require(t, "mount", "dd")
	t.Parallel()
	g := newGround(t)
	a, other := g.file("a", victim(false)), g.file("other", victim(true))
	g.ns.Exec("mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", g.state)
	vnetc := func(args ...string) (int, string) {
		cmd := g.process(append(args, "--layout", "chains")...)
		cmd.Wait()
		return cmd.ProcessState.ExitCode(), cmd.Stderr.(*strings.Builder).String()
	}
	if code, said := vnetc("up", a); code != 0 {
		t.Fatalf("up: %d\n%s", code, said)
	}
	filled := g.state + "/full"
	g.ns.Exec("sh", "-c", "dd if=/dev/zero of="+filled+" bs=4k 2>/dev/null; true")
	before, failures := g.still(), 0
	for {
		code, said := vnetc("up", other)
		if code == 0 {
			break
		}
		failures++
		if code != 3 || !strings.Contains(said, "no space left on device") {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
		g.wantStill(before, fmt.Sprintf("a disk with %d blocks", failures-1))
		if code, said := vnetc("up", "--dry-run", a); code != 0 {
			t.Fatalf("up --dry-run as before: %d\n%s", code, said)
		}
		g.ns.Exec("truncate", "-s", "-4096", filled)
	}
	if failures < 3 {
		t.Errorf("%d failures for want of room", failures)
	}
	t.Logf("%d failures", failures)
	g.ns.Exec("rm", filled)
	if code, said := vnetc("down", "victim", "--dry-run"); code != 1 {
		t.Errorf("down --dry-run: %d\n%s", code, said)
	}
	g.process("down", "--all").Wait()
	g.ns.Exec("umount", g.state)
}
