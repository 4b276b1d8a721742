package ir_test

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

func ExamplePrint() {
	p := &ir.Program{}
	bridge := ir.OIfName{Name: "virbr0"}
	p.Add(ir.FWI,
		ir.Rule{
			Family: ir.IPv4,
			Matches: []ir.Match{bridge, ir.DAddr{Prefix: netip.MustParsePrefix("192.168.122.0/24")},
				ir.CTState{States: ir.StateEstablished | ir.StateRelated}},
			Verdict: ir.Accept{},
			Origin: ir.Origin{
				Span: diag.Span{File: "lab.xml", Start: diag.Pos{Offset: 210, Line: 7, Col: 3},
					End: diag.Pos{Offset: 241, Line: 7, Col: 34}},
				Network: "lab", Element: "network/ip", Reason: "answers to what guests asked",
			},
		},
		ir.Rule{Family: ir.IPv4, Matches: []ir.Match{bridge}, Verdict: ir.Reject{With: ir.PortUnreachable}})
	if err := ir.Print(os.Stdout, p); err != nil {
		panic(err)
	}
	// Output:
	// group FWI {
	//     ip oifname "virbr0" daddr 192.168.122.0/24 ct state established,related accept
	//         from "lab.xml" at 7:3-7:34 network "lab" element network/ip reason "answers to what guests asked" bytes 210-241
	//     ip oifname "virbr0" reject with port-unreachable
	// }
}

func ExampleParse() {
	_, list := ir.Parse("lab.ir", []byte(`group FWI {
    ip oifname "virbr0" daddr 192.168.122.0/33 accept
    ip oifname "virbr0" reject with icmp-port-unreachable
}`))
	fmt.Println(list)
	// Output:
	// lab.ir:2:31: error: "192.168.122.0/33" is not an address prefix or a range of addresses [ir-value]
	// lab.ir:3:37: error: "icmp-port-unreachable" is not a reject code [ir-value]
}

func ExampleEval() {
	p, list := ir.Parse("lab.ir", []byte(`
group FWI { ip oifname "virbr1" reject with port-unreachable }
group FWO { ip iifname "virbr0" saddr 192.168.122.0/24 accept }
group PRT { ip saddr 192.168.122.0/24 daddr != 192.168.122.0/24 l4proto tcp masquerade port 1024-65535 }`))
	if err := list.Err(); err != nil {
		panic(err)
	}
	pkt := ir.Packet{
		Family: ir.IPv4, In: "virbr0", Out: "eth0", Proto: ir.TCP, State: ir.StateNew, SPort: 40000, DPort: 443,
		Src: netip.MustParseAddr("192.168.122.10"), Dst: netip.MustParseAddr("198.51.100.7"),
	}
	for _, out := range []string{"eth0", "virbr1"} {
		pkt.Out = out
		fate, err := ir.Eval(p, pkt)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", pkt, fate)
	}
	// Output:
	// tcp from 192.168.122.10:40000 on virbr0 to 198.51.100.7:443 out eth0 state new: accepted, masquerade port 1024-65535
	// tcp from 192.168.122.10:40000 on virbr0 to 198.51.100.7:443 out virbr1 state new: rejected with port-unreachable
}
