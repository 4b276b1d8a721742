package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// TestCorpusDnsmasq: dnsmasq takes the configuration of every network that wants one.
func TestCorpusDnsmasq(t *testing.T) {
	netnstest.Require(t, "dnsmasq")
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	dir := t.TempDir()
	taken := 0
	corpus(t, func(t *testing.T, p *ir.Program) {
		for _, l := range p.Links {
			if !dnsmasq.Needed(l) {
				continue
			}
			paths, err := dnsmasq.At(dir, l.Name)
			if err != nil {
				t.Fatal(err)
			}
			files, err := dnsmasq.Emit(l, paths)
			if err != nil {
				t.Fatal(err)
			}
			conf := filepath.Join(dir, "conf")
			if err := os.WriteFile(conf, files.Conf, 0o644); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.Command("dnsmasq", "--test", "--conf-file="+conf).CombinedOutput(); err != nil {
				t.Errorf("network %s: %v: %s\n%s", l.Name, err, said, files.Conf)
			}
			taken++
		}
	})
	if taken < 60 {
		t.Errorf("only %d configurations were tried", taken)
	}
}
