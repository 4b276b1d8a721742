// Package golden keeps the firewalls of networks as text: one txtar file a scenario, with prose,
// network XML and what each stage makes of it. It runs vnetc's own corpus (the tests beside this
// file) and is the engine of `vnetc golden`, which does the same for the user's networks. It may
// import everything; nothing but cmd imports it.
package golden

import (
	"bytes"
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// Section is one output of a scenario, a file of its txtar archive.
type Section struct {
	Name string
	Text []byte
}

// Stage makes one section out of a program and the sources it was compiled from; Make returns nil
// where there is nothing to say, not even that it is empty.
type Stage struct {
	Name string
	Make func(*diag.Sources, *ir.Program) ([]byte, error)
}

// Rules lists the stages whose output a host would load: iptables, ip6tables, and nftables in its
// two layouts.
func Rules() []Stage {
	return []Stage{
		{"iptables", rules(iptables.Backend{}, ir.IPv4, backends.Chains)},
		{"ip6tables", rules(iptables.Backend{}, ir.IPv6, backends.Chains)},
		{"nftables", rules(nftables.Backend{}, ir.Both, backends.Chains)},
		{"nftables-sets", rules(nftables.Backend{}, ir.Both, backends.Sets)},
	}
}

// AllStages lists Rules with the stages before and after: the program as ir, the nftables batch as
// netlink, what verify and trace print, the files of dnsmasq, and what up does.
func AllStages() []Stage {
	return append(append([]Stage{{"ir", program}}, Rules()...), Stage{"netlink", netlink}, Stage{"verify", verified},
		Stage{"trace", traced},
		Stage{"dnsmasq", dnsmasqFiles}, Stage{"plan", plan})
}

func options(families ir.Family, layout backends.Layout) backends.Options {
	return backends.Options{Families: families, Names: backends.VnetcNames, Layout: layout}
}

func rules(b backends.Backend, families ir.Family, layout backends.Layout) func(*diag.Sources, *ir.Program) ([]byte,
	error) {
	return func(_ *diag.Sources, p *ir.Program) ([]byte, error) {
		lowered, found := b.Lower(p, options(families, layout))
		if found.HasErrors() {
			return nil, found
		}
		var text []byte
		for _, d := range lowered.Emit() {
			text = append(text, d.Text...)
		}
		return text, nil
	}
}

func program(_ *diag.Sources, p *ir.Program) ([]byte, error) {
	var text bytes.Buffer
	err := ir.Print(&text, p)
	return text.Bytes(), err
}

func netlink(_ *diag.Sources, p *ir.Program) ([]byte, error) {
	lowered, found := nftables.Backend{}.Lower(p, options(ir.Both, backends.Chains))
	if found.HasErrors() {
		return nil, found
	}
	binary, ok := lowered.(backends.Debugger)
	if !ok {
		return nil, fmt.Errorf("rules of nftables have no binary form: %T", lowered)
	}
	return binary.Debug(), nil
}

// dnsmasqFiles shows the files of each network that needs a dnsmasq, under headings.
func dnsmasqFiles(_ *diag.Sources, p *ir.Program) ([]byte, error) {
	var text []byte
	for _, l := range p.Links {
		if !dnsmasq.Needed(l) {
			continue
		}
		paths, err := dnsmasq.At("/run/vnetc", l.Name)
		if err != nil {
			return nil, err
		}
		files, err := dnsmasq.Emit(l, paths)
		if err != nil {
			return nil, err
		}
		text = append(text, files.Print(paths)...)
	}
	return text, nil
}

// plan shows what vnetc up does with the networks on a host that has nothing of them.
func plan(_ *diag.Sources, p *ir.Program) ([]byte, error) {
	return netsetup.PrintFresh(p.Links, "/run/vnetc", true)
}

// Compile runs the front end over src and returns the verified program; nil, with the reasons, if
// there are errors.
func Compile(src *diag.Sources) (*ir.Program, diag.List) {
	return frontend.Compile(src, frontend.Options{})
}

// Outputs compiles src and returns the stages' sections. Where there is something to say about src,
// the last section is "diagnostics", the text that goes to stderr; with an error in it there is no
// other.
func Outputs(src *diag.Sources, stages []Stage) ([]Section, error) {
	return outputs(src, stages, frontend.Options{})
}

func outputs(src *diag.Sources, stages []Stage, o frontend.Options) ([]Section, error) {
	p, found := frontend.Compile(src, o)
	var out []Section
	if p != nil {
		for _, s := range stages {
			text, err := s.Make(src, p)
			if err != nil {
				return nil, fmt.Errorf("stage %s: %w", s.Name, err)
			}
			if text != nil {
				out = append(out, Section{s.Name, text})
			}
		}
	}
	if text := diagnostics(src, found); len(text) > 0 {
		out = append(out, Section{"diagnostics", text})
	}
	return out, nil
}
