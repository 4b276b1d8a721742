package iptables

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

var _ backends.Surveyor = Loader{}

// Survey implements [backends.Surveyor] for one world of iptables: what its tables hold, as the
// world's own tools list it. That tells more than netlink, which shows half of the matches of
// iptables-nft as bytes. A table that the tools can't list, since nft made rules in it, is not in
// the Survey of iptables-nft; the one of nf_tables has it. Families without tables are not asked,
// and no table is made by looking.
func (l Loader) Survey() (backends.Survey, error) {
	s := backends.Survey{World: backends.NFTables, Program: &ir.Program{}}
	holds := holdsNFTables
	if l.Variant == Legacy {
		s.World, holds = backends.LegacyIPTables, hasLegacy
	}
	var tools []tool
	for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		there, err := holds(f)
		if err == nil && !there {
			continue
		}
		var t tool
		if err == nil {
			t, err = l.tool(f)
		}
		if err != nil {
			s.Unread = append(s.Unread, l.unread(f, err))
			continue
		}
		tools = append(tools, t)
	}
	for _, listed := range list(tools) {
		if listed.err == nil {
			listed.err = l.add(s.Program, listed)
		}
		if listed.err != nil {
			s.Unread = append(s.Unread, l.unread(listed.family, listed.err))
		}
	}
	return s, nil
}

// World implements [backends.Surveyor].
func (l Loader) World() backends.World {
	if l.Variant == Legacy {
		return backends.LegacyIPTables
	}
	if t, err := l.tool(ir.IPv4); err == nil && l.variant(t) == Legacy {
		return backends.LegacyIPTables
	}
	return backends.NFTables
}

// Hooks implements [backends.Surveyor]. Base chains of iptables-nft are nf_tables' to tell.
func (l Loader) Hooks() (backends.Survey, error) {
	if l.Variant == Legacy {
		return l.Survey()
	}
	return backends.Survey{World: backends.NFTables, Program: &ir.Program{}}, nil
}

// add reads what a tool listed into p.
func (l Loader) add(p *ir.Program, listed listing) error {
	text := listed.out.String()
	file := wordsOf(listed.family).file
	read, err := l.Read([]backends.Document{{File: file, Family: listed.family, Text: []byte(text)}})
	if err != nil {
		return err
	}
	p.Chains, p.Sets = append(p.Chains, read.Chains...), append(p.Sets, read.Sets...)
	for line := range strings.Lines(text) {
		// the tool is content with itself
		if strings.HasPrefix(line, "# Table ") && strings.Contains(line, "incompatible") {
			return errors.New("the tool can't list a table in which nft made rules")
		}
	}
	return nil
}

// unread says that rules of one family could not be read. Netlink has those of iptables-nft.
func (l Loader) unread(f ir.Family, err error) backends.Unread {
	variant := l.Variant
	if variant == "" {
		variant = NFTables
	}
	return backends.Unread{
		What:  fmt.Sprintf("the %s rules of iptables-%s", wordsOf(f).family, variant),
		Why:   err.Error(),
		Worse: variant == NFTables,
	}
}

// holdsNFTables is true if there is a table as iptables-nft makes them, by the names of its chains.
func holdsNFTables(f ir.Family) (bool, error) {
	chains, err := chainsOf(f, "")
	return slices.ContainsFunc(chains, func(c *nftables.Chain) bool { return builtin(c.Table.Name, c.Name) != nil }),
		err
}

// listing is what a tool listed.
type listing struct {
	tool
	cmd       *exec.Cmd
	out, said bytes.Buffer
	err       error
}

// list has each of the tools list its tables, side by side. All are started by this thread, and so
// in its network namespace.
func list(tools []tool) []listing {
	all := make([]listing, len(tools))
	for i, t := range tools {
		l := &all[i]
		l.tool = t
		l.cmd = english(t.save)
		l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.said
		l.err = l.cmd.Start()
	}
	for i := range all {
		l := &all[i]
		if l.err != nil {
			l.err = fmt.Errorf("start %s: %w", l.save, l.err)
			continue
		}
		if err := l.cmd.Wait(); err != nil {
			l.err = &RefusedError{Command: l.name("-save"), Said: l.said.String(), Err: err}
		}
	}
	return all
}

var _ backends.Flusher = Loader{}

// FlushCommand implements [backends.Flusher].
func (l Loader) FlushCommand(c *ir.Chain) string {
	command := "iptables"
	if c.Family == ir.IPv6 {
		command = "ip6tables"
	}
	if l.Variant != "" {
		command += "-" + string(l.Variant)
	}
	if c.Table != "filter" {
		command += " -t " + c.Table
	}
	return command + " -F " + c.Name
}
