package verify_test

import (
	"fmt"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
)

// A Tracer shows which rules a packet meets.
func ExampleTracer() {
	program, list := ir.Parse("lab.ir", []byte(`group FWI {
    ip oifname "virbr0" ct state established,related accept
    ip oifname "virbr0" reject with port-unreachable
}`))
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	packet, list := ir.ParsePacket("tcp from 198.51.100.7 on eth0 to 192.168.122.10:22 out virbr0")
	if list.HasErrors() {
		fmt.Println(list)
		return
	}
	way, err := verify.NewTracer(program, nil).Walk(packet, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range way.Visits {
		if v.Kind == ir.Matched {
			fmt.Println(v.Rule)
		}
	}
	fmt.Println(way.Fate)
	// Output:
	// ip oifname "virbr0" reject with port-unreachable
	// rejected with port-unreachable
}
