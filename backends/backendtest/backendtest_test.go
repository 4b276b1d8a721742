package backendtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// textual is a back end whose target is the program's own text form: it has nothing to get wrong,
// but for what a test breaks in it. It remembers what it printed instead of parsing it, which would
// take minutes.
type textual struct {
	printed map[string]*ir.Program

	lower func(p *ir.Program) diag.List               // what Lower does first
	emit  func(p *ir.Program)                         // what is done to the copy that is emitted
	lines func(lines []backends.Line) []backends.Line // what is done to the lines
	docs  func(docs []backends.Document)              // what is done to the documents
	read  func(p *ir.Program, err error) (*ir.Program, error)
}

func (textual) Name() string               { return "textual" }
func (textual) Layouts() []backends.Layout { return []backends.Layout{backends.Chains} }
func (textual) FillsChecksums() bool       { return true }

func (b *textual) Lower(p *ir.Program, o backends.Options) (backends.Ruleset, diag.List) {
	o = o.Usual(b)
	var found diag.List
	if b.lower != nil {
		found = b.lower(p)
	}
	for _, r := range rules(p) {
		_, opaque := r.Verdict.(ir.Opaque)
		opaque = opaque || slices.ContainsFunc(r.Actions, func(a ir.Action) bool {
			_, ok := a.(ir.OpaqueAction)
			return ok
		})
		if opaque || slices.ContainsFunc(r.Matches, func(m ir.Match) bool { _, ok := m.(ir.Opaque); return ok }) {
			found = append(found, diag.Diagnostic{Severity: diag.Error, Code: "refused", Span: r.Origin.Span,
				What: "opaque"})
		}
	}
	if found.HasErrors() {
		return nil, found
	}
	return &textualSet{b, p, o}, found
}

func (b *textual) Read(images []backends.Document) (*ir.Program, error) {
	p := b.printed[string(images[0].Text)]
	if b.read != nil {
		return b.read(p, nil)
	}
	return p, nil
}

type textualSet struct {
	*textual
	program *ir.Program
	options backends.Options
}

func (s *textualSet) Emit() []backends.Document {
	p := clone(s.program)
	if s.emit != nil {
		s.emit(p)
	}
	var text bytes.Buffer
	if err := ir.Print(&text, p); err != nil {
		panic(err)
	}
	docs := []backends.Document{{File: "rules.txt", Family: s.options.Families, Text: text.Bytes()}}
	if s.docs != nil {
		s.docs(docs)
	}
	if s.printed == nil {
		s.printed = make(map[string]*ir.Program)
	}
	s.printed[string(docs[0].Text)] = p
	return docs
}

func (s *textualSet) Images() []backends.Document { return s.Emit() }

func (s *textualSet) Lines() []backends.Line {
	var lines []backends.Line
	for _, c := range s.program.Chains {
		for i := range c.Rules {
			for _, f := range []ir.Family{ir.IPv4, ir.IPv6} {
				if meets(c, &c.Rules[i])&f&s.options.Families != 0 {
					lines = append(lines, backends.Line{Family: f, Table: c.Table, Chain: c.Label(),
						Text: describe(c, i), Rule: &c.Rules[i]})
				}
			}
		}
	}
	if s.lines != nil {
		lines = s.lines(lines)
	}
	return lines
}

// TestSound has no complaint about a back end without fault.
func TestSound(t *testing.T) { Run(t, &textual{}) }

// breached is true if some sample shows that b breaches the point of the contract.
func breached(b backends.Backend, point string) bool {
	o := backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: backends.Chains}
	for _, s := range slices.Concat(SingleKinds(), NetworkSamples(), Random(10, 1)) {
		for _, err := range Check(b, s.Program, o) {
			if strings.HasPrefix(err.Error(), point+":") {
				return true
			}
		}
	}
	return false
}

