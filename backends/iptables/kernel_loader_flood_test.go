package iptables_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/vnetc/vnetc/ir"
)

// TestKernelLoaderFlood sends packets that must pass, and packets that must not, without pause,
// while the rules that say so are replaced, moved, and loaded over others: none is lost, none gets
// in.
func TestKernelLoaderFlood(t *testing.T) {
	const loads = 40
	eachVariant(t, func(t *testing.T, h *loading) {
		port := func(n uint16, v ir.Verdict, comment string) ir.Rule {
			return ir.Rule{Family: ir.Both, Verdict: v, Comment: comment, Matches: []ir.Match{
				ir.IIfName{Name: "lo"}, ir.L4Proto{Proto: ir.UDP}, ir.DPort{From: n, To: n},
			}}
		}
		program := func(i int) *ir.Program {
			p := networks(i%5, 5+i%3)
			pair := []ir.Rule{port(4001, ir.Accept{}, strconv.Itoa(i)), port(4002, ir.Drop{}, strconv.Itoa(i%2))}
			if i%2 == 0 {
				pair[0], pair[1] = pair[1], pair[0]
			}
			p.Add(ir.INP, pair...)
			p.Add(ir.INP, ir.Rule{Family: ir.Both, Matches: []ir.Match{ir.IIfName{Name: "lo"}}, Verdict: ir.Drop{}})
			return p
		}
		h.load(program(0))
		var open, closed *net.UDPConn // which receive
		var send [2]net.Conn
		h.Do(func() {
			for i, at := range []**net.UDPConn{&open, &closed} {
				c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4001 + i})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				*at = c
				if send[i], err = net.Dial("udp", c.LocalAddr().String()); err != nil {
					t.Fatal(err)
				}
			}
		})
		stop, done := make(chan bool), make(chan [2]int)
		go func() {
			sent, lost := 0, 0
			b := make([]byte, 1)
			for {
				select {
				case <-stop:
					done <- [2]int{sent, lost}
					return
				default:
				}
				send[1].Write([]byte("x"))
				send[0].Write([]byte("x"))
				sent++
				open.SetReadDeadline(time.Now().Add(2 * time.Second))
				if _, err := open.Read(b); err != nil {
					lost++
				}
			}
		}()
		for i := range loads {
			h.load(program(i + 1))
		}
		close(stop)
		result := <-done
		closed.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := closed.Read(make([]byte, 1))
		if err == nil {
			t.Errorf("a packet got in that must not")
		}
		if result[1] > 0 {
			t.Errorf("%d packets lost", result[1])
		}
		t.Logf("%d packets of each kind during %d loads", result[0], loads)
	})
}
