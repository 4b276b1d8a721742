package kernel

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// served calls f for each network of the corpus that wants a dnsmasq, with its files in place.
func served(t *testing.T, f func(t *testing.T, l *ir.Link, p dnsmasq.Paths)) {
	t.Helper()
	dir := t.TempDir()
	networks := 0
	corpus(t, func(t *testing.T, program *ir.Program) {
		for _, l := range program.Links {
			if !dnsmasq.Needed(l) {
				continue
			}
			p, err := dnsmasq.At(dir, l.Name)
			if err != nil {
				t.Fatal(err)
			}
			files, err := dnsmasq.Emit(l, p)
			if err == nil {
				err = files.Write(p)
			}
			if err != nil {
				t.Fatal(err)
			}
			networks++
			f(t, l, p)
		}
	})
	if networks < 60 {
		t.Errorf("only %d networks were tried", networks)
	}
}

// TestCorpusDnsmasq: dnsmasq takes every configuration.
func TestCorpusDnsmasq(t *testing.T) {
	netnstest.Require(t, "dnsmasq")
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	served(t, func(t *testing.T, l *ir.Link, p dnsmasq.Paths) {
		if said, err := exec.Command("dnsmasq", "--test", "--conf-file="+p.Conf).CombinedOutput(); err != nil {
			t.Errorf("network %s: %v: %s", l.Name, err, said)
		}
	})
}

// TestCorpusHosts: dnsmasq reads as many names for DNS as there are, and has nothing to say against
// a host of DHCP.
func TestCorpusHosts(t *testing.T) {
	t.Parallel()
	netnstest.Require(t, "dnsmasq", "ip")
	ns := netnstest.New(t)
	ns.Exec("ip", "link", "add", "eth0", "type", "bridge") // a DHCPv6 server is known by the MAC of some link
	tried := 0
	served(t, func(t *testing.T, l *ir.Link, p dnsmasq.Paths) {
		names, fixed := 0, 0
		for _, h := range l.DNS.Hosts {
			for _, name := range h.Names {
				names++
				if l.Domain.Name != "" && !strings.Contains(name, ".") {
					names++ // expand-hosts: it counts with the domain as well
				}
			}
		}
		for _, a := range l.Addresses {
			if a.DHCP != nil {
				fixed += len(a.DHCP.Hosts)
			}
		}
		if names+fixed == 0 {
			return
		}
		tried++
		var want []string
		if !l.DNS.Off {
			want = append(want, fmt.Sprintf("read %s - %d names", p.AddnHosts, names))
		}
		if fixed > 0 {
			want = append(want, "read "+p.Hosts)
		}
		readsHosts(t, ns, p, want)
	})
	if tried < 4 {
		t.Errorf("only %d networks have hosts", tried)
	}
}

// readsHosts runs dnsmasq until its log has all lines that are wanted, and refuses complaints
// before.
func readsHosts(t *testing.T, ns *netnstest.NS, p dnsmasq.Paths, want []string) {
	t.Helper()
	cmd := ns.Command("dnsmasq", "--conf-file="+p.Conf, "--dhcp-leasefile="+p.Leases, "--user=", "--group=",
		"--keep-in-foreground", "--log-facility=-")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	slow := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer slow.Stop()
	var said []string
	for lines := bufio.NewScanner(log); len(want) > 0 && lines.Scan(); {
		line := lines.Text()
		said = append(said, line)
		if strings.Contains(line, " at line ") || strings.Contains(line, "bad ") ||
			strings.Contains(line, "duplicate") {
			t.Errorf("dnsmasq complains: %s", line)
		}
		for i := range want {
			if strings.HasSuffix(line, want[i]) {
				want = append(want[:i], want[i+1:]...)
				break
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("dnsmasq did not say %q:\n%s", want, strings.Join(said, "\n"))
	}
}
