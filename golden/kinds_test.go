package golden

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// kind is a kind of match or verdict, with programs of one chain that have it: its samples, each where it can stand.
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

// checks returns all of them, but for what a front end may ask for.
func checks() []check {
	all := []check{
		{"printed", "ir/words.go", "", kind.printed},
		{"parsed", "ir/parse.go ir/parse_rule.go", "printed", kind.parsed},
		{"verified", "ir/verify_rule.go", "", kind.verified},
		{"meant", "ir/holds.go ir/eval.go", "", kind.meant},
		{"probed", "backends/backendtest/packets.go", "meant", kind.probed},
		{"drawn at random", "backends/backendtest/random.go", "", kind.drawn},
		{"proved", "ir/prove/space.go ir/prove/match.go ir/prove/model.go ir/prove/pick.go", "", kind.proved},
	}
	targets := []struct {
		backend backends.Backend
		layouts []backends.Layout
		lowers  string
		reads   string
	}{
		{iptables.Backend{}, []backends.Layout{backends.Chains}, "backends/iptables/match.go backends/iptables/extension.go backends/iptables/verdict.go",
			"backends/iptables/readbasic.go backends/iptables/readext.go backends/iptables/readtarget.go"},
		{nftables.Backend{}, []backends.Layout{backends.Chains, backends.Sets}, "backends/nftables/match.go backends/nftables/verdict.go",
			"backends/nftables/decode/machine_match.go backends/nftables/decode/machine_verdict.go"},
	}
	for _, t := range targets {
		for _, layout := range t.layouts {
			o := backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: layout}
			name := fmt.Sprintf("%s, layout %s", t.backend.Name(), layout)
			all = append(all, check{"lowered by " + name, t.lowers, "", func(k kind) error { return k.lowered(t.backend, o) }},
				check{"read back by " + name, t.reads, "lowered by " + name, func(k kind) error { return k.readBack(t.backend, o) }})
		}
	}
	return all
}

