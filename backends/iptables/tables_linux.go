package iptables

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/google/nftables"

	"github.com/vnetc/vnetc/ir"
)

// withTables returns those of the tools in whose world there is a table at all. Asking the kernel for names takes a fraction of
// the time that a process takes to list nothing; a kernel that doesn't answer is asked by the tool.
func withTables(tools []tool, v Variant) []tool {
	has := hasLegacy
	if v == NFTables {
		has = hasNFTables
	}
	return slices.DeleteFunc(slices.Clone(tools), func(t tool) bool {
		found, err := has(t.family)
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

// hasNFTables is true if nf_tables has a table with a name that iptables-nft uses.
func hasNFTables(f ir.Family) (bool, error) {
	family := nftables.TableFamilyIPv4
	if f == ir.IPv6 {
		family = nftables.TableFamilyIPv6
	}
	tables, err := (&nftables.Conn{}).ListTablesOfFamily(family)
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return slices.Contains(tableNames[:], t.Name) }), err
}
