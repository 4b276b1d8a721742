package dnsmasq

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// host is a namespace with a bridge and, plugged into it, a device guest0 that plays a guest.
func host(t *testing.T) *netnstest.NS {
	t.Helper()
	netnstest.Require(t, "dnsmasq", "ip")
	ns := netnstest.New(t)
	for _, args := range []string{
		"link add virbr7 type bridge", "addr add 10.1.0.1/24 dev virbr7", "link set virbr7 up",
		"link add guest0 type veth peer name port0", "link set port0 master virbr7", "link set port0 up",
		"link set guest0 up",
	} {
		ns.Exec("ip", strings.Fields(args)...)
	}
	// Answers come from an address of this very namespace.
	ns.Sysctl("ipv4/conf/all/accept_local", "1")
	ns.Sysctl("ipv4/conf/all/rp_filter", "0")
	ns.Sysctl("ipv4/conf/guest0/rp_filter", "0")
	return ns
}

// office is a network for the bridge of host.
func office() *ir.Link {
	return &ir.Link{
		Name:   "office",
		Mode:   ir.ModeNone,
		Bridge: ir.Bridge{Name: "virbr7"},
		Domain: ir.Domain{Name: "office.test", LocalOnly: true},
		Addresses: []ir.Address{{
			Prefix: netip.MustParsePrefix("10.1.0.1/24"),
			DHCP: &ir.DHCP{Ranges: []ir.DHCPRange{{From: netip.MustParseAddr("10.1.0.100"),
				To: netip.MustParseAddr("10.1.0.110")}}},
		}},
		DNS:     ir.DNS{Hosts: []ir.DNSHost{{Addr: netip.MustParseAddr("10.1.0.9"), Names: []string{"printer"}}}},
		Options: []string{"no-ping", "no-hosts"},
	}
}

// placed writes the files of l below a new folder, and sees to it that what runs with them ends
// with the test.
func placed(t *testing.T, ns *netnstest.NS, l *ir.Link) Server {
	t.Helper()
	dir := openDir(t)
	p, err := At(dir, l.Name)
	if err != nil {
		t.Fatal(err)
	}
	emit(t, l, p, Files.Write)
	t.Cleanup(func() {
		ns.Do(func() {
			if err := Stop(p); err != nil {
				t.Error(err)
			}
		})
	})
	account, warning, err := FindAccount(dir)
	if err != nil {
		t.Fatal(err)
	}
	if warning != "" {
		t.Log(warning)
	}
	return Server{Paths: p, Account: account}
}

