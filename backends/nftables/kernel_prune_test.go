package nftables

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// theirs is a table as libvirt has it, with interfaces by index.
const theirs = `table ip libvirt_network {
	chain guest_output {
		ip saddr 10.0.2.0/24 iif "two" counter accept
		iif "two" counter reject
		iif "one" counter reject
	}
	chain guest_input {
		oif "two" counter reject
		oif "one" counter reject
	}
	chain guest_cross {
		iif "two" oif "two" counter accept
		iif "one" oif "one" counter accept
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		counter jump guest_cross
		counter jump guest_input
		counter jump guest_output
	}
	chain guest_nat {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.0.2.0/24 ip daddr != 10.0.2.0/24 oif "one" counter masquerade
	}
}
table ip6 libvirt_network {
	chain guest_output {
		iif "two" counter reject
	}
}
`

// withWord chooses the rules that have a word in them.
func withWord(word string, frame bool) backends.Choose {
	return func(held *ir.Program) (rules []*ir.Rule, _ bool) {
		for _, c := range held.Chains {
			for i := range c.Rules {
				if regexp.MustCompile(word).MatchString(c.Rules[i].String()) {
					rules = append(rules, &c.Rules[i])
				}
			}
		}
		return rules, frame
	}
}

func TestKernelPrune(t *testing.T) {
	netnstest.Require(t, "nft", "ip")
	ns := netnstest.New(t)
	for _, name := range []string{"one", "two"} {
		ns.Exec("ip", "link", "add", name, "type", "bridge")
	}
	list := func() string {
		return regexp.MustCompile(`packets \d+ bytes \d+`).ReplaceAllString(ns.Exec("nft", "-a", "list", "ruleset"), "")
	}
	once := func(dry bool, choose backends.Choose) (done backends.Pruned) {
		t.Helper()
		ns.Do(func() {
			var err error
			if done, err = (Loader{}).Prune(backends.LibvirtNames, dry, choose); err != nil {
				t.Fatal(err)
			}
		})
		return done
	}
	prune := func(choose backends.Choose) bool {
		t.Helper()
		before := list()
		said := once(true, choose)
		if diff := cmp.Diff(before, list()); diff != "" {
			t.Errorf("what it would do (-before +after):\n%s", diff)
		}
		done := once(false, choose)
		if said != done || (done.Changed > 0) != (before != list()) {
			t.Errorf("it would be %+v, and was %+v", said, done)
		}
		return done.Gone
	}
	if !prune(withWord("", true)) {
		t.Error("something was there before anything was")
	}
	ns.Feed([]byte(theirs), "nft", "-f", "-")
	ns.Feed([]byte("add table inet other\nadd chain inet other c { type filter hook forward priority 0; }\nadd rule inet other c iif two accept"), "nft", "-f", "-")

	// Rules by the name of an interface that they have by its index.
	want := ""
	for line := range strings.Lines(list()) {
		if !strings.Contains(line, `"two"`) || strings.Contains(line, "iif \"two\" accept # handle") {
			want += line
		}
	}
	if prune(withWord(`"two"|two`, true)) {
		t.Error("all is gone")
	}
	six := regexp.MustCompile(`(?ms)^table ip6 libvirt_network .*?^}.*?\n`) // in which nothing is left
	if diff := cmp.Diff(six.ReplaceAllString(want, ""), list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Others write between the reading and the sending: the choice is asked again.
	asked := 0
	done := once(false, func(held *ir.Program) ([]*ir.Rule, bool) {
		if asked++; asked == 1 {
			ns.Exec("nft", "add rule ip libvirt_network guest_cross iif one drop")
		}
		return withWord("reject|accept|masquerade", true)(held)
	})
	if done.Gone || asked != 2 {
		t.Errorf("gone %t, asked %d times", done.Gone, asked)
	}
	if got := list(); !strings.Contains(got, `iif "one" drop`) || strings.Contains(got, "reject") {
		t.Errorf("the other's rule alone should be left:\n%s", got)
	}

	// Tables with something that libvirt doesn't make stay.
	for _, more := range []string{"set ip libvirt_network s { type ipv4_addr; }", "chain ip libvirt_network more",
		"counter ip libvirt_network n"} {
		ns.Exec("nft", "add "+more)
		if prune(withWord("drop", true)) {
			t.Errorf("with %s: all is gone", more)
		}
		ns.Exec("nft", "delete "+strings.Split(more, " {")[0])
	}
	if !prune(withWord("drop", true)) || strings.Contains(list(), "libvirt") ||
		!strings.Contains(list(), "inet other") {
		t.Errorf("in the end:\n%s", list())
	}
}
