package iptables

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/vnetc/vnetc/ir"
)

// holding returns those of the tools in whose world there may be chains with names that begin with prefix. Asking the kernel
// for names takes a fraction of the time that a process takes to list nothing; and iptables-nft-save refuses to list tables
// with rules made by nft, which are nobody's business where no chain of ours is. A kernel that doesn't answer is asked by the
// tool.
func holding(tools []tool, v Variant, prefix string) []tool {
	return slices.DeleteFunc(slices.Clone(tools), func(t tool) bool {
		found, err := hasLegacy(t.family)
		if v == NFTables {
			found, err = hasNFTables(t.family, prefix)
		}
		return err == nil && !found
	})
}

// hasLegacy is true if ip_tables has a table: it lists their names, one a line.
func hasLegacy(f ir.Family) (bool, error) {
	path := "/proc/thread-self/net/ip_tables_names"
	if f == ir.IPv6 {
		path = "/proc/thread-self/net/ip6_tables_names"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // the module is not there, and so no table
	}
	return len(text) > 0, err
}

// hasNFTables is true if nf_tables has a chain whose name begins with prefix in a table that iptables-nft uses.
func hasNFTables(f ir.Family, prefix string) (bool, error) {
	family := nftables.TableFamilyIPv4
	if f == ir.IPv6 {
		family = nftables.TableFamilyIPv6
	}
	chains, err := (&nftables.Conn{}).ListChainsOfTableFamily(family)
	return slices.ContainsFunc(chains, func(c *nftables.Chain) bool {
		return strings.HasPrefix(c.Name, prefix) && slices.Contains(tableNames[:], c.Table.Name)
	}), err
}
