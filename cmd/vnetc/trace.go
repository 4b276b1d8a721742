package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// traceFlags are the flags of `vnetc trace`.
type traceFlags struct {
	packet                         string
	backend, layout, names, format *choice
	lax, strict, verbose           bool
	dnsmasq                        optionFlags
	policy                         policyFlag
	host                           hostTraceFlags
}

func newTrace(s streams) *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace [PATH...] --packet PACKET",
		Short: "show which rules a packet meets, and its fate",
		Long: `trace follows one packet. Without PATH it follows it through this host: routing,
every table of nftables and iptables whoever made it, NAT, and the rules of the
networks in force, each with the line of XML that caused it. It prints each
chain with its owner, each rule that the packet matches, and its fate: it
arrives, or who ends it where. Of a rule that vnetc can't decide it shows what
comes if it matches, and then what comes if it does not. A packet is written in
words, the protocol first and the others in any order:

  tcp from network web to 10.0.0.5 port 5432
  udp from 10.0.0.5 in network web to host port 53
  tcp from outside to network db port 22
  icmp from host to outside

An end is an address, network NAME (one of its guests), outside (what the
default route leads to) or host. in network NAME says where an address is, and
on INTERFACE by which the packet comes. Only the routes of table main are
looked at: policy routing (ip rule), as some VPN clients set it, is not.

With PATH it follows the packet through the rules of these networks alone. It
prints each chain that the packet enters; each rule that it matches, with the
rule's text in both back ends, the line of XML that caused it and why; and the
packet's fate. -v also prints the rules that do not match, and why.

Such a packet has both addresses, and its interfaces:

  tcp from 10.20.1.5:40000 on virbr0 to 198.51.100.7:443 out eth0 state new
  icmp type echo-request from 10.20.1.5 on virbr0 to 10.20.1.1

on is the interface by which it came, out the one by which it leaves. With both
it is forwarded, with on alone it is for the host, with out alone it is from
the host. Ports, state, mark and ICMP type may be left out; they are then 40000
to 443, new, 0 and echo-request. Write IPv6 addresses with a port in brackets:
[fd00::5]:443.

With PATH trace uses the program between XML and rules; with --backend the rules
that this back end emits, read back. It does not know the host's routing and its
other rules then: "accepted" means accepted by these networks' rules.

Exit codes: without PATH 0 it arrives, or that depends on a rule or on what vnetc
never reads; 1 it does not arrive, or there is no such packet; with PATH 0
traced, whatever the fate; 1 errors in the networks or the packet. 2 wrong
usage; 3 cannot read, or rules could not be read and the answer depends on them.`,
		Example: `  vnetc trace --packet "tcp from network default to outside port 443"
  vnetc trace --packet "tcp from network web to network db port 5432" --format json | jq .answer
  vnetc trace golden/networks/default.xml \
      --packet "tcp from 192.168.122.10 on virbr0 to 198.51.100.7:443 out eth0"
  vnetc trace networks/ -v --backend nftables \
      --packet "udp from 10.0.0.5 on virbr0 to 10.0.1.5:53 out virbr1"
  vnetc trace networks/ --format json --packet "..." | jq .fate.outcome`,
		ValidArgsFunction: xmlPaths,
		RunE: func(_ *cobra.Command, paths []string) error {
			switch {
			case f.packet == "":
				return usagef(`trace needs a packet, for example: vnetc trace --packet "tcp from network default to outside port 443"; ` +
					`with the rules of files alone: vnetc trace golden/networks/default.xml ` +
					`--packet "tcp from 192.168.122.10 on virbr0 to 198.51.100.7:443 out eth0"`)
			case len(paths) == 0:
				return traceHost(s, &f)
			}
			return trace(s, &f, paths)
		},
	}
	cmd.Flags().StringVar(&f.packet, "packet", "", "the packet, in words")
	f.backend = addChoice(cmd, "backend", "what to trace", append([]string{"ir"}, targetNames()...)...)
	f.layout = addChoice(cmd, "layout", "nftables: arrangement of the rules", layoutNames()...)
	f.names = addChoice(cmd, "names", "names of tables and chains", string(backends.VnetcNames),
		string(backends.LibvirtNames))
	f.format = addChoice(cmd, "format", "output format", "text", "json")
	cmd.Flags().BoolVar(&f.lax, "lax", false, "unknown elements and attributes are warnings, not errors")
	f.dnsmasq.add(cmd)
	f.policy.add(cmd)
	f.host.add(cmd)
	cmd.Flags().BoolVar(&f.strict, "strict-isolation", false, "trace what compile --strict-isolation makes")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "also show the rules that do not match, and why")
	return cmd
}

