package iptables

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// restoreLine is a text for iptables-restore, and who takes it.
type restoreLine struct {
	place    string // file and line
	takes    string // see the head of rules.txt
	families string
	table    string
	chain    string // "" for a whole text
	text     string // a rule, or the whole text
	later    bool   // later iptables think otherwise
}

// laterLines reads the lines of which later versions of iptables than 1.8.9 think otherwise.
func laterLines(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("testdata/restore/later.txt")
	if err != nil {
		t.Fatal(err)
	}
	later := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		if line != "" && line[0] != '#' {
			later[line] = true
		}
	}
	return later
}

// restoreLines reads testdata/restore.
func restoreLines(t *testing.T) (lines []restoreLine) {
	t.Helper()
	later := laterLines(t)
	for _, file := range [...]string{"rules.txt", "texts.txt"} {
		data, err := os.ReadFile("testdata/restore/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(data), "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			head, text, _ := strings.Cut(line, " | ")
			fields := strings.Fields(head)
			l := restoreLine{place: fmt.Sprintf("%s:%d", file, i+1), takes: fields[0], families: fields[1], text: text,
				later: later[line]}
			delete(later, line)
			switch {
			case len(fields) == 4:
				l.table, l.chain = fields[2], fields[3]
			case len(fields) != 2:
				t.Fatalf("%s: %q", l.place, line)
			default:
				if l.text, err = strconv.Unquote(text); err != nil {
					t.Fatalf("%s: %v", l.place, err)
				}
			}
			lines = append(lines, l)
		}
	}
	for line := range later {
		t.Errorf("later.txt: no such line: %s", line)
	}
	return lines
}

// document returns the whole text.
func (l *restoreLine) document() string {
	if l.chain == "" {
		return l.text
	}
	return fmt.Sprintf("*%s\n:other - [0:0]\n-A %s %s\nCOMMIT\n", l.table, l.chain, l.text)
}

// wants reports whether the reader shall take l.
func (l *restoreLine) wants() bool { return l.takes != "-" && l.takes != "exit" }

// readOf reads a document of family '4' or '6'.
func readOf(family byte, text string) (*ir.Program, error) {
	f := ir.IPv4
	if family == '6' {
		f = ir.IPv6
	}
	return Backend{}.Read([]backends.Document{{File: "text", Family: f, Text: []byte(text)}})
}

// TestRestoreLines: the reader takes what the lines say that iptables-restore takes, and nothing
// else.
func TestRestoreLines(t *testing.T) {
	for _, l := range restoreLines(t) {
		for i := range l.families {
			if _, err := readOf(l.families[i], l.document()); (err == nil) != l.wants() {
				t.Errorf("%s: IPv%c %.100q: taken %t, want %t: %v",
					l.place, l.families[i], l.text, err == nil, l.wants(), err)
			}
		}
	}
}

// TestRestoreCoverage: there is a line for each option of each extension that it takes.
func TestRestoreCoverage(t *testing.T) {
	var all strings.Builder
	for _, l := range restoreLines(t) {
		if l.wants() {
			all.WriteString(" " + l.text + "\n")
		}
	}
	for _, e := range extensions() {
		load := " -m " + e.name
		if e.target {
			load = " -j " + e.name
		}
		for _, o := range e.opts {
			for _, name := range o.names {
				with := regexp.MustCompile(`(` + load + `| -p ` + e.name + `)\b.* --` + name + `\b`)
				if !with.MatchString(all.String()) {
					t.Errorf("no line of testdata/restore/rules.txt has%s --%s", load, name)
				}
			}
		}
	}
}

