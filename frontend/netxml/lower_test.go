package netxml

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// The rules of both of libvirt's back ends, in order, and the order of matches within a rule as its
// nft back end has it.
func TestLowerVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	inputs, want := map[string]*diag.Sources{}, map[string]map[string]string{}
	for _, f := range txtar.Parse(data).Files {
		vector, name := path.Split(f.Name)
		if want[vector] == nil {
			inputs[vector], want[vector] = &diag.Sources{}, map[string]string{}
		}
		if strings.HasSuffix(name, ".xml") {
			inputs[vector].Add(name, f.Data)
		} else {
			want[vector][name] = string(f.Data)
		}
	}
	if len(want) != 9 {
		t.Fatalf("%d vectors, want 9", len(want))
	}
	for vector, src := range inputs {
		t.Run(vector, func(t *testing.T) {
			networks, list := Parse(src, Options{})
			if list.HasErrors() {
				t.Fatal(list)
			}
			if diff := cmp.Diff(want[vector], format(Lower(networks))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// format writes a program as libvirt's back ends would, without what is empty.
func format(p *ir.Program) map[string]string {
	out := map[string]string{}
	add := func(name, line string) { out[name] += line + "\n" }
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		tool := map[ir.Family]string{ir.IPv4: "iptables", ir.IPv6: "ip6tables"}[family]
		for _, table := range []string{"filter", "nat", "mangle"} {
			header := false
			for _, c := range p.Chains {
				for _, r := range c.Rules {
					if r.Family != family || tableOf(c, r) != table {
						continue
					}
					if !header {
						add(tool, "*"+table)
						header = true
					}
					add(tool, fmt.Sprintf("-A LIBVIRT_%s %s", c.Group, saved(r)))
				}
			}
		}
		chains := map[ir.Group]string{ir.FWX: "guest_cross", ir.FWI: "guest_input", ir.FWO: "guest_output",
			ir.PRT: "guest_nat"}
		for _, c := range p.Chains {
			for _, r := range c.Rules {
				if chain := chains[c.Group]; r.Family == family && chain != "" && !r.Mangles() {
					add("nft-"+family.String(), fmt.Sprintf("%-13s %s", chain, expression(r)))
				}
			}
		}
	}
	return out
}

func tableOf(c *ir.Chain, r ir.Rule) string {
	switch {
	case c.Group != ir.PRT:
		return "filter"
	case r.Mangles():
		return "mangle"
	}
	return "nat"
}

var protocols = map[uint8]string{ir.TCP: "tcp", ir.UDP: "udp"}

// saved is the rule in the fixed order of iptables-save.
func saved(r ir.Rule) string {
	part := map[string]string{}
	for _, m := range r.Matches {
		switch m := m.(type) {
		case ir.SAddr:
			part["s"] = "-s " + m.Prefix.String()
		case ir.DAddr:
			part["d"] = map[bool]string{true: "! "}[m.Not] + "-d " + m.Prefix.String()
		case ir.IIfName:
			part["i"] = "-i " + m.Name
		case ir.OIfName:
			part["o"] = "-o " + m.Name
		case ir.L4Proto:
			part["p"] = "-p " + protocols[m.Proto]
		case ir.DPort:
			part["m"] = fmt.Sprintf("-m %s --dport %d", strings.TrimPrefix(part["p"], "-p "), m.From)
		case ir.CTState:
			part["m"] = "-m conntrack --ctstate RELATED,ESTABLISHED"
		}
	}
	words := []string{part["s"], part["d"], part["i"], part["o"], part["p"], part["m"], "-j " + target(r)}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func target(r ir.Rule) string {
	switch v := r.Verdict.(type) {
	case ir.Accept:
		return "ACCEPT"
	case ir.Return:
		return "RETURN"
	case ir.Reject:
		return "REJECT --reject-with " + map[ir.Family]string{ir.IPv4: "icmp-", ir.IPv6: "icmp6-"}[r.Family] +
			string(v.With)
	case ir.Masquerade:
		if v.Ports.IsZero() {
			return "MASQUERADE"
		}
		return fmt.Sprintf("MASQUERADE --to-ports %d-%d", v.Ports.From, v.Ports.To)
	case ir.SNAT:
		return "SNAT --to-source " + sourceOf(v)
	case ir.ChecksumFill:
		return "CHECKSUM --checksum-fill"
	}
	return fmt.Sprintf("%#v", r.Verdict)
}

func sourceOf(v ir.SNAT) string {
	s := v.Addrs.From.String()
	if v.Addrs.From != v.Addrs.To {
		s += "-" + v.Addrs.To.String()
	}
	if !v.Ports.IsZero() {
		s += fmt.Sprintf(":%d-%d", v.Ports.From, v.Ports.To)
	}
	return s
}

// expression is the rule as libvirt hands it to nft: matches in their order, the bridge by index,
// the way out by name.
func expression(r ir.Rule) string {
	family := r.Family.String()
	var words []string
	for _, m := range r.Matches {
		switch m := m.(type) {
		case ir.SAddr:
			words = append(words, family+" saddr "+m.Prefix.String())
		case ir.DAddr:
			words = append(words, family+" daddr "+map[bool]string{true: "!= "}[m.Not]+m.Prefix.String())
		case ir.IIfName:
			words = append(words, deviceMatch("iif", m.Name))
		case ir.OIfName:
			words = append(words, deviceMatch("oif", m.Name))
		case ir.L4Proto:
			words = append(words, "meta l4proto "+protocols[m.Proto])
		case ir.CTState:
			words = append(words, "ct state established,related")
		}
	}
	verdict := ""
	switch v := r.Verdict.(type) {
	case ir.Accept:
		verdict = "accept"
	case ir.Return:
		verdict = "return"
	case ir.Reject:
		verdict = "reject"
	case ir.Masquerade:
		verdict = "masquerade"
		if !v.Ports.IsZero() {
			verdict += fmt.Sprintf(" to :%d-%d", v.Ports.From, v.Ports.To)
		}
	case ir.SNAT:
		verdict = "snat to " + sourceOf(v)
	}
	return strings.Join(append(words, "counter", verdict), " ")
}

func deviceMatch(key, name string) string {
	if !strings.HasPrefix(name, "virbr") {
		key += "name"
	}
	return fmt.Sprintf("%s %q", key, name)
}
