package libvirt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files, and symbolic links where a text begins with "->".
func tree(t *testing.T, files map[string]string) Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Host{Proc: filepath.Join(root, "proc"), Run: filepath.Join(root, "run")}
}

// TestDaemon: file names and forms are those of proc(5).
func TestDaemon(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // "" for none
	}{
		{"none", map[string]string{"proc/1/cmdline": "/sbin/init\x00", "proc/1/comm": "init\n", "proc/self": "x"}, ""},
		{"libvirtd", map[string]string{"proc/7/cmdline": "/usr/sbin/libvirtd\x00--timeout\x00120\x00",
			"proc/7/comm": "libvirtd\n"}, "libvirtd (pid 7)"},
		{"virtnetworkd", map[string]string{"proc/8/cmdline": "/usr/sbin/virtnetworkd\x00",
			"proc/8/comm": "virtnetworkd\n"}, "virtnetworkd (pid 8)"},
		{"by another path", map[string]string{"proc/8/cmdline": "/lib64/ld.so\x00/x\x00", "proc/8/comm": "libvirtd\n"},
			"libvirtd (pid 8)"},
		{"a client", map[string]string{"proc/9/cmdline": "virsh\x00-c\x00libvirtd\x00", "proc/9/comm": "virsh\n"}, ""},
		{"another driver's daemon", map[string]string{"proc/9/cmdline": "/usr/sbin/virtqemud\x00",
			"proc/9/comm": "virtqemud\n"}, ""},
		{"has ended", map[string]string{"proc/7/cmdline": "", "proc/7/comm": "libvirtd\n"}, ""},
		{"in this network", map[string]string{"proc/7/cmdline": "libvirtd\x00", "proc/7/ns/net": "->net:[1]",
			"proc/thread-self/ns/net": "->net:[1]"}, "libvirtd (pid 7)"},
		{"in another network", map[string]string{"proc/7/cmdline": "libvirtd\x00", "proc/7/ns/net": "->net:[2]",
			"proc/thread-self/ns/net": "->net:[1]"}, ""},
		{"in an unknown network", map[string]string{"proc/7/cmdline": "libvirtd\x00",
			"proc/thread-self/ns/net": "->net:[1]"}, "libvirtd (pid 7)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := tree(t, test.files).Daemon()
			got := ""
			if d != nil {
				got = d.String()
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	if _, err := (Host{Proc: filepath.Join(t.TempDir(), "no")}).Daemon(); err == nil {
		t.Error("a host without /proc was looked at")
	}
}

func TestNetworks(t *testing.T) {
	h := tree(t, map[string]string{
		"run/network/lab.xml": "<networkstatus/>", "run/network/a b.xml": "", "run/network/lab.pid": "812",
		"run/network/lab/ports/x.xml": "", "run/network/link.xml": "->/etc/passwd",
	})
	got, err := h.Networks()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Run, "network")
	want := []Status{{"a b", filepath.Join(dir, "a b.xml"), []byte{}},
		{"lab", filepath.Join(dir, "lab.xml"), []byte("<networkstatus/>")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none, err := (Host{Run: filepath.Join(t.TempDir(), "no")}).Networks(); err != nil || none != nil {
		t.Errorf("without libvirt: %v, %v", none, err)
	}
}
