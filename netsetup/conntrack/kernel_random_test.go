package conntrack

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// flow is a connection that a packet opened.
type flow struct {
	from *netnstest.Peer // nil for the host itself
	dev  string          // by which the host sends
	kind netnstest.Kind
	dst  netip.Addr
	port uint16
}

// flows returns connections between all ends of the world.
func (w *world) flows() (all []flow) {
	peers := append([]*netnstest.Peer{w.far}, w.guests...)
	for _, from := range peers {
		for _, to := range peers {
			for _, dst := range to.Addrs {
				if from == to {
					continue
				}
				all = append(all, flow{from: from, kind: netnstest.UDP, dst: dst.Addr(), port: netnstest.Open},
					flow{from: from, kind: netnstest.UDP, dst: dst.Addr(), port: 53},
					flow{from: from, kind: netnstest.SYN, dst: dst.Addr(), port: netnstest.Open},
					flow{from: from, kind: netnstest.EchoRequest, dst: dst.Addr()})
			}
		}
		if from == w.far {
			continue
		}
		for i, host := range from.Hosts {
			all = append(all, flow{from: from, kind: netnstest.UDP, dst: host.Addr(), port: 5300},
				flow{dev: from.Gateway, kind: netnstest.UDP, dst: from.Addrs[i].Addr(), port: netnstest.Open})
		}
	}
	for _, from := range peers {
		for _, host := range w.far.Hosts {
			for _, port := range publishable {
				all = append(all, flow{from: from, kind: netnstest.UDP, dst: host.Addr(), port: port})
			}
		}
	}
	return all
}

// open sends a first packet of f. It returns its source port, and at whom it arrived, nil if
// nowhere.
func (w *world) open(f flow) (sport uint16, at *netnstest.Peer) {
	w.t.Helper()
	if f.from != nil {
		r := w.send(f.from, f.kind, f.dst, f.port)
		return w.port, r.At
	}
	w.port++
	for _, p := range w.guests {
		for _, host := range p.Hosts {
			if p.Gateway == f.dev && host.Addr().Is4() == f.dst.Is4() {
				r := w.SendLocal(f.dev, netip.AddrPortFrom(host.Addr(), w.port), netip.AddrPortFrom(f.dst, f.port))
				return w.port, r.At
			}
		}
	}
	w.t.Fatalf("no address on %s", f.dev)
	return 0, nil
}

// stands is true if the kernel has the connection that open made.
func (w *world) stands(f flow, sport uint16) bool {
	w.t.Helper()
	if f.kind == netnstest.EchoRequest {
		return w.has("dst="+long(f.dst), fmt.Sprintf("id=%d", sport))
	}
	return w.has("dst="+long(f.dst), fmt.Sprintf("sport=%d", sport), fmt.Sprintf("dport=%d", f.port))
}

func (f flow) String() string {
	from := "the host"
	if f.from != nil {
		from = f.from.Name
	}
	return fmt.Sprintf("%s from %s to %s port %d", f.kind, from, f.dst, f.port)
}

// publishable are the ports of the host that may be published, each by one statement.
var publishable = []uint16{5401, 5402, 5403}

// publishes returns a random statement that publishes one of these ports.
func publishes(r *rand.Rand, n int, port uint16) string {
	address := []string{"10.0.%d.7", "fd00:%d::7"}[r.IntN(2)]
	return fmt.Sprintf("publish udp %d to "+address+" port %d", port, r.IntN(n), netnstest.Open)
}

// statement returns a random one about the networks.
func statement(r *rand.Rand, n int) string {
	end := func() string {
		switch i := r.IntN(n + 2); i {
		case n:
			return "outside"
		case n + 1:
			return "host"
		default:
			return "network " + fixtureNetworks[i].name
		}
	}
	from, to := end(), end()
	for from == to || !strings.Contains(from+to, "network") {
		from, to = end(), end()
	}
	verb, what, port := []string{"allow", "deny", "deny"}[r.IntN(3)], "", ""
	switch r.IntN(8) {
	case 0:
		what, port = "udp ", " port 53"
	case 1:
		what = "udp "
	case 2:
		what = "tcp "
	case 3:
		what = "ipv6 "
	}
	return fmt.Sprintf("%s %sfrom %s to %s%s", verb, what, from, to, port)
}

// TestCutRandom: of two random policies the second is loaded while connections stand that the first
// let through. The kernel says which of them the rules let through now: a new one like it arrives
// or does not. Those that do not are cut, the others stand.
func TestCutRandom(t *testing.T) {
	w := newWorld(t, 3)
	w.Serve(5300)
	for _, port := range publishable {
		w.Serve(port)
	}
	cut, lived, moved := 0, 0, 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		draw := func(most, least int) string {
			var lines []string
			for range least + r.IntN(most-least+1) {
				lines = append(lines, statement(r, w.n))
			}
			for _, port := range publishable {
				if r.IntN(3) > 0 {
					lines = append(lines, publishes(r, w.n, port))
				}
			}
			r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			return strings.Join(lines, "\n")
		}
		texts := [2]string{draw(4, 0), draw(6, 2)}
		before, after := program(t, w.n, texts[0]), program(t, w.n, texts[1])
		w.load(before)
		type opened struct {
			sport uint16
			at    *netnstest.Peer
		}
		open := make(map[flow]opened)
		for _, f := range w.flows() {
			if sport, at := w.open(f); at != nil {
				open[f] = opened{sport, at}
			}
		}
		w.load(after)
		report := w.cut(before, after)
		failed := false
		for f, was := range open {
			_, at := w.open(f)
			if stands := w.stands(f, was.sport); stands != (at == was.at) {
				t.Errorf("seed %d: %s: stands %t, went to %s, and a new one goes to %v", seed, f, stands,
					was.at.Name, at)
				failed = true
			}
			switch at {
			case was.at:
				lived++
			case nil:
				cut++
			default:
				moved++
			}
		}
		if failed || report.Unsure > 0 {
			t.Errorf("seed %d, %+v:\nbefore\n%s\nafter\n%s", seed, report, texts[0], texts[1])
		}
	}
	if cut < 50 || lived < 50 || moved < 50 {
		t.Errorf("%d cut, %d lived on and %d moved: too few to show anything", cut, lived, moved)
	}
	t.Logf("%d cut, %d lived on, %d went elsewhere", cut, lived, moved)
}
