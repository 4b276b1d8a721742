package main

import (
	"bytes"
	"os"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
)

// writeIptables writes the IPv4 rules of p as iptables-restore text, without the target CHECKSUM,
// which few kernels have today.
func writeIptables(p *ir.Program, file string) error {
	rules, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.IPv4, Names: backends.VnetcNames,
		Layout: backends.Chains})
	if found.HasErrors() {
		return found.Err()
	}
	var text []byte
	for line := range bytes.Lines(rules.Emit()[0].Text) {
		if !bytes.Contains(line, []byte("-j CHECKSUM")) {
			text = append(text, line...)
		}
	}
	return os.WriteFile(file, text, 0o666)
}
