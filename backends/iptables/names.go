package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// maxChainName is the longest name of a chain in bytes, XT_EXTENSION_MAXNAMELEN without its NUL.
const maxChainName = 28

// checkNames refuses chains of one name in one table, and names that iptables takes for something
// else.
func (l *lowering) checkNames(out *plan) {
	type key struct {
		family ir.Family
		name   string
	}
	for _, t := range out.tables {
		seen := make(map[key]*ir.Chain, len(t.chains))
		for i := range t.chains {
			p := &t.chains[i]
			for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
				if p.family&f == 0 {
					continue
				}
				if other, twice := seen[key{f, p.name}]; twice {
					l.refuseChain(p.chain, fmt.Sprintf("two chains %s in its table %s: %s and %s", p.name, t.name,
						label(other, p.name), label(p.chain, p.name)),
						"a table has one chain of each name, and one at each hook",
						"put the rules into one chain, or "+nftablesCan)
					break
				}
				seen[key{f, p.name}] = p.chain
			}
			if why := badName(p); why != "" {
				l.refuseChain(p.chain, fmt.Sprintf("chain name %q", p.name), why, "give the chain another name")
			}
		}
	}
}

func label(c *ir.Chain, name string) string {
	if c == nil {
		return name
	}
	return c.Label()
}

// badName returns why p can't have its name, "" if it can. iptables(8) looks for targets first when
// it reads -j NAME.
func badName(p *tableChain) string {
	switch {
	case p.builtin():
		return ""
	case p.name == "" || len(p.name) > maxChainName:
		return fmt.Sprintf("a chain's name has 1 to %d bytes", maxChainName)
	case p.name[0] == '-' || p.name[0] == '!':
		return "a chain's name can't begin with - or !"
	case !plainWord(p.name):
		return "a chain's name is one word of printable ASCII characters without quotes and backslashes"
	case slices.Contains(builtins[:], p.name):
		return "it is the name of a built-in chain"
	case slices.Contains(strings.Fields(targets), p.name):
		return "it is the name of a target"
	}
	return ""
}

// targets are the names that -j takes for no chain: iptables(8) and iptables-extensions(8).
const targets = `ACCEPT DROP QUEUE RETURN AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK
IDLETIMER LED LOG MARK MASQUERADE NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT SECMARK SET SNAT SNPT SYNPROXY
TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`

// plainWord is true if iptables-restore takes s for one word and iptables-save prints it unchanged.
func plainWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return s != ""
}