// TestKernelRestoreHelp: the extensions of the installed iptables and their options are all known.
func TestKernelRestoreHelp(t *testing.T) {
	netnstest.Require(t, "iptables-legacy", "ip6tables-legacy")
	dirs := []string{
		"/usr/lib/x86_64-linux-gnu/xtables", "/usr/lib/aarch64-linux-gnu/xtables", "/usr/lib/xtables",
		"/usr/lib64/xtables",
	}
	i := slices.IndexFunc(dirs, func(d string) bool { _, err := os.Stat(d); return err == nil })
	if i < 0 {
		t.Skip("no folder of iptables' extensions")
	}
	files, err := os.ReadDir(dirs[i])
	if err != nil {
		t.Fatal(err)
	}
	ns := netnstest.New(t)
	option := regexp.MustCompile(`--[a-z0-9][a-z0-9-]*`)
	seen := 0
	for _, f := range files {
		kind, name, ok := strings.Cut(strings.TrimSuffix(f.Name(), ".so"), "_")
		if !ok || name == "standard" || name == "NAT" || kind != "libxt" && kind != "libipt" && kind != "libip6t" {
			continue
		}
		family, tool := ir.IPv4, "iptables-legacy"
		if kind == "libip6t" {
			family, tool = ir.IPv6, "ip6tables-legacy"
		}
		target := name[0] >= 'A' && name[0] <= 'Z'
		load := "-m"
		if target {
			load = "-j"
		}
		e := known(family).matches[name]
		if target {
			e = known(family).targets[name]
		}
		if e == nil {
			t.Errorf("no extension %s %s", load, name)
			continue
		}
		seen++
		_, help, _ := strings.Cut(ns.Exec(tool, load, name, "--help"), "print package version.")
		for _, o := range option.FindAllString(help, -1) {
			if e.named(o[2:]) == nil && !slices.Contains(notOptions, name+" "+o) {
				t.Errorf("extension %s has no option %s", name, o)
			}
		}
	}
	if seen < 90 {
		t.Errorf("%d extensions in %s, want more", seen, dirs[i])
	}
}

// notOptions are words of help texts that look like options.
var notOptions = []string{}

// TestKernelRestore feeds each line to both kinds of iptables-restore: who takes it is what the
// line says, but for lines of which this version thinks otherwise. Where it is taken what
// iptables-save prints of it is read again, and is the same.
func TestKernelRestore(t *testing.T) {
	netnstest.Require(t, "iptables-nft-restore", "ip6tables-nft-restore", "nft")
	netnstest.Require(t, "iptables-legacy-restore", "ip6tables-legacy-restore")
	lines := restoreLines(t)
	for _, tool := range [...]struct {
		family     byte
		kind, base string
	}{
		{'4', "nft", "iptables-nft"}, {'6', "nft", "ip6tables-nft"},
		{'4', "legacy", "iptables-legacy"}, {'6', "legacy", "ip6tables-legacy"},
	} {
		t.Run(tool.base, func(t *testing.T) {
			t.Parallel()
			r := restorer{t: t, ns: netnstest.New(t), base: tool.base, family: tool.family}
			isLater := !strings.Contains(r.ns.Exec(tool.base, "--version"), " v1.8.9 ")
			var good []restoreLine
			for _, l := range lines {
				if strings.IndexByte(l.families, tool.family) < 0 || l.later && isLater {
					continue
				}
				want := l.takes[0] == '+' || l.takes == tool.kind
				again := want && l.takes != "+odd" && l.takes != "+text"
				switch {
				case l.takes == "host" || l.takes == "exit" || l.takes == "lax":
				case again && l.takes != "+dry" && l.chain != "":
					good = append(good, l)
				case l.takes == "+dry":
					if err := r.restore(l.document(), true); err != nil {
						t.Errorf("%s: %.100q is refused with --test: %v", l.place, l.text, err)
					}
				default:
					if err := r.restore(l.document(), false); (err == nil) != want {
						t.Errorf("%s: %.100q: taken %t, want %t: %v", l.place, l.text, err == nil, want, err)
					} else if again {
						r.compare(l.place, l.document())
					}
				}
			}
			for _, some := range batches(good) {
				r.batch(some)
			}
		})
	}
}

// batches parts lines of one table into texts of 30 rules.
func batches(lines []restoreLine) (out [][]restoreLine) {
	slices.SortStableFunc(lines, func(a, b restoreLine) int { return strings.Compare(a.table, b.table) })
	for len(lines) > 0 {
		n := 1
		for n < min(30, len(lines)) && lines[n].table == lines[0].table {
			n++
		}
		out, lines = append(out, lines[:n]), lines[n:]
	}
	return out
}

// restorer runs one kind of iptables in one family.
type restorer struct {
	t      *testing.T
	ns     *netnstest.NS
	base   string
	family byte
	full   bool // something was loaded since the tables were emptied
}

