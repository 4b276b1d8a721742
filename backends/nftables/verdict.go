package nftables

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// verdict lowers what happens to the packet. Every rule counts before it acts, as libvirt's do.
func (s *ruleLowering) verdict(v ir.Verdict) {
	s.family &= ir.VerdictFamilies(v)
	s.needConnection()
	s.endMatches()
	s.add(counter{})
	for _, a := range s.rule.Actions {
		s.action(a)
	}
	switch v := v.(type) {
	case ir.Accept:
		s.add(verdict{word: "accept"})
	case ir.Drop:
		s.add(verdict{word: "drop"})
	case ir.Return:
		s.add(verdict{word: "return"})
	case ir.Jump:
		s.jump("jump", v.Chain)
	case ir.Goto:
		s.jump("goto", v.Chain)
	case ir.Reject:
		s.reject(v.With)
	case ir.Masquerade:
		s.add(nat{word: "masquerade", inet: s.table == ir.Both, family: s.family, ports: v.Ports, flags: v.Flags})
	case ir.SNAT:
		s.add(nat{word: "snat", inet: s.table == ir.Both, family: s.family, addrs: v.Addrs, ports: v.Ports,
			flags: v.Flags})
	case ir.DNAT:
		s.add(nat{word: "dnat", inet: s.table == ir.Both, family: s.family, addrs: v.Addrs, ports: v.Ports,
			flags: v.Flags})
	case ir.Redirect:
		s.add(nat{word: "redirect", inet: s.table == ir.Both, family: s.family, ports: v.Ports, flags: v.Flags})
	case ir.Counter: // the counter is all
	case ir.ChecksumFill:
		s.refuse("nftables can't fill in checksums",
			"nf_tables has no statement for it; iptables has the target CHECKSUM",
			"choose --backend iptables, or leave the rule out")
	case ir.Handed:
		s.refuse(fmt.Sprintf("nftables can't give a packet away as it was told to: %s", v.Text),
			"vnetc does not know what becomes of it there", "write the rule in nft(8)'s words, in a table of your own")
	case ir.Opaque:
		s.refuse(fmt.Sprintf("a verdict of which only the text is known can't be expressed in nftables: %s", v.Text),
			"vnetc does not model it, so its meaning could change or be lost",
			"write the rule in nft(8)'s words, in a table of your own")
	default:
		panic(fmt.Sprintf("nftables: unknown verdict %T", v))
	}
}

func (s *ruleLowering) jump(word, chain string) {
	if !isIdentifier(chain) {
		s.refuse(fmt.Sprintf("nftables can't name a chain %q", chain),
			"a name begins with a letter or _, goes on with letters, digits and / _ . -, and is no keyword of nft(8)",
			"choose another name")
		return
	}
	s.add(verdict{word: word, chain: chain})
}

// reject lowers a reject. What is sent to the kernel depends on the family that the rule is known
// to match.
func (s *ruleLowering) reject(code ir.RejectCode) {
	if code == ir.TCPReset {
		s.add(reject{typ: unix.NFT_REJECT_TCP_RST, text: "reject with tcp reset"})
		return
	}
	s.add(rejectOf(code, s.table, s.family))
}
