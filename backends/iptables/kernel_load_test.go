package iptables_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// kernels are the two worlds of iptables.
var kernels = []string{"nft", "legacy"}

// world is a network namespace in which iptables-restore, and its kin, are those of one kernel.
type world struct {
	*netnstest.NS
	dir  string // holds the documents
	path string
}

func newWorld(t *testing.T, kernel string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), path: t.TempDir()}
	for _, command := range []string{"iptables", "ip6tables"} {
		for _, tail := range []string{"-restore", "-save", ""} {
			tool := command + "-" + kernel + tail
			netnstest.Require(t, tool)
			netnstest.Program(t, filepath.Join(w.path, command+tail), "#!/bin/sh\nexec "+tool+" \"$@\"\n")
		}
	}
	w.NS = netnstest.New(t)
	return w
}

// sh runs a command line as a user would type it beside the documents.
func (w *world) sh(command string) string {
	return w.Exec("sh", "-c", "cd "+w.dir+" && PATH="+w.path+":$PATH && "+command)
}

// put writes the documents.
func (w *world) put(t *testing.T, docs []backends.Document) {
	t.Helper()
	for _, d := range docs {
		if err := os.WriteFile(filepath.Join(w.dir, d.File), d.Text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var counters = regexp.MustCompile(`^(:.*)\[\d+:\d+\]`)

// save returns what iptables-save prints for family f, without comments and counters.
func (w *world) save(f ir.Family) string {
	command := "iptables-save"
	if f == ir.IPv6 {
		command = "ip6tables-save"
	}
	var b strings.Builder
	for line := range strings.Lines(w.sh(command)) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(counters.ReplaceAllString(line, "$1[0:0]"))
		}
	}
	return b.String()
}

// rules returns the rules of text by table and chain, without those of built-in chains that only
// lead elsewhere.
func rules(text string) map[string][]string {
	got := make(map[string][]string)
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "*") {
			table = line[1:]
		}
		if words := strings.Fields(line); len(words) > 1 && words[0] == "-A" {
			got[table+" "+words[1]] = append(got[table+" "+words[1]], line)
		}
	}
	return got
}

// emitted returns the lines of a rule set for family f in the form of rules.
func emitted(set backends.Ruleset, f ir.Family) map[string][]string {
	want := make(map[string][]string)
	for _, l := range set.Lines() {
		if l.Family == f {
			want[l.Table+" "+l.Chain] = append(want[l.Table+" "+l.Chain], l.Text)
		}
	}
	return want
}

// listing makes what iptables-save lists comparable: it takes names of protocols from
// /etc/protocols.
func listing(rules map[string][]string) map[string][]string {
	names := strings.NewReplacer("-p gre ", "-p 47 ", "-p dccp ", "-p 33 ")
	for _, lines := range rules {
		for i := range lines {
			lines[i] = names.Replace(lines[i])
		}
	}
	return rules
}

// lower lowers p, of which nothing may be refused.
func lower(t testing.TB, p *ir.Program, names backends.Names) backends.Ruleset {
	t.Helper()
	set, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: names,
		Layout: backends.Chains})
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// accepted returns the rules that Lower takes when they stand in the chain that put makes.
func accepted(rules []ir.Rule, put func(...ir.Rule) *ir.Program) []ir.Rule {
	return slices.DeleteFunc(rules, func(r ir.Rule) bool {
		_, found := iptables.Backend{}.Lower(put(r), backends.Options{Families: ir.Both, Names: backends.VnetcNames,
			Layout: backends.Chains})
		return found.HasErrors()
	})
}

