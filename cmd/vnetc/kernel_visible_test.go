package main

import (
	"strings"
	"testing"
)

// The kernel takes names of devices that a terminal would obey. They are printed so that it
// doesn't, in text and in JSON, on stdout and on stderr.
func TestKernelVisible(t *testing.T) {
	g := newGround(t)
	g.vnetc(0, "up",
		g.file("lab", "<network><name>lab</name><bridge name='vb0'/><ip address='192.0.2.1' prefix='24'/></network>"))
	const port, far = "e\x1b[31m\u202eX", "far\x1b[2J"
	g.ns.Exec("ip", "link", "add", "dev", port, "type", "veth", "peer", "name", far)
	g.ns.Exec("ip", "link", "set", port, "master", "vb0")
	g.ns.Exec("ip", "addr", "add", "198.51.100.1/24", "dev", far)
	other := g.file("other",
		"<network><name>other</name><bridge name='vb1'/><ip address='198.51.100.9' prefix='24'/></network>")
	for _, tt := range []struct {
		exit int
		args []string
		want string
	}{
		{0, []string{"status", "lab"}, `e\x1b[31m\u202eX`},
		{0, []string{"status", "lab", "--format", "json"}, `"e\u001b[31m\u202eX"`},
		{3, []string{"up", other}, `far\x1b[2J`},
	} {
		out := g.vnetc(tt.exit, tt.args...)
		if strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, tt.want) {
			t.Errorf("%v: want %q in it, and nothing to obey:\n%q", tt.args, tt.want, out)
		}
	}
}
