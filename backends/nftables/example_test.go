package nftables_test

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
)

// Layout sets makes one rule and a set of rules that differ only in values.
func ExampleBackend_Lower() {
	program, list := ir.Parse("lab.ir", []byte(`group FWX {
    ip iifname "virbr0" oifname "virbr0" accept
    ip iifname "virbr1" oifname "virbr1" accept
    ip iifname "virbr2" oifname "virbr2" accept
}`))
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	rules, list := nftables.Backend{}.Lower(program, backends.Options{Families: ir.IPv4, Layout: backends.Sets})
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	for _, line := range rules.Lines() {
		fmt.Printf("%s: %s\n", line.Chain, line.Text)
	}
	// Output:
	// fwx: iifname . oifname @fwx_accept_iif_oif counter accept
	// fwx: iifname . oifname @fwx_accept_iif_oif counter accept
	// fwx: iifname . oifname @fwx_accept_iif_oif counter accept
}
