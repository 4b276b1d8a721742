package iptables

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/vnetc/vnetc/ir"
)

// holding returns those of the tools in whose world there may be chains with names that begin with
// prefix. Asking the kernel for names takes a fraction of the time that a process takes to list
// nothing; and iptables-nft-save refuses to list tables with rules made by nft, which are nobody's
// business where none of our chains is. A kernel that doesn't answer is asked by the tool.
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

// hasNFTables is true if there is a chain as chainsOf returns them.
func hasNFTables(f ir.Family, prefix string) (bool, error) {
	chains, err := chainsOf(f, prefix)
	return len(chains) > 0, err
}

// chainsOf returns the chains of nf_tables whose names begin with prefix in the tables that
// iptables-nft uses.
func chainsOf(f ir.Family, prefix string) ([]*nftables.Chain, error) {
	family := nftables.TableFamilyIPv4
	if f == ir.IPv6 {
		family = nftables.TableFamilyIPv6
	}
	chains, err := (&nftables.Conn{}).ListChainsOfTableFamily(family)
	return slices.DeleteFunc(chains, func(c *nftables.Chain) bool {
		return !strings.HasPrefix(c.Name, prefix) || !slices.Contains(tableNames[:], c.Table.Name)
	}), err
}

// listedWhole returns an error for a rule that looks packets up in a set, in chains whose names
// begin with prefix. iptables makes none; up to version 1.8.9 at least, iptables-nft-save lists it
// without that, as if it were another one.
func listedWhole(f ir.Family, prefix string) error {
	chains, err := chainsOf(f, prefix)
	if err != nil {
		return fmt.Errorf("list chains of nf_tables: %w", err)
	}
	for _, c := range chains {
		rules, err := (&nftables.Conn{}).GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list chain %s of nf_tables: %w", c.Name, err)
		}
		for _, r := range rules {
			if slices.ContainsFunc(r.Exprs, func(e expr.Any) bool { _, looks := e.(*expr.Lookup); return looks }) {
				return fmt.Errorf("chain %s in %s table %s holds a rule made with nft (handle %d), "+
					"which iptables can't list: choose --backend nftables, or delete it with nft",
					c.Name, wordsOf(f).family, c.Table.Name, r.Handle)
			}
		}
	}
	return nil
}