// emit gives the files of l to f.
func emit(t *testing.T, l *ir.Link, p Paths, f func(Files, Paths) error) {
	t.Helper()
	files, err := Emit(l, p)
	if err == nil {
		err = f(files, p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start runs s in the namespace until it serves, and returns its process.
func start(t *testing.T, s Server) Process {
	t.Helper()
	starting, err := s.Begin()
	if err == nil {
		err = Wait(starting)[0]
	}
	if err != nil {
		t.Fatal(err)
	}
	p, ok := find(t, s)
	if !ok {
		t.Fatal("started, and not found")
	}
	return p
}

func find(t *testing.T, s Server) (Process, bool) {
	t.Helper()
	found, err := Find(s.Paths)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := found[s.Paths.Conf]
	return p, ok
}

// resolves wants an answer. It asks for a while, since dnsmasq reads hosts some time after a
// signal.
func resolves(t *testing.T, name, want string) {
	t.Helper()
	var got []netip.Addr
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got, err = resolve("10.1.0.1", name)
		if err == nil && len(got) == 1 && got[0].String() == want {
			return
		}
	}
	t.Fatalf("%s resolves to %v (%v), want %s", name, got, err, want)
}

// TestServer: a life from start to stop. A changed host of DNS or DHCP counts at once, in the same
// process; leases are read as dnsmasq writes them, and outlive a restart.
func TestServer(t *testing.T) {
	ns := host(t)
	l := office()
	s := placed(t, ns, l)
	ns.Do(func() {
		first := start(t, s)
		resolves(t, "printer.office.test", "10.1.0.9")
		g := guest{"guest0", net.HardwareAddr{0x52, 0x54, 0, 0, 0, 7}}
		dynamic := g.lease(t)

		l.DNS.Hosts[0].Addr = netip.MustParseAddr("10.1.0.10")
		fixed := ir.DHCPHost{MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 8}, Name: "desk",
			Addr: netip.MustParseAddr("10.1.0.50")}
		l.Addresses[0].DHCP.Hosts = append(l.Addresses[0].DHCP.Hosts, fixed)
		emit(t, l, s.Paths, Files.Reload)
		resolves(t, "printer.office.test", "10.1.0.10")
		if got := (guest{"guest0", fixed.MAC}).lease(t); got != fixed.Addr {
			t.Errorf("the host has %s, want %s", got, fixed.Addr)
		}
		if err := (Files{}).Reload(s.Paths); err != nil { // what ReadFiles returns after a Reload that was cut off
			t.Error(err)
		}
		if _, err := os.Stat(s.Paths.Stale); err != nil {
			t.Errorf("nobody can tell that hosts are not known: %v", err)
		}
		emit(t, l, s.Paths, Files.Reload)
		resolves(t, "printer.office.test", "10.1.0.10")
		if again, _ := find(t, s); again != first {
			t.Errorf("process %+v is %+v after a reload", first, again)
		}
		resolves(t, "desk.office.test", "10.1.0.50")
		leases, err := ReadLeases(s.Paths.Leases)
		if err != nil || len(leases) != 2 {
			t.Fatalf("leases: %+v, %v", leases, err)
		}
		for _, l := range leases {
			if l.MAC.String() == g.mac.String() && l.Addr != dynamic || l.Host == "desk" && l.Addr != fixed.Addr {
				t.Errorf("lease %+v", l)
			}
			if left := time.Until(l.Expires); left < 59*time.Minute || left > 61*time.Minute {
				t.Errorf("lease %+v ends in %v; dnsmasq(8) says that they last an hour", l, left)
			}
		}

		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		if p, ok := find(t, s); ok {
			t.Errorf("%+v runs after it was stopped", p)
		}
		if err := Stop(s.Paths); err != nil {
			t.Errorf("stop what is stopped: %v", err)
		}
		if second := start(t, s); second == first {
			t.Errorf("the process is still %+v", second)
		}
		resolves(t, "desk.office.test", "10.1.0.50") // no host of DNS, and so out of the leases
	})
}

// TestUnprivileged: dnsmasq gives up root where there is a user to become.
func TestUnprivileged(t *testing.T) {
	ns := host(t)
	s := placed(t, ns, office())
	ns.Do(func() {
		p := start(t, s)
		c, ok := p.status()
		if s.Account == (Account{}) {
			if !ok || c.user != os.Geteuid() {
				t.Errorf("runs as %d", c.user)
			}
		} else if !ok || c.user == 0 {
			t.Errorf("runs as root (%v)", ok)
		}
	})
}

// TestHelper: a dnsmasq that runs a script has a child with the same command line. The parent is
// the one to signal, and none of them is left after Stop.
func TestHelper(t *testing.T) {
	ns := host(t)
	l := office()
	l.Options = append(l.Options, "dhcp-script=/bin/true")
	s := placed(t, ns, l)
	ns.Do(func() {
		start(t, s)
		parent := pidIn(s.Paths.PID)
		if err := os.Remove(s.Paths.PID); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, s); !ok || got.PID != parent {
			t.Errorf("found %+v, want process %d", got, parent)
		}
		look, err := newSearch()
		if err != nil {
			t.Fatal(err)
		}
		if all, err := look.walk(map[string]bool{s.Paths.Conf: true}); err != nil || len(all[s.Paths.Conf]) != 2 {
			t.Errorf("found %+v, %v; want two processes", all, err)
		}
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		if all, err := look.walk(map[string]bool{s.Paths.Conf: true}); err != nil || len(all) != 0 {
			t.Errorf("left: %+v, %v", all, err)
		}
	})
}

// TestReloadCutOff: hosts that were written without a signal are not taken for those that dnsmasq
// has.
func TestReloadCutOff(t *testing.T) {
	p, err := At(openDir(t), "office")
	if err != nil {
		t.Fatal(err)
	}
	l := office()
	emit(t, l, p, Files.Write)
	l.DNS.Hosts[0].Names[0] = "scanner"
	emit(t, l, p, func(f Files, p Paths) error {
		if err := replace(p.Stale, []byte{}); err != nil { // what Reload does first
			return err
		}
		if err := replace(p.AddnHosts, f.AddnHosts); err != nil {
			return err
		}
		was, err := ReadFiles(p)
		if got := Compare(was, f); err != nil || got != Hosts {
			t.Errorf("after a reload that was cut off: %s (%v), want %s", got, err, Hosts)
		}
		return f.Write(p)
	})
	emit(t, l, p, func(f Files, p Paths) error {
		was, err := ReadFiles(p)
		if got := Compare(was, f); err != nil || got != Same {
			t.Errorf("after a start: %s (%v), want %s", got, err, Same)
		}
		return nil
	})
}