// restore feeds a text to iptables-restore after the tables of the one before were emptied.
func (r *restorer) restore(text string, dry bool) error {
	r.t.Helper()
	empty := ""
	for _, table := range [...]string{"filter", "nat", "mangle", "raw", "security"} {
		empty += "*" + table + "\n"
		for _, chain := range hookNames {
			if builtin(table, chain) != nil {
				empty += ":" + chain + " ACCEPT\n"
			}
		}
		empty += "COMMIT\n"
	}
	switch {
	case !r.full:
	case strings.Contains(r.base, "nft"):
		r.ns.Exec("nft", "flush", "ruleset")
	default:
		r.ns.Feed([]byte(empty), r.base+"-restore")
	}
	args := []string{}
	if dry {
		args = append(args, "--test")
	}
	cmd := r.ns.Command(r.base+"-restore", args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(text), &said
	err := cmd.Run()
	var code *exec.ExitError
	if err != nil && !errors.As(err, &code) {
		r.t.Fatal(err)
	}
	r.full = err == nil && !dry || strings.Count(text, "COMMIT") > 1
	if err != nil {
		return fmt.Errorf("%w: %s", err, said.Bytes())
	}
	return nil
}

// batch loads many rules at once and compares them; rule by rule if they don't go together.
func (r *restorer) batch(lines []restoreLine) {
	text := "*" + lines[0].table + "\n:other - [0:0]\n"
	for _, l := range lines {
		text += "-A " + l.chain + " " + l.text + "\n"
	}
	if text += "COMMIT\n"; r.restore(text, false) == nil && r.equal(text) == "" {
		return
	}
	for _, l := range lines {
		if err := r.restore(l.document(), false); err != nil {
			r.t.Errorf("%s: %.100q is refused: %v", l.place, l.text, err)
			continue
		}
		r.compare(l.place, l.document())
	}
}

// compare reports what text and what iptables-save prints of it don't have in common.
func (r *restorer) compare(place, text string) {
	r.t.Helper()
	if diff := r.equal(text); diff != "" {
		r.t.Errorf("%s: %.100q, read and saved and read:\n%s", place, text, diff)
	}
}

// equal reads text and what iptables-save prints, and tells how they differ.
func (r *restorer) equal(text string) string {
	saved := r.ns.Exec(r.base + "-save")
	one, err := readOf(r.family, text)
	two, err2 := readOf(r.family, saved)
	if err != nil || err2 != nil {
		return fmt.Sprintf("%v, %v, saved:\n%s", err, err2, saved)
	}
	a, b := outlines(one), outlines(two)
	var diff []string
	for name := range a {
		if !slices.EqualFunc(a[name], b[name], alike) {
			diff = append(diff, fmt.Sprintf("%s: %q\nsaved %q", name, a[name], b[name]))
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok && len(b[name]) > 0 {
			diff = append(diff, fmt.Sprintf("%s is only saved: %q", name, b[name]))
		}
	}
	return strings.Join(diff, "\n")
}

// alike is true if two outlines are the same, or the one says less, as it doesn't know a name or a
// number that the other has, and the same verdict.
func alike(a, b string) bool {
	vague := func(s string) bool {
		return strings.Contains(s, "?") || strings.Contains(s, "effect")
	}
	last := func(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }
	return a == b || (vague(a) || vague(b)) && last(a) == last(b)
}

// outlines returns the rules of each chain, and a built-in one's policy, with the order of matches
// and the texts of what is not modelled left out.
func outlines(p *ir.Program) map[string][]string {
	out := make(map[string][]string)
	for _, c := range p.Chains {
		var rules []string
		if c.Base != nil && c.Base.Drop {
			rules = append(rules, "policy drop")
		}
		for _, rule := range c.Rules {
			var words []string
			opaque := false
			for _, m := range rule.Matches {
				switch m.(type) {
				case ir.Opaque, ir.Unknown:
					opaque = true
					continue
				}
				words = append(words, ir.MatchText(turned(m)))
			}
			slices.Sort(words)
			if opaque {
				words = append(words, "?")
			}
			for _, a := range rule.Actions {
				if _, effect := a.(ir.Effect); effect {
					words = append(words, "effect")
				} else {
					words = append(words, ir.ActionText(a))
				}
			}
			verdict := ir.VerdictText(rule.Verdict)
			switch rule.Verdict.(type) {
			case ir.Opaque, ir.Handed:
				verdict = "?"
			}
			rules = append(rules, strings.Join(append(words, verdict), " "))
		}
		out[c.Table+" "+c.Name] = rules
	}
	return out
}

// turned returns a negated range of ports that begins or ends all ports as the rest of them, as
// iptables-nft lists it.
func turned(m ir.Match) ir.Match {
	rest := func(from, to uint16, not bool) (uint16, uint16, bool) {
		switch {
		case not && from == 0 && to < 65535:
			return to + 1, 65535, false
		case not && from > 0 && to == 65535:
			return 0, from - 1, false
		}
		return from, to, not
	}
	switch p := m.(type) {
	case ir.SPort:
		p.From, p.To, p.Not = rest(p.From, p.To, p.Not)
		return p
	case ir.DPort:
		p.From, p.To, p.Not = rest(p.From, p.To, p.Not)
		return p
	}
	return m
}
