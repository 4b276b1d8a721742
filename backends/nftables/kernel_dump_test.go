package nftables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// TestKernelDump: what is dumped reads as what was sent, and foreign tables are not in it.
func TestKernelDump(t *testing.T) {
	netnstest.Require(t, "nft")
	ns := netnstest.New(t)
	foreign := "table ip other { set s { type ipv4_addr; elements = { 10.0.0.1 }; }\n chain vnetc { type filter hook forward priority 0; ip saddr @s drop; }; }\n"
	ns.Feed([]byte(foreign), "nft", "-f", "-")
	dump := func() []byte {
		var stream []byte
		var err error
		ns.Do(func() { stream, _, err = wire.Dump(tablesOf(backends.VnetcNames)) })
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	if got := dump(); len(got) > 0 {
		t.Errorf("nothing is loaded, and %d bytes are dumped", len(got))
	}
	for _, n := range []int{1, 3000} {
		b := batchOf(t, manyRules(n))
		ns.Do(func() {
			if err := b.Send(); err != nil {
				t.Fatal(err)
			}
		})
		stream := dump()
		if strings.Contains(string(stream), "other\x00") {
			t.Error("a foreign table is in the dump")
		}
		if diff := cmp.Diff(read(t, b.Bytes), read(t, stream), cmpAddrs, cmpPrefixes); diff != "" {
			t.Errorf("%d rules: program read from the batch, and from the dump (-batch +dump):\n%s", n, diff)
		}
	}
}
