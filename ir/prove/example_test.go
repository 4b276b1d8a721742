package prove_test

import (
	"fmt"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Two programs are equal, or a packet shows the difference.
func ExampleEqual() {
	program := func(verdict string) *ir.Program {
		p, list := ir.Parse("lab.ir", []byte(`group FWI {
    ip oifname "virbr0" daddr 192.168.122.0/24 `+verdict+`
}`))
		if list.HasErrors() {
			panic(list)
		}
		return p
	}
	a, b := program("accept"), program("drop")
	fmt.Println(prove.Equal(a, a, ir.IPv4).Answer)
	different := prove.Equal(a, b, ir.IPv4)
	fmt.Println(different.Answer)
	fmt.Println(different.Packet)
	// Output:
	// proved
	// refuted
	// tcp from 198.51.100.5:40000 on virbr0 to 192.168.122.7:443 out virbr0 state new
}
