package main

import (
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"
)

// TestKernelStrictAnswersNoLies: whatever a guest sends under the name of somebody outside, the
// host's answer goes there, with the guest's data in it. Strict isolation drops such packets before
// anything answers; without it each kind of answer is seen outside, which shows that this test
// would see it.
func TestKernelStrictAnswersNoLies(t *testing.T) {
	for _, backend := range []string{"nftables", "iptables"} {
		for _, strict := range []bool{false, true} {
			name := backend + " plain"
			args := []string{"up", "--backend", backend}
			if strict {
				name, args = backend+" strict", append(args, "--strict-isolation")
			}
			t.Run(name, func(t *testing.T) { answersToLies(t, args, strict) })
		}
	}
}

func answersToLies(t *testing.T, up []string, strict bool) {
	g := newGround(t)
	world := g.Uplink("eth0", netip.MustParsePrefix("198.51.100.2/24"))
	lie := world.Addrs[0].Addr()
	g.vnetc(0, append(up, g.file("iso", `<network><name>iso</name><bridge name='vbi'/>
<ip address='10.77.1.1' prefix='24'><dhcp><range start='10.77.1.10' end='10.77.1.20'/></dhcp></ip></network>`))...)
	g.Sysctl("ipv4/ip_forward", "1") // as another network would have it
	for _, i := range []string{"all", "eth0", "vbi"} {
		g.Sysctl("ipv4/conf/"+i+"/rp_filter", "0")
	}
	liar := g.join("liar", "vbi")
	g.lease([]*guest{liar}) // DHCP begins with the source 0.0.0.0
	if !liar.pings("10.77.1.1") {
		t.Fatal("a guest with an address of the network gets no answer from the host")
	}
	liar.Exec("ip", "addr", "add", lie.String()+"/32", "dev", "eth0")
	world.Feed([]byte("table ip seen { chain in { type filter hook prerouting priority raw; counter; }; }"), "nft",
		"-f", "-")
	var listening net.Listener
	g.Do(func() {
		var err error
		if listening, err = net.Listen("tcp4", "10.77.1.1:4002"); err != nil {
			t.Fatal(err)
		}
	})
	defer listening.Close()
	send := func(network, to string, data string) func() {
		return func() {
			liar.Do(func() {
				dial := net.Dialer{Timeout: 100 * time.Millisecond}
				if network == "udp4" {
					dial.LocalAddr = &net.UDPAddr{IP: lie.AsSlice()}
				} else {
					dial.LocalAddr = &net.TCPAddr{IP: lie.AsSlice()}
				}
				c, err := dial.Dial(network, to)
				if err != nil {
					return // a connection that is not answered
				}
				c.Write([]byte(data))
				c.Close()
			})
		}
	}
	// for an address of "guestdata"
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09guestdata\x00\x00\x01\x00\x01"
	for _, kind := range []struct {
		answer string
		send   func()
	}{
		{"echo reply", func() {
			liar.Command("busybox", "ping", "-c", "1", "-W", "1", "-I", lie.String(),
				"10.77.1.1").Run()
		}},
		{"ICMP of a closed port", send("udp4", "10.77.1.1:4001", "guestdata")},
		{"SYN-ACK", send("tcp4", "10.77.1.1:4002", "")},
		{"answer of DNS", send("udp4", "10.77.1.1:53", query)},
		{"refusal of a forwarded packet", send("udp4", "203.0.113.5:9", "guestdata")},
	} {
		before, seen := counted(t, world.Exec("nft", "list", "table", "ip", "seen")), false
		for range 3 {
			kind.send()
			time.Sleep(30 * time.Millisecond)
			if seen = counted(t, world.Exec("nft", "list", "table", "ip", "seen")) > before; seen {
				break
			}
		}
		if seen == strict {
			t.Errorf("%s: seen outside %v", kind.answer, seen)
		}
	}
}

// counted returns the packets of the one counter in a listing.
func counted(t *testing.T, listing string) int {
	t.Helper()
	m := regexp.MustCompile(`counter packets (\d+) `).FindStringSubmatch(listing)
	if m == nil {
		t.Fatalf("no counter:\n%s", listing)
	}
	n := 0
	for _, digit := range m[1] {
		n = 10*n + int(digit-'0')
	}
	return n
}
