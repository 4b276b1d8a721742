package iptables_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// TestKernelLoaderAdmin: what the administrator has in his chains stays as it is, counters and
// handles included, with the chains that his rules lead to, and his jump stays before ours,
// whatever is done to our rules.
func TestKernelLoaderAdmin(t *testing.T) {
	eachVariant(t, func(t *testing.T, h *loading) {
		first := h.load(networks(1))
		var before, image []backends.Document
		h.Do(func() { before, _ = h.loader.Dump(backends.VnetcNames) })
		for _, rule := range []string{
			"-N MINE", "-N VNETC_MINE", "-A MINE -i eth7 -j ACCEPT", "-A VNETC_MINE -p tcp -j ACCEPT",
			"-A MINE -j VNETC_MINE", "-A VNETC_ADMIN_FORWARD -i eth8 -j MINE", "-A VNETC_ADMIN_FORWARD -i lo -j ACCEPT",
			"-A VNETC_ADMIN_FORWARD -i lo -j ACCEPT", "-A VNETC_ADMIN_INPUT -i lo -j RETURN",
			"-t nat -A VNETC_ADMIN_POSTROUTING -o eth9 -j ACCEPT",
		} {
			h.both(rule)
		}
		h.traffic()
		mine := regexp.MustCompile(`(?m)^.*(MINE|ADMIN_FORWARD |ADMIN_INPUT |ADMIN_POSTROUTING |-i lo ).*$`)
		own := func() string {
			lines := mine.FindAllString(h.save("-c")+h.handles(), -1)
			return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
				return strings.Contains(line, "jump VNETC_ADMIN") // ours, which an accident below takes away
			}), "\n")
		}
		// The packets of traffic go by lo, and are counted by the jumps too.
		stays := own()
		do := func(what string, f func() error) {
			t.Helper()
			var err error
			h.Do(func() { err = f() })
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if diff := cmp.Diff(stays, own()); diff != "" {
				t.Errorf("%s (-before +after):\n%s", what, diff)
			}
			for chain, admin := range map[string]string{"filter FORWARD": "FORWARD", "filter INPUT": "INPUT",
				"nat POSTROUTING": "POSTROUTING"} {
				have := rules(h.Exec("iptables-" + h.variant + "-save"))[chain]
				if len(have) == 0 || have[0] != "-A "+admin+" -j VNETC_ADMIN_"+admin {
					t.Errorf("%s: chain %s is %q", what, chain, have)
				}
			}
		}
		load := func(p *ir.Program) func() error {
			return func() error { _, err := h.try(p); return err }
		}
		if again := h.load(networks(1)); again.Changed != 0 || again.Kept >= first.Changed {
			t.Errorf("the same again: %+v; of our own there are %d", again, first.Changed)
		}
		do("other networks", load(networks(2, 3)))
		do("no network", load(&ir.Program{}))
		h.Do(func() { image, _ = h.loader.Dump(backends.VnetcNames) })
		do("more networks", load(networks(1, 2, 3)))
		do("what stood before", func() error { return h.loader.Restore(backends.VnetcNames, before) })
		do("what stood with his rules", func() error { return h.loader.Restore(backends.VnetcNames, image) })
		h.both("-D FORWARD -j VNETC_ADMIN_FORWARD") // an accident
		h.both("-D FORWARD -j VNETC_FWX")
		do("after the accident", load(networks(2)))
		do("unload", h.unload)
		if text := h.save(); strings.Contains(text, "VNETC_FW") || strings.Contains(text, "ADMIN_PREROUTING") {
			t.Errorf("after Unload there is more than his:\n%s", text)
		}
		do("unload again", h.unload)
		do("load over what is left", load(networks(1)))

		var p *ir.Program
		h.Do(func() {
			docs, err := h.loader.Dump(backends.VnetcNames)
			if err == nil {
				p, err = h.loader.Read(docs)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		his := make(map[string]int)
		for _, c := range p.Chains {
			if c.Admin {
				his[c.Name] += len(c.Rules)
			}
		}
		if diff := cmp.Diff(map[string]int{"MINE": 4, "VNETC_MINE": 2, "VNETC_ADMIN_FORWARD": 6, "VNETC_ADMIN_INPUT": 2,
			"VNETC_ADMIN_PREROUTING": 0, "VNETC_ADMIN_POSTROUTING": 2}, his); diff != "" {
			t.Errorf("the administrator's, of both families (-want +got):\n%s", diff)
		}

		h.both("-F VNETC_ADMIN_FORWARD")
		h.both("-F VNETC_ADMIN_INPUT")
		h.both("-t nat -F VNETC_ADMIN_POSTROUTING")
		h.both("-F MINE") // else it would lead to a chain that goes
		h.load(networks(1))
		if text := h.save(); strings.Contains(text, "VNETC_MINE") {
			t.Errorf("what nothing leads to stays:\n%s", text)
		}
		if err := h.unload(); err != nil {
			t.Error(err)
		}
		if text := h.save(); strings.Contains(text, "VNETC") {
			t.Errorf("left after Unload of all:\n%s", text)
		}
	})
}
