package dnsmasq

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// statusOf returns the fields of a /proc/PID/status.
func statusOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// TestBounded: dnsmasq runs as another user from its first instruction on, whatever its
// configuration says, has the capabilities that it needs, and no way to others.
func TestBounded(t *testing.T) {
	ns := host(t)
	plain := office()
	plain.Addresses[0].DHCP = nil
	asRoot := office()
	asRoot.Options = append(asRoot.Options, "user=root", "group=root", "dhcp-scriptuser=root", "dhcp-script=/bin/true")
	for _, tt := range []struct {
		name string
		link *ir.Link
		want uint64
	}{
		{"DHCP", office(), 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_ADMIN},
		{"no DHCP", plain, 1 << unix.CAP_NET_BIND_SERVICE},
		{"as root by its options", asRoot, 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_ADMIN},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := placed(t, ns, tt.link)
			if tt.link == asRoot && s.Account == (Account{}) {
				t.Skip("root of a user namespace may not become root there")
			}
			ns.Do(func() {
				start(t, s)
				look, err := newSearch(s.Paths)
				if err != nil {
					t.Fatal(err)
				}
				all, err := look.walk(map[string]bool{s.Paths.Conf: true})
				if err != nil || len(all[s.Paths.Conf]) == 0 {
					t.Fatalf("found %v, %v", all, err)
				}
				for _, p := range all[s.Paths.Conf] { // with the child that runs scripts
					got := statusOf(t, p.PID)
					want := fmt.Sprintf("%016x", tt.want)
					for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
						if got[set] != want {
							t.Errorf("%s is %s, want %s", set, got[set], want)
						}
					}
					if got["NoNewPrivs"] != "1" {
						t.Error("NoNewPrivs is not set")
					}
					ids := strings.Fields(got["Uid"] + " " + got["Gid"])
					for _, id := range ids {
						if id == "0" && s.Account != (Account{}) {
							t.Errorf("it runs as root: %v", ids)
						}
					}
					if groups := got["Groups"]; groups != "" && s.Account != (Account{}) {
						t.Errorf("it has the groups %s", groups)
					}
				}
			})
		})
	}
	if got := statusOf(t, os.Getpid())["NoNewPrivs"]; got != "0" {
		t.Errorf("the limits are those of this process, too: NoNewPrivs %s", got)
	}
}

// TestRootNowhere: where no user will do, dnsmasq doesn't start as root instead.
func TestRootNowhere(t *testing.T) {
	if a, _, err := FindAccount(openDir(t)); err != nil || a == (Account{}) {
		t.Skip("a user namespace without other users")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if a, warning, err := FindAccount(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("account %+v, %q, %v", a, warning, err)
	}
}

// TestImpostor: a process of dnsmasq's user that is called dnsmasq and has the network's
// configuration in its command line is not taken for it: it has no right to the ports. One that was
// started in another way than now is ours, and dated.
func TestImpostor(t *testing.T) {
	ns := host(t)
	s := placed(t, ns, office())
	if s.Account == (Account{}) {
		t.Skip("a user namespace without other users")
	}
	run := func(caps []uintptr) (end func()) {
		cmd := &exec.Cmd{Path: "/bin/sh", Args: append([]string{command, "-c", "read x", "sh"}, arguments(s.Paths)...)}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.Account.uid, Gid: s.Account.gid},
			AmbientCaps: caps}
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() { in.Close(); cmd.Wait() }
	}
	ns.Do(func() {
		end := run(nil)
		if p, ok := find(t, s); ok {
			t.Errorf("an impostor is taken for dnsmasq: %+v", p)
		}
		ours := start(t, s)
		if got, ok := find(t, s); !ok || got != ours || got.Dated || !got.Noted(s.Paths) {
			t.Errorf("beside an impostor: %+v, want %+v", got, ours)
		}
		if err := os.Remove(s.Paths.PID); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, s); !ok || got != ours {
			t.Errorf("beside an impostor and without a pid file: %+v, want %+v", got, ours)
		}
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		end()
		end = run([]uintptr{unix.CAP_NET_BIND_SERVICE})
		if got, ok := find(t, s); !ok || !got.Dated {
			t.Errorf("what root gave the right to the ports: %+v, %v", got, ok)
		}
		end()
	})
}

// TestStopped: a dnsmasq that runs no instruction is told from one that serves, and ends when it is
// to.
func TestStopped(t *testing.T) {
	ns := host(t)
	s := placed(t, ns, office())
	ns.Do(func() {
		p := start(t, s)
		server := netip.MustParseAddr("10.1.0.1")
		if !Ask(server, 5*time.Second) || p.Stopped {
			t.Errorf("it does not answer; %+v", p)
		}
		if err := unix.Kill(p.PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if got, ok := find(t, s); ok && got.Stopped {
				break
			}
			if time.Now().After(end) {
				t.Fatal("it was stopped, and nobody sees it")
			}
		}
		if Ask(server, 100*time.Millisecond) {
			t.Error("it answers")
		}
		begin := time.Now()
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it takes %v to end", took)
		}
	})
}

