package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fill makes n entries of UDP, as ctnetlink does by itself: from 198.18.0.0/16 by the host's eth0
// to 203.0.113.9, or from a guest of the first network.
func (w *world) fill(n int, guests bool) {
	w.t.Helper()
	w.Do(func() {
		c, err := dial()
		if err != nil {
			w.t.Fatal(err)
		}
		defer c.close()
		var requests []byte
		for i := range n {
			src := netip.AddrFrom4([4]byte{198, 18, byte(i >> 16), byte(i >> 8)})
			if guests {
				src = netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i%200)})
			}
			sport, dport := uint16(1024+i%60000), uint16(1+i/60000)
			requests = c.request(requests, subsystem, ctNew, unix.NLM_F_CREATE, unix.AF_INET,
				at(ctaTupleOrig, nil, ip(src.String(), "203.0.113.9"), transport(17, sport, dport)),
				at(ctaTupleReply, nil, ip("203.0.113.9", src.String()), transport(17, dport, sport)),
				at(ctaTimeout, be32(3600)))
			if i%100 == 99 || i == n-1 {
				if err := c.send(requests); err != nil {
					w.t.Fatal(err)
				}
				requests = requests[:0]
			}
		}
		if err := unix.SetNonblock(c.fd, true); err != nil {
			w.t.Fatal(err)
		}
		err = c.receive(func(typ uint16, body []byte) error { return fmt.Errorf("message %d: %w", typ, errno(body)) })
		if !errors.Is(err, unix.EAGAIN) {
			w.t.Fatalf("the kernel makes no entries: %v", err)
		}
	})
}

const ctNew = 0 // IPCTNL_MSG_CT_NEW

// BenchmarkCutForeign is what 200,000 entries of others cost.
func BenchmarkCutForeign(b *testing.B) {
	const n = 200_000
	w := newWorld(b, 5)
	after := program(b, 5, "deny from network web to outside\nallow from outside to network safe")
	publish(b, after, "udp 192.0.2.2 53 to 10.0.1.7 5353")
	w.fill(n, false)
	var r Report
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		r = w.cut(nil, after)
	}
	b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	if r.Listed < n || r.Cut != 0 || r.Judged > 100 {
		b.Fatalf("got %+v", r)
	}
}

// cpu returns what processors have done for this process, in itself and in the kernel.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCutOwn is what it costs to cut 20,000 connections, or to judge and leave them.
func BenchmarkCutOwn(b *testing.B) {
	const n = 20_000
	for name, text := range map[string]string{"cut": "deny from network web to outside",
		"stay": "deny from network web to outside port 60000"} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 5)
			after := program(b, 5, text)
			var used time.Duration
			for b.Loop() {
				b.StopTimer()
				w.fill(n, true)
				b.StartTimer()
				before := cpu(b)
				r := w.cut(nil, after)
				used += cpu(b) - before
				if want := map[string]int{"cut": n, "stay": 0}[name]; r.Cut != want || r.Judged < n {
					b.Fatalf("got %+v", r)
				}
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkJudge is what it costs to judge one connection of guests by 5000 statements, each time
// to another address.
func BenchmarkJudge(b *testing.B) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "deny tcp from 10.0.0.%d in network web to outside port %d\n", 2+i%200, 2000+i)
	}
	j := NewJudge(nil, program(b, 5, text.String()), machine())
	e := entry(b, "tcp 10.0.0.5:4000 198.51.0.0:443")
	for b.Loop() {
		e.Original.Dst = e.Original.Dst.Next()
		e.Reply.Src = e.Original.Dst
		if v := j.Judge(e); v.Cut || v.Unsure {
			b.Fatalf("got %+v", v)
		}
	}
}
