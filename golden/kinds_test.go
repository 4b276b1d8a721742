package golden

import (
	"fmt"
	"os"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
)

// kind is a kind of match, action or verdict, with programs of one chain that have it: its samples,
// each where it can stand.
type kind struct {
	name     string
	programs []*ir.Program
	isMatch  bool
}

// check is something that every kind must pass.
type check struct {
	name  string
	files string // where kinds are added for it
	after string // the check without which this one can't be made
	run   func(k kind) error
}

// checks returns all of them, except what a front end may generate.
func checks() []check {
	all := []check{
		{"printed", "ir/words.go ir/action.go", "", kind.printed},
		{"parsed", "ir/parse.go ir/parse_rule.go", "printed", kind.parsed},
		{"verified", "ir/verify_rule.go", "", kind.verified},
		{"meant", "ir/holds.go ir/eval.go ir/alteration.go", "", kind.meant},
		{"probed", "backends/backendtest/packets.go", "meant", kind.probed},
		{"drawn at random", "backends/backendtest/random.go", "", kind.drawn},
		{"proved", "ir/prove/space.go ir/prove/match.go ir/prove/model.go ir/prove/pick.go", "", kind.proved},
	}
	targets := []struct {
		backend backends.Backend
		lowers  string
		reads   string
	}{
		{
			iptables.Backend{},
			"backends/iptables/match.go backends/iptables/extension.go backends/iptables/action.go backends/iptables/verdict.go",
			"backends/iptables/readbasic.go backends/iptables/readext.go backends/iptables/readtarget.go backends/iptables/action.go",
		},
		{
			nftables.Backend{},
			"backends/nftables/match.go backends/nftables/action.go backends/nftables/verdict.go",
			"backends/nftables/decode/machine_match.go backends/nftables/decode/machine_action.go backends/nftables/decode/machine_verdict.go",
		},
	}
	for _, t := range targets {
		for _, layout := range t.backend.Layouts() {
			o := backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: layout}
			name := fmt.Sprintf("%s, layout %s", t.backend.Name(), layout)
			lower := func(k kind) error { return k.lowered(t.backend, o) }
			read := func(k kind) error { return k.readBack(t.backend, o) }
			all = append(all, check{"lowered by " + name, t.lowers, "", lower},
				check{"read back by " + name, t.reads, "lowered by " + name, read})
		}
	}
	return all
}

// TestKinds checks every kind of match, action and verdict, and lists all files to which it must be
// added: what a new kind in ir/kinds.go takes. See "Adding a kind" in backends/README.md.
func TestKinds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // a panic on another processor's stack can't be caught
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			if missing := k.missing(); len(missing) > 0 {
				t.Errorf("%s is missing in %d places:\n%s", k.name, len(missing), strings.Join(missing, "\n"))
			}
		})
	}
}

// missing returns the checks that k fails, each with the files to extend and what is wrong.
func (k kind) missing() []string {
	var all []string
	failed := make(map[string]bool)
	for _, c := range checks() {
		if failed[c.after] {
			failed[c.name] = true
			all = append(all, fmt.Sprintf("  %s: can't be checked until it is %s: %s", c.name, c.after, c.files))
			continue
		}
		if where, err := recovered(func() error { return c.run(k) }); err != nil {
			failed[c.name] = true
			if file, _, _ := strings.Cut(where, ":"); where == "" {
				where = c.files
			} else if !slices.Contains(strings.Fields(c.files), file) {
				where = c.files + " (" + where + ")"
			}
			all = append(all, fmt.Sprintf("  %s: %s: %v", c.name, where, err))
		}
	}
	return all
}

