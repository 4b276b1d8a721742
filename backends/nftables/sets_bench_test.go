package nftables

import (
	"fmt"
	"testing"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

var setsOptions = backends.Options{Families: ir.Both, Names: backends.VnetcNames, Layout: backends.Sets}

// BenchmarkLowerSets lowers mixed networks and makes the batch.
func BenchmarkLowerSets(b *testing.B) {
	for _, n := range []int{1000, 4000} {
		p := backendtest.Networks(backendtest.Many(n)...)
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lowered(b, p, setsOptions)
			}
		})
		r := lowered(b, p, setsOptions)
		b.Run(fmt.Sprintf("%dnetworks/batch", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(r.Batch().Bytes)))
			}
		})
	}
}

// BenchmarkReadSets reads the batch back.
func BenchmarkReadSets(b *testing.B) {
	for _, n := range []int{1000, 4000} {
		stream := lowered(b, backendtest.Networks(backendtest.Many(n)...), setsOptions).Batch().Bytes
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read(b, stream)
			}
		})
	}
}

// BenchmarkEqualSets proves that what is read back means what the program means.
func BenchmarkEqualSets(b *testing.B) {
	for _, n := range []int{100, 1000, 4000} {
		p := backendtest.Networks(backendtest.Many(n)...)
		p.Chains = p.Chains[2:] // INP and OUT are left out
		back := read(b, lowered(b, p, setsOptions).Batch().Bytes)
		b.Run(fmt.Sprintf("%dnetworks", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := prove.Equal(p, back, ir.Both); r.Answer != prove.Proved {
					b.Fatal(r)
				}
			}
		})
	}
}
