package doctor

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// commands returns what to type so that the rules come to stand where they must, in the words of
// the block's owner.
func commands(b expect.Block, into *place, a expect.Answer, rules []ir.Rule) []string {
	switch b.Owner {
	case vnetc:
		return []string{"vnetc audit"}
	case libvirt:
		return []string{"virsh net-list --all   # if one of these networks has the same bridge, vnetc apply --take-over"}
	case ufw:
		if strings.HasPrefix(into.chain.Name, "ufw") {
			return ufwCommands(a, into.hook)
		}
	case firewalld:
		return firewalldCommands(a)
	case nixos:
		if into.hook == ir.Input {
			return nixosOptions(a)
		}
	}
	var all []string
	for i := range rules {
		r := &rules[len(rules)-1-i] // each goes on top of those before
		if b.World == "nftables" {
			all = append(all, fmt.Sprintf("nft insert rule %s %s %s %s accept comment %s", into.chain.Family,
				into.chain.Table,
				into.chain.Name, nftWords(r, into.chain.Family), nftComment(a.Network)))
			continue
		}
		all = append(all, iptablesLine(b.World, into.chain, r))
	}
	return all
}

// nftComment tells whose rule a cure is, so that it can be found again. It is a word that needs no
// quotes: names that do are left out.
func nftComment(network string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	if strings.Trim(network, plain) != "" || len(network) > 64 {
		return "vnetc_doctor"
	}
	return "vnetc_doctor." + network
}

// iptablesLine returns the command that inserts r at the head of a chain.
func iptablesLine(tool string, c *ir.Chain, r *ir.Rule) string {
	command := strings.Replace(tool, "iptables", map[ir.Family]string{ir.IPv4: "iptables", ir.IPv6: "ip6tables"}[r.Family], 1)
	if table := strings.TrimSuffix(c.Table, legacyTable); table != "filter" {
		command += " -t " + table
	}
	words := []string{command, "-I", c.Name}
	for _, m := range r.Matches {
		switch m := m.(type) {
		case ir.IIfName:
			words = append(words, "-i", m.Name)
		case ir.OIfName:
			words = append(words, "-o", m.Name)
		case ir.SAddr:
			words = append(words, "-s", m.Prefix.String())
		case ir.DAddr:
			words = append(words, "-d", m.Prefix.String())
		case ir.L4Proto:
			words = append(words, "-p", ir.ProtoName(m.Proto))
		case ir.SPort:
			words = append(words, "--sport", fmt.Sprint(m.From))
		case ir.DPort:
			words = append(words, "--dport", fmt.Sprint(m.From))
		case ir.ICMPType:
			words = append(words, "--icmpv6-type", fmt.Sprint(m.Type))
		case ir.CTState:
			words = append(words, "-m conntrack --ctstate RELATED,ESTABLISHED")
		default:
			panic(fmt.Sprintf("doctor: no word of iptables for %T", m))
		}
	}
	return strings.Join(append(words, "-j ACCEPT"), " ")
}

// nftWords returns the matches of r in a table of family.
func nftWords(r *ir.Rule, table ir.Family) string {
	var words []string
	ports := false
	for _, m := range r.Matches {
		switch m.(type) {
		case ir.SPort, ir.DPort, ir.ICMPType:
			ports = true
		}
	}
	address := "ip"
	if r.Family == ir.IPv6 {
		address = "ip6"
	}
	named := false
	proto := ""
	for _, m := range r.Matches {
		switch m := m.(type) {
		case ir.IIfName:
			words = append(words, fmt.Sprintf("iifname %q", m.Name))
		case ir.OIfName:
			words = append(words, fmt.Sprintf("oifname %q", m.Name))
		case ir.SAddr:
			words, named = append(words, address+" saddr "+m.Prefix.String()), true
		case ir.DAddr:
			words, named = append(words, address+" daddr "+m.Prefix.String()), true
		case ir.L4Proto:
			if proto = ir.ProtoName(m.Proto); !ports {
				words = append(words, "meta l4proto "+proto)
			}
		case ir.SPort:
			words = append(words, fmt.Sprintf("%s sport %d", proto, m.From))
		case ir.DPort:
			words = append(words, fmt.Sprintf("%s dport %d", proto, m.From))
		case ir.ICMPType:
			words, named = append(words, fmt.Sprintf("icmpv6 type %d", m.Type)), true
		case ir.CTState:
			words = append(words, "ct state established,related")
		default:
			panic(fmt.Sprintf("doctor: no word of nft for %T", m))
		}
	}
	if table == ir.Both && !named {
		words = append([]string{"meta nfproto " + map[ir.Family]string{ir.IPv4: "ipv4", ir.IPv6: "ipv6"}[r.Family]},
			words...)
	}
	return strings.Join(words, " ")
}

// ufwCommands are ufw(8)'s own words; it lets answers pass by itself.
func ufwCommands(a expect.Answer, hook ir.Hook) []string {
	leg := a.Legs[0]
	if hook == ir.Forward {
		command := fmt.Sprintf("ufw route allow in on %s out on %s", leg.In, leg.Out)
		for _, m := range leg.Matches {
			switch m := m.(type) {
			case ir.SAddr:
				command += " from " + m.Prefix.String()
			case ir.DAddr:
				if !m.Not {
					command += " to " + m.Prefix.String()
				}
			}
		}
		return []string{command}
	}
	if hook != ir.Input {
		return nil
	}
	switch a.Kind {
	case expect.DHCP:
		port := 67
		if a.Family == ir.IPv6 {
			port = 547
		}
		return []string{fmt.Sprintf("ufw allow in on %s to any port %d proto udp", leg.In, port)}
	case expect.DNS:
		return []string{fmt.Sprintf("ufw allow in on %s to any port 53 proto %s", leg.In, a.Proto)}
	}
	return nil
}

// nixosOptions are lines of configuration.nix.
func nixosOptions(a expect.Answer) []string {
	option := func(ports, port string) []string {
		return []string{fmt.Sprintf("networking.firewall.interfaces.%q.%s = [ %s ];   # in configuration.nix", a.Legs[0].In, ports, port)}
	}
	switch {
	case a.Kind == expect.DHCP && a.Family == ir.IPv4:
		return option("allowedUDPPorts", "67")
	case a.Kind == expect.DNS && a.Proto == "udp":
		return option("allowedUDPPorts", "53")
	case a.Kind == expect.DNS:
		return option("allowedTCPPorts", "53")
	}
	return nil
}

// firewalldCommands put the bridge into a zone of its own, which lets guests reach DHCP and DNS
// and, by a policy, what the network means. firewall-cmd does one thing a command, whatever else
// its line says. Typed again for another answer, they do no harm: a zone that is there stays.
func firewalldCommands(a expect.Answer) []string {
	const command = "firewall-cmd --permanent "
	all := []string{command + "--new-zone=vnetc", command + "--zone=vnetc --change-interface=" + a.Legs[0].In}
	switch a.Kind {
	case expect.DHCP:
		service := "dhcp"
		if a.Family == ir.IPv6 {
			service = "dhcpv6"
		}
		all = append(all, command+"--zone=vnetc --add-service="+service)
	case expect.DNS:
		all = append(all, command+"--zone=vnetc --add-service=dns")
	case expect.Out:
		const policy = command + "--policy=vnetc-out "
		all = append(all, command+"--new-policy=vnetc-out", policy+"--add-ingress-zone=vnetc",
			policy+"--add-egress-zone=ANY", policy+"--set-target=ACCEPT")
	default:
		return nil
	}
	return append(all, "firewall-cmd --reload")
}
