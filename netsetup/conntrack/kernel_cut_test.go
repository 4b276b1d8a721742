package conntrack

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// tcp opens a connection from one peer to another, by the stacks of both.
func tcp(t *testing.T, from, to *netnstest.Peer, addr netip.Addr, port uint16) (client, server net.Conn) {
	t.Helper()
	return tcpBy(t, from, to, netip.AddrPortFrom(addr, port), port)
}

// tcpBy is tcp by way of an address and port of the host.
func tcpBy(t *testing.T, from, to *netnstest.Peer, by netip.AddrPort, port uint16) (client, server net.Conn) {
	t.Helper()
	own, _ := to.Addr(by.Addr())
	var listener net.Listener
	to.Do(func() {
		var err error
		if listener, err = net.Listen("tcp", netip.AddrPortFrom(own, port).String()); err != nil {
			t.Fatal(err)
		}
	})
	defer listener.Close()
	from.Do(func() {
		var err error
		if client, err = net.DialTimeout("tcp", by.String(), 5*time.Second); err != nil {
			t.Fatal(err)
		}
	})
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// passes is true if what is written to one end of a connection comes out at the other within the
// time given.
func passes(t *testing.T, from, to net.Conn, limit time.Duration) bool {
	t.Helper()
	if _, err := from.Write([]byte("x")); err != nil {
		return false
	}
	if err := to.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	_, err := io.ReadFull(to, make([]byte, 1))
	return err == nil
}

const (
	surely = 5 * time.Second        // for what must pass
	never  = 700 * time.Millisecond // for what must not: TCP has sent it again meanwhile
)

// TestCutTCP: a connection that a deny is about ends; another one between the same guests and one
// of another network go on.
func TestCutTCP(t *testing.T) {
	w := newWorld(t, 3)
	for _, dst := range w.guests[1].Addrs {
		t.Run(dst.String(), func(t *testing.T) {
			before := w.load(program(t, 3, ""))
			doomed, doomedEnd := tcp(t, w.guests[0], w.guests[1], dst.Addr(), 5432)
			live, liveEnd := tcp(t, w.guests[0], w.guests[1], dst.Addr(), 80)
			other, otherEnd := tcp(t, w.guests[1], w.far, w.farAddr(dst.Addr()), 5432)

			after := w.load(program(t, 3, "deny tcp from network web to network db port 5432"))
			if !passes(t, doomed, doomedEnd, surely) {
				t.Fatal("the rules alone ended a connection: there is nothing to show")
			}
			got := w.cut(before, after)
			const statement = "deny tcp from network web to network db port 5432"
			want := []Count{{Cause{Denied, statement, "web", "test.policy:1:1"}, 1}}
			if got.Listed < 3 || got.Judged < 3 || got.Cut != 1 || got.Unsure != 0 || !cmp.Equal(got.Counts, want) {
				t.Errorf("got %+v, want one cut for %+v", got, want)
			}
			if w.has("dst="+long(dst.Addr()), "dport=5432") {
				t.Error("the kernel has the connection still")
			}
			if !passes(t, live, liveEnd, surely) || !passes(t, liveEnd, live, surely) {
				t.Error("a connection to another port does not go on")
			}
			if !passes(t, other, otherEnd, surely) || !passes(t, otherEnd, other, surely) {
				t.Error("a connection to another network does not go on")
			}
			if passes(t, doomed, doomedEnd, never) {
				t.Error("a packet of the connection that was cut arrived")
			}
			if again := w.cut(before, after); again.Cut != 0 {
				t.Errorf("cut a second time: %+v", again)
			}
		})
	}
}

// farAddr returns the far side's address of the family of a.
func (w *world) farAddr(a netip.Addr) netip.Addr {
	for _, p := range w.far.Addrs {
		if p.Addr().Is4() == a.Is4() {
			return p.Addr()
		}
	}
	w.t.Fatalf("the far side has no address like %s", a)
	return a
}

// long writes an address as /proc/net/nf_conntrack does.
func long(a netip.Addr) string { return a.StringExpanded() }

// TestCutWithdrawn: an allow is gone, and with it the connections that only it let through.
func TestCutWithdrawn(t *testing.T) {
	w := newWorld(t, 3)
	safe := w.guests[2].Addrs[0].Addr()
	before := w.load(program(t, 3, "allow tcp from network web to network safe port 80,443"))
	doomed, doomedEnd := tcp(t, w.guests[0], w.guests[2], safe, 80)
	live, liveEnd := tcp(t, w.guests[0], w.guests[2], safe, 443)
	after := w.load(program(t, 3, "allow tcp from network web to network safe port 443"))
	if got := w.cut(before, after); got.Cut != 1 || got.Counts[0].Reason != Withdrawn {
		t.Errorf("got %+v", got)
	}
	if !passes(t, live, liveEnd, surely) || !passes(t, liveEnd, live, surely) {
		t.Error("a connection that is still allowed does not go on")
	}
	if passes(t, doomed, doomedEnd, never) {
		t.Error("a packet of the connection that was cut arrived")
	}
}

// TestCutMasqueraded: a connection to outside, of which the answers come to the host's address.
func TestCutMasqueraded(t *testing.T) {
	w := newWorld(t, 1)
	before := w.load(program(t, 1, ""))
	doomed, doomedEnd := tcp(t, w.guests[0], w.far, w.far.Addrs[0].Addr(), 25)
	live, liveEnd := tcp(t, w.guests[0], w.far, w.far.Addrs[0].Addr(), 443)
	if !strings.HasPrefix(doomedEnd.RemoteAddr().String(), "192.0.2.2:") {
		t.Fatalf("the connection comes from %s, and should be masqueraded", doomedEnd.RemoteAddr())
	}
	after := w.load(program(t, 1, "deny tcp from network web to outside port 25"))
	if got := w.cut(before, after); got.Cut != 1 || got.Counts[0].Reason != Denied {
		t.Errorf("got %+v", got)
	}
	if !passes(t, live, liveEnd, surely) {
		t.Error("a connection to another port does not go on")
	}
	if passes(t, doomedEnd, doomed, never) {
		t.Error("an answer of the connection that was cut arrived")
	}
	if passes(t, doomed, doomedEnd, never) {
		t.Error("a packet of the connection that was cut arrived")
	}
}

// TestCutPublished: a client that sends from one port all the time reaches what is published,
// though it began before, and what is published next.
func TestCutPublished(t *testing.T) {
	w := newWorld(t, 2)
	second := w.Guest("db2", "virbr1", netip.MustParsePrefix("10.0.1.8/24"), netip.MustParsePrefix("fd00:1::8/64"))
	w.Serve(5300)
	sport := uint16(7000)
	for i, host := range w.far.Hosts {
		for _, client := range []*netnstest.Peer{w.far, w.guests[0], w.guests[1]} {
			t.Run(host.Addr().String()+" from "+client.Name, func(t *testing.T) {
				if client == w.guests[1] && host.Addr().Is6() {
					t.Skip("nothing is masqueraded in IPv6 here, so that guests of one network don't reach each other")
				}
				sport++
				sends := func(want *netnstest.Peer, when string) {
					t.Helper()
					if r := w.sendFrom(client, netnstest.UDP, sport, host.Addr(), 5300); r.At != want {
						t.Errorf("%s: %s", when, r)
					}
				}
				publishes := func(guest *netnstest.Peer) *ir.Program {
					return program(t, 2, fmt.Sprintf("publish udp 5300 to %s port %d", guest.Addrs[i].Addr(),
						netnstest.Open))
				}
				bare, one, two := program(t, 2, ""), publishes(w.guests[1]), publishes(second)
				w.load(bare)
				w.cut(bare, one) // what the client before has left
				sends(w.Self, "before it is published")

				w.load(one)
				sends(w.Self, "it is published, and the old entry stands")
				if got := w.cut(bare, one); got.Cut != 1 || got.Counts[0].Reason != Published {
					t.Errorf("got %+v", got)
				}
				if client != w.guests[1] { // who would see itself behind the host
					sends(w.guests[1], "the entry is cut")
				}
				w.load(two)
				if client != w.guests[1] {
					sends(w.guests[1], "another guest is published, and the old entry stands")
				}
				got := w.cut(one, two)
				if client != w.guests[1] && (got.Cut != 1 || got.Counts[0].Reason != Published) {
					t.Errorf("got %+v", got)
				}
				sends(second, "the entry of the guest before is cut")
				if got := w.cut(one, two); got.Cut != 0 {
					t.Errorf("what reaches its target was cut: %+v", got)
				}

				w.load(bare)
				sends(second, "it is not published any more, and the old entry stands")
				if got := w.cut(two, bare); got.Cut != 1 || got.Counts[0].Reason != Unpublished {
					t.Errorf("got %+v", got)
				}
				sends(w.Self, "the last entry is cut")
			})
		}
	}
}

// TestCutPublishedTCP: a connection to a guest behind the host's address ends when its port is
// published for others only, and that of such another goes on.
func TestCutPublishedTCP(t *testing.T) {
	w := newWorld(t, 1)
	before := w.load(program(t, 1, "publish tcp 8080 to 10.0.0.7 port 80"))
	host := w.far.Hosts[0].Addr()
	doomed, doomedEnd := tcpBy(t, w.far, w.guests[0], netip.AddrPortFrom(host, 8080), 80)
	live, liveEnd := tcpBy(t, w.by1, w.guests[0], netip.AddrPortFrom(host, 8080), 80)
	after := w.load(program(t, 1, "publish tcp 8080 to 10.0.0.7 port 80 from 198.18.0.0/24"))
	if !passes(t, doomed, doomedEnd, surely) {
		t.Fatal("the rules alone ended a connection: there is nothing to show")
	}
	if got := w.cut(before, after); got.Cut != 1 || got.Counts[0].Reason != Unpublished || got.Unsure != 0 {
		t.Errorf("got %+v", got)
	}
	if !passes(t, live, liveEnd, surely) || !passes(t, liveEnd, live, surely) {
		t.Error("a connection that is still allowed does not go on")
	}
	if passes(t, doomedEnd, doomed, never) {
		t.Error("a packet of the connection that was cut arrived")
	}
}

// TestCutPublishedHost: the host's own connections to a published port.
func TestCutPublishedHost(t *testing.T) {
	w := newWorld(t, 2)
	host := w.far.Hosts[0].Addr()
	bare, one := program(t, 2, ""), program(t, 2, "publish udp 5300 to 10.0.1.7 port 4000")
	w.load(bare)
	var c *net.UDPConn
	w.Do(func() {
		var err error
		c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 7000)),
			net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 5300)))
		if err != nil {
			t.Fatal(err)
		}
	})
	defer c.Close()
	sends := func(guest bool, when string) {
		t.Helper()
		c.Write([]byte("x")) // the error is that of what was sent before
		all, _, _ := w.listed()
		for _, e := range all {
			if e.Original.SPort == 7000 && (e.Reply.Src == w.guests[1].Addrs[0].Addr()) == guest {
				return
			}
		}
		t.Errorf("%s: %v", when, all)
	}
	sends(false, "before it is published")
	w.load(one)
	sends(false, "it is published, and the old entry stands")
	if got := w.cut(bare, one); got.Cut != 1 || got.Counts[0].Reason != Published {
		t.Errorf("got %+v", got)
	}
	sends(true, "the entry is cut")
	if got := w.cut(bare, one); got.Cut != 0 {
		t.Errorf("got %+v", got)
	}
	w.load(bare)
	if got := w.cut(one, bare); got.Cut != 1 || got.Counts[0].Reason != Unpublished {
		t.Errorf("got %+v", got)
	}
	sends(false, "it is not published any more")
}

