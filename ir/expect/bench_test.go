package expect

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkAsk examines one network on large hosts. The time of the processor is told too: it is
// the one to compare on a machine that does other work.
func BenchmarkAsk(b *testing.B) {
	for _, host := range large {
		b.Run(host.name, func(b *testing.B) {
			q := hosted(host.rules())
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				for _, a := range Ask(q) {
					if a.Verdict == CantTell {
						b.Fatalf("%s %s is too large to tell", a.Network, a.Kind)
					}
				}
			}
			b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpu returns the time of the processor that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