// TestFaults breaks the textual back end in one way at a time: the suite must name the point of the
// contract.
func TestFaults(t *testing.T) {
	calls := 0
	tests := []struct {
		name string
		b    textual
		want string // a point that must be named
	}{
		{"refuses without a place", textual{lower: func(p *ir.Program) diag.List {
			if len(rules(p)) > 0 {
				return diag.List{{Severity: diag.Error, What: "no"}}
			}
			return nil
		}}, "point 1"},
		{"has no line for a rule", textual{lines: func(l []backends.Line) []backends.Line {
			return l[:max(0, len(l)-1)]
		}}, "point 1"},
		{"has a line of nothing", textual{lines: func(l []backends.Line) []backends.Line {
			return append(l, backends.Line{Rule: &ir.Rule{}})
		}}, "point 1"},
		{"leaves a family out", textual{lines: func(l []backends.Line) []backends.Line {
			return slices.DeleteFunc(l, func(l backends.Line) bool {
				return l.Family == ir.IPv6 && l.Rule.Family == ir.Both
			})
		}}, "point 1"},
		{"turns lines around", textual{lines: func(l []backends.Line) []backends.Line { slices.Reverse(l); return l }},
			"point 2"},
		{"counts its calls", textual{docs: func(docs []backends.Document) {
			calls++
			docs[0].Text = fmt.Appendf(docs[0].Text, "# %d\n", calls)
		}}, "point 3"},
		{"notes something new each time", textual{lower: func(*ir.Program) diag.List {
			calls++
			return diag.List{{Severity: diag.Note, What: fmt.Sprint(calls)}}
		}}, "point 3"},
		{"can't read itself", textual{read: func(*ir.Program, error) (*ir.Program, error) {
			return nil, errors.New("no")
		}}, "point 4"},
		{"changes the program", textual{lower: func(p *ir.Program) diag.List {
			for _, r := range rules(p) {
				r.Comment = "mine"
			}
			return nil
		}}, "point 5"},
		{"drops the last rule of each chain", textual{emit: func(p *ir.Program) {
			for _, c := range p.Chains {
				c.Rules = c.Rules[:max(0, len(c.Rules)-1)]
			}
		}}, "point 4"},
		{"swaps rules", textual{emit: func(p *ir.Program) {
			for _, c := range p.Chains {
				slices.Reverse(c.Rules)
			}
		}}, "point 4"},
		{"forgets policies", textual{emit: func(p *ir.Program) {
			for _, c := range p.Chains {
				if c.Base != nil {
					c.Base.Drop = false
				}
			}
		}}, "point 4"},
		{"hangs chains elsewhere", textual{emit: func(p *ir.Program) {
			for _, c := range p.Chains {
				if c.Base != nil && c.Base.Hook == ir.Prerouting {
					c.Base.Hook = ir.Input
				}
			}
		}}, "point 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !breached(&tt.b, tt.want) {
				t.Errorf("%s was not found to be breached", tt.want)
			}
		})
	}
}

