package netnstest

import (
	"net"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestNamespaceIsItsOwn(t *testing.T) {
	Require(t, "ip", "iptables-legacy", "iptables-nft")
	mine, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	a, b := New(t), New(t)
	a.Exec("ip", "link", "add", "vb-test", "type", "bridge")
	for name, ns := range map[string]*NS{"a": a, "b": b} {
		ns.Do(func() {
			_, err := net.InterfaceByName("vb-test")
			if has := err == nil; has != (name == "a") {
				t.Errorf("namespace %s: has vb-test: %v", name, has)
			}
			if in, _ := os.Readlink("/proc/thread-self/ns/net"); in == mine {
				t.Errorf("namespace %s is the machine's own", name)
			}
		})
	}
	if after, _ := os.Readlink("/proc/thread-self/ns/net"); after != mine {
		t.Errorf("after Do: in %s, was in %s", after, mine)
	}
	if _, err := net.InterfaceByName("vb-test"); err == nil {
		t.Error("the machine has vb-test")
	}
	if got := a.Exec("ls", "/sys/class/net", "/run"); strings.Contains(got, "eth0") ||
		!strings.Contains(got, "vb-test") {
		t.Errorf("/sys or /run are not the namespace's:\n%s", got)
	}
	for _, tool := range []string{"iptables-legacy", "iptables-nft"} {
		a.Exec(tool, "-A", "FORWARD", "-i", "vb-test", "-j", "DROP")
		if got := a.Exec(tool+"-save", "-t", "filter"); !strings.Contains(got, "-i vb-test -j DROP") {
			t.Errorf("%s: rule not found in\n%s", tool, got)
		}
		if got := b.Exec(tool+"-save", "-t", "filter"); strings.Contains(got, "vb-test") {
			t.Errorf("%s: rule found in another namespace:\n%s", tool, got)
		}
	}
}