// TestLeaseFile: leases that were another user's are kept, and a link in their place is not
// followed.
func TestLeaseFile(t *testing.T) {
	ns := host(t)
	s := placed(t, ns, office())
	ns.Do(func() {
		start(t, s)
		given := (guest{"guest0", net.HardwareAddr{0x52, 0x54, 0, 0, 0, 7}}).lease(t)
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(s.Paths.Leases, 0, 0); err != nil {
			t.Fatal(err)
		}
		start(t, s)
		if got := (guest{"guest0", net.HardwareAddr{0x52, 0x54, 0, 0, 0, 7}}).lease(t); got != given {
			t.Errorf("the guest had %s and gets %s", given, got)
		}
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		victim := s.Paths.Leases + ".victim"
		if err := os.WriteFile(victim, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(s.Paths.Leases); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, s.Paths.Leases); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Begin(); err == nil {
			t.Error("a link is followed")
		}
		if info, err := os.Stat(victim); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("what the link leads to was given away (%v)", err)
		}
	})
}

// TestReservedNames: a guest gets an address and not the name that it asks for, if that is another
// host's, or one that means more than a host.
func TestReservedNames(t *testing.T) {
	ns := host(t)
	l := office()
	l.Addresses[0].DHCP.Ranges[0].To = netip.MustParseAddr("10.1.0.199")
	fixed := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0x0a}
	l.Addresses[0].DHCP.Hosts = []ir.DHCPHost{{MAC: fixed, Name: "db", Addr: netip.MustParseAddr("10.1.0.50")}}
	s := placed(t, ns, l)
	ns.Do(func() {
		start(t, s)
		for i, name := range []string{"db", "DB", "db.office.test", "wpad", "Wpad", "wpad.office.test",
			"WPAD.Office.Test", "isatap", "localhost", "localhost.office.test", "printer", "free"} {
			g := guest{"guest0", net.HardwareAddr{0x52, 0x54, 0, 0, 1, byte(i)}}
			given := g.leaseAs(t, name)
			short, _, _ := strings.Cut(strings.ToLower(name), ".")
			got, err := resolve("10.1.0.1", short+".office.test")
			took := err == nil && len(got) > 0 && got[0] == given
			if want := name == "free"; took != want {
				t.Errorf("a guest at %s calls itself %s, which is %v (%v)", given, name, got, err)
			}
		}
		resolves(t, "db.office.test", "10.1.0.50")
		if got := (guest{"guest0", fixed}).leaseAs(t, "db"); got.String() != "10.1.0.50" {
			t.Errorf("the host itself has %s", got)
		}
		resolves(t, "db.office.test", "10.1.0.50")

		// A name that a guest has already is taken from it when it becomes another host's.
		l.Addresses[0].DHCP.Hosts[0].Name = "free"
		emit(t, l, s.Paths, Files.Reload)
		resolves(t, "free.office.test", "10.1.0.50")
	})
}

// TestReservedNamesOfBothFamilies: with DHCP for both, a name that is reserved in one is nobody
// else's in the other.
func TestReservedNamesOfBothFamilies(t *testing.T) {
	ns := host(t)
	ns.Exec("ip", "addr", "add", "fd00:1::1/64", "dev", "virbr7", "nodad")
	l := office()
	fixed := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0x0a}
	l.Addresses[0].DHCP.Hosts = []ir.DHCPHost{
		{MAC: fixed, Name: "db", Addr: netip.MustParseAddr("10.1.0.50")},
		{Name: "byname", Addr: netip.MustParseAddr("10.1.0.51")},
	}
	l.Addresses = append(l.Addresses, ir.Address{Prefix: netip.MustParsePrefix("fd00:1::1/64"), DHCP: &ir.DHCP{
		Hosts: []ir.DHCPHost{{DUID: "0:3:0:1:52:54:0:0:0:b", Name: "db6", Addr: netip.MustParseAddr("fd00:1::50")}},
	}})
	s := placed(t, ns, l)
	ns.Do(func() {
		start(t, s)
		given := (guest{"guest0", net.HardwareAddr{0x52, 0x54, 0, 0, 1, 1}}).leaseAs(t, "db6")
		if got, err := resolve("10.1.0.1", "db6.office.test"); len(got) > 0 {
			t.Errorf("a guest at %s calls itself db6, which is %v (%v)", given, got, err)
		}
		for name, want := range map[string]string{"db": "10.1.0.50", "byname": "10.1.0.51"} {
			mac := fixed
			if name == "byname" {
				mac = net.HardwareAddr{0x52, 0x54, 0, 0, 1, 2}
			}
			if got := (guest{"guest0", mac}).leaseAs(t, name); got.String() != want {
				t.Errorf("host %s has %s, want %s", name, got, want)
			}
			resolves(t, name+".office.test", want)
		}
	})
}

// TestMaxLine: dnsmasq itself reads a line of maxLine bytes as one, and of a longer one the end as
// another.
func TestMaxLine(t *testing.T) {
	netnstest.Require(t, "dnsmasq")
	conf := filepath.Join(t.TempDir(), "conf")
	for size, whole := range map[int]bool{maxLine: true, maxLine +
		2: false} { // the byte between would be an empty line's
		line := "#" + strings.Repeat("x", size-2) + "y"
		if err := os.WriteFile(conf, []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("dnsmasq", "--test", "--conf-file="+conf).CombinedOutput()
		if (err == nil) != whole {
			t.Errorf("a comment of %d bytes: %v, %s", size, err, out)
		}
	}
}
