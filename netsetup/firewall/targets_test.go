package firewall

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
)

// targets are the back ends, which only tests may name here.
func targets() map[string]Target {
	options := func(l backends.Layout) backends.Options {
		return backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: l}
	}
	return map[string]Target{
		"nftables":        {Loader: nftables.Loader{}, Options: options(backends.Sets)},
		"nftables-chains": {Loader: nftables.Loader{}, Options: options(backends.Chains)},
		"iptables-nft":    {Loader: iptables.Loader{Variant: iptables.NFTables}, Options: options(backends.Chains)},
		"iptables-legacy": {Loader: iptables.Loader{Variant: iptables.Legacy}, Options: options(backends.Chains)},
	}
}

// told returns the drift of a in words.
func told(a Audit) string { return verify.Audit{Drifts: a.Drifts}.Diagnostics().Error() }
