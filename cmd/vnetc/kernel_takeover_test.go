package main

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// record is a recorded libvirt: its networks, and its rules by heading ("iptables-save filter",
// "nft ip libvirt_network forward").
type record struct {
	xml   map[string]string
	rules map[string][]string
}

// readRecord reads a file of golden/libvirt.
func readRecord(t *testing.T, path string) record {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := record{map[string]string{}, map[string][]string{}}
	for _, f := range archive.Files {
		if f.Name != "libvirt.txt" {
			r.xml[f.Name] = string(f.Data)
			continue
		}
		backend, title := "", ""
		for line := range strings.Lines(string(f.Data)) {
			line = strings.TrimRight(line, "\n")
			switch {
			case strings.HasPrefix(line, "## "):
				title = line[3:]
			case strings.HasPrefix(line, "# "):
				backend, title = line[2:], ""
			case line != "" && strings.HasPrefix(title, "nft ") == (backend == "nftables"):
				r.rules[title] = append(r.rules[title], line)
			}
		}
	}
	return r
}

// lines returns the rules that match pattern, without jumps to libvirt's chains.
func (r record) lines(pattern string) (found []string) {
	match := regexp.MustCompile(pattern)
	for _, lines := range r.rules {
		for _, line := range lines {
			if match.MatchString(line) && !toLibvirts.MatchString(line) {
				found = append(found, line)
			}
		}
	}
	return found
}

// toLibvirts matches the jumps to libvirt's chains.
var toLibvirts = regexp.MustCompile(`-j LIBVIRT|jump guest`)

// with adds the networks of another record, and their rules behind those of the first.
func (r record) with(other record) record {
	maps.Copy(r.xml, other.xml)
	for title, lines := range other.rules {
		r.rules[title] = append(r.rules[title], slices.DeleteFunc(lines, toLibvirts.MatchString)...)
	}
	return r
}

// ofDefault matches what libvirt's rules for the recorded nat-default name.
const ofDefault = `\bvbr1\b|10\.20\.1\.0`

