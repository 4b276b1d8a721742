package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// withDHCP is a NAT network on bridge vb with a number, and with more in it.
func withDHCP(name string, number int, inside string) string {
	return fmt.Sprintf(`<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>%s</name><forward mode='nat'/><bridge name='vb%d'/>
<ip address='10.31.%[2]d.1' prefix='24'><dhcp><range start='10.31.%[2]d.100' end='10.31.%[2]d.120'/></dhcp></ip>%s</network>`, name, number, inside)
}

// pid returns the process of a network's dnsmasq.
func (g *ground) pid(name string) int {
	g.host.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.state, "dnsmasq", name+".pid"))
	if err != nil {
		g.host.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		g.host.t.Fatal(err)
	}
	return pid
}

// TestKernelUpDnsmasqDeaf: status tells a dnsmasq that serves nobody, and up restarts it: ended,
// stopped, or bound to a bridge that is gone. Guests get addresses again.
func TestKernelUpDnsmasqDeaf(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	lab := g.file("lab", withDHCP("lab", 1, ""))
	g.vnetc(0, "up", lab)
	g.wants(g.vnetc(0, "status", "lab"), `dnsmasq +running`)
	for i, c := range []struct{ damage, told string }{
		{"p=%d; kill -9 $p; while [ -d /proc/$p ]; do sleep 0.01; done", `dnsmasq +stopped`},
		{"kill -STOP %d", `dnsmasq +not serving`},
		{": %d; ip link del vb1", `dnsmasq +not serving`},
	} {
		g.ns.Exec("sh", "-ec", fmt.Sprintf(c.damage, g.pid("lab")))
		g.wants(g.vnetc(1, "status", "lab"), c.told)
		g.vnetc(1, "status", "--format", "json")
		g.wants(g.vnetc(1, "up", "--dry-run", lab), `start dnsmasq`) // or restart
		g.vnetc(0, "up", lab)
		g.wants(g.vnetc(0, "status", "lab"), `dnsmasq +running`)
		if servers := g.servers(); len(servers) != 1 {
			t.Errorf("%s: %d dnsmasq run", c.damage, len(servers))
		}
		g.lease([]*guest{g.join(fmt.Sprintf("g%d", i), "vb1")})
	}
	// Nobody can ask a server of DHCP alone; that it is stopped shows all the same.
	quiet := g.file("quiet", withDHCP("quiet", 2, "<dns enable='no'/>"))
	g.vnetc(0, "up", quiet)
	g.wants(g.vnetc(0, "status", "quiet"), `dnsmasq +running`)
	g.ns.Exec("kill", "-STOP", strconv.Itoa(g.pid("quiet")))
	g.wants(g.vnetc(1, "status", "quiet"), `dnsmasq +not serving`, `restart dnsmasq .* which is stopped`)
	g.vnetc(0, "up", quiet)
	g.vnetc(0, "status")
}

// TestKernelUpDnsmasqImpostor: a process of dnsmasq's user with its name and arguments does not
// keep the real one from being started, and does not make status say that it runs.
func TestKernelUpDnsmasqImpostor(t *testing.T) {
	netnstest.Require(t, "setpriv")
	t.Parallel()
	g := newGround(t)
	lab := g.file("lab", withDHCP("lab", 1, ""))
	g.vnetc(0, "up", lab)
	pid := g.pid("lab")
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d", pid), &st); err != nil {
		t.Fatal(err)
	}
	if st.Uid == 0 {
		t.Skip("a user namespace without other users")
	}
	words := strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
	command := append([]string{"--no-new-privs", "--reuid", strconv.Itoa(int(st.Uid)), "--regid",
		strconv.Itoa(int(st.Gid)), "--clear-groups",
		"bash", "-c", `exec -a dnsmasq sh -c 'read x' "$@"`, "bash"}, append([]string{"sh"}, words[1:]...)...)
	cmd := g.ns.Command("setpriv", command...)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	for end := time.Now().Add(10 * time.Second); len(g.servers()) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the impostor doesn't run")
		}
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); unix.Kill(pid, 0) == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := os.WriteFile(filepath.Join(g.state, "dnsmasq", "lab.pid"), fmt.Appendf(nil, "%d\n", cmd.Process.Pid),
		0o644); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range [][]string{nil, unitPrivileges(t)} {
		out, code := g.as(prefix, "status", "lab")
		if code != 1 || !regexp.MustCompile(`dnsmasq +stopped`).MatchString(out) {
			t.Errorf("as %v: exit code %d\n%s", prefix, code, out)
		}
	}
	if out, code := g.as(unitPrivileges(t), "up", lab); code != 0 {
		t.Errorf("up: exit code %d\n%s", code, out)
	}
	g.wants(g.vnetc(0, "status", "lab"), `dnsmasq +running`)
	g.lease([]*guest{g.join("g1", "vb1")})
	if err := unix.Kill(cmd.Process.Pid, 0); err != nil {
		t.Errorf("the impostor, who is none of ours, was ended: %v", err)
	}
}