// TestCutForeign: what passes between others goes on, also from an address and port that a
// statement or a published port names for another network.
func TestCutForeign(t *testing.T) {
	w := newWorld(t, 2)
	before := w.load(program(t, 2, ""))
	for port := range uint16(50) {
		if r := w.sendFrom(w.by1, netnstest.UDP, 9000+port, w.far.Addrs[0].Addr(), netnstest.Open); r.At != w.far {
			t.Fatal(r)
		}
	}
	w.send(w.guests[0], netnstest.UDP, w.guests[1].Addrs[0].Addr(), netnstest.Open)
	foreign := w.entries("src=198.18.0.1", "dst=192.0.2.1")
	if len(foreign) != 50 {
		t.Fatalf("%d foreign entries", len(foreign))
	}
	ids := func() map[uint32]bool {
		all, _, _ := w.listed()
		found := make(map[uint32]bool)
		for _, e := range all {
			if e.Original.Src == netip.MustParseAddr("198.18.0.1") {
				found[e.ID] = true
			}
		}
		return found
	}
	had := ids()
	p := program(t, 2, "deny from network web\ndeny from network db\ndeny from outside to network db\ndeny from outside to network web")
	publish(t, p, fmt.Sprintf("udp 192.0.2.2 %d to 10.0.1.7 4000", netnstest.Open))
	after := w.load(p)
	got := w.cut(before, after)
	if got.Listed < 51 || got.Cut != 1 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(had, ids()); diff != "" || len(had) != 50 {
		t.Errorf("foreign entries (-before +after):\n%s", diff)
	}
}

