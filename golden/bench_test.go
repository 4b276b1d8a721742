package golden

import (
	"fmt"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// manyNetworks returns n NAT networks with DHCP, as cmd/vnetbench generates them.
func manyNetworks(n int) *diag.Sources {
	src := &diag.Sources{}
	for i := range n {
		subnet := fmt.Sprintf("10.%d.%d", i/256, i%256)
		src.Add(fmt.Sprintf("net%05d.xml", i), fmt.Appendf(nil, `<network>
  <name>net%[1]d</name>
  <forward mode='nat'/>
  <bridge name='vbr%[1]d' stp='on' delay='0'/>
  <ip address='%[2]s.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='%[2]s.2' end='%[2]s.254'/>
    </dhcp>
  </ip>
</network>
`, i, subnet))
	}
	return src
}

// BenchmarkCompile measures the whole way in memory, from XML to text.
func BenchmarkCompile(b *testing.B) {
	for _, target := range []backends.Backend{iptables.Backend{}, nftables.Backend{}} {
		for _, n := range []int{1, 100, 1000, 4000} {
			src := manyNetworks(n)
			b.Run(fmt.Sprintf("%s/%dnetworks", target.Name(), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p, found := Compile(src)
					if found.HasErrors() {
						b.Fatal(found)
					}
					lowered, _ := target.Lower(p, options(ir.Both, backends.Chains))
					lowered.Emit()
				}
			})
		}
	}
}