// unitPrivileges is the command that gives what it runs the capabilities of the unit and no others.
func unitPrivileges(t *testing.T) []string {
	t.Helper()
	unit, err := os.ReadFile("../../netsetup/systemd/vnetc@.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("the unit has no CapabilityBoundingSet")
	}
	set := "-all"
	for c := range strings.FieldsSeq(strings.ToLower(string(m[1]))) {
		set += ",+" + strings.TrimPrefix(c, "cap_")
	}
	return []string{"setpriv", "--no-new-privs", "--bounding-set", set, "--inh-caps", set}
}

// as runs vnetc as a process of its own behind another command.
func (g *ground) as(prefix []string, args ...string) (string, int) {
	g.host.t.Helper()
	all := append(append(append([]string{}, prefix...), "vnetc"), append(args, "--state-dir", g.state)...)
	cmd := g.ns.Command(all[0], all[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		g.host.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestKernelUpUnitPrivileges: networks with DHCP come up one after the other with just what the
// unit has, are known again, change and go.
func TestKernelUpUnitPrivileges(t *testing.T) {
	netnstest.Require(t, "setpriv")
	t.Parallel()
	g := newGround(t)
	one, two := g.file("one", withDHCP("one", 1, "")), g.file("two", withDHCP("two", 2, ""))
	do := func(want int, pattern string, args ...string) {
		t.Helper()
		out, code := g.as(unitPrivileges(t), args...)
		if code != want || !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("%v: exit code %d, want %d and %s\n%s", args, code, want, pattern, out)
		}
	}
	do(0, "one is up", "up", one)
	do(0, "two is up", "up", two)
	do(0, "nothing to change", "up", one)
	do(0, "nothing to change", "up", two)
	do(0, "dnsmasq +running", "status", "one")
	g.lease([]*guest{g.join("g1", "vb1"), g.join("g2", "vb2")})
	g.file("two", withDHCP("two", 2, "<domain name='two.test'/>"))
	do(0, "restart dnsmasq", "up", "--format", "json", two)
	g.ns.Exec("kill", "-STOP", strconv.Itoa(g.pid("one")))
	do(1, "not serving", "status", "one")
	do(0, "one is up", "up", one)
	do(0, "one is down", "down", "one", "two")
	if servers := g.servers(); len(servers) > 0 {
		t.Errorf("%d dnsmasq run after down", len(servers))
	}
}

// TestKernelUpPermission: what a network in force was allowed stays allowed to it, and is asked for
// again when it is given again.
func TestKernelUpPermission(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	lab := g.file("lab", withDHCP("lab", 1,
		"<d:options><d:option value='interface-name=gate.lab.test,vb1'/></d:options>"))
	other := g.file("other", withDHCP("other", 2, ""))
	list := g.file("list", "lab interface-name\n")
	if err := os.Chmod(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"up", lab}, {"up", "--dry-run", lab}, {"apply", lab}, {"audit", lab},
		{"up", "--lax", lab}} {
		g.wants(g.vnetc(1, args...), `lab\.xml:2:\d+: error: .*interface-name`)
	}
	g.vnetc(0, "up", "--dnsmasq-options-file", list, lab)
	g.vnetc(0, "up", other)
	g.vnetc(0, "status")
	g.vnetc(0, "audit")
	g.vnetc(1, "up", lab)
	g.vnetc(0, "up", "--allow-dnsmasq-options", lab)
	if out := g.ns.Exec("busybox", "nslookup", "-type=a", "gate.lab.test", "10.31.1.1"); !strings.Contains(out,
		"10.31.1.1") {
		t.Errorf("what was allowed is not there:\n%s", out)
	}
	if err := os.Chmod(list, 0o666); err != nil {
		t.Fatal(err)
	}
	g.wants(g.vnetc(1, "up", "--dnsmasq-options-file", list, lab), `list\.xml.*chmod go-w`, `interface-name`)
	g.wants(g.vnetc(3, "up", "--allow-dnsmasq-options", g.file("stuck",
		withDHCP("stuck", 3, "<d:options><d:option value='no-daemon'/></d:options>"))), `no-daemon`)
}

// TestKernelUpChecksum: a client that looks at checksums, and knows nothing of network cards that
// fill them in, takes DHCP's answer.
func TestKernelUpChecksum(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"nftables", "iptables"} {
		t.Run(backend, func(t *testing.T) {
			g := newGround(t)
			lab := g.file("lab", withDHCP("lab", 1, ""))
			said := g.vnetc(0, "up", "--backend", backend, lab)
			if backend == "iptables" && strings.Contains(said, "CHECKSUM") {
				t.Skip("a kernel without iptables' target CHECKSUM")
			}
			v := g.join("g1", "vb1")
			v.Do(func() {
				sum, ok := offerChecksum(t)
				if !ok {
					t.Errorf("the offer has a wrong UDP checksum, %#04x\n%s", sum, said)
				}
			})
			g.wants(g.vnetc(0, "up", lab), `nothing to change`)
		})
	}
}