// TestCutNewer: an entry that has the ends of a doomed one but came later stays.
func TestCutNewer(t *testing.T) {
	w := newWorld(t, 2)
	w.load(program(t, 2, ""))
	to := w.guests[1].Addrs[0].Addr()
	only := func() (Entry, keys, byte) {
		t.Helper()
		all, found, families := w.listed()
		for i, e := range all {
			if e.Original.Dst == to && e.Original.Proto == 17 {
				return e, found[i], families[i]
			}
		}
		t.Fatal("there is no entry")
		return Entry{}, keys{}, 0
	}
	remove := func(k keys, family byte) (deleted int) {
		w.Do(func() {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			d := &deleter{conn: c, deleted: func(Verdict) { deleted++ }}
			if err := d.add(family, k, Verdict{}); err != nil {
				t.Fatal(err)
			}
			if err := d.flush(); err != nil {
				t.Fatal(err)
			}
			if err := d.err(); err != nil {
				t.Fatal(err)
			}
		})
		return deleted
	}
	w.sendFrom(w.guests[0], netnstest.UDP, 9000, to, netnstest.Open)
	old, oldKeys, family := only()
	if n := remove(oldKeys, family); n != 1 {
		t.Fatalf("%d deleted", n)
	}
	if n := remove(oldKeys, family); n != 0 {
		t.Errorf("what is gone was deleted %d times", n)
	}
	// The kernel makes the number from the place in memory, which the others here may take.
	newer := old
	for try := uint16(0); newer.ID == old.ID && try < 100; try++ {
		if try > 0 {
			_, k, family := only()
			remove(k, family)
		}
		w.sendFrom(w.guests[0], netnstest.UDP, 9100+try, w.far.Addrs[0].Addr(), netnstest.Open)
		w.sendFrom(w.guests[0], netnstest.UDP, 9000, to, netnstest.Open)
		newer, _, _ = only()
	}
	if newer.ID == old.ID || newer.Original != old.Original {
		t.Fatalf("%v %d and %v %d are not two entries with the same ends", old, old.ID, newer, newer.ID)
	}
	if n := remove(oldKeys, family); n != 0 {
		t.Error("the newer entry was deleted")
	}
	if again, _, _ := only(); again.ID != newer.ID {
		t.Error("the newer entry is gone")
	}
}

