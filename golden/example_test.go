package golden_test

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// From network XML to an nft script.
func Example() {
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(`<network>
  <name>lab</name>
  <bridge name='virbr7'/>
</network>
`))
	networks, list := netxml.Parse(src, netxml.Options{})
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	program := netxml.Lower(networks)
	rules, list := nftables.Backend{}.Lower(program, backends.Options{Families: ir.IPv4, Layout: backends.Chains})
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	for _, d := range rules.Emit() {
		fmt.Printf("%s", d.Text)
	}
	// Output:
	// # Rules for nft(8). Load with: nft -f rules.nft
	// # Loading replaces, in one transaction, the tables ip vnetc.
	// # Left out: rules that open the host's DHCP, DNS and TFTP to the guests (an accept in a table opens nothing
	// # that another table closes), and those that fill in DHCP checksums (nf_tables has no statement for it).
	//
	// table ip vnetc
	// delete table ip vnetc
	// table ip vnetc {
	// 	chain forward {
	// 		type filter hook forward priority filter; policy accept;
	// 		counter jump fwx
	// 		counter jump fwi
	// 		counter jump fwo
	// 	}
	//
	// 	chain fwx {
	// 		iifname "virbr7" oifname "virbr7" counter accept
	// 	}
	//
	// 	chain fwi {
	// 		oifname "virbr7" counter reject
	// 	}
	//
	// 	chain fwo {
	// 		iifname "virbr7" counter reject
	// 	}
	//
	// 	chain prt {
	// 		type nat hook postrouting priority srcnat; policy accept;
	// 	}
	// }
}
