package backendtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Kernel is a small model of a kernel that holds rules, for tests of what loads them: each of its
// loaders is a back end of its own, whose rules are the text of the IR. The zero value holds
// nothing.
type Kernel struct {
	// Cut, if it isn't nil, is called before each call of a loader that reads or writes the kernel.
	// An error is the call's, and the kernel stays as it is. Cut may panic, as a process is killed.
	Cut func(call string) error

	held map[slot]*ir.Program
}

// slot is where rules stand: in a back end, under names.
type slot struct {
	backend string
	names   backends.Names
}

// Loader returns the loader of the kernel's back end called name.
func (k *Kernel) Loader(name string) *KernelLoader { return &KernelLoader{k, name} }

// Loaded returns what the kernel holds in a back end under names, for the caller to tamper with;
// nil if there is nothing.
func (k *Kernel) Loaded(backend string, names backends.Names) *ir.Program {
	return k.held[slot{backend, names}]
}

// All returns everything that the kernel holds.
func (k *Kernel) All() []*ir.Program {
	var all []*ir.Program
	for _, p := range k.held {
		all = append(all, p)
	}
	return all
}

// call has Cut come before a call.
func (k *Kernel) call(what, backend string) error {
	if k.Cut == nil {
		return nil
	}
	return k.Cut(what + " " + backend)
}

// put makes the kernel hold p.
func (k *Kernel) put(at slot, p *ir.Program) {
	if k.held == nil {
		k.held = make(map[slot]*ir.Program)
	}
	if k.held[at] = p; p == nil {
		delete(k.held, at)
	}
}

// KernelLoader loads rules into a [Kernel].
type KernelLoader struct {
	kernel *Kernel
	name   string
}

var (
	_ backends.Pruner        = (*KernelLoader)(nil)
	_ backends.CounterReader = (*KernelLoader)(nil)
)

func (l *KernelLoader) Name() string             { return l.name }
func (*KernelLoader) Layouts() []backends.Layout { return []backends.Layout{backends.Chains} }
func (*KernelLoader) FillsChecksums() bool       { return true }
func (*KernelLoader) Available() error           { return nil }

// Lower returns p as it is.
func (l *KernelLoader) Lower(p *ir.Program, o backends.Options) (backends.Ruleset, diag.List) {
	return &kernelRules{p, slot{l.name, o.Names}}, nil
}

// Read reads the text of a program.
func (*KernelLoader) Read(images []backends.Document) (*ir.Program, error) {
	if len(images) != 1 {
		return nil, fmt.Errorf("%d images, and one is wanted", len(images))
	}
	p, found := ir.Parse(images[0].File, images[0].Text)
	if found.HasErrors() {
		return nil, found
	}
	return p, nil
}

// Dump implements [backends.Loader].
func (l *KernelLoader) Dump(names backends.Names) ([]backends.Document, error) {
	if err := l.kernel.call("dump", l.name); err != nil {
		return nil, err
	}
	p := l.kernel.held[slot{l.name, names}]
	if p == nil {
		return nil, nil
	}
	return []backends.Document{image(p)}, nil
}

// Load implements [backends.Loader].
func (l *KernelLoader) Load(rules backends.Ruleset) (backends.Report, error) {
	set, err := backends.Of[*kernelRules](rules)
	if err == nil {
		err = l.kernel.call("load", l.name)
	}
	if err != nil {
		return backends.Report{}, err
	}
	report := backends.Report{Kept: len(set.Lines())}
	if old := l.kernel.held[set.at]; old == nil || old.String() != set.String() {
		report.Kept, report.Changed = 0, report.Kept
	}
	p, err := l.Read(set.Images()) // a copy
	l.kernel.put(set.at, p)
	return report, err
}

// Restore implements [backends.Loader].
func (l *KernelLoader) Restore(names backends.Names, images []backends.Document) error {
	if err := l.kernel.call("restore", l.name); err != nil {
		return err
	}
	if len(images) == 0 {
		l.kernel.put(slot{l.name, names}, nil)
		return nil
	}
	p, err := l.Read(images)
	if err == nil {
		l.kernel.put(slot{l.name, names}, p)
	}
	return err
}

// Unload implements [backends.Loader].
func (l *KernelLoader) Unload(names backends.Names) error {
	if err := l.kernel.call("unload", l.name); err != nil {
		return err
	}
	l.kernel.put(slot{l.name, names}, nil)
	return nil
}

// Counters implements [backends.CounterReader]: nothing is ever counted.
func (l *KernelLoader) Counters(rules backends.Ruleset) ([]backends.Counted, error) {
	if err := l.kernel.call("count", l.name); err != nil {
		return nil, err
	}
	var counters []backends.Counted
	for _, line := range rules.Lines() {
		counters = append(counters, backends.Counted{Family: line.Family, Rules: []*ir.Rule{line.Rule}})
	}
	return counters, nil
}

// Prune implements [backends.Pruner].
func (l *KernelLoader) Prune(names backends.Names, dry bool, choose backends.Choose) (backends.Pruned, error) {
	if err := l.kernel.call("prune", l.name); err != nil {
		return backends.Pruned{}, err
	}
	at := slot{l.name, names}
	p := l.kernel.held[at]
	if p == nil {
		choose(&ir.Program{})
		return backends.Pruned{Gone: true}, nil
	}
	there, err := l.Read([]backends.Document{image(p)})
	if err != nil {
		return backends.Pruned{}, err
	}
	goes, frame := choose(there)
	done := backends.Pruned{Changed: len(goes)}
	var left []ir.Rule
	for _, c := range there.Chains {
		var rules []ir.Rule
		for i := range c.Rules {
			if !slices.Contains(goes, &c.Rules[i]) {
				rules = append(rules, c.Rules[i])
			}
		}
		c.Rules = rules
		left = append(left, rules...)
	}
	if done.Gone = frame && len(left) == 0; done.Gone {
		done.Changed += len(there.Chains)
		there = nil
	}
	if !dry {
		l.kernel.put(at, there)
	}
	return done, nil
}

// kernelRules is a program on its way into a [Kernel].
type kernelRules struct {
	*ir.Program
	at slot
}

func (s *kernelRules) Emit() []backends.Document   { return s.Images() }
func (s *kernelRules) Images() []backends.Document { return []backends.Document{image(s.Program)} }

func (s *kernelRules) Lines() []backends.Line {
	var lines []backends.Line
	for _, c := range s.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			lines = append(lines, backends.Line{Family: c.Family, Table: c.Table, Chain: c.Name, Text: r.String(),
				Rule: r})
		}
	}
	return lines
}

// image returns the rules of p as a document.
func image(p *ir.Program) backends.Document {
	var text bytes.Buffer
	if err := ir.Print(&text, &ir.Program{Chains: p.Chains, Sets: p.Sets}); err != nil {
		panic(errors.Join(errors.New("a buffer takes everything"), err))
	}
	return backends.Document{File: "rules.ir", Family: ir.Both, Text: text.Bytes()}
}