// offerChecksum asks for an address by a packet socket and returns the UDP checksum of the offer,
// and whether it is right (RFC 768: 0 stands for none).
func offerChecksum(t *testing.T) (sum uint16, ok bool) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	device, err := net.InterfaceByName("eth0")
	check(err)
	const ipv4 = 0x0800
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(ipv4>>8|ipv4&0xff<<8))
	check(err)
	defer unix.Close(fd)
	check(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: ipv4>>8 | ipv4&0xff<<8, Ifindex: device.Index}))
	check(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}))
	answer := make([]byte, 2000)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		_, err := unix.Write(fd, discover(device.HardwareAddr))
		check(err)
		for {
			n, err := unix.Read(fd, answer)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			check(err)
			if p := answer[14:n]; n > 14+28 && p[9] == unix.IPPROTO_UDP && binary.BigEndian.Uint16(p[20:]) == 67 {
				udp := p[20:binary.BigEndian.Uint16(p[2:])]
				pseudo := append(append([]byte{}, p[12:20]...), 0, unix.IPPROTO_UDP, byte(len(udp)>>8), byte(len(udp)))
				sum := binary.BigEndian.Uint16(udp[6:])
				return sum, sum == 0 || ones(append(pseudo, udp...)) == 0xffff
			}
		}
	}
	t.Fatal("no offer")
	return 0, false
}

// discover is the frame by which a client looks for a server (RFC 2131 section 4.3.1).
func discover(mac net.HardwareAddr) []byte {
	dhcp := make([]byte, 300)
	copy(dhcp, []byte{1, 1, 6, 0, 0, 0, 0x12, 0x34})
	dhcp[10] = 0x80 // answer to all
	copy(dhcp[28:], mac)
	copy(dhcp[236:], []byte{99, 130, 83, 99, 53, 1, 1, 255})
	udp := binary.BigEndian.AppendUint16([]byte{0, 68, 0, 67}, uint16(8+len(dhcp)))
	udp = append(append(udp, 0, 0), dhcp...)
	ip := make([]byte, 20)
	copy(ip, []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, unix.IPPROTO_UDP})
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(udp)))
	copy(ip[16:], netip.MustParseAddr("255.255.255.255").AsSlice())
	binary.BigEndian.PutUint16(ip[10:], ^ones(ip))
	frame := append([]byte{255, 255, 255, 255, 255, 255}, mac...)
	return append(append(append(frame, 8, 0), ip...), udp...)
}

// ones is the sum of 16-bit words in ones' complement (RFC 1071).
func ones(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum>>16 > 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// TestKernelUpWatchers: where the limit on watchers of files is too low for the networks, up raises
// it and down gives it back. A file stands in for the sysctl, which is one for the whole machine.
func TestKernelUpWatchers(t *testing.T) {
	netnstest.Require(t, "mount")
	t.Parallel()
	g := newGround(t)
	const sysctl = "/proc/sys/fs/inotify/max_user_instances"
	limit := g.file("limit", "40\n")
	g.ns.Exec("mount", "--bind", limit, sysctl)
	wants := func(want string) {
		t.Helper()
		if got := strings.TrimSpace(g.ns.Exec("cat", sysctl)); got != want {
			t.Errorf("the limit is %s, want %s", got, want)
		}
	}
	one, two := g.file("one", withDHCP("one", 1, "")), g.file("two", withDHCP("two", 2, ""))
	do := func(want int, args ...string) string {
		t.Helper()
		out, code := g.as(nil, args...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d\n%s", args, code, want, out)
		}
		return out
	}
	g.wants(do(1, "up", "--dry-run", one), `set fs\.inotify\.max_user_instances to 128, until no network needs it`)
	do(0, "up", one, two)
	wants("128")
	g.wants(do(0, "up", one), `nothing to change`)
	do(0, "down", "one")
	wants("128")
	do(0, "down", "two")
	wants("40")
}
