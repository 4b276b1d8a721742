package main

import (
	"bytes"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/dnsmasq"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// compileFlags are the flags of `vnetc compile`.
type compileFlags struct {
	targetFlags
	emit    *choice
	output  string
	lax     bool
	dnsmasq optionFlags
	policy  policyFlag
	strict  bool
	verbose bool
}

func newCompile(s streams) *cobra.Command {
	var f compileFlags
	cmd := &cobra.Command{
		Use:   "compile PATH...",
		Short: "turn network XML into firewall rules",
		Long: `compile turns libvirt network XML into the firewall rules that make the
networks work. Several files are one compilation: networks are taken in the
order given, and what collides between them is an error that shows both places.

The output is all or nothing: with an error no rule is printed, and the files
behind -o stay as they were. Nothing on this host is touched.

--emit rules     the rules in the back end's own syntax (the default)
--emit ir        the program between XML and rules, with the origin of each rule
--emit netlink   the nftables batch as nft --debug=netlink would print it
--emit json      networks, rules in each syntax, origins, diagnostics, as JSON
--emit dnsmasq   dnsmasq's files for each network with DHCP, DNS or TFTP, each
                 under a line with its path; -o DIR/ writes NAME.conf,
                 NAME.hostsfile and NAME.addnhosts
--emit plan      what vnetc up would do on a host without these networks

nftables has two layouts. In sets, the default, rules that differ only in
values are one rule and a set, so that a packet costs the same however many
networks there are; chains has a line for each rule, in libvirt's order.

Rules print as nft -s list ruleset and iptables-save would print them. iptables
output is two documents, one for each family; a comment at the head of each
names the command that loads it, and the one that loads it again. Where a
network names no bridge, the lowest free virbrN of this compilation is taken.

Exit codes: 0 compiled; 1 errors in the input; 2 wrong usage; 3 cannot read or
write.`,
		Example: `  vnetc compile golden/networks/default.xml
  vnetc compile lab.xml dmz.xml --backend iptables --family ipv4
  vnetc compile /etc/vnetc/networks -o rules/      # rules.nft, rules.v4, rules.v6
  vnetc compile lab.xml --comments | nft -c -f -
  vnetc compile lab.xml --emit dnsmasq
  vnetc compile lab.xml --emit json | jq '.rules[] | select(.group=="FWI")'`,
		ValidArgsFunction: xmlPaths,
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usagef("compile needs at least one PATH, for example: vnetc compile golden/networks/default.xml")
			}
			return compile(s, &f, paths)
		},
	}
	f.backend = addChoice(cmd, "backend", "what to compile for", targetNames()...)
	f.family = addChoice(cmd, "family", "address families", "both", "ipv4", "ipv6")
	f.layout = addChoice(cmd, "layout", "nftables: arrangement of the rules", layoutNames()...)
	f.names = addChoice(cmd, "names", "names of tables and chains", string(backends.VnetcNames),
		string(backends.LibvirtNames))
	f.emit = addChoice(cmd, "emit", "what to print", "rules", "ir", "netlink", "json", "dnsmasq", "plan")
	f.comments = cmd.Flags().Bool("comments", false, "put the origin of each rule into the rule as a comment")
	cmd.Flags().StringVarP(&f.output, "output", "o", "-",
		"write to this file, or into this directory if it ends in / (all back ends, unless --backend is given)")
	cmd.Flags().BoolVar(&f.lax, "lax", false, "unknown elements and attributes are warnings, not errors")
	f.dnsmasq.add(cmd)
	f.policy.add(cmd)
	cmd.Flags().BoolVar(&f.strict, "strict-isolation", false,
		"let no guest out past its own network's rules (see vnetc verify)")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "also print what was left out, and why")
	return cmd
}

