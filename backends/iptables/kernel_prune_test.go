package iptables_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// ofNetwork chooses the rules that have a word in them.
func ofNetwork(words string, frame bool) backends.Choose {
	return func(held *ir.Program) (rules []*ir.Rule, _ bool) {
		for _, c := range held.Chains {
			for i := range c.Rules {
				if regexp.MustCompile(words).MatchString(c.Rules[i].String()) {
					rules = append(rules, &c.Rules[i])
				}
			}
		}
		return rules, frame
	}
}

// prune asks what a Prune would do, and does it.
func (h *loading) prune(choose backends.Choose) (gone bool, err error) {
	h.t.Helper()
	before := h.exact()
	var said, done backends.Pruned
	h.Do(func() { said, err = h.loader.Prune(backends.VnetcNames, true, choose) })
	if diff := cmp.Diff(before, h.exact()); diff != "" || err != nil {
		h.t.Errorf("what it would do (%v, -before +after):\n%s", err, diff)
	}
	h.Do(func() { done, err = h.loader.Prune(backends.VnetcNames, false, choose) })
	if err == nil && (said != done || (done.Changed > 0) != (before != h.exact())) {
		h.t.Errorf("it would be %+v, and was %+v", said, done)
	}
	return done.Gone, err
}

// linesLike returns the lines of a listing that match, or those that don't.
func linesLike(listing, pattern string, match bool) string {
	out := ""
	for line := range strings.Lines(listing) {
		if regexp.MustCompile(pattern).MatchString(line) == match {
			out += line
		}
	}
	return out
}

const net2 = `virbr2\b|10\.0\.2\.0|2001:db8:2:`

// TestKernelPrune takes the rules of one network away, of which one is there twice: all else stays,
// with counters and handles. Then the rest goes with the frame, but for a chain that others lead to
// and one that they have put a rule in.
func TestKernelPrune(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(with(networks(1, 2, 3), ir.INP))
		h.both("-I VNETC_FWX 2 -i virbr2 -o virbr2 -j ACCEPT")
		h.both("-A VNETC_FWI -i virbr1 -j DROP")
		h.both("-A OUTPUT -o eth9 -j VNETC_OUT")
		h.traffic()
		before, handles := h.exact(), h.handles()
		gone, err := h.prune(ofNetwork(net2, false))
		if err != nil || gone {
			t.Fatalf("gone %t, %v", gone, err)
		}
		if diff := cmp.Diff(linesLike(before, net2, false), h.exact()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(linesLike(handles, net2, false), h.handles()); diff != "" {
			t.Errorf("handles (-want +got):\n%s", diff)
		}
		rest := h.exact()
		if gone, err = h.prune(ofNetwork("^$", false)); err != nil || gone || h.exact() != rest {
			t.Errorf("none chosen: gone %t, %v", gone, err)
		}
		keep := func(held *ir.Program) (rules []*ir.Rule, _ bool) {
			all, _ := ofNetwork("", true)(held)
			for _, r := range all {
				if _, drops := r.Verdict.(ir.Drop); !drops {
					rules = append(rules, r)
				}
			}
			return rules, true
		}
		if gone, err = h.prune(keep); err != nil || gone {
			t.Fatalf("gone %t, %v", gone, err)
		}
		want := `:VNETC_FWI - [0:0]
:VNETC_OUT - [0:0]
-A FORWARD -j VNETC_FWI
-A OUTPUT -j VNETC_OUT
-A OUTPUT -o eth9 -j VNETC_OUT
-A VNETC_FWI -i virbr1 -j DROP
`
		for _, stem := range []string{"iptables-", "ip6tables-"} {
			if diff := cmp.Diff(want, linesLike(h.Exec(stem+h.variant+"-save"), "VNETC", true)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", stem, diff)
			}
		}
		h.both("-D OUTPUT -o eth9 -j VNETC_OUT")
		if gone, err = h.prune(ofNetwork("", true)); err != nil || !gone || strings.Contains(h.save(), "VNETC") {
			t.Errorf("all chosen: gone %t, %v:\n%s", gone, err, h.save())
		}
	})
}

// TestKernelPruneFaults lets each document fail, before its work and after: all rules are there
// again, with counters. What others write meanwhile stays.
func TestKernelPruneFaults(t *testing.T) {
	faults := map[string]string{
		"tool fails at once":    `echo "out of luck" >&2; exit 3`,
		"tool fails afterwards": `"$tool" "$@"; echo "out of luck" >&2; exit 3`,
		"tool is killed":        `"$tool" "$@"; kill -9 $$`,
	}
	eachVariant(t, func(t *testing.T, h *loading) {
		h.load(with(networks(1, 2, 3), ir.INP))
		h.both("-I VNETC_FWI 2 -i other -j ACCEPT")
		h.traffic()
		before := h.exact()
		for _, choose := range []backends.Choose{ofNetwork(net2, false), ofNetwork("", true)} {
			for _, stem := range []string{"iptables", "ip6tables"} {
				for name, script := range faults {
					h.wrap(stem, "restore", once(script))
					_, err := h.prune(choose)
					if err == nil {
						t.Errorf("%s of %s: pruned", name, stem)
					}
					h.unwrap()
					if diff := cmp.Diff(before, h.exact()); diff != "" {
						t.Fatalf("%s of %s (-before +after):\n%s\n%v", name, stem, diff, err)
					}
				}
			}
		}
		h.wrap("ip6tables", "restore", once(`iptables-`+h.variant+` -I VNETC_FWO -o meanwhile -j ACCEPT; exit 3`))
		if gone, err := h.prune(ofNetwork(net2, false)); err != nil || gone {
			t.Errorf("others write meanwhile: gone %t, %v", gone, err)
		}
		h.unwrap()
		after := h.exact()
		if diff := cmp.Diff(linesLike(before, net2, false), linesLike(after, "meanwhile", false)); diff != "" {
			t.Errorf("others write meanwhile (-want +got):\n%s", diff)
		}
		if !strings.Contains(after, "meanwhile") {
			t.Errorf("what others wrote is gone:\n%s", after)
		}
	})
}
