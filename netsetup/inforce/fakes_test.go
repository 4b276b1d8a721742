package inforce

import (
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/conntrack"
	"github.com/vnetc/vnetc/netsetup/libvirt"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// cutFiles are state files whose writing may be cut.
type cutFiles struct {
	*state.Dir
	w *world
}

func (f cutFiles) Save(n state.Network) error {
	if err := f.w.cut("save " + n.Name); err != nil {
		return err
	}
	return f.Dir.Save(n)
}

func (f cutFiles) Remove(name string) error {
	if err := f.w.cut("remove " + name); err != nil {
		return err
	}
	return f.Dir.Remove(name)
}

func (f cutFiles) SaveLacks(l map[string][]state.Lack) error {
	if err := f.w.cut("save lacks"); err != nil {
		return err
	}
	return f.Dir.SaveLacks(l)
}

func (f cutFiles) SavePending(p *state.Pending) error {
	if err := f.w.cut("save pending"); err != nil {
		return err
	}
	return f.Dir.SavePending(p)
}

func (f cutFiles) Confirmed(id string) error {
	if err := f.w.cut("remove pending, confirmed"); err != nil {
		return err
	}
	return f.Dir.Confirmed(id)
}

func (f cutFiles) Undone(id string, at time.Time) error {
	if err := f.w.cut("remove pending, undone"); err != nil {
		return err
	}
	return f.Dir.Undone(id, at)
}

// marked returns the networks whose bridges stand.
func (w *world) marked() []string { return slices.Sorted(maps.Keys(w.links)) }

// Marked implements [Machine], with Read.
func (w *world) CutConnections(before, after *ir.Program) (conntrack.Report, error) {
	return conntrack.Report{}, nil
}

func (w *world) Marked() ([]string, error) { return w.marked(), w.cut("read marks") }

func (w *world) Read(string, map[string][]state.Lack, bool) (Links, error) {
	return machineLinks{w}, w.cut("read host")
}

// machineLinks are the world's bridges as [Links].
type machineLinks struct{ w *world }

func (machineLinks) Devices() map[string]bool { return nil }
func (m machineLinks) Marked() []string       { return m.w.marked() }
func (m machineLinks) Bridge(network string) (string, bool) {
	_, stands := m.w.links[network]
	return bridge(network), stands
}
func (machineLinks) BridgeMAC(string) (net.HardwareAddr, bool) { return nil, false }
func (m machineLinks) FindServers([]string) error              { return m.w.cut("find servers") }
func (machineLinks) Close() error                              { return nil }

func (machineLinks) Status(*ir.Link, net.HardwareAddr, time.Time) (netsetup.Status, error) {
	return netsetup.Status{}, nil
}

// PlanUp makes the bridge before the rules, and sets its link up after them.
func (m machineLinks) PlanUp(l *ir.Link, _ net.HardwareAddr) (netsetup.Plan, []link.Problem) {
	var p netsetup.Plan
	isUp, stands := m.w.links[l.Name]
	if !stands {
		p.Before = append(p.Before, m.step("make "+l.Name, func() { m.w.links[l.Name] = false },
			func() { delete(m.w.links, l.Name) }))
	}
	if !isUp {
		p.After = append(p.After, m.step("set up "+l.Name, func() { m.w.links[l.Name] = true },
			func() { m.w.links[l.Name] = false }))
	}
	p.After = append(p.After, m.step("look after "+l.Name, func() {}, func() {}))
	return p, nil
}

// PlanDown deletes the bridge before the rules go.
func (m machineLinks) PlanDown(name, _ string) (netsetup.Plan, error) {
	p := netsetup.Plan{Name: name}
	if _, stands := m.w.links[name]; stands {
		p.Before = append(p.Before, m.step("delete "+name, func() { delete(m.w.links, name) }, func() {}))
	}
	return p, m.w.cut("plan down " + name)
}

func (m machineLinks) step(what string, do, undo func()) netsetup.Step {
	return worldStep{m.w, what, do, undo}
}

type worldStep struct {
	w        *world
	what     string
	do, undo func()
}

func (s worldStep) String() string { return s.what }

func (s worldStep) Do() error {
	if err := s.w.cut(s.what); err != nil {
		return err
	}
	s.do()
	return nil
}

func (s worldStep) Undo() error {
	if err := s.w.cut("undo " + s.what); err != nil {
		return err
	}
	s.undo()
	return nil
}

// lines is a front end whose documents are a line each; see given.
type lines struct{}

func (lines) Parse(src *diag.Sources, o ParseOptions) (Parsed, diag.List) {
	var docs []Document
	var found diag.List
	for _, file := range src.Names() {
		words := strings.Fields(string(src.Text(file)))
		if len(words) != 2 {
			found = append(found, diag.Diagnostic{Severity: diag.Error, Code: "line", Span: diag.Span{File: file},
				What: "two words are wanted"})
			continue
		}
		docs = append(docs, Document{Name: words[0], File: file, Bridge: bridge(words[0]),
			Mode: ir.Mode(words[1]), Strict: o.Strict})
	}
	return Parsed{Networks: docs}, found
}

func (l lines) Lower(p Parsed) (*ir.Program, diag.List) { return l.program(p.Networks), nil }

func (lines) program(docs []Document) *ir.Program {
	p := &ir.Program{}
	for _, g := range ir.Groups {
		if !g.Optional() {
			p.Add(g)
		}
	}
	for i, d := range docs {
		p.Links = append(p.Links, &ir.Link{Name: d.Name, Mode: d.Mode, Bridge: ir.Bridge{Name: d.Bridge}})
		if !d.Mode.Filtered() {
			continue
		}
		origin := ir.Origin{Span: diag.Span{File: d.Name, Start: diag.Pos{Line: i + 1, Col: 1},
			End: diag.Pos{Line: i + 1, Col: 2}}, Network: d.Name, Element: "network", Reason: "test"}
		in, out := ir.IIfName{Name: d.Bridge}, ir.OIfName{Name: d.Bridge}
		p.Add(ir.FWX, ir.Rule{Family: ir.Both, Matches: []ir.Match{in, out}, Verdict: ir.Accept{}, Origin: origin})
		p.Add(ir.FWI, ir.Rule{Family: ir.Both, Matches: []ir.Match{out}, Verdict: ir.Reject{With: ir.PortUnreachable},
			Origin: origin})
		if d.Mode == ir.ModeNone {
			p.Add(ir.FWO, ir.Rule{Family: ir.Both, Matches: []ir.Match{in},
				Verdict: ir.Reject{With: ir.PortUnreachable}, Origin: origin})
		}
	}
	return p
}

func (lines) Live(libvirt.Status) (Document, bool) { return Document{}, false }
func (l lines) Claims(docs []Document) *ir.Program { return l.program(docs) }
