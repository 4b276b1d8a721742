package main

import "testing"

// TestKernelCompletion: a shell completes the networks in force where a verb takes their names, and
// none twice.
func TestKernelCompletion(t *testing.T) {
	g := newGround(t)
	for _, n := range []struct{ name, bridge, subnet string }{{"lab", "vb0", "10.20.0"}, {"web", "vb1", "10.20.1"}} {
		g.vnetc(0, "apply", g.file(n.name, "<network><name>"+n.name+"</name><forward mode='nat'/><bridge name='"+n.bridge+
			"'/><ip address='"+n.subnet+".1' prefix='24'/></network>"))
	}
	for _, verb := range []string{"down", "remove", "status", "leases"} {
		g.wants(g.ns.Exec("vnetc", "__complete", verb, "--state-dir", g.state, ""), `(?m)^lab$`, `(?m)^web$`, `(?m)^:4$`)
		g.wants(g.ns.Exec("vnetc", "__complete", verb, "--state-dir", g.state, "lab", ""), `^web\n`)
	}
}