// trace reads paths and the packet, walks it and prints the way.
func trace(s streams, f *traceFlags, paths []string) error {
	src, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	program, found, err := compileSources(src, f.policy, netxml.Options{Lax: f.lax, StrictIsolation: f.strict,
		AllowOption: f.dnsmasq.allow()})
	if err != nil {
		return err
	}
	packet, more := ir.ParsePacket(f.packet)
	src.Add(ir.PacketFile, []byte(f.packet))
	found = append(found, more...)
	if program != nil && !more.HasErrors() {
		found = append(found, strangers(program, packet, f.packet)...)
	}
	if err := report(s, src, found, false); err != nil {
		return err
	}
	t, err := chosenTracer(f, program)
	if err != nil {
		return err
	}
	w, err := t.Walk(packet, f.verbose)
	if err != nil {
		return exitError{exitNo, err.Error()}
	}
	if f.format.value == "json" {
		err = w.JSON(s.out, found)
	} else {
		_, err = io.WriteString(s.out, w.Text())
	}
	if err != nil {
		return hostf("%v", err)
	}
	return nil
}

// chosenTracer returns the tracer that f names. Where the program itself is traced each rule is
// shown with a line of its own, unless the user wants another layout.
func chosenTracer(f *traceFlags, p *ir.Program) (*verify.Tracer, error) {
	layout := backends.Layout(f.layout.value)
	if f.backend.value == "ir" && !f.layout.set {
		layout = backends.Chains
	}
	var all []verify.Lowering
	var chosen *verify.Lowering
	for _, b := range targets {
		low, said := verify.Lower(p, targetOf(b, layout), backends.Names(f.names.value))
		switch {
		case !said.HasErrors():
			all = append(all, low)
		case b.Name() == f.backend.value:
			return nil, exitError{exitNo, said.Error()}
		}
		if b.Name() == f.backend.value {
			chosen = &low
		}
	}
	t := verify.NewTracer(p, all)
	if chosen == nil {
		return t, nil
	}
	read, err := chosen.Read()
	if err != nil {
		return nil, hostf("%v", err)
	}
	return t.Through(*chosen, read), nil
}

// strangers hints at interfaces of the packet that the networks do not know, where that is likely a
// slip: a name is written much like a known one, or no interface of the packet is known.
func strangers(p *ir.Program, packet ir.Packet, text string) diag.List {
	known := interfaces(p)
	var alike, unknown diag.List
	some := false
	for _, end := range []struct{ key, name string }{{"on", packet.In}, {"out", packet.Out}} {
		if end.name == "" {
			continue
		}
		if slices.Contains(known, end.name) {
			some = true
			continue
		}
		d := diag.Diagnostic{
			Severity: diag.Warning, Code: "packet-interface", Span: interfaceSpan(text, end.key, end.name),
			What: fmt.Sprintf("%s is not a bridge of these networks", end.name),
			Why:  "only rules for all packets match a packet whose interfaces no rule names",
			Fix:  "the networks' interfaces are " + strings.Join(known, ", "),
		}
		if len(known) == 0 {
			d.Fix = "nothing to fix: these networks have no interfaces of their own"
		}
		if near, ok := diag.Near(end.name, known); ok {
			d.Fix = fmt.Sprintf("did you mean %s?", near)
			alike = append(alike, d)
		}
		unknown = append(unknown, d)
	}
	if len(alike) > 0 || some {
		return alike
	}
	return unknown
}

// interfaceSpan returns the place of an interface behind its key in a packet expression.
func interfaceSpan(text, key, name string) diag.Span {
	span := diag.Span{File: ir.PacketFile}
	at := regexp.MustCompile(`(?:^|\s)` + key + `\s+("?` + regexp.QuoteMeta(name) + `"?)`).FindStringSubmatchIndex(text)
	if at != nil { // else it is written with escapes
		lines := diag.NewLines([]byte(text))
		span.Start, span.End = lines.Pos(at[2]), lines.Pos(at[3])
	}
	return span
}

// interfaces returns the bridges of p's networks and the interfaces that its rules name, each once.
func interfaces(p *ir.Program) []string {
	var names []string
	note := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, l := range p.Links {
		note(l.Bridge.Name)
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, m := range c.Rules[i].Matches {
				switch m := m.(type) {
				case ir.IIfName:
					note(m.Name)
				case ir.OIfName:
					note(m.Name)
				}
			}
		}
	}
	return names
}
