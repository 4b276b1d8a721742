package netxml

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/ir/diag"
)

// Every document at hand is decoded as libvirtxml itself does it, but for hexadecimal numbers,
// which libvirtxml doesn't read everywhere.
func TestDecode(t *testing.T) {
	decoded := 0
	for _, text := range documents(t) {
		src := &diag.Sources{}
		src.Add("lab.xml", []byte(text))
		networks, list := Parse(src, Options{Lax: true})
		var want libvirtxml.Network
		if list.HasErrors() || want.Unmarshal(text) != nil {
			continue
		}
		decoded++
		if diff := cmp.Diff(want, networks[0].Def); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, text)
		}
	}
	if decoded < 300 {
		t.Errorf("%d documents decoded, want 300 at least", decoded)
	}
}

// A text is no number, whatever it looks like.
func TestDecodeText(t *testing.T) {
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(`<network><name>lab</name><dns><txt name='a.example' value='0x10'/></dns></network>`))
	networks, list := Parse(src, Options{})
	if list.HasErrors() {
		t.Fatal(list)
	}
	if got, want := Lower(networks).Links[0].DNS.TXT[0].Value, "0x10"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
