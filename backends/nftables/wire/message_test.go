package wire

import "testing"

func TestComment(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"none", nil, ""},
		{"a comment", []byte("\x00\x04lab\x00"), "lab"},
		{"behind another", []byte("\x01\x02xx\x00\x04lab\x00"), "lab"},
		{"without an end", []byte("\x00\x03lab"), "lab"},
		{"longer than the data", []byte("\x00\xfflab\x00"), ""},
		{"another longer than the data", []byte("\x07\xfflab\x00\x00\x02x\x00"), ""},
		{"half a header", []byte{0}, ""},
		{"no text", []byte("\x00\x03a\xffb"), "a?b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Comment(tt.data); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
