package inforce

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup/state"
)

// scenario is a change of a host, and what is there when it is done.
type scenario struct {
	name        string
	before      []verb
	change      verb
	inForce, up []string
}

var scenarios = []scenario{
	{"apply the first", nil, apply("lab nat"), []string{"lab"}, nil},
	{"apply two", nil, apply("lab nat", "dmz none"), []string{"dmz", "lab"}, nil},
	{"apply another", []verb{apply("lab nat")}, apply("dmz none"), []string{"dmz", "lab"}, nil},
	{"apply a changed one", []verb{apply("lab nat", "dmz nat")}, apply("lab none"), []string{"dmz", "lab"}, nil},
	{"prune", []verb{apply("lab nat", "dmz nat")}, prune("dmz nat"), []string{"dmz"}, nil},
	{"prune and change", []verb{apply("lab nat", "dmz nat")}, prune("dmz none", "web nat"), []string{"dmz", "web"},
		nil},
	{"move", []verb{apply("lab nat", "dmz nat")}, apply("web nat").to(Choice{Backend: "second"}),
		[]string{"dmz", "lab", "web"}, nil},
	{"move and prune", []verb{apply("lab nat", "dmz nat")}, prune("dmz nat").to(Choice{Backend: "second"}),
		[]string{"dmz"}, nil},
	{"other names", []verb{apply("lab nat")}, apply("dmz nat").to(Choice{Names: backends.LibvirtNames}),
		[]string{"dmz", "lab"}, nil},
	{"other names and place", []verb{apply("lab nat")}, apply("dmz nat").to(Choice{Backend: "second",
		Names: backends.LibvirtNames}), []string{"dmz", "lab"}, nil},
	{"remove one", []verb{apply("lab nat", "dmz nat")}, remove("lab"), []string{"dmz"}, nil},
	{"remove all", []verb{apply("lab nat", "dmz nat")}, remove(), nil, nil},
	{"up", nil, up("lab nat"), []string{"lab"}, []string{"lab"}},
	{"up two", nil, up("lab nat", "dmz none"), []string{"dmz", "lab"}, []string{"dmz", "lab"}},
	{"up beside others", []verb{apply("dmz nat"), up("web nat")}, up("lab nat"), []string{"dmz", "lab", "web"},
		[]string{"lab", "web"}},
	{"up what is applied", []verb{apply("lab nat", "dmz nat")}, up("lab nat"), []string{"dmz", "lab"}, []string{"lab"}},
	{"up again, changed", []verb{up("lab nat", "dmz nat")}, up("lab none"), []string{"dmz", "lab"},
		[]string{"dmz", "lab"}},
	{"up elsewhere", []verb{up("lab nat")}, up("dmz nat").to(Choice{Backend: "second"}), []string{"dmz", "lab"},
		[]string{"dmz", "lab"}},
	{"up under other names", []verb{up("lab nat")}, up("dmz nat").to(Choice{Names: backends.LibvirtNames}),
		[]string{"dmz", "lab"}, []string{"dmz", "lab"}},
	{"down one", []verb{up("lab nat", "dmz nat"), apply("web nat")}, down("lab"), []string{"dmz", "web"},
		[]string{"dmz"}},
	{"down one and move", []verb{up("lab nat", "dmz nat")}, down("lab").to(Choice{Backend: "second"}), []string{"dmz"},
		[]string{"dmz"}},
	{"down all", []verb{up("lab nat", "dmz nat")}, down(), nil, nil},
}

// TestEveryCut cuts each verb short at each of its calls, by an error and by a kill. At that moment
// no guest is open and nothing is without its state file; given again the verb does what it would
// have done, and the way back leaves nothing.
func TestEveryCut(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(s.before...)
			w.calls = 0
			w.must(s.change)
			calls := w.calls
			w.holds("not cut", s.inForce, s.up)
			for _, kill := range []bool{false, true} {
				for k := 1; k <= calls; k++ {
					s.cut(t, k, kill, "again")
					s.cut(t, k, kill, "back")
				}
			}
			t.Logf("%d calls", calls)
		})
	}
}

// cut cuts call k of the change, and then gives the same verb again or goes back to nothing.
func (s scenario) cut(t *testing.T, k int, kill bool, then string) {
	w := newWorld(t)
	w.must(s.before...)
	w.calls, w.cutAt, w.kill = 0, k, kill
	dead, err := w.do(s.change)
	when := fmt.Sprintf("%s, cut at %q (kill: %t)", s.change.name, w.at, kill)
	if dead != kill || !dead && err == nil {
		t.Errorf("%s: killed: %t, error %v", when, dead, err)
	}
	w.failsClosed(when)
	word, _, _ := strings.Cut(w.at, " ")
	if late := []string{"save", "remove", "dump", "unload"}; !kill && !slices.Contains(late, word) {
		w.tellsTruth(when, strings.HasPrefix(s.change.name, "down"))
	}
	if then == "again" {
		w.again(s, when)
		return
	}
	w.must(down(), remove())
	w.holds(when+", and back", nil, nil)
}

// tellsTruth checks that state files say at most there is, as they do after every error but those
// of writing them, and of reading or deleting rules when others stand already. A network that was
// to go down may have lost its bridge.
func (w *world) tellsTruth(when string, down bool) {
	w.t.Helper()
	w.cutAt = 0
	var networks []state.Network
	if err := w.look(func(h *Host) error { networks = h.Networks(); return nil }); err != nil {
		w.t.Fatal(err)
	}
	ruled := w.ruled()
	for _, n := range networks {
		if up := w.links[n.Name]; n.Up != up && !(n.Up && down) || !ruled[n.Name] {
			w.t.Errorf("%s: the file of %s says up: %t; its link is up: %t, it has rules: %t", when, n.Name, n.Up, up,
				ruled[n.Name])
		}
	}
	if drifts, err := w.drifts(); err != nil || len(drifts) > 0 {
		w.t.Errorf("%s: drift %v, %v", when, drifts, err)
	}
}

// again gives the verb again.
func (w *world) again(s scenario, when string) {
	w.t.Helper()
	w.cutAt = 0
	if _, err := w.do(s.change); err != nil && !isGone(err) {
		w.t.Errorf("%s, and again: %v", when, err)
	}
	w.holds(when+", and again", s.inForce, s.up)
}

// isGone is true for the answer of remove and down to the name of a network that the verb,
// interrupted, has taken away already.
func isGone(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Usage
}

// TestPlaceThatTakesNothing moves networks to a back end that takes no rules: state files go on
// telling where the rules are.
func TestPlaceThatTakesNothing(t *testing.T) {
	second := Choice{Backend: "second"}
	for _, v := range []verb{apply("web nat").to(second), up("web nat").to(second), up("lab none").to(second),
		down("lab").to(second), remove("dmz").to(second)} {
		w := newWorld(t)
		w.must(up("lab nat"), apply("dmz nat"))
		w.never = "load second"
		if _, err := w.do(v); !errors.Is(err, errCut) {
			t.Errorf("%s: %v, want it to fail", v.name, err)
		}
		w.failsClosed(v.name)
		w.tellsTruth(v.name, strings.HasPrefix(v.name, "down"))
	}
}
