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

func (frontEnd) Parse(src *diag.Sources, o inforce.ParseOptions) ([]inforce.Document, diag.List) {
	parsed, found := frontend.Parse(src, frontend.Options{Options: netxml.Options{Lax: o.Lax, StrictIsolation: o.Strict,
		Taken: o.Taken, Bridges: o.Bridges, AllowOption: o.Allow}})
	if found.HasErrors() {
		return nil, found
	}
	docs := make([]inforce.Document, len(parsed.Networks))
	for i, n := range parsed.Networks {
		docs[i] = document(n)
	}
	return docs, found
}

func document(n *netxml.Network) inforce.Document {
	return inforce.Document{Name: n.Name(), File: n.File(), Bridge: n.Bridge, Mode: n.Mode, AutoBridge: n.AutoBridge,
		Strict: n.Strict, Of: n}
}

func (frontEnd) Lower(docs []inforce.Document) *ir.Program { return netxml.Lower(networksOf(docs)) }

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
	docs, found := f.Parse(&src, inforce.ParseOptions{Lax: true, Allow: anyOption})
	if found.HasErrors() || len(docs) != 1 || docs[0].AutoBridge {
		return inforce.Document{}, false
	}
	return docs[0], true
}
