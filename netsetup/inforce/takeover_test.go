package inforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// taking is apply with --take-over on a host whose libvirt has left what is below root.
func taking(root string, docs ...string) verb {
	return applying("apply --take-over", Change{}, ApplyOptions{TakeOver: &TakeOver{Root: root}}, docs)
}

// emptyRoot is a file system without processes and without libvirt.
func emptyRoot(t *testing.T) string {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// libvirtHas puts the rules that libvirt makes for networks into a back end.
func (w *world) libvirtHas(backend string, docs ...string) {
	w.t.Helper()
	all, found := lines{}.Parse(given(docs), ParseOptions{})
	if found.HasErrors() {
		w.t.Fatal(found)
	}
	l := w.kernel.Loader(backend)
	rules, _ := l.Lower(lines{}.program(all.Networks), backends.Options{Names: backends.LibvirtNames})
	if _, err := l.Load(rules); err != nil {
		w.t.Fatal(err)
	}
}

// TestEveryCutOfTakeOver: whatever is cut, each network has libvirt's rules or ours, and given
// again the verb takes all of libvirt's away that are of the networks, and no others.
func TestEveryCutOfTakeOver(t *testing.T) {
	root := emptyRoot(t)
	before := func() *world {
		w := newWorld(t)
		w.libvirtHas("first", "lab nat", "other nat")
		w.libvirtHas("second", "lab nat")
		w.calls = 0
		return w
	}
	v := taking(root, "lab nat")
	w := before()
	w.must(v)
	calls := w.calls
	for _, kill := range []bool{false, true} {
		for k := 1; k <= calls; k++ {
			w := before()
			w.cutAt, w.kill = k, kill
			dead, err := w.do(v)
			when := fmt.Sprintf("cut at %q (kill: %t)", w.at, kill)
			if dead != kill || !dead && err == nil {
				t.Errorf("%s: killed: %t, error %v", when, dead, err)
			}
			ruled := w.ruled()
			if !ruled["lab"] || !ruled["other"] {
				t.Errorf("%s: rules of %v only", when, ruled)
			}
			w.must(v)
			if left := w.kernel.Loaded("first", backends.LibvirtNames); left == nil ||
				interfacesOf(left)["virbr-lab"] || !interfacesOf(left)["virbr-other"] {
				t.Errorf("%s, and again: libvirt's rules are\n%v", when, left)
			}
			if left := w.kernel.Loaded("second", backends.LibvirtNames); left != nil {
				t.Errorf("%s, and again: elsewhere libvirt's rules are\n%v", when, left)
			}
			if ours := w.kernel.Loaded("first", backends.VnetcNames); ours == nil || !interfacesOf(ours)["virbr-lab"] {
				t.Errorf("%s, and again: ours are\n%v", when, ours)
			}
		}
	}
	t.Logf("%d calls", calls)
}

// TestTakeOverRefused: while a daemon runs the network in another mode than open nothing is
// touched.
func TestTakeOverRefused(t *testing.T) {
	live := Document{Name: "lab", Bridge: bridge("lab"), Mode: ir.ModeNAT}
	d := Document{Name: "lab", Bridge: bridge("lab"), Mode: ir.ModeNAT}
	daemon := &libvirt.Daemon{Name: "libvirtd", PID: 7}
	for _, tt := range []struct {
		name   string
		d      Document
		live   *Document
		daemon *libvirt.Daemon
		want   string
	}{
		{"a daemon runs it", d, &live, daemon, "--take-over is refused: libvirtd (pid 7) runs network \"lab\" " +
			"(bridge virbr-lab, mode nat); no rule was changed"},
		{"it can't be read", d, nil, daemon,
			"--take-over is refused: libvirtd (pid 7) runs network \"lab\"; no rule was changed"},
		{"its bridge is not known", Document{Name: "lab", Bridge: "virbr0", Mode: ir.ModeNAT, AutoBridge: true}, nil,
			nil, "--take-over is refused: the XML of " +
				"network \"lab\" names no bridge, and vnetc chose virbr0; no rule was changed"},
	} {
		_, err := (&takingOver{}).claimsOf(tt.d, []libvirt.Status{{Name: "lab"}}, []*Document{tt.live}, tt.daemon)
		var e *Error
		if !errors.As(err, &e) || e.Kind != No || e.What != tt.want || e.Why == "" || e.Fix == "" {
			t.Errorf("%s: %v, want %q with why and fix", tt.name, err, tt.want)
		}
	}
	open := live
	open.Mode = ir.ModeOpen
	if claims, err := (&takingOver{}).claimsOf(d, []libvirt.Status{{Name: "lab"}}, []*Document{&open},
		daemon); err != nil || len(claims) != 1 {
		t.Errorf("in mode open: %v, %v", claims, err)
	}
	w := newWorld(t)
	w.libvirtHas("first", "lab nat")
	rules := w.text()
	var e *Error
	if _, err := w.do(taking(emptyRoot(t), "lab nat").to(Choice{Names: backends.LibvirtNames})); !errors.As(err, &e) ||
		e.Kind != Usage {
		t.Errorf("under libvirt's names: %v", err)
	}
	if w.text() != rules {
		t.Errorf("rules are\n%s", w.text())
	}
}
