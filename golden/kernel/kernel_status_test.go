package kernel

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// given is what others' rules do to the connections of TestStatus, and how packets look then.
const given = `table ip given {
	chain one { type filter hook output priority raw; ip daddr 127.0.0.2 notrack; }
	chain two { type nat hook output priority -100; ip daddr 127.0.0.3 dnat to 127.0.0.1; ip daddr 127.0.0.5 dnat to 127.0.0.1; }
	chain three { type nat hook postrouting priority srcnat; udp dport 4 snat to 127.0.0.9; udp dport 5 snat to 127.0.0.9; }
}`

// TestStatus: the kernel and the referee agree on what a connection's NAT status is, in either
// sense and for packets that have none, for each way of loading. A packet that is dropped at output
// is refused to the socket that sends it.
func TestStatus(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		host   byte // of 127.0.0.0/24, and the port
		state  ir.State
		status ir.Status
	}{
		{"plain", 1, ir.StateNew, 0},
		{"untracked", 2, ir.StateUntracked, 0},
		{"dnat", 3, ir.StateNew, ir.StatusDNAT},
		{"snat", 4, ir.StateNew, ir.StatusSNAT},
		{"both", 5, ir.StateNew, ir.StatusSNAT | ir.StatusDNAT},
	}
	for _, l := range loaders() {
		t.Run(l.name, func(t *testing.T) {
			netnstest.Require(t, append(l.tools, "nft", "ip")...)
			h := netnstest.NewHost(t)
			h.Exec("ip", "link", "set", "lo", "up")
			for status := ir.StatusSNAT; status <= ir.StatusSNAT|ir.StatusDNAT; status++ {
				for _, not := range []bool{false, true} {
					match := ir.CTStatus{Status: status, Not: not}
					p := dropsAtOutput(match)
					l.clear(h)
					h.Feed([]byte(given), "nft", "-f", "-")
					h.Do(func() {
						for _, c := range cases {
							send, done := sender(t, c.host)
							defer done()
							if send() {
								t.Fatalf("packet %s is dropped without a rule", c.name)
							}
							defer func() { // with the rule
								if got, want := send(), evalDropped(t, p, c.host, c.state, c.status); got != want {
									t.Errorf("%s, packet %s: dropped %v, Eval says %v", ir.MatchText(match), c.name,
										got, want)
								}
							}()
						}
						l.add(t, h, p)
					})
				}
			}
		})
	}
}

// sender returns a function that sends a packet of one connection to 127.0.0.host and says whether
// it was dropped at output, and one that ends it.
func sender(t *testing.T, host byte) (send func() (dropped bool), done func()) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: int(host), Addr: [4]byte{127, 0, 0, host}}
	return func() bool {
		err := unix.Sendto(fd, []byte("x"), 0, to)
		if err != nil && err != unix.EPERM {
			t.Fatal(err)
		}
		return err != nil
	}, func() { unix.Close(fd) }
}

// evalDropped is what the referee says of the same packet.
func evalDropped(t *testing.T, p *ir.Program, host byte, state ir.State, status ir.Status) bool {
	t.Helper()
	fate, err := ir.Eval(p, ir.Packet{
		Family: ir.IPv4, Out: "lo", Src: netip.MustParseAddr("127.0.0.1"),
		Dst:   netip.AddrFrom4([4]byte{127, 0, 0, host}),
		Proto: ir.UDP, SPort: 40000, DPort: uint16(host), State: state, Status: status,
	})
	if err != nil {
		t.Fatal(err)
	}
	return fate.Outcome == ir.Dropped
}

// dropsAtOutput returns a program that drops what the host sends if m holds.
func dropsAtOutput(m ir.Match) *ir.Program {
	return &ir.Program{Chains: []*ir.Chain{{
		Family: ir.IPv4, Table: "filter", Name: "OUTPUT", Base: &ir.Base{Hook: ir.Output, Type: ir.FilterType},
		Rules: []ir.Rule{{Family: ir.IPv4, Matches: []ir.Match{m}, Verdict: ir.Drop{}}},
	}}}
}