// TestLostMeaning changes one kind of match or verdict on the way out, by the least that it can be
// changed: reading back must show a packet for each.
func TestLostMeaning(t *testing.T) {
	matches := map[string]func(m ir.Match) ir.Match{
		"IIfName.Not":      change(func(m *ir.IIfName) { m.Not = !m.Not }),
		"IIfName.Wildcard": change(func(m *ir.IIfName) { m.Wildcard = !m.Wildcard }),
		"OIfName.Not":      change(func(m *ir.OIfName) { m.Not = !m.Not }),
		"OIfName.Wildcard": change(func(m *ir.OIfName) { m.Wildcard = !m.Wildcard }),
		"SAddr.Prefix":     change(func(m *ir.SAddr) { m.Prefix = wider(m.Prefix) }),
		"SAddr.Not":        change(func(m *ir.SAddr) { m.Not = false }),
		"DAddr.Prefix":     change(func(m *ir.DAddr) { m.Prefix = wider(m.Prefix) }),
		"DAddr.Not":        change(func(m *ir.DAddr) { m.Not = false }),
		"SAddrRange.To":    change(func(m *ir.SAddrRange) { m.To = m.To.Next() }),
		"SAddrRange.Not":   change(func(m *ir.SAddrRange) { m.Not = false }),
		"DAddrRange.From":  change(func(m *ir.DAddrRange) { m.From = m.From.Prev() }),
		"L4Proto.Not":      change(func(m *ir.L4Proto) { m.Not = false }),
		"SPort.From":       change(func(m *ir.SPort) { m.From = max(m.From, 1) - 1 }),
		"SPort.To":         change(func(m *ir.SPort) { m.To = min(m.To, 65534) + 1 }),
		"DPort.From":       change(func(m *ir.DPort) { m.From-- }),
		"DPort.To":         change(func(m *ir.DPort) { m.To++ }),
		"DPort.Not":        change(func(m *ir.DPort) { m.Not = false }),
		"ICMPType.Type":    change(func(m *ir.ICMPType) { m.Type++ }),
		"ICMPType.HasCode": change(func(m *ir.ICMPType) { m.HasCode, m.Code = false, 0 }),
		"ICMPType.Not":     change(func(m *ir.ICMPType) { m.Not = false }),
		"TCPFlags.Mask":    change(func(m *ir.TCPFlags) { m.Mask |= ir.FlagURG | ir.FlagPSH }),
		"TCPFlags.Flags":   change(func(m *ir.TCPFlags) { m.Flags ^= m.Mask & -m.Mask }),
		"TCPFlags.Not":     change(func(m *ir.TCPFlags) { m.Not = false }),
		"CTState.States":   change(func(m *ir.CTState) { m.States |= ir.StateNew }),
		"CTState.Not":      change(func(m *ir.CTState) { m.Not = false }),
		"CTStatus.Status":  change(func(m *ir.CTStatus) { m.Status ^= ir.StatusSNAT }),
		"CTStatus.Not":     change(func(m *ir.CTStatus) { m.Not = false }),
		"Mark.Mask":        change(func(m *ir.Mark) { m.Mask = 0xffffffff }),
		"Mark.Value":       change(func(m *ir.Mark) { m.Value ^= m.Mask & -m.Mask }),
		"Mark.Not":         change(func(m *ir.Mark) { m.Not = false }),
	}
	for name, f := range matches {
		t.Run(name, func(t *testing.T) {
			lost(t, func(r *ir.Rule) {
				for i := range r.Matches {
					r.Matches[i] = f(r.Matches[i])
				}
			})
		})
	}
	actions := map[string]func(a ir.Action) ir.Action{
		"SetMark.Value": func(a ir.Action) ir.Action {
			if s, ok := a.(ir.SetMark); ok {
				s.Value ^= s.Mask & -s.Mask
				return s
			}
			return a
		},
		"SetMark.Mask": func(a ir.Action) ir.Action {
			if s, ok := a.(ir.SetMark); ok {
				s.Mask |= 1
				return s
			}
			return a
		},
		"NoTrack": func(a ir.Action) ir.Action {
			if _, ok := a.(ir.NoTrack); ok {
				return ir.Log{}
			}
			return a
		},
	}
	for name, f := range actions {
		t.Run(name, func(t *testing.T) {
			lost(t, func(r *ir.Rule) {
				for i := range r.Actions {
					r.Actions[i] = f(r.Actions[i])
				}
			})
		})
	}
	verdicts := map[string]func(v ir.Verdict) ir.Verdict{
		"Drop": func(v ir.Verdict) ir.Verdict {
			return swap[ir.Drop](v,
				ir.Reject{With: ir.PortUnreachable})
		},
		"Return":           func(v ir.Verdict) ir.Verdict { return swap[ir.Return](v, ir.Counter{}) },
		"Jump":             func(v ir.Verdict) ir.Verdict { return swap[ir.Jump](v, ir.Counter{}) },
		"ChecksumFill":     func(v ir.Verdict) ir.Verdict { return swap[ir.ChecksumFill](v, ir.Counter{}) },
		"Counter":          func(v ir.Verdict) ir.Verdict { return swap[ir.Counter](v, ir.Accept{}) },
		"Masquerade.Ports": func(v ir.Verdict) ir.Verdict { return swap[ir.Masquerade](v, ir.Masquerade{}) },
		"Redirect.Ports":   func(v ir.Verdict) ir.Verdict { return swap[ir.Redirect](v, ir.Redirect{}) },
		"SNAT.Ports": func(v ir.Verdict) ir.Verdict {
			if s, ok := v.(ir.SNAT); ok {
				return ir.SNAT{Addrs: s.Addrs}
			}
			return v
		},
		"DNAT.Addrs": func(v ir.Verdict) ir.Verdict {
			if s, ok := v.(ir.DNAT); ok {
				return ir.DNAT{Addrs: ir.AddrRange{From: s.Addrs.From, To: s.Addrs.From}, Ports: s.Ports}
			}
			return v
		},
		"Reject.With": func(v ir.Verdict) ir.Verdict {
			return swap[ir.Reject](v, ir.Reject{With: ir.PortUnreachable})
		},
	}
	for name, f := range verdicts {
		t.Run(name, func(t *testing.T) { lost(t, func(r *ir.Rule) { r.Verdict = f(r.Verdict) }) })
	}
}

// lost checks that the suite sees what f does to rules on their way out.
func lost(t *testing.T, f func(r *ir.Rule)) {
	t.Helper()
	b := &textual{emit: func(p *ir.Program) {
		for _, r := range rules(p) {
			f(r)
		}
	}}
	if !breached(b, "point 4") {
		t.Error("no packet shows the difference")
	}
}

// change returns a function that changes matches of kind M.
func change[M ir.Match](f func(*M)) func(ir.Match) ir.Match {
	return func(m ir.Match) ir.Match {
		if k, ok := m.(M); ok {
			f(&k)
			return k
		}
		return m
	}
}

// swap returns with for verdicts of kind V.
func swap[V ir.Verdict](v, with ir.Verdict) ir.Verdict {
	if _, ok := v.(V); ok {
		return with
	}
	return v
}

// wider returns p with one bit less.
func wider(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked() }