// sampleRules returns a rule for each sample match, with the protocol that it needs, and for each
// sample verdict.
func sampleRules() []ir.Rule {
	var all []ir.Rule
	for _, m := range ir.SampleMatches() {
		for _, proto := range []uint8{0, ir.TCP, ir.ICMP, ir.ICMPv6} {
			r := ir.Rule{Family: ir.Both, Matches: []ir.Match{m}, Verdict: ir.Accept{}}
			switch {
			case proto != 0:
				r.Matches = append(r.Matches, ir.L4Proto{Proto: proto})
			}
			if proto == ir.ICMP {
				r.Family = ir.IPv4
			}
			if proto == ir.ICMPv6 {
				r.Family = ir.IPv6
			}
			all = append(all, r)
		}
	}
	for _, a := range ir.SampleActions() {
		all = append(all, ir.Rule{Family: ir.Both, Actions: []ir.Action{a}, Verdict: ir.Counter{}},
			ir.Rule{Family: ir.Both, Actions: []ir.Action{a}, Verdict: ir.Counter{}, Matches: []ir.Match{
				ir.L4Proto{Proto: ir.TCP}, ir.TCPFlags{Mask: ir.FlagSYN, Flags: ir.FlagSYN}}})
	}
	for _, v := range ir.SampleVerdicts() {
		for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
			all = append(all, ir.Rule{Family: f, Verdict: v}, ir.Rule{Family: f, Verdict: v,
				Matches: []ir.Match{ir.L4Proto{Proto: ir.TCP}}})
		}
	}
	return all
}

// groupSamples puts every sample that can stand there into each group.
func groupSamples() *ir.Program {
	all := &ir.Program{}
	other := &ir.Chain{Family: ir.Both, Name: "other", Rules: []ir.Rule{{Family: ir.Both, Verdict: ir.Return{}}}}
	for _, g := range ir.Groups {
		all.Add(g, accepted(sampleRules(), func(r ...ir.Rule) *ir.Program {
			p := &ir.Program{Chains: []*ir.Chain{other}}
			p.Add(g, r...)
			return p
		})...)
	}
	all.Chains = append(all.Chains, other)
	return all
}

// baseSamples puts every sample that can stand there into each built-in chain.
func baseSamples() *ir.Program {
	all := &ir.Program{}
	place := func(table string, hook ir.Hook, kind ir.ChainType, priority int) {
		chain := func(r ...ir.Rule) *ir.Chain {
			return &ir.Chain{Family: ir.Both, Table: table, Name: hook.String(),
				Base: &ir.Base{Hook: hook, Type: kind, Priority: priority}, Rules: r}
		}
		if !slices.ContainsFunc(all.Chains, func(c *ir.Chain) bool { return c.Table == table }) {
			all.Chains = append(all.Chains, &ir.Chain{Family: ir.Both, Table: table, Name: "other"})
		}
		other := &ir.Chain{Family: ir.Both, Table: table, Name: "other"}
		put := func(r ...ir.Rule) *ir.Program { return &ir.Program{Chains: []*ir.Chain{chain(r...), other}} }
		all.Chains = append(all.Chains, chain(accepted(sampleRules(), put)...))
	}
	for _, h := range []ir.Hook{ir.Prerouting, ir.Output} {
		place("raw", h, ir.FilterType, ir.PriorityRaw)
		place("nat", h, ir.NATType, ir.PriorityDstNAT)
	}
	for _, h := range []ir.Hook{ir.Input, ir.Postrouting} {
		place("nat", h, ir.NATType, ir.PrioritySrcNAT)
	}
	for _, h := range []ir.Hook{ir.Input, ir.Forward, ir.Output} {
		place("filter", h, ir.FilterType, ir.PriorityFilter)
		place("security", h, ir.FilterType, ir.PrioritySecurity)
	}
	for h := ir.Prerouting; h <= ir.Postrouting; h++ {
		place("mangle", h, ir.FilterType, ir.PriorityMangle)
	}
	return all
}

