package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// on returns the record of a libvirt that had chosen the bridge to for the one network, whose
// document names none.
func (r record) on(to string) record {
	out := record{maps.Clone(r.xml), map[string][]string{}}
	for name, text := range r.xml {
		out.xml[name] = regexp.MustCompile(`<bridge [^>]*>`).ReplaceAllString(text, "")
	}
	for title, lines := range r.rules {
		for _, line := range lines {
			out.rules[title] = append(out.rules[title], strings.ReplaceAll(line, "vbr1", to))
		}
	}
	return out
}

// TestKernelTakeOverBridge: rules are told to be a network's by its bridge, so there is no
// take-over for a network whose bridge in libvirt is not known, or whose guests are on another one
// than vnetc has rules for.
func TestKernelTakeOverBridge(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/nat-default.txtar").on("virbr0")
	const name, file = "nat-default", "nat-default.xml"
	open := r.xml[file]
	named := func(bridge string) string {
		return strings.Replace(open, "<forward", "<bridge name='"+bridge+"'/><forward", 1)
	}
	for _, c := range []struct {
		name   string
		xml    string            // of nat-default
		status map[string]string // libvirt's state
		code   int
		want   string
	}{
		{"a bridge that vnetc chose", open, nil, 1,
			`XML of network "nat-default" names no bridge, and vnetc chose virbr0; no rule`},
		{"and that is another network's", open, map[string]string{"other": strings.Replace(named("virbr0"), name+"<",
			"other<", 1)}, 1, "names no bridge"},
		{"and that it has", open, map[string]string{name: named("virbr0")}, 0,
			"[1-9][0-9]* taken away, 0 left; no libvirt rules"},
		{"another bridge", named("vbr7"), map[string]string{name: named("virbr0")}, 1,
			`libvirt's network "nat-default" has bridge virbr0, which exists, and its XML says vbr7; no rule`},
		{"another bridge than one that is gone", named("virbr0"), map[string]string{name: named("vbr7")}, 0,
			"0 left; no libvirt rules"},
		{"a status file without a bridge", named("virbr0"), map[string]string{name: open}, 0, "0 left; no libvirt rules"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.load(r, "nft") // makes virbr0
			before := h.listing("nft")
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, []byte(c.xml), 0o644); err != nil {
				t.Fatal(err)
			}
			h.wants(h.vnetc(c.code, "apply", "--take-over", "--libvirt-root", fakeLibvirt(t, "", c.status), path),
				c.want)
			if after := h.listing("nft"); c.code != 0 && (after != before ||
				strings.Contains(h.ns.Exec("nft", "list", "tables"), "vnetc")) {
				t.Errorf("something was touched:\n%s", after)
			}
		})
	}
}

// TestKernelTakeOverNotedBridge: a network keeps the bridge that was chosen for it while there were
// others, in its take-over too.
func TestKernelTakeOverNotedBridge(t *testing.T) {
	h := newHost(t)
	r := readRecord(t, "../../golden/libvirt/nat-default.txtar").on("virbr0")
	h.load(r, "nft")
	before := h.listing("nft")
	network := func(name, address string) string {
		return "<network><name>" + name + "</name><forward mode='nat'/><ip address='" + address +
			"' prefix='24'/></network>"
	}
	dir := record{xml: map[string]string{"a.xml": network("a", "10.9.0.1"), "b.xml": network("b", "10.9.1.1")}}.files(t)
	h.vnetc(0, "apply", dir)
	h.vnetc(0, "remove", "a")
	live := strings.Replace(network("b", "10.9.1.1"), "<forward", "<bridge name='virbr1'/><forward", 1)
	h.vnetc(0, "apply", "--take-over", "--libvirt-root", fakeLibvirt(t, "", map[string]string{"b": live}),
		filepath.Join(dir, "b.xml"))
	if after := h.listing("nft"); after != before {
		t.Errorf("rules of libvirt's other network, before\n%s\nafter\n%s", before, after)
	}
}

// TestKernelTakeOverUntold: where libvirt's rules is unknown from others nothing is touched, and
// --dry-run promises at most what is done.
func TestKernelTakeOverUntold(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/nat-default.txtar")
	for name, c := range map[string]struct {
		tool  string
		admin []string // does this first
		code  int
		want  string
		again int // exit code of --dry-run afterwards
	}{
		"a rule that iptables can't express": {"iptables-nft", []string{
			"nft add rule ip filter FORWARD meter m { ip saddr limit rate 1/second } accept",
		}, 3, `can't identify libvirt's rules in iptables \(nf_tables\): .*; no rule was changed`, 3},
		"a rule that iptables lists as libvirt's": {"iptables-nft", []string{
			"nft add set ip filter s { type ipv4_addr; }",
			"nft insert rule ip filter LIBVIRT_FWX iifname vbr1 oifname vbr1 ip saddr @s accept",
		}, 3, `in iptables \(nf_tables\): chain LIBVIRT_FWX in IPv4 table filter holds a rule made with nft \(handle \d+\).*; no rule was changed`, 3},
		"a chain that iptables can't read": {"iptables-legacy", []string{`iptables-legacy -N LIBVIRT_"q`,
			`iptables-legacy -A LIBVIRT_"q -j LIBVIRT_FWX`},
			3, `can't identify libvirt's rules in iptables \(legacy\): .*; no rule was changed`, 3},
		"an empty table": {"nft", []string{"nft flush ruleset", "nft add table ip libvirt_network"}, 0,
			`nftables: 0 taken away, 0 left; no libvirt rules`, 0},
		"a set": {"nft", []string{"nft add set ip libvirt_network s { type ipv4_addr; }"}, 0,
			`nftables: 1?[0-9] taken away, 0 left\n`, 0},
		"chains of IPv6": {"iptables-nft", []string{"iptables-nft -F LIBVIRT_FWI",
			"iptables-nft -A LIBVIRT_FWI -j DROP"}, 0, `1 left\n`, 0},
		"one chain's rest": {"iptables-legacy", []string{"iptables-legacy -A LIBVIRT_OUT -j ACCEPT"}, 0, `1 left\n`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.load(r, c.tool)
			for _, command := range c.admin {
				words := strings.Fields(command)
				h.ns.Exec(words[0], words[1:]...)
			}
			args := []string{"apply", "--take-over", r.files(t)}
			dry := append(args, "--dry-run")
			before, tables := h.listing(c.tool), h.ns.Exec("nft", "list", "tables")
			said := h.vnetc(map[bool]int{true: 1, false: 3}[c.code == 0], dry...)
			did := h.vnetc(c.code, args...)
			h.wants(did, c.want)
			if gone := "nothing of libvirt's"; strings.Contains(said, gone) != strings.Contains(did, gone) {
				t.Errorf("--dry-run says\n%s", said)
			}
			if c.code != 0 && (h.listing(c.tool) != before || h.ns.Exec("nft", "list", "tables") != tables ||
				h.notes() != "") {
				t.Errorf("something was touched:\n%s%s", h.listing(c.tool), h.notes())
			}
			h.vnetc(c.again, dry...)
		})
	}
}
