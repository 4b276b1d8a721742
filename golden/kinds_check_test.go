package golden

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

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

// opaque is true if the fate of a packet is not known.
func opaque(err error) bool {
	var unknown *ir.UnknownError
	return errors.As(err, &unknown)
}

func (k kind) meant() error {
	for _, p := range k.programs {
		for _, proto := range []uint8{ir.TCP, ir.ICMP, ir.ICMPv6} {
			pkt := ir.Packet{Family: ir.IPv4, In: "virbr0", Out: "virbr1", Proto: proto, State: ir.StateNew}
			pkt.Src, pkt.Dst = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
			if p.Chains[0].Family == ir.IPv6 {
				pkt.Family = ir.IPv6
				pkt.Src, pkt.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
			}
			if _, err := ir.Eval(p, pkt); err != nil && !opaque(err) {
				return err
			}
		}
	}
	return nil
}

// probed wants packets that distinguish each sample of a match from no match, both ways.
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
			others := ir.Rule{Family: r.Family, Matches: r.Matches[:max(1, len(r.Matches))-1]}
			if !others.Holds(pkt, ir.Forward) {
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

// drawn looks for the kind among random programs. Sets, and what no packet decides, are not drawn.
func (k kind) drawn() error {
	if strings.HasPrefix(k.name, "ir.Opaque") || slices.Contains([]string{"ir.Lookup", "ir.Limit", "ir.Unknown", "ir.AddrType", "ir.Effect",
		"ir.Handed"}, k.name) {
		return nil
	}
	for _, s := range randomPrograms() {
		for _, c := range s.Program.Chains {
			for _, r := range c.Rules {
				if reflect.TypeOf(r.Verdict).String() == k.name {
					return nil
				}
				for _, a := range r.Actions {
					if reflect.TypeOf(a).String() == k.name {
						return nil
					}
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

// proved has the prover distinguish each sample of a match from no match and from no rule, by a
// packet that ir.Eval treats differently.
func (k kind) proved() error {
	for _, p := range k.programs {
		if r := prove.Equal(p, p, ir.Both); r.Answer != prove.Proved && !slices.Contains(unproved, k.name) {
			return fmt.Errorf("%q is not equal to itself: %s", &p.Chains[0].Rules[0], r.Answer)
		}
		for _, q := range fewer(p) {
			if err := k.distinguished(p, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// distinguished asks the prover to distinguish p from q.
func (k kind) distinguished(p, q *ir.Program) error {
	r := prove.Equal(p, q, ir.Both)
	if k.isMatch && r.Answer == prove.Proved {
		return fmt.Errorf("%q is equal to the rule without the match, or to no rule", &p.Chains[0].Rules[0])
	}
	if r.Answer != prove.Refuted {
		return nil
	}
	if again, list := ir.ParsePacket(r.Packet.String()); list.HasErrors() || again != r.Packet {
		return fmt.Errorf("ir/packet.go, ir/packet_parse.go: packet %s is parsed as %s: %w", r.Packet, again,
			list.Err())
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
	}
	came := func(l backends.Line) bool { return l.Rule == &p.Chains[0].Rules[0] }
	if len(found) == 0 && !slices.ContainsFunc(set.Lines(), came) {
		return nil, fmt.Errorf("%q has no line, and nothing says why", &p.Chains[0].Rules[0])
	}
	return set, nil
}

// lowered lowers each sample by itself, and all among other rules, which a layout may merge or
// move.
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

// crowds returns programs with the samples of k that can stand in one base chain, each of them
// twice, with other rules between.
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
			continue // it can't be expressed
		}
		q, err := b.Read(set.Images())
		if err != nil {
			return err
		}
		if r := prove.Equal(p, q, ir.Both); r.Answer != prove.Proved {
			return fmt.Errorf("%q is read back, or was lowered, as something else: %s %s", &p.Chains[0].Rules[0],
				r.Answer, r.Packet)
		}
	}
	return nil
}