// TestCutZones: entries in a zone, of both directions or of one, are found again.
func TestCutZones(t *testing.T) {
	w := newWorld(t, 2)
	to := w.guests[1].Addrs[0].Addr()
	for i, zone := range []string{"ct zone set 7", "ct original zone set 7", "ct reply zone set 7"} {
		t.Run(zone, func(t *testing.T) {
			before := w.load(program(t, 2, ""))
			w.Exec("nft", "add table ip zones; flush table ip zones; add chain ip zones pre { type filter hook prerouting priority raw; }; "+
				"add rule ip zones pre iifname virbr0 "+zone)
			w.sendFrom(w.guests[0], netnstest.UDP, uint16(9000+i), to, netnstest.Open)
			sport := fmt.Sprintf("sport=%d", 9000+i)
			if !w.has("dst="+to.String(), sport) {
				t.Fatal("there is no entry")
			}
			zoned := false
			all, _, _ := w.listed()
			for _, e := range all {
				zoned = zoned || e.Zone == 7 && e.Original.SPort == uint16(9000+i)
			}
			if !zoned {
				t.Errorf("no entry was read with its zone: %v", all)
			}
			after := w.load(program(t, 2, "deny from network web to network db"))
			if got := w.cut(before, after); got.Cut != 1 {
				t.Errorf("got %+v", got)
			}
			if w.has("dst="+to.String(), sport) {
				t.Error("the entry stands")
			}
		})
	}
}
