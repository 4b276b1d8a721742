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
	// # What the chains admin_... hold stays: they are for rules of your own. So do sets of an earlier load
	// # that these rules don't use: nothing looks packets up in them, and vnetc apply deletes them.
	// # Left out: rules that open the host's DHCP, DNS and TFTP to the guests (an accept in a table opens nothing
	// # that another table closes), and those that fill in DHCP checksums (nf_tables has no statement for it).
	//
	// table ip vnetc {
	// 	chain prerouting { type nat hook prerouting priority dstnat; policy accept; }
	// 	chain admin_prerouting {}
	// 	chain inp { type filter hook input priority filter; policy accept; }
	// 	chain admin_input {}
	// 	chain forward { type filter hook forward priority filter; policy accept; }
	// 	chain admin_forward {}
	// 	chain fwx {}
	// 	chain fwi {}
	// 	chain fwo {}
	// 	chain prt { type nat hook postrouting priority srcnat; policy accept; }
	// 	chain admin_postrouting {}
	// 	chain pre {}
	// 	chain poh {}
	// 	chain loc { type nat hook output priority -100; policy accept; }
	// 	chain pog {}
	// 	chain out { type filter hook output priority filter; policy accept; }
	// 	chain mss { type filter hook forward priority mangle; policy accept; }
	// 	chain pox {}
	// 	chain poo {}
	// 	chain poi {}
	// }
	// flush chain ip vnetc prerouting
	// flush chain ip vnetc inp
	// flush chain ip vnetc forward
	// flush chain ip vnetc fwx
	// flush chain ip vnetc fwi
	// flush chain ip vnetc fwo
	// flush chain ip vnetc prt
	// flush chain ip vnetc pre
	// flush chain ip vnetc poh
	// flush chain ip vnetc loc
	// flush chain ip vnetc pog
	// flush chain ip vnetc out
	// flush chain ip vnetc mss
	// flush chain ip vnetc pox
	// flush chain ip vnetc poo
	// flush chain ip vnetc poi
	// delete chain ip vnetc pre
	// delete chain ip vnetc poh
	// delete chain ip vnetc loc
	// delete chain ip vnetc pog
	// delete chain ip vnetc out
	// delete chain ip vnetc mss
	// delete chain ip vnetc pox
	// delete chain ip vnetc poo
	// delete chain ip vnetc poi
	// table ip vnetc {
	// 	chain prerouting {
	// 		type nat hook prerouting priority dstnat; policy accept;
	// 		counter jump admin_prerouting
	// 	}
	//
	// 	chain admin_prerouting {
	// 	}
	//
	// 	chain inp {
	// 		type filter hook input priority filter; policy accept;
	// 		counter jump admin_input
	// 	}
	//
	// 	chain admin_input {
	// 	}
	//
	// 	chain forward {
	// 		type filter hook forward priority filter; policy accept;
	// 		counter jump admin_forward
	// 		counter jump fwx
	// 		counter jump fwi
	// 		counter jump fwo
	// 	}
	//
	// 	chain admin_forward {
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
	// 		counter jump admin_postrouting
	// 	}
	//
	// 	chain admin_postrouting {
	// 	}
	// }
}