// TestKernelSamples loads programs in the shape of networks, and whatever Lower takes of the
// samples in every place, and has iptables-save list the same rules.
func TestKernelSamples(t *testing.T) {
	programs := map[string]*ir.Program{"groups": groupSamples(), "base chains": baseSamples()}
	for _, s := range backendtest.NetworkSamples() {
		programs[s.Name] = s.Program
	}
	for name, p := range programs {
		for _, kernel := range kernels {
			t.Run(name+"/"+kernel, func(t *testing.T) {
				w := newWorld(t, kernel)
				set := lower(t, p, backends.LibvirtNames)
				docs := set.Emit()
				w.put(t, docs)
				for _, d := range docs {
					w.sh(d.Load)
					got := listing(rules(w.save(d.Family)))
					want := emitted(set, d.Family)
					if name != "base chains" {
						for _, row := range ir.GroupTable {
							for _, table := range []string{"filter", "nat", "mangle"} {
								delete(got, table+" "+strings.ToUpper(row.Hook.String()))
							}
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("rules of %s (-want +got):\n%s", d.File, diff)
					}
				}
			})
		}
	}
}

// headerCommand returns a command that the header of a document names.
func headerCommand(t *testing.T, d backends.Document, name string) string {
	t.Helper()
	for line := range strings.Lines(string(d.Text)) {
		if command, ok := strings.CutPrefix(line, "# "+name+":"); ok {
			return strings.TrimSpace(command)
		}
	}
	t.Fatalf("%s has no line for %q in its header", d.File, name)
	return ""
}

// TestKernelLoadAgain loads documents by the commands in their headers, on a host that has rules
// already: jumps stand first, once and in order, foreign rules stay, a second load replaces our
// chains and nothing else.
func TestKernelLoadAgain(t *testing.T) {
	network := func(bridge, subnet4, subnet6 string) *ir.Program {
		p := &ir.Program{}
		for _, subnet := range []string{subnet4, subnet6} {
			prefix := netip.MustParsePrefix(subnet)
			p.Add(ir.FWI, ir.Rule{Family: ir.Both, Matches: []ir.Match{ir.DAddr{Prefix: prefix},
				ir.OIfName{Name: bridge}}, Verdict: ir.Accept{}})
			p.Add(ir.PRT, ir.Rule{Family: ir.Both, Matches: []ir.Match{ir.SAddr{Prefix: prefix}},
				Verdict: ir.Masquerade{}})
		}
		return p
	}
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			w := newWorld(t, kernel)
			first := lower(t, network("virbr0", "192.0.2.0/24", "2001:db8::/64"), backends.VnetcNames)
			second := lower(t, network("virbr1", "198.51.100.0/24", "2001:db8:1::/64"), backends.VnetcNames)
			for i, d := range first.Emit() {
				command := strings.TrimSuffix(strings.Fields(d.Load)[0], "-restore")
				w.sh(command + " -N FOREIGN && " + command + " -A FORWARD -j FOREIGN && " + command +
					" -A INPUT -i eth0 -j DROP && " +
					command + " -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
				w.put(t, first.Emit())
				w.sh(headerCommand(t, d, "load"))
				w.sh(command + " -A VNETC_ADMIN_FORWARD -i eth0 -j ACCEPT && " + command +
					" -t nat -A VNETC_ADMIN_POSTROUTING -o eth1 -j ACCEPT")
				once := w.save(d.Family)
				w.sh("! " + headerCommand(t, d, "load")) // that would empty the chains of the administrator
				w.sh(headerCommand(t, d, "load again"))
				if diff := cmp.Diff(once, w.save(d.Family)); diff != "" {
					t.Errorf("%s loaded again (-once +twice):\n%s", d.File, diff)
				}
				want := emitted(first, d.Family)
				want["filter VNETC_ADMIN_FORWARD"] = []string{"-A VNETC_ADMIN_FORWARD -i eth0 -j ACCEPT"}
				want["nat VNETC_ADMIN_POSTROUTING"] = []string{"-A VNETC_ADMIN_POSTROUTING -o eth1 -j ACCEPT"}
				want["nat PREROUTING"] = []string{"-A PREROUTING -j VNETC_ADMIN_PREROUTING"}
				want["filter INPUT"] = []string{"-A INPUT -j VNETC_ADMIN_INPUT", "-A INPUT -j VNETC_INP", "-A INPUT -i eth0 -j DROP"}
				want["filter OUTPUT"] = []string{"-A OUTPUT -j VNETC_OUT"}
				want["filter FORWARD"] = []string{"-A FORWARD -j VNETC_ADMIN_FORWARD", "-A FORWARD -j VNETC_FWX", "-A FORWARD -j VNETC_FWI",
					"-A FORWARD -j VNETC_FWO", "-A FORWARD -j FOREIGN"}
				want["nat POSTROUTING"] = []string{"-A POSTROUTING -j VNETC_ADMIN_POSTROUTING", "-A POSTROUTING -j VNETC_PRT",
					"-A POSTROUTING -o eth0 -j MASQUERADE"}
				want["mangle POSTROUTING"] = []string{"-A POSTROUTING -j VNETC_PRT"}
				if diff := cmp.Diff(want, rules(once)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", d.File, diff)
				}
				next := second.Emit()[i]
				w.put(t, second.Emit())
				w.sh(headerCommand(t, next, "load again"))
				got := rules(w.save(d.Family))
				for chain, lines := range emitted(second, d.Family) {
					want[chain] = lines
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s after the second program (-want +got):\n%s", d.File, diff)
				}
			}
		})
	}
}

