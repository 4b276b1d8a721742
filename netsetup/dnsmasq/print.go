package dnsmasq

import (
	"fmt"
	"iter"
)

// Print returns the files as one text, each under a line with its path.
func (f Files) Print(p Paths) []byte {
	var text []byte
	for path, content := range f.All(p) {
		if content != nil {
			text = fmt.Appendf(text, "## %s\n%s", path, content)
		}
	}
	return text
}

// All goes over the files by path, the configuration first. A text is nil if there is to be no such file.
func (f Files) All(p Paths) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		_ = yield(p.Conf, f.Conf) && yield(p.Hosts, f.Hosts) && yield(p.AddnHosts, f.AddnHosts)
	}
}