// files writes the documents into a folder of their own.
func (r record) files(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range r.xml {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// restoreText is one table of the record, for iptables-restore. libvirt makes all its chains
// whatever its networks need.
func (r record) restoreText(tool, table string) string {
	chains := map[string]string{"filter": "INP OUT FWX FWI FWO", "nat": "PRT", "mangle": "PRT"}
	text := "*" + table + "\n"
	for name := range strings.FieldsSeq(chains[table]) {
		text += ":LIBVIRT_" + name + " - [0:0]\n"
	}
	return text + strings.Join(r.rules[tool+"-save "+table], "\n") + "\nCOMMIT\n"
}

// nftText is the record for nft -f.
func (r record) nftText() string {
	base := map[string]string{
		"forward":   "type filter hook forward priority filter; policy accept;",
		"guest_nat": "type nat hook postrouting priority srcnat; policy accept;",
	}
	var b strings.Builder
	for _, family := range []string{"ip", "ip6"} {
		b.WriteString("table " + family + " libvirt_network {\n")
		for _, chain := range []string{"guest_output", "guest_input", "guest_cross", "forward", "guest_nat"} {
			b.WriteString("chain " + chain + " {\n" + base[chain] + "\n")
			b.WriteString(strings.Join(r.rules["nft "+family+" libvirt_network "+chain], "\n") + "\n}\n")
		}
		b.WriteString("}\n")
	}
	return alignedBlock.ReplaceAllStringFunc(b.String(), func(block string) string {
		p := netip.MustParsePrefix(strings.TrimSuffix(block, ":"))
		last := p.Addr()
		for p.Contains(last.Next()) {
			last = last.Next()
		}
		return p.Addr().String() + "-" + last.String() + ":"
	})
}

// alignedBlock is how nft 1.0.6 lists addresses of SNAT with ports, which it can't read back.
var alignedBlock = regexp.MustCompile(`[0-9.]+/[0-9]+:`)

var bridgeIndex = regexp.MustCompile(`\b[io]if "([^"]+)"`)

// load puts the record's rules into the kernel, in the world of one tool.
func (h *host) load(r record, tool string) {
	h.t.Helper()
	if tool == "nft" {
		made := map[string]bool{}
		for _, m := range bridgeIndex.FindAllStringSubmatch(r.nftText(), -1) {
			if !made[m[1]] {
				h.ns.Exec("sh", "-c", "ip link show "+m[1]+" >/dev/null 2>&1 || ip link add "+m[1]+" type bridge")
			}
			made[m[1]] = true
		}
		h.ns.Feed([]byte(r.nftText()), "nft", "-f", "-")
		return
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, table := range []string{"filter", "nat", "mangle"} {
			text := r.restoreText(family, table)
			if table == "mangle" { // this kernel may have no target CHECKSUM
				text = regexp.MustCompile(`(?m)^.*CHECKSUM.*\n`).ReplaceAllString(text, "")
			}
			h.ns.Feed([]byte(text), family+"-"+worldOf(tool)+"-restore", "--noflush")
		}
	}
}

// ipv6Mark stands between the listings of the two families.
const ipv6Mark = "IPv6:\n"

// listing is what one tool lists, without dates; for nft with handles and without the tables of
// iptables.
func (h *host) listing(tool string) string {
	h.t.Helper()
	if tool == "nft" {
		list := ""
		for table := range strings.Lines(h.ns.Exec("nft", "list", "tables")) {
			if f := strings.Fields(table); len(f) == 3 && f[2] != "vnetc" &&
				!strings.Contains("filter nat mangle", f[2]) {
				list += h.ns.Exec("nft", "-a", "-s", "list", "table", f[1], f[2])
			}
		}
		return list
	}
	list := h.ns.Exec(tool+"-save") + ipv6Mark + h.ns.Exec(strings.Replace(tool, "ip", "ip6", 1)+"-save")
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(list, "")
}

var libvirtTools = []string{"nft", "iptables-nft", "iptables-legacy"}

func worldOf(tool string) string { return strings.TrimPrefix(tool, "iptables-") }

// TestKernelTakeOverAll takes every recorded libvirt over that stands with all of its back ends at
// once: nothing of it is left.
func TestKernelTakeOverAll(t *testing.T) {
	paths, err := filepath.Glob("../../golden/libvirt/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		r := readRecord(t, path)
		if strings.Contains(name, "bad-") || len(r.rules["iptables-save filter"]) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			clean := h.listing("nft")
			for _, tool := range libvirtTools {
				h.load(r, tool)
			}
			out := h.vnetc(0, "apply", "--take-over", r.files(t))
			h.wants(out, `in nftables: \d+ taken away, 0 left; no libvirt rules`,
				`iptables \(nf_tables\): \d+ taken away, 0 left; no libvirt rules`,
				`iptables \(legacy\): \d+ taken away, 0 left; no libvirt rules`)
			if left := h.listing("nft"); left != clean {
				t.Errorf("nft: this is left:\n%s", left)
			}
			for _, tool := range libvirtTools[1:] {
				if left := h.listing(tool); strings.Contains(left, "LIBVIRT") {
					t.Errorf("%s: this is left:\n%s", tool, left)
				}
			}
			h.wants(h.vnetc(0, "audit"), `^in step`)
		})
	}
}

// foreignRules are rules that others put among libvirt's, into its chains and around the jumps to
// them, by tool. They speak of the network that is taken over.
var foreignRules = map[string][]string{
	"nft": {
		"insert rule ip libvirt_network guest_input oif vbr1 ip daddr 10.20.1.10 tcp dport 22 counter accept",
		"add rule ip libvirt_network guest_output iif vbr1 counter drop",
		`add rule ip libvirt_network guest_cross iif vbr1 oif vbr1 counter accept comment "mine"`,
		"add table inet admin",
		"add chain inet admin forward { type filter hook forward priority 10; policy accept; }",
		"add rule inet admin forward iifname vbr1 counter accept",
		"add chain ip libvirt_network admin",
	},
	"iptables": {
		"-I FORWARD -i vbr1 -p icmp -j ACCEPT",
		"-A FORWARD -i vbr1 -o vbr1 -j ACCEPT",
		"-I FORWARD 3 -o vbr1 -m comment --comment between -j ACCEPT",
		"-I LIBVIRT_FWI -d 10.20.1.10/32 -o vbr1 -p tcp -m tcp --dport 22 -j ACCEPT",
		"-A LIBVIRT_FWO -i vbr1 -j DROP",
		"-A LIBVIRT_FWX -i vbr1 -o vbr1 -m comment --comment mine -j ACCEPT",
		"-t nat -A POSTROUTING -s 10.20.1.0/24 -j ACCEPT",
	},
}

