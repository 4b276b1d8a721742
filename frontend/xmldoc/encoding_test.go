package xmldoc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Documents in ASCII and Latin-1 are read as what they are, at the columns that an editor shows;
// others are refused by name.
func TestEncodings(t *testing.T) {
	for _, tt := range []struct {
		name, text, animal string
		want               []string
	}{
		{name: "ASCII", text: "<?xml version='1.0' encoding='us-ascii'?><farm><animal>ox</animal></farm>",
			animal: "ox"},
		{name: "ASCII in capitals",
			text:   `<?xml version="1.0" encoding="US-ASCII" standalone="yes"?><farm><animal>ox</animal></farm>`,
			animal: "ox"},
		{name: "UTF8 without a dash", text: "<?xml version='1.0' encoding='UTF8'?><farm><animal>öx</animal></farm>",
			animal: "öx"},
		{name: "Latin-1",
			text:   "<?xml version='1.0' encoding='iso-8859-1'?><farm><animal>b\xe9lier\xa0\xff</animal></farm>",
			animal: "bélier\u00a0ÿ"},
		{name: "Latin-1 by a short name",
			text: "<?xml version='1.0' encoding = \"l1\"?><farm><animal>\xc3\xa9</animal></farm>", animal: "Ã©"},
		{name: "UTF-8 by its byte order mark",
			text: "\ufeff<?xml version='1.0' encoding='latin1'?><farm><animal>é</animal></farm>", animal: "é"},
		{name: "a place in Latin-1",
			text: "<?xml version='1.0' encoding='iso-8859-1'?><farm><animal legs='\xe9'/><x/></farm>", want: []string{
				`error value-number 1:64-1:65 legs of <animal> is "é", not a whole number`,
				"error element-unknown 1:69-1:70 <x> is not allowed in <farm>"}},
		{name: "another", text: "<?xml version='1.0' encoding='koi8-r'?><farm/>", want: []string{
			`error xml-utf8 1:31-1:37 the file says that it is in "koi8-r"`}},
		{name: "not what it says", text: "<?xml version='1.0' encoding='ascii'?><farm><animal>é</animal></farm>",
			want: []string{
				"error xml-utf8 1:53-1:54 byte 0xc3 is not ASCII, which the first line says the file is"}},
		{name: "another version", text: "<?xml version='1.1'?><farm/>", want: []string{
			`error xml-syntax 1:21-1:22 the XML reader says "unsupported version \"1.1\"; only version 1.0 is supported"`}},
		{name: "UTF-16", text: "\xff\xfe<\x00f\x00",
			want: []string{"error xml-utf8 1:1-1:3 the file is in UTF-16, by its first bytes"}},
		{name: "UTF-16 without a mark", text: "\x00<\x00f",
			want: []string{"error xml-utf8 1:1-1:3 the file is in UTF-16, by its first bytes"}},
		{name: "none declared", text: "<farm><animal>\xe9</animal></farm>",
			want: []string{"error xml-utf8 1:15-1:16 byte 0xe9 is not UTF-8"}},
		{name: "in what is no declaration", text: "<farm><!-- encoding='koi8-r'?> --><animal>ox</animal></farm>",
			animal: "ox"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := string(UTF8([]byte(tt.text)))
			root, r := read(text, false)
			if diff := cmp.Diff(tt.want, said(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tt.want == nil && root.Kid("animal").TextOr("") != tt.animal {
				t.Errorf("got %q, want %q", root.Kid("animal").TextOr(""), tt.animal)
			}
			if again := string(UTF8([]byte(text))); again != text {
				t.Errorf("UTF8 of what it returned is another text:\n%q\n%q", text, again)
			}
		})
	}
}

// A declared encoding is decoded once only, and a long one not at all.
func TestUTF8Limit(t *testing.T) {
	long := "<?xml version='1.0' encoding='latin1'?>" + strings.Repeat("\xe9", MaxSize)
	if got := UTF8([]byte(long)); string(got) != long {
		t.Errorf("a text of %d bytes was changed", len(long))
	}
}