// recovered calls f. Of a panic it returns the place in the project and the words.
func recovered(f func() error) (where string, err error) {
	defer func() {
		words := recover()
		if words == nil {
			return
		}
		err = fmt.Errorf("panic: %v", words)
		callers := make([]uintptr, 64)
		frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
		for {
			frame, more := frames.Next()
			if own, ok := strings.CutPrefix(frame.Function, module); ok {
				folder, function, _ := strings.Cut(own[strings.LastIndex(own, "/")+1:], ".")
				where = fmt.Sprintf("%s:%d %s", path.Join(path.Dir(own), folder, path.Base(frame.File)), frame.Line,
					function)
				return
			}
			if !more {
				return
			}
		}
	}()
	return "", f()
}

// kinds returns the kinds of the samples.
func kinds() []kind {
	var all []kind
	add := func(sample any, isMatch bool, p *ir.Program) {
		name := reflect.TypeOf(sample).String()
		i := slices.IndexFunc(all, func(k kind) bool { return k.name == name && k.isMatch == isMatch })
		if i < 0 {
			i = len(all)
			all = append(all, kind{name: name, isMatch: isMatch})
		}
		all[i].programs = append(all[i].programs, p)
	}
	for _, m := range ir.SampleMatches() {
		add(m, true, placed(ir.Drop{}, nil, m))
	}
	for _, a := range ir.SampleActions() {
		add(a, false, placed(ir.Counter{}, []ir.Action{a}))
	}
	for _, v := range ir.SampleVerdicts() {
		add(v, false, placed(v, nil))
	}
	for i := range all {
		if all[i].name == "ir.Opaque" {
			all[i].name = map[bool]string{true: "ir.Opaque as a match", false: opaqueVerdict}[all[i].isMatch]
		}
	}
	return all
}

// opaqueVerdict is the kind of verdict of which the prover knows nothing, and says so.
const opaqueVerdict = "ir.Opaque as a verdict"

// unproved are the kinds of verdicts of which the prover knows nothing, and says so.
var unproved = []string{opaqueVerdict, "ir.Handed"}

// placed returns a program with one rule, in the first base chain, of the first family and
// protocol, where [ir.Verify] takes it; the first of all if Verify doesn't know its kind.
func placed(v ir.Verdict, actions []ir.Action, matches ...ir.Match) *ir.Program {
	var first *ir.Program
	fromHost := slices.ContainsFunc(matches, func(m ir.Match) bool {
		f, is := m.(ir.Field)
		return is && (f.Key == ir.KeyUID || f.Key == ir.KeyGID)
	})
	for _, base := range []ir.Base{
		{Hook: ir.Output, Type: ir.FilterType, Priority: ir.PriorityFilter},
		{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter},
		{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT},
		{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		{Hook: ir.Postrouting, Type: ir.FilterType, Priority: ir.PriorityMangle},
		{Hook: ir.Prerouting, Type: ir.FilterType, Priority: ir.PriorityRaw},
	} {
		if fromHost != (base.Hook == ir.Output) { // only what the host sends has an owner
			continue
		}
		for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
			for _, proto := range []uint8{0, ir.TCP, ir.ICMP, ir.ICMPv6} {
				r := ir.Rule{Family: family, Matches: slices.Clone(matches), Actions: actions, Verdict: v}
				if proto != 0 {
					r.Matches = append([]ir.Match{ir.L4Proto{Proto: proto}}, matches...)
				}
				p := &ir.Program{Chains: []*ir.Chain{
					{Family: family, Table: "t", Name: "base", Base: &base, Rules: []ir.Rule{r}},
					{Family: family, Table: "t", Name: "other", Rules: []ir.Rule{{Family: family,
						Verdict: ir.Accept{}}}},
				}}
				p.AddSets()
				if first == nil {
					first = p
				}
				fine := false
				recovered(func() error { fine = len(ir.Verify(p)) == 0; return nil })
				if fine {
					return p
				}
			}
		}
	}
	return first
}

// TestCheckFiles: the files that checks name are there.
func TestCheckFiles(t *testing.T) {
	for _, c := range checks() {
		for _, file := range strings.Fields(c.files) {
			if _, err := os.Stat("../" + file); err != nil {
				t.Errorf("check %q names %s: %v", c.name, file, err)
			}
		}
	}
}