// addForeign puts them in.
func (h *host) addForeign(tool string) {
	h.t.Helper()
	if tool == "nft" {
		h.addRules(tool, foreignRules["nft"])
	} else {
		h.addRules(tool, foreignRules["iptables"])
	}
}

// addRules runs commands of nft, or of iptables.
func (h *host) addRules(tool string, rules []string) {
	h.t.Helper()
	if tool == "nft" {
		h.ns.Feed([]byte(strings.Join(rules, "\n")), "nft", "-f", "-")
		return
	}
	for _, rule := range rules {
		h.ns.Exec(tool, strings.Fields(rule)...)
	}
}

// without returns a listing without the first of each of the lines, which may stand with handles.
func without(listing string, lines []string) string {
	gone := map[string]bool{}
	for _, line := range lines {
		gone[line] = true
	}
	var out strings.Builder
	for line := range strings.Lines(listing) {
		text, _, _ := strings.Cut(strings.TrimSpace(line), " # handle")
		if !gone[text] {
			out.WriteString(line)
		}
	}
	return out.String()
}

// withoutFrame returns a listing without what goes with the last network: of nftables the tables,
// and of iptables the chains and jumps, that others have put nothing in.
func withoutFrame(tool, listing string) string {
	if tool == "nft" {
		return regexp.MustCompile(`(?ms)^table ip6 libvirt_network .*?^}.*?\n`).ReplaceAllString(listing, "")
	}
	four, six, _ := strings.Cut(listing, ipv6Mark)
	four = regexp.MustCompile(`(?m)^.*LIBVIRT_(INP|OUT|PRT).*\n`).ReplaceAllString(four, "")
	return four + ipv6Mark + regexp.MustCompile(`(?m)^.*LIBVIRT_.*\n`).ReplaceAllString(six, "")
}

