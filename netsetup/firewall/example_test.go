package firewall_test

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// Compare finds the rules that differ, and what that does to packets. The kernel here is one in
// memory.
func ExampleCompare() {
	program, list := ir.Parse("lab.ir", []byte(`group FWI {
    ip oifname "virbr0" ct state established,related accept
    ip oifname "virbr0" reject with port-unreachable
}`))
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	kernel := &backendtest.Kernel{}
	target := firewall.Target{Loader: kernel.Loader("memory"), Options: backends.Options{Names: backends.VnetcNames}}
	rules, _ := target.Loader.Lower(program, target.Options)
	if _, err := target.Loader.Load(rules); err != nil {
		fmt.Println(err)
		return
	}
	chain := kernel.Loaded("memory", backends.VnetcNames).Group(ir.FWI)
	chain.Rules = chain.Rules[:1] // somebody deletes the second rule

	audit, _, err := firewall.Compare(program, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in step:", audit.InStep())
	for _, drift := range audit.Drifts {
		fmt.Println(drift.Kind, drift.Want)
	}
	for _, change := range audit.Changes {
		fmt.Printf("%s to %s: was %s, now %s\n", change.From, change.To, change.Was, change.Now)
	}
	// Output:
	// in step: false
	// missing ip oifname "virbr0" reject with port-unreachable
	// outside to outside: was rejected with port-unreachable, now accepted
}
