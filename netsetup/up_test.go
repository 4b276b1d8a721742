package netsetup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/netsetup/state"
)

// host is what the steps of these tests change: a set of things that are there.
type host struct {
	things  []string
	fail    string   // the step, or "rules", that fails
	rules   []string // in force
	network []string // names of networks whose rules are wanted
	loads   int
}

func (h *host) add(name string) { h.things = append(h.things, name) }
func (h *host) remove(name string) {
	h.things = slices.DeleteFunc(h.things, func(s string) bool { return s == name })
}

func (*host) Loaded(string) string { return "" }

func (h *host) Load(without []string) error {
	h.loads++
	if h.fail == "rules" {
		return errors.New("no rules today")
	}
	h.rules = nil
	for _, n := range h.network {
		if !slices.Contains(without, n) {
			h.rules = append(h.rules, n)
		}
	}
	return nil
}

// thing is a step that adds itself to the host, half of itself if it fails.
type thing struct {
	*host
	name string
	late bool // late is true if it fails in Wait
}

func (t thing) String() string { return t.name }
func (t thing) Undo() error    { t.remove(t.name); return nil }

func (t thing) Do() error {
	t.add(t.name)
	if t.fail == t.name && !t.late {
		return errors.New("it fails")
	}
	return nil
}

func (t thing) Wait() error {
	if t.fail == t.name && t.late {
		return errors.New("it fails late")
	}
	return nil
}

func testForwarding(t *testing.T, value string) *Forwarding {
	dir, err := state.Open(t.TempDir(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	f := &Forwarding{Dir: dir, proc: t.TempDir()}
	for _, name := range []string{forwardIPv4, forwardIPv6} {
		if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.path(name), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func twoPlans(h *host) []Plan {
	var plans []Plan
	for _, n := range []string{"a", "b"} {
		plans = append(plans, Plan{
			Name:   n,
			Before: []Step{thing{h, n + " bridge", false}, thing{h, n + " mtu", false}},
			After: []Step{thing{h, n + " address", false}, thing{h, n + " dnsmasq", true},
				thing{h, n + " shaping", false}},
			Forwarding: []string{forwardIPv4},
		})
		h.network = append(h.network, n)
	}
	return plans
}

// A network that fails at any step leaves nothing behind, and the other comes up.
func TestUpFailsAtEveryStep(t *testing.T) {
	for _, step := range []string{"bridge", "mtu", "address", "dnsmasq", "shaping"} {
		for _, name := range []string{"a", "b"} {
			t.Run(name+" "+step, func(t *testing.T) {
				h := &host{fail: name + " " + step}
				f := testForwarding(t, "0")
				out := Up(twoPlans(h), h, f)
				other := map[string]string{"a": "b", "b": "a"}[name]
				for _, o := range out {
					if (o.Err != nil) != (o.Name == name) {
						t.Errorf("%s: %v", o.Name, o.Err)
					}
					if o.Err != nil && !strings.Contains(o.Err.Error(), h.fail) {
						t.Errorf("the error doesn't name the step: %v", o.Err)
					}
				}
				slices.Sort(h.things)
				want := []string{other + " address", other + " bridge", other + " dnsmasq", other + " mtu",
					other + " shaping"}
				if diff := cmp.Diff(want, h.things); diff != "" {
					t.Errorf("on the host (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{other}, h.rules); diff != "" {
					t.Errorf("rules (-want +got):\n%s", diff)
				}
				if v, _ := f.read(forwardIPv4); v != "1" {
					t.Errorf("forwarding is %s though %s needs it", v, other)
				}
			})
		}
	}
}

func TestUpWithoutRules(t *testing.T) {
	h := &host{fail: "rules"}
	f := testForwarding(t, "0")
	for _, o := range Up(twoPlans(h), h, f) {
		if o.Err == nil {
			t.Errorf("%s came up without rules", o.Name)
		}
	}
	if len(h.things) > 0 || h.loads != 2 {
		t.Errorf("left: %v; rules were loaded %d times", h.things, h.loads)
	}
	if v, _ := f.read(forwardIPv4); v != "0" {
		t.Errorf("forwarding is %s", v)
	}
}

// Forwarding comes back to what it was with the last network that needs it, unless it was set by
// others.
func TestForwarding(t *testing.T) {
	for _, tt := range []struct {
		name, first string
		others      []string
		meddle      string // what somebody sets while the network is up
		want        string
	}{
		{"off before", "0", nil, "", "0"},
		{"on before", "1", nil, "", "1"},
		{"needed by others", "0", []string{forwardIPv4}, "", "1"},
		{"changed since", "0", nil, "2", "2"},
		{"off since", "0", nil, "0", "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := testForwarding(t, tt.first)
			f.Others = tt.others
			h := &host{}
			for _, o := range Up(twoPlans(h), h, f) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
			}
			if v, _ := f.read(forwardIPv4); v != "1" {
				t.Errorf("while up it is %s", v)
			}
			if tt.meddle != "" {
				if err := f.write(forwardIPv4, tt.meddle); err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range Down([]Plan{{Name: "a"}, {Name: "b"}}, h, f) {
				if o.Err != nil {
					t.Error(o.Err)
				}
			}
			if v, _ := f.read(forwardIPv4); v != tt.want {
				t.Errorf("after down it is %s, want %s", v, tt.want)
			}
			notes, err := f.Dir.Sysctls()
			if err != nil || len(notes) > 0 != (len(tt.others) > 0) {
				t.Errorf("notes %v, %v", notes, err)
			}
		})
	}
}

// Down goes on past what fails, and tells it; a network whose link is still there keeps its rules.
func TestDownGoesOn(t *testing.T) {
	h := &host{fail: "b stop", network: []string{"a", "b", "c"}}
	var plans []Plan
	for _, n := range []string{"a", "b"} {
		plans = append(plans, Plan{Name: n, Before: []Step{thing{h, n + " stop", true}, thing{h, n + " link", false}},
			After: []Step{thing{h, n + " bridge", false}}})
	}
	out := Down(plans, h, testForwarding(t, "0"))
	if out[0].Err != nil || out[1].Err == nil {
		t.Errorf("got %v and %v", out[0].Err, out[1].Err)
	}
	want := "a stop,a link,b stop,b link,a bridge"
	if got := strings.Join(h.things, ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if fmt.Sprint(h.rules) != "[b c]" {
		t.Errorf("rules of %v", h.rules)
	}
}

// Each step is told once, by Up and by Down, those that have to be waited for as well.
func TestStepped(t *testing.T) {
	h, told := &host{}, 0
	plans := twoPlans(h)
	for i := range plans {
		plans[i].Stepped = func() { told++ }
	}
	Up(plans, h, testForwarding(t, "0"))
	if told != 10 {
		t.Errorf("up tells %d steps, want 10", told)
	}
	Down(plans, h, testForwarding(t, "0"))
	if told != 20 {
		t.Errorf("with down %d steps are told, want 20", told)
	}
}
