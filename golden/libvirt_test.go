package golden

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// taken lists the bad cases that vnetc compiles, with the reason. All others are refused.
var taken = map[string]string{
	"bad-bridge-is-nic":         "that eth1 is a NIC is known to the host only; bring-up refuses a device it did not make",
	"bad-bridge-mode-notbridge": "that eth1 is no bridge is known to the host only",
	"bad-default-route-addr":    "that the subnet is the uplink's is known to the host only",
	"bad-dhcp-includes-gw":      "the DHCP server never leases the address it has itself",
	"bad-hostdev-no-addr":       "warning: an empty pool; devices may come by another definition",
	"bad-no-prefix-classless":   "warning: libvirt's classful default is well defined",
	"bad-private-no-dev":        "warning: an empty pool",
	"bad-v6-no-prefix":          "warning: /64 is what IPv6 subnets are",
}

// libvirtCases calls f for each recorded case whose name is chosen.
func libvirtCases(t *testing.T, choose func(name string) bool,
	f func(t *testing.T, name string, src *diag.Sources, record map[string][]string)) {
	corpusFiles(t, "libvirt", choose, func(t *testing.T, name string, s *Scenario) {
		record := parseRecord(string(textOf(s.Sections, "libvirt.txt")))
		if len(record) == 0 {
			t.Fatal("nothing is recorded")
		}
		f(t, name, s.Sources, record)
	})
}

// badCase matches the names of inputs that are to be refused.
var badCase = regexp.MustCompile(`^(multi-)?bad-`)

func isValid(name string) bool { return !badCase.MatchString(name) }

var heading = regexp.MustCompile(`^(iptables-save|ip6tables-save|nft) (.*)$`)

// parseRecord takes the rules out of a record: by chain, keyed as chainsOf does.
func parseRecord(text string) map[string][]string {
	chains := make(map[string][]string)
	title, backend := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if after, ok := strings.CutPrefix(line, "## "); ok {
			title = after
			continue
		}
		if after, ok := strings.CutPrefix(line, "# "); ok {
			backend, title = after, ""
			chains["backend "+backend] = nil
			continue
		}
		m := heading.FindStringSubmatch(title)
		switch {
		case m == nil || line == "":
		case m[1] == "nft" && backend == "nftables":
			chains["nft "+m[2]] = append(chains["nft "+m[2]], line)
		case m[1] != "nft" && backend == "iptables":
			key, rule := saveLine(m[1], m[2], line)
			chains[key] = append(chains[key], rule)
		}
	}
	return chains
}

// saveLine keys a line of iptables-save by tool, table and chain.
func saveLine(tool, table, line string) (key, rule string) {
	fields := strings.SplitN(line, " ", 3)
	return tool + " " + table + " " + fields[1], fields[2]
}

var byIndex = regexp.MustCompile(`\b(iif|oif) "`)

func TestLibvirtRules(t *testing.T) {
	libvirtCases(t, isValid, func(t *testing.T, _ string, src *diag.Sources, record map[string][]string) {
		p, found := Compile(src)
		if found.HasErrors() {
			t.Fatalf("libvirt starts it:\n%s", diagnostics(src, found))
		}
		got := make(map[string][]string)
		opts := backends.Options{Families: ir.Both, Names: backends.LibvirtNames, Layout: backends.Chains}
		for _, b := range []backends.Backend{iptables.Backend{}, nftables.Backend{}} {
			rules, found := b.Lower(p, opts)
			if found.HasErrors() {
				t.Fatal(found)
			}
			for _, l := range rules.Lines() {
				key, text := lineKey(b.Name(), l)
				got[key] = append(got[key], text)
			}
		}
		want := make(map[string][]string)
		for key, lines := range record {
			if !privateChain(key) {
				continue // backend marks, and the jumps in built-in chains: TestLibvirtJumps
			}
			for _, l := range lines {
				want[key] = append(want[key], byIndex.ReplaceAllString(l, `${1}name "`))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rules differ from libvirt's (-libvirt +vnetc):\n%s", diff)
		}
	})
}

func privateChain(key string) bool {
	return strings.Contains(key, "LIBVIRT_") || strings.Contains(key, "guest_")
}

func lineKey(backend string, l backends.Line) (key, text string) {
	if backend == "nftables" {
		return "nft " + l.Family.String() + " " + l.Table + " " + l.Chain, l.Text
	}
	tool := "iptables-save"
	if l.Family == ir.IPv6 {
		tool = "ip6tables-save"
	}
	text = strings.TrimPrefix(l.Text, "-A "+l.Chain+" ")
	return tool + " " + l.Table + " " + l.Chain, text
}

// TestLibvirtJumps compares whole documents, including the jumps, with the record.
func TestLibvirtJumps(t *testing.T) {
	libvirtCases(t, isValid, func(t *testing.T, _ string, src *diag.Sources, record map[string][]string) {
		p, _ := Compile(src)
		if p == nil || !filtered(p) {
			return // libvirt makes its chains only once a network needs them
		}
		rules, _ := iptables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.LibvirtNames,
			Layout: backends.Chains})
		got := make(map[string][]string)
		for _, d := range rules.Emit() {
			tool := map[ir.Family]string{ir.IPv4: "iptables-save", ir.IPv6: "ip6tables-save"}[d.Family]
			table := ""
			for line := range strings.Lines(string(d.Text)) {
				line = strings.TrimSpace(line)
				if after, ok := strings.CutPrefix(line, "*"); ok {
					table = after
				}
				if after, ok := strings.CutPrefix(line, "-I "); ok {
					chain, rule, _ := strings.Cut(after, " ")
					key := tool + " " + table + " " + chain
					got[key] = append([]string{rule}, got[key]...) // inserted at the head
				}
			}
		}
		want := make(map[string][]string)
		for key, lines := range record {
			if !privateChain(key) && strings.Contains(key, "tables-save") {
				want[key] = lines
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("jumps differ from libvirt's (-libvirt +vnetc):\n%s", diff)
		}
	})
}

func filtered(p *ir.Program) bool {
	for _, l := range p.Links {
		if l.Mode.Filtered() {
			return true
		}
	}
	return false
}

func TestLibvirtRefused(t *testing.T) {
	seen := make(map[string]bool)
	libvirtCases(t, badCase.MatchString, func(t *testing.T, name string, src *diag.Sources, _ map[string][]string) {
		_, found := Compile(src)
		why, isTaken := taken[name]
		seen[name] = true
		switch {
		case isTaken && found.HasErrors():
			t.Errorf("listed as taken (%s), but refused:\n%s", why, diagnostics(src, found))
		case isTaken && strings.HasPrefix(why, "warning") && found.Count(diag.Warning) == 0:
			t.Errorf("listed as a warning (%s), but nothing is said", why)
		case !isTaken && !found.HasErrors():
			t.Errorf("a bad input compiles; said: %v", found)
		}
	})
	for name := range taken {
		if !seen[name] {
			t.Errorf("%s is listed in taken and does not exist", name)
		}
	}
}