// TestKernelTakeOverOne takes one of two networks over, beside foreign rules: of each listing
// exactly the lines that libvirt made for that network are gone, and handles are the same. Then the
// other one goes: what others put in stays, with the chains it stands in.
func TestKernelTakeOverOne(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/multi-two-nat.txtar")
	all, first := r.lines(""), r.lines(ofDefault)
	for _, tool := range libvirtTools {
		for _, backend := range []string{"nftables", "iptables"} {
			t.Run(tool+" to "+backend, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.load(r, tool)
				h.addForeign(tool)
				before := h.listing(tool)
				dir := r.files(t)
				args := []string{"apply", "--backend", backend, "--take-over", filepath.Join(dir, "nat-default.xml")}
				h.wants(h.vnetc(1, append(args, "--dry-run")...), `\d+ would go, \d+ left\n`)
				if diff := cmp.Diff(before, h.listing(tool)); diff != "" {
					t.Fatalf("after --dry-run (-before +after):\n%s", diff)
				}
				h.wants(h.vnetc(0, args...), `\d+ taken away, \d+ left\n`)
				ours := regexp.MustCompile(`(?m)^.*VNETC_.*\n`)
				if diff := cmp.Diff(without(before, first), ours.ReplaceAllString(h.listing(tool), "")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				h.wants(h.vnetc(0, "audit", "--backend", backend), `in step`)

				args[len(args)-1] = dir
				h.wants(h.vnetc(0, args...), `\d+ taken away, 3 left\n`)
				if diff := cmp.Diff(withoutFrame(tool, without(before, all)),
					ours.ReplaceAllString(h.listing(tool), "")); diff != "" {
					t.Errorf("all gone (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// fakeLibvirt makes a root with libvirt's status files, and with a process of that name if it is
// not empty.
func fakeLibvirt(t *testing.T, daemon string, live map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("proc/1/cmdline", "/sbin/init\x00")
	if daemon != "" {
		write("proc/812/cmdline", "/usr/sbin/"+daemon+"\x00--timeout\x00120\x00")
		write("proc/812/comm", daemon+"\n")
	}
	for name, network := range live {
		write("run/libvirt/network/"+name+".xml",
			"<!--\nDO NOT EDIT\n-->\n<networkstatus>\n  <class_id bitmap='0-2'/>\n  <floor sum='0'/>\n"+
				network+"\n  <firewall name='fwRemoval' backend='nftables'/>\n</networkstatus>\n")
	}
	return root
}

// TestKernelTakeOverDaemon: what a daemon runs is not taken from it, but for networks in mode open;
// and while it runs, what its next network needs stays.
func TestKernelTakeOverDaemon(t *testing.T) {
	r := readRecord(t, "../../golden/libvirt/multi-two-nat.txtar")
	running, other := r.xml["nat-default.xml"], r.xml["nat-dev.xml"]
	open := strings.Replace(running, "mode='nat'", "mode='open'", 1)
	renamed := strings.Replace(running, "nat-default<", "other-name<", 1)
	for _, c := range []struct {
		name, daemon string
		live         map[string]string
		code         int
		want         string
	}{
		{"its network", "libvirtd", map[string]string{"nat-default": running}, 1,
			`refused: libvirtd \(pid 812\) runs network "nat-default" \(bridge vbr1, mode nat\)`},
		{"its bridge", "virtnetworkd", map[string]string{"other-name": renamed}, 1,
			`refused: virtnetworkd \(pid 812\) runs network "other-name"`},
		{"a status file that can't be read", "libvirtd", map[string]string{"nat-default": "<network>"}, 1,
			`refused: libvirtd \(pid 812\) runs network "nat-default";`},
		{"in mode open", "libvirtd", map[string]string{"nat-default": open}, 0, `\d+ taken away, 0 left\n`},
		{"another network", "libvirtd", map[string]string{"nat-dev": other}, 0, `\d+ taken away, 0 left\n`},
		{"no daemon", "", map[string]string{"nat-default": running}, 0,
			`\d+ taken away, 0 left; no libvirt rules(?s:.*)network "nat-default" as active`},
		{"nothing", "", nil, 0, `\d+ taken away, 0 left; no libvirt rules`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			alone := readRecord(t, "../../golden/libvirt/nat-default.txtar")
			h.load(alone, "nft")
			before := h.listing("nft")
			args := []string{"apply", "--take-over", "--libvirt-root", fakeLibvirt(t, c.daemon, c.live),
				filepath.Join(r.files(t), "nat-default.xml")}
			h.wants(h.vnetc(c.code, args...), c.want)
			after := h.listing("nft")
			switch {
			case c.code != 0:
				if after != before || strings.Contains(h.ns.Exec("nft", "list", "tables"), "vnetc") {
					t.Errorf("something was touched:\n%s", after)
				}
			case c.daemon != "":
				h.wants(after, `(?s)table ip libvirt_network .*jump guest_cross`)
			case after != "":
				t.Errorf("this is left:\n%s", after)
			}
		})
	}
}

// TestKernelTakeOverChanged takes over a network whose document is another one than the one libvirt
// started it from: what libvirt made goes by the status file; and prints what it did for a program
// to read.
func TestKernelTakeOverChanged(t *testing.T) {
	h := newHost(t)
	r := readRecord(t, "../../golden/libvirt/nat-default.txtar")
	for _, tool := range libvirtTools {
		h.load(r, tool)
	}
	var old string
	for _, old = range r.xml {
	}
	path := filepath.Join(t.TempDir(), "new.xml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(strings.Replace(old, "mode='nat'", "mode='route'", 1),
		"10.20.1.", "10.99.1.")), 0o644); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Taken []struct {
			Where         string
			Removed, Left []struct{ Chain, Rule string }
			Gone          bool
		} `json:"taken_over"`
	}
	h.wants(h.vnetc(2, "apply", "--take-over", "--names", "libvirt", path), `use --names vnetc`)
	h.wants(h.vnetc(1, "apply", "--dry-run", "--format", "json", "--take-over", path), `"taken_over": \[`)
	out := h.vnetc(0, "apply", "--format", "json", "--take-over", "--libvirt-root", fakeLibvirt(t, "", nil), path)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, p := range got.Taken { // what names the bridge alone is known, what names the old subnet may be anybody's
		if p.Gone || len(p.Removed) == 0 || len(p.Left) == 0 {
			t.Errorf("without a status file: %+v", p)
		}
	}
	h.wants(h.vnetc(0, "apply", "--take-over", "--libvirt-root",
		fakeLibvirt(t, "", map[string]string{"nat-default": old}), path),
		`nftables: 7 taken away, 0 left; no libvirt rules`, `\(nf_tables\): 7 taken away, 0 left; no libvirt rules`,
		`\(legacy\): 7 taken away, 0 left; no libvirt rules`)
}
