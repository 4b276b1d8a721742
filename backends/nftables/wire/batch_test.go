package wire

import (
	"strings"
	"testing"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// TestMasqueradeFlag watches the library's fault that [marshal] cures: without
// NF_NAT_RANGE_PROTO_SPECIFIED the kernel ignores the ports, and nft lists them all the same. When
// the library is fixed this test fails, and the cure can go.
func TestMasqueradeFlag(t *testing.T) {
	flags := func(masq []byte) uint32 {
		e, err := parseExpression(masq)
		if err != nil || e.Name != "masq" || e.Number(unix.NFTA_MASQ_REG_PROTO_MIN) != 1 {
			t.Fatalf("got %+v, %v, want a masquerade with ports", e, err)
		}
		return e.Number(unix.NFTA_MASQ_FLAGS)
	}
	e := &expr.Masq{ToPorts: true, RegProtoMin: 1}
	library, err := expr.Marshal(unix.NFPROTO_IPV4, e)
	if err != nil {
		t.Fatal(err)
	}
	if got := flags(library); got != 0 {
		t.Errorf("the library now encodes flags %d: take marshalMasq out of batch.go", got)
	}
	if got := flags(marshal(unix.NFPROTO_IPV4, e)); got != unix.NF_NAT_RANGE_PROTO_SPECIFIED {
		t.Errorf("cured: got flags %d, want %d", got, unix.NF_NAT_RANGE_PROTO_SPECIFIED)
	}
}

// TestAttributeLimit: a length that does not fit its sixteen bits must never go out.
func TestAttributeLimit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an attribute of 70,000 bytes was written")
		}
	}()
	new(Batch).Text(1, strings.Repeat("x", 70_000))
}
