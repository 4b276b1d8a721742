package main

import (
	"fmt"

	"github.com/vnetc/vnetc/frontend"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// frontEnd is the front ends as the engine's [inforce.Compiler].
type frontEnd struct{}

func (frontEnd) Parse(src *diag.Sources, o inforce.ParseOptions) (inforce.Parsed, diag.List) {
	parsed, found := frontend.Parse(src, frontend.Options{Options: netxml.Options{Lax: o.Lax, StrictIsolation: o.Strict,
		Taken: o.Taken, Bridges: o.Bridges, AllowOption: o.Allow}, Policies: o.Policies, Expected: o.Expected})
	if found.HasErrors() {
		return inforce.Parsed{}, found
	}
	docs := make([]inforce.Document, len(parsed.Networks))
	for i, n := range parsed.Networks {
		docs[i] = document(n)
	}
	return inforce.Parsed{Networks: docs, Policies: parsed.Files, Of: parsed}, found
}

func document(n *netxml.Network) inforce.Document {
	return inforce.Document{Name: n.Name(), File: n.File(), Bridge: n.Bridge, Mode: n.Mode, AutoBridge: n.AutoBridge,
		Strict: n.Strict, Of: n}
}

// Lower passes over what policies that were judged before say of networks that are not there.
func (frontEnd) Lower(p inforce.Parsed) (*ir.Program, diag.List) {
	parsed, _ := p.Of.(frontend.Parsed) // none for the networks of another daemon
	parsed.Networks = networksOf(p.Networks)
	return parsed.Lower(p.Sources, p.Judged)
}

func (frontEnd) Claims(docs []inforce.Document) *ir.Program { return netxml.Claims(networksOf(docs)) }

// networksOf returns the networks behind documents.
func networksOf(docs []inforce.Document) []*netxml.Network {
	nets := make([]*netxml.Network, len(docs))
	for i, d := range docs {
		n, ok := d.Of.(*netxml.Network)
		if !ok {
			panic(fmt.Sprintf("a document of another front end: %T", d.Of))
		}
		n.Strict = d.Strict
		nets[i] = n
	}
	return nets
}

func (f frontEnd) Live(s libvirt.Status) (inforce.Document, bool) {
	var src diag.Sources
	src.Add(s.Path, netxml.Live(s.Text))
	p, found := f.Parse(&src, inforce.ParseOptions{Lax: true, Allow: anyOption})
	if found.HasErrors() || len(p.Networks) != 1 || p.Networks[0].AutoBridge {
		return inforce.Document{}, false
	}
	return p.Networks[0], true
}