// TestKernelReadBack reads what iptables-save prints for a program of base chains, and emits the
// same text.
func TestKernelReadBack(t *testing.T) {
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			w := newWorld(t, kernel)
			docs := lower(t, baseSamples(), backends.VnetcNames).Emit()
			w.put(t, docs)
			for _, d := range docs {
				w.sh(d.Load)
				saved := w.save(d.Family)
				read, err := iptables.Backend{}.Read([]backends.Document{{File: "saved", Family: d.Family,
					Text: []byte(saved)}})
				if err != nil {
					t.Fatal(err)
				}
				set, found := iptables.Backend{}.Lower(read, backends.Options{Families: d.Family,
					Names: backends.VnetcNames, Layout: backends.Chains})
				if err := found.Err(); err != nil {
					t.Fatal(err)
				}
				text := regexp.MustCompile("(?m)^#.*\n").ReplaceAllString(string(set.Emit()[0].Text), "")
				want := strings.NewReplacer("-p gre ", "-p 47 ", "-p dccp ", "-p 33 ").Replace(saved)
				if diff := cmp.Diff(want, text); diff != "" {
					t.Errorf("family %s (-saved +emitted):\n%s", d.Family, diff)
				}
			}
		})
	}
}

// TestKernelComments loads comments with what may be in them, and has them listed as emitted.
func TestKernelComments(t *testing.T) {
	p := &ir.Program{}
	for _, text := range []string{"word", "two words", `it's "so" \`, "-j DROP", "#", "COMMIT", "[1:2]", "Grüße",
		strings.Repeat("long ", 80), "a\nCOMMIT"} {
		origin := ir.Origin{Network: "lab", Reason: text, Span: diag.Span{File: "lab.xml",
			Start: diag.Pos{Line: 3, Col: 5}}}
		p.Add(ir.FWX, ir.Rule{Family: ir.Both, Verdict: ir.Accept{}, Comment: text, Origin: origin})
	}
	for _, kernel := range kernels {
		for _, comments := range []bool{false, true} {
			w := newWorld(t, kernel)
			set, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
				Layout: backends.Chains, Comments: comments})
			if err := found.Err(); err != nil {
				t.Fatal(err)
			}
			w.put(t, set.Emit())
			for _, d := range set.Emit() {
				w.sh(d.Load)
				if diff := cmp.Diff(emitted(set, d.Family)["filter VNETC_FWX"],
					rules(w.save(d.Family))["filter VNETC_FWX"]); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", kernel, d.File, diff)
				}
			}
		}
	}
}
