package netxml

import (
	"testing"

	"github.com/vnetc/vnetc/ir/diag"
)

// A document in Latin-1 means what the same in UTF-8 does, and becomes that, so that what is quoted
// of it and kept is one text for all.
func TestLatin1(t *testing.T) {
	src := &diag.Sources{}
	src.Add("lab.xml",
		[]byte("<?xml version='1.0' encoding='ISO-8859-1'?>\n<network><name>b\xe9lier</name><title>\xfcber</title></network>\n"))
	for range 2 {
		networks, list := Parse(src, Options{})
		if len(list) > 0 {
			t.Fatal(list)
		}
		if got, want := networks[0].Name(), "bélier"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	want := "<?xml version='1.0' encoding='UTF-8'     ?>\n<network><name>bélier</name><title>über</title></network>\n"
	if got := string(src.Text("lab.xml")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
