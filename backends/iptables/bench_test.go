package iptables_test

import (
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/ir"
)

// thousand is a program of 1000 networks of mixed modes, both families.
func thousand(b *testing.B) (*ir.Program, backends.Ruleset) {
	b.Helper()
	p := backendtest.Networks(backendtest.Many(1000)...)
	set, found := iptables.Backend{}.Lower(p, backends.Options{Families: ir.Both, Names: backends.VnetcNames,
		Layout: backends.Chains})
	if err := found.Err(); err != nil {
		b.Fatal(err)
	}
	return p, set
}

func BenchmarkLower(b *testing.B) {
	for _, comments := range []bool{false, true} {
		name := "plain"
		if comments {
			name = "comments"
		}
		b.Run(name, func(b *testing.B) {
			p, set := thousand(b)
			o := backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: backends.Chains,
				Comments: comments}
			b.ReportAllocs()
			for b.Loop() {
				iptables.Backend{}.Lower(p, o)
			}
			b.ReportMetric(float64(len(set.Lines())), "rules")
		})
	}
}

func BenchmarkEmit(b *testing.B) {
	_, set := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		set.Emit()
	}
}

func BenchmarkRead(b *testing.B) {
	_, set := thousand(b)
	docs := set.Emit()
	size := 0
	for _, d := range docs {
		size += len(d.Text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (iptables.Backend{}).Read(docs); err != nil {
			b.Fatal(err)
		}
	}
}