// TestFailsToStart: what keeps dnsmasq from starting is told in its own words.
func TestFailsToStart(t *testing.T) {
	ns := host(t)
	tests := []struct {
		name   string
		change func(*ir.Link)
		taken  string // an address that somebody listens on
		want   string
	}{
		{"port taken", func(*ir.Link) {}, "10.1.0.1:53",
			"failed to create listening socket for 10.1.0.1: Address already in use"},
		{"bad option", func(l *ir.Link) { l.Options = []string{"no-ping=maybe"} }, "", "at line"},
		{"bad value", func(l *ir.Link) { l.Options = []string{"dhcp-range=10.1.0.900"} }, "", "bad dhcp-range at line"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := office()
			tt.change(l)
			s := placed(t, ns, l)
			ns.Do(func() {
				if tt.taken != "" {
					conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(tt.taken)))
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
				}
				starting, err := s.Begin()
				if err != nil {
					t.Fatal(err)
				}
				err = Wait(starting)[0]
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got error %q, want one line with %q", err, tt.want)
				}
				if p, ok := find(t, s); ok {
					t.Errorf("%+v runs", p)
				}
			})
		})
	}
}

// TestForeground: a dnsmasq that an option keeps in the foreground is ended, and nobody waits for
// ever.
func TestForeground(t *testing.T) {
	ns := host(t)
	l := office()
	for _, option := range []string{"keep-in-foreground", "no-daemon"} {
		l.Options = []string{option}
		ns.Do(func() {
			if _, err := placed(t, ns, l).Begin(); err == nil || !strings.Contains(err.Error(), option) {
				t.Errorf("%s: %v", option, err)
			}
		})
	}
	included := filepath.Join(openDir(t), "included")
	if err := os.WriteFile(included, []byte("keep-in-foreground\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Options = []string{"conf-file=" + included}
	s := placed(t, ns, l)
	ns.Do(func() {
		starting, err := s.Begin()
		if err != nil {
			t.Fatal(err)
		}
		starting.timeout = 300 * time.Millisecond
		if err := Wait(starting)[0]; err == nil || !strings.Contains(err.Error(), "in the foreground") {
			t.Errorf("got error %v", err)
		}
		if p, ok := find(t, s); ok {
			t.Errorf("%+v runs", p)
		}
	})
}

// TestIdentity: who is ours is seen without a pid file, and whom a stale one names is left alone.
func TestIdentity(t *testing.T) {
	ns := host(t)
	s := placed(t, ns, office())
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer stranger.Wait()
	defer stranger.Process.Kill()
	ns.Do(func() {
		ours := start(t, s)
		if err := os.Remove(s.Paths.PID); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, s); !ok || got != ours {
			t.Errorf("without a pid file: %+v, want %+v", got, ours)
		}
		if err := os.WriteFile(s.Paths.PID, []byte(strconv.Itoa(stranger.Process.Pid)), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, s); !ok || got != ours {
			t.Errorf("with a stranger's pid: %+v, want %+v", got, ours)
		}
		if err := unix.Kill(ours.PID, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h, err := ours.open()
		if err == nil && h != nil {
			_, err = h.wait(5 * time.Second)
			h.close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, s); ok {
			t.Errorf("killed, and found as %+v", got)
		}
		emit(t, office(), s.Paths, func(f Files, p Paths) error {
			if err := f.Reload(p); err == nil || !strings.Contains(err.Error(), "no dnsmasq runs") {
				t.Errorf("reload what is gone: %v", err)
			}
			return nil
		})
		if err := Stop(s.Paths); err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(stranger.Process.Pid, 0); err != nil {
			t.Errorf("the stranger was not left alone: %v", err)
		}
	})
}

// TestDecoys: a process with the same command line is not ours if it is called otherwise, has other
// words in it, or is in another network namespace, as in a container with a vnetc of its own.
func TestDecoys(t *testing.T) {
	ns, elsewhere := host(t), netnstest.New(t)
	s := placed(t, ns, office())
	flag := confFlag + s.Paths.Conf
	decoys := []struct {
		name string
		ns   *netnstest.NS
		args []string
		ours bool
	}{
		{"another network namespace", elsewhere, []string{command, flag}, false},
		{"another program", ns, []string{"less", flag}, false},
		{"another configuration", ns, []string{command, flag + ".new"}, false},
		{"two words", ns, []string{command, "--conf-file", s.Paths.Conf}, false},
		{"to see that the others could be found", ns, []string{command, flag}, true},
	}
	for _, tt := range decoys {
		t.Run(tt.name, func(t *testing.T) {
			tt.ns.Do(func() {
				sleep := &exec.Cmd{Path: "/bin/sh", Args: append([]string{tt.args[0], "-c", "read x", "sh"},
					tt.args[1:]...)}
				in, err := sleep.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := sleep.Start(); err != nil {
					t.Fatal(err)
				}
				defer sleep.Wait()
				defer in.Close()
				ns.Do(func() {
					if p, ok := find(t, s); ok != tt.ours {
						t.Errorf("found %+v: %v, want %v", p, ok, tt.ours)
					}
				})
			})
		})
	}
}
