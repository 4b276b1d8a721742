package netxml_test

import (
	"fmt"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// A document becomes a program; each rule knows which piece of the document asked for it, and why.
func Example() {
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(`<network>
  <name>lab</name>
  <forward mode='route' dev='eth0'/>
  <ip address='192.168.50.1' prefix='24'/>
</network>
`))
	networks, list := netxml.Parse(src, netxml.Options{})
	if err := list.Err(); err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range netxml.Lower(networks).Group(ir.FWI).Rules {
		fmt.Printf("%s: %s\n", r.Origin.Span, r.Origin.Reason)
	}
	// Output:
	// lab.xml:4:16: the subnet is routed: anybody may open connections to its guests
	// lab.xml:2:9: nothing else may enter the network
}

// All errors are reported at once, each at its place.
func ExampleParse() {
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(`<network>
  <name>lab</name>
  <forward mode='nta'/>
  <bridge name='vb+'/>
</network>
`))
	_, list := netxml.Parse(src, netxml.Options{})
	for _, d := range list {
		fmt.Println(d)
		fmt.Println("  fix:", d.Fix)
	}
	// Output:
	// lab.xml:3:18: error: mode of <forward> is "nta", none of nat, route, open, bridge, private, vepa, passthrough, hostdev and none [value-unknown]
	//   fix: did you mean "nat"?
	// lab.xml:4:17: error: name of <bridge> is "vb+", with "+" in it [bridge-name]
	//   fix: use letters, digits, dots, dashes and underscores
}