// TestKinds checks every kind of match and verdict, and lists all files to which it must be added: what a new kind in
// ir/kinds.go takes. See README, "Adding a match kind".
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
				where = fmt.Sprintf("%s:%d %s", path.Join(path.Dir(own), folder, path.Base(frame.File)), frame.Line, function)
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
		add(m, true, placed(ir.Drop{}, m))
	}
	for _, v := range ir.SampleVerdicts() {
		add(v, false, placed(v))
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

// placed returns a program with one rule, in the first base chain, of the first family and protocol, where [ir.Verify] takes
// it; the first of all if Verify doesn't know its kind.
func placed(v ir.Verdict, matches ...ir.Match) *ir.Program {
	var first *ir.Program
	for _, base := range []ir.Base{
		{Hook: ir.Forward, Type: ir.FilterType, Priority: ir.PriorityFilter},
		{Hook: ir.Postrouting, Type: ir.NATType, Priority: ir.PrioritySrcNAT},
		{Hook: ir.Prerouting, Type: ir.NATType, Priority: ir.PriorityDstNAT},
		{Hook: ir.Postrouting, Type: ir.FilterType, Priority: ir.PriorityMangle},
	} {
		for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
			for _, proto := range []uint8{0, ir.TCP, ir.ICMP, ir.ICMPv6} {
				r := ir.Rule{Family: family, Matches: slices.Clone(matches), Verdict: v}
				if proto != 0 {
					r.Matches = append([]ir.Match{ir.L4Proto{Proto: proto}}, matches...)
				}
				p := &ir.Program{Chains: []*ir.Chain{
					{Family: family, Table: "t", Name: "base", Base: &base, Rules: []ir.Rule{r}},
					{Family: family, Table: "t", Name: "other", Rules: []ir.Rule{{Family: family, Verdict: ir.Accept{}}}},
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

// fewer returns p without the last match of its rule, if it has one, and p without the rule.
func fewer(p *ir.Program) (all []*ir.Program) {
	with := func(rules ...ir.Rule) {
		base := *p.Chains[0]
		base.Rules = rules
		all = append(all, &ir.Program{Chains: []*ir.Chain{&base, p.Chains[1]}, Sets: p.Sets})
	}
	r := p.Chains[0].Rules[0]
	if n := len(r.Matches); n > 0 {
		r.Matches = r.Matches[:n-1]
		with(r)
	}
	with()
	return all
}

func (k kind) printed() error {
	for _, p := range k.programs {
		_ = p.Chains[0].Rules[0].String()
	}
	return nil
}

func (k kind) parsed() error {
	for _, p := range k.programs {
		var text, again bytes.Buffer
		ir.Print(&text, p)
		q, list := ir.Parse("sample.ir", text.Bytes())
		if list.HasErrors() {
			return list.Err()
		}
		if ir.Print(&again, q); !bytes.Equal(text.Bytes(), again.Bytes()) || !reflect.DeepEqual(p.Chains, q.Chains) {
			return fmt.Errorf("what was printed is parsed as something else: %s", again.Bytes())
		}
	}
	return nil
}

func (k kind) verified() error {
	for _, p := range k.programs {
		if list := ir.Verify(p); list.HasErrors() {
			return list.Err()
		}
	}
	return nil
}

// opaque is true if what becomes of a packet is not known.
func opaque(err error) bool {
	var unknown *ir.UnknownError
	return errors.As(err, &unknown)
}

func (k kind) meant() error {
	for _, p := range k.programs {
		for _, proto := range []uint8{ir.TCP, ir.ICMP, ir.ICMPv6} {
			pkt := ir.Packet{Family: ir.IPv4, In: "virbr0", Out: "virbr1", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Proto: proto, State: ir.StateNew}
			if p.Chains[0].Family == ir.IPv6 {
				pkt.Family, pkt.Src, pkt.Dst = ir.IPv6, netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
			}
			if _, err := ir.Eval(p, pkt); err != nil && !opaque(err) {
				return err
			}
		}
	}
	return nil
}

// probed asks for packets that tell each sample of a match from no match, both ways.
func (k kind) probed() error {
	for _, p := range k.programs {
		hold, fail := 0, 0
		r := &p.Chains[0].Rules[0]
		for _, pkt := range backendtest.Packets(p) {
			if _, err := ir.Eval(p, pkt); opaque(err) {
				return nil
			} else if err != nil {
				return err
			}
			if others := (&ir.Rule{Family: r.Family, Matches: r.Matches[:max(1, len(r.Matches))-1]}); !others.Holds(pkt, ir.Forward) {
				continue
			}
			if r.Holds(pkt, ir.Forward) {
				hold++
			} else {
				fail++
			}
		}
		if k.isMatch && (hold == 0 || fail == 0) {
			return fmt.Errorf("%q holds for %d packets and fails for %d", r, hold, fail)
		}
	}
	return nil
}

// drawn looks for the kind among random programs. Sets, and what is not modelled, are not drawn.
func (k kind) drawn() error {
	if strings.HasPrefix(k.name, "ir.Opaque") || k.name == "ir.Lookup" {
		return nil
	}
	for _, s := range randomPrograms() {
		for _, c := range s.Program.Chains {
			for _, r := range c.Rules {
				if reflect.TypeOf(r.Verdict).String() == k.name {
					return nil
				}
				for _, m := range r.Matches {
					if reflect.TypeOf(m).String() == k.name {
						return nil
					}
				}
			}
		}
	}
	return errors.New("no random program has it, so that nothing compares its meaning with others'")
}

var randomPrograms = sync.OnceValue(func() []backendtest.Sample { return backendtest.Random(100, 1) })

// proved asks the prover to tell each sample of a match from no match and from no rule, by a packet that ir.Eval treats
// differently.
func (k kind) proved() error {
	for _, p := range k.programs {
		if r := prove.Equal(p, p, ir.Both); r.Answer != prove.Proved && k.name != opaqueVerdict {
			return fmt.Errorf("%q is not equal to itself: %s", &p.Chains[0].Rules[0], r.Answer)
		}
		for _, q := range fewer(p) {
			if err := k.told(p, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// told asks the prover to tell p from q.
func (k kind) told(p, q *ir.Program) error {
	r := prove.Equal(p, q, ir.Both)
	if k.isMatch && r.Answer == prove.Proved {
		return fmt.Errorf("%q is equal to the rule without the match, or to no rule", &p.Chains[0].Rules[0])
	}
	if r.Answer != prove.Refuted {
		return nil
	}
	if again, list := ir.ParsePacket(r.Packet.String()); list.HasErrors() || again != r.Packet {
		return fmt.Errorf("ir/packet.go, ir/packet_parse.go: packet %s is parsed as %s: %w", r.Packet, again, list.Err())
	}
	only := prove.EqualAmong(p, q, ir.Both, []prove.Region{prove.Only(r.Packet)})
	if only.Answer != prove.Refuted || only.Packet != r.Packet {
		return fmt.Errorf("ir/prove/region.go: the region of %s has %s", r.Packet, only.Packet)
	}
	return nil
}

// lowerSample lowers p; nil is for one that b refuses as it should, or leaves out with a note.
func lowerSample(b backends.Backend, o backends.Options, p *ir.Program) (backends.Ruleset, error) {
	set, found := b.Lower(p, o)
	switch {
	case found.HasErrors() && set != nil, !found.HasErrors() && set == nil:
		return nil, fmt.Errorf("a rule set, and errors: %w", found.Err())
	case set == nil:
		return nil, nil
	case !slices.ContainsFunc(set.Lines(), func(l backends.Line) bool { return l.Rule == &p.Chains[0].Rules[0] }) && len(found) == 0:
		return nil, fmt.Errorf("%q has no line, and nothing says why", &p.Chains[0].Rules[0])
	}
	return set, nil
}

// lowered lowers each sample by itself, and all among other rules, which a layout may merge or move.
func (k kind) lowered(b backends.Backend, o backends.Options) error {
	for _, p := range k.programs {
		if _, err := lowerSample(b, o, p); err != nil {
			return err
		}
	}
	for _, p := range k.crowds() {
		if _, err := lowerSample(b, o, p); err != nil {
			return err
		}
	}
	return nil
}

// crowds returns programs with the samples of k that can stand in one base chain, each of them twice, with other rules
// between.
func (k kind) crowds() []*ir.Program {
	var all []*ir.Program
	for _, p := range k.programs {
		i := slices.IndexFunc(all, func(q *ir.Program) bool {
			return *q.Chains[0].Base == *p.Chains[0].Base && q.Chains[0].Family == p.Chains[0].Family
		})
		if i < 0 {
			i = len(all)
			base := *p.Chains[0]
			base.Rules = nil
			all = append(all, &ir.Program{Chains: []*ir.Chain{&base, p.Chains[1]}})
		}
		c := all[i].Chains[0]
		r := p.Chains[0].Rules[0]
		between := ir.Rule{Family: r.Family, Matches: []ir.Match{ir.IIfName{Name: "virbr0"}}, Verdict: ir.Return{}}
		in := r
		in.Matches = append([]ir.Match{ir.IIfName{Name: "virbr1"}}, r.Matches...)
		c.Rules = append(c.Rules, r, between, in)
	}
	for _, p := range all {
		p.AddSets()
	}
	return all
}

func (k kind) readBack(b backends.Backend, o backends.Options) error {
	for _, p := range slices.Concat(k.programs, k.crowds()) {
		set, err := lowerSample(b, o, p)
		if err != nil {
			return err
		}
		if set == nil {
			continue // it can't be said
		}
		q, err := b.Read(set.Images())
		if err != nil {
			return err
		}
		if r := prove.Equal(p, q, ir.Both); r.Answer != prove.Proved {
			return fmt.Errorf("%q is read back, or was lowered, as something else: %s %s", &p.Chains[0].Rules[0], r.Answer, r.Packet)
		}
	}
	return nil
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