// compile reads paths and writes the output that f.emit names.
func compile(s streams, f *compileFlags, paths []string) error {
	if f.emit.value == "netlink" && f.backend.value != (nftables.Backend{}).Name() {
		return usagef("--emit netlink is for nftables; leave out --backend %s", f.backend.value)
	}
	s.out = diag.Exactly(s.out)
	debug.SetGCPercent(400) // nearly all that is made is kept to the end
	src, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	program, found, err := compileSources(src, f.policy, netxml.Options{Lax: f.lax, StrictIsolation: f.strict,
		AllowOption: f.dnsmasq.allow()})
	if err != nil {
		return err
	}
	if program != nil && program.HasPolicies() && backends.Names(f.names.value) == backends.LibvirtNames {
		return usagef("policies with --names libvirt: libvirt has no chains for them; leave it out")
	}
	var docs []backends.Document
	if program != nil {
		more := diag.List(nil)
		docs, more, err = emit(f, src, program, found)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	if err := reportEnd(s, src, found, f.verbose, "; nothing was written"); err != nil {
		return err
	}
	return write(s, f.output, docs)
}

// emit makes the documents that f.emit names, and the diagnostics of the back ends. There are no
// documents if that has errors.
func emit(f *compileFlags, src *diag.Sources, p *ir.Program, found diag.List) ([]backends.Document, diag.List, error) {
	if f.emit.value == "ir" {
		var text bytes.Buffer
		if err := ir.Print(&text, p); err != nil {
			return nil, nil, hostf("%v", err)
		}
		return []backends.Document{{File: "program.ir", Text: text.Bytes()}}, nil, nil
	}
	if f.emit.value == "dnsmasq" {
		docs, err := dnsmasqDocuments(p, isDir(f.output))
		return docs, nil, err
	}
	if f.emit.value == "plan" {
		text, err := netsetup.PrintFresh(p.Links, inforce.DefaultDir, !f.chosen(false)[0].FillsChecksums())
		if err != nil {
			return nil, nil, exitError{exitNo, err.Error()}
		}
		return []backends.Document{{File: "plan.txt", Text: text}}, nil, nil
	}
	all := f.emit.value == "json" || f.emit.value == "rules" && isDir(f.output)
	var docs []backends.Document
	var said diag.List
	var lowered []loweredTarget
	for _, b := range f.chosen(all) {
		rules, more := b.Lower(p, f.options())
		said = append(said, more...)
		if more.HasErrors() {
			continue
		}
		lowered = append(lowered, loweredTarget{b.Name(), rules})
		docs = append(docs, rules.Emit()...)
	}
	if said.HasErrors() {
		return nil, said, nil
	}
	switch f.emit.value {
	case "netlink":
		binary, ok := lowered[0].rules.(backends.Debugger)
		if !ok {
			return nil, said, usagef("--emit netlink is for nftables; leave out --backend %s", lowered[0].name)
		}
		docs = []backends.Document{{File: "rules.netlink", Text: binary.Debug()}}
	case "json":
		text, err := programJSON(p, lowered, append(found[:len(found):len(found)], said...))
		if err != nil {
			return nil, said, hostf("%v", err)
		}
		docs = []backends.Document{{File: "program.json", Text: text}}
	}
	return docs, said, nil
}

// dnsmasqDocuments makes the files of each network that needs a dnsmasq, with the paths that they
// have on a host: apart, or as one text.
func dnsmasqDocuments(p *ir.Program, apart bool) ([]backends.Document, error) {
	var docs []backends.Document
	for _, l := range p.Links {
		if !dnsmasq.Needed(l) {
			continue
		}
		paths, err := dnsmasq.At(inforce.DefaultDir, l.Name)
		if err != nil {
			return nil, exitError{exitNo, err.Error()}
		}
		files, err := dnsmasq.Emit(l, paths)
		if err != nil {
			return nil, exitError{exitNo, err.Error()}
		}
		if !apart {
			docs = append(docs, backends.Document{File: l.Name, Text: files.Print(paths)})
			continue
		}
		for path, text := range files.Shown(paths) {
			docs = append(docs, backends.Document{File: filepath.Base(path), Text: text})
		}
	}
	return docs, nil
}

// write puts docs where output says: stdout, a directory, or one file.
func write(s streams, output string, docs []backends.Document) error {
	if output != "-" && isDir(output) {
		return writeDocuments(filepath.Clean(output), docs)
	}
	var all bytes.Buffer
	for _, d := range docs {
		all.Write(d.Text)
	}
	if output != "-" {
		return writeFile(output, all.Bytes())
	}
	if _, err := s.out.Write(all.Bytes()); err != nil {
		return hostf("%v", err)
	}
	return nil
}
