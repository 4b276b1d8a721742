package nftables

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// TestKernelTakesBoth loads each program as a batch and as a script, and compares what the kernel
// has then: the listing with the text that was emitted, and the dumped expressions of both loads
// byte by byte, since a listing can look right when the rule is not. nft 1.1 makes other
// expressions of some scripts, two comparisons of one range for example: with it both loads have to
// mean the same, and no more.
func TestKernelTakesBoth(t *testing.T) {
	netnstest.Require(t, "nft")
	ours := strings.Contains(netnstest.New(t).Exec("nft", "--version"), " v1.0.")
	for _, c := range programs() {
		t.Run(c.name, func(t *testing.T) {
			r := lowered(t, c.p, c.o)
			byScript, byBatch := netnstest.New(t), netnstest.New(t)
			text := r.Emit()[0].Text
			debug := byScript.Feed(text, "nft", "--debug=netlink", "-f", "-")
			send(t, byBatch, r.Batch())
			compare := func() {
				t.Helper()
				byProgram := read(t, r.Batch().Bytes)
				for _, ns := range []*netnstest.NS{byScript, byBatch} {
					if a := prove.Equal(byProgram, read(t, dumpAll(t, ns)), ir.Both); a.Answer != prove.Proved {
						t.Errorf("the kernel's dump does not mean what the batch does: %+v", a)
					}
				}
			}
			if ours {
				compare = func() { t.Helper(); compareBytes(t, r, byScript, byBatch) }
				compareLines(t, "expressions as nft sends them, and as we do", debugRules(debug),
					debugRules(string(r.Debug())))
			}
			compare()
			// Again: a second load replaces the first.
			byScript.Feed(text, "nft", "-f", "-")
			send(t, byBatch, r.Batch())
			compare()
		})
	}
}

// compareBytes compares the listing with the text that was emitted, and what the kernel has of the
// script with what it has of the batch.
func compareBytes(t *testing.T, r *Ruleset, byScript, byBatch *netnstest.NS) {
	t.Helper()
	var want []byte
	for _, table := range r.tables {
		want = table.appendText(want, listing)
	}
	for _, ns := range []*netnstest.NS{byScript, byBatch} {
		compareLines(t, "listing", withoutElements(string(want)),
			withoutElements(ns.Exec("nft", "-s", "list", "ruleset")))
	}
	if diff := cmp.Diff(dump(t, byScript), dump(t, byBatch)); diff != "" {
		t.Errorf("what the kernel holds (-script +batch):\n%s", diff)
	}
	if diff := cmp.Diff(read(t, r.Batch().Bytes), read(t, dumpAll(t, byScript)), cmpAddrs, cmpPrefixes); diff != "" {
		t.Errorf("program read from the batch, and from the kernel's dump of the script (-batch +dump):\n%s", diff)
	}
}

// withoutElements takes the elements of sets out of a listing: nft prints them in another order.
// The dump has them.
func withoutElements(text string) string {
	return regexp.MustCompile(`(?s)\t\telements = \{.*?\}\n`).ReplaceAllString(text, "")
}

func compareLines(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// debugRules returns the rules of `nft --debug=netlink`, without the other objects and the blank at
// the end of a line.
func debugRules(text string) string {
	text = regexp.MustCompile(`(?m)^.* use \d+.*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^(\S+ \S+ \d+( size \d+)?|\telement .*)\n`).ReplaceAllString(text, "") // sets
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}

// send commits a batch, and fails with the kernel's answer if there is one.
func send(t *testing.T, ns *netnstest.NS, b *wire.Batch) {
	t.Helper()
	ns.Do(func() {
		fd := open(t)
		defer unix.Close(fd)
		if err := unix.Sendto(fd, b.Bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatalf("send batch: %v", err)
		}
		answer := make([]byte, 1<<16)
		n, _, err := unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return
		}
		if err != nil || n < 20 {
			t.Fatalf("answer to batch: %d bytes, %v", n, err)
		}
		errno := unix.Errno(-int32(binary.NativeEndian.Uint32(answer[16:])))
		seq := binary.NativeEndian.Uint32(answer[16+4+8:])
		t.Fatalf("batch refused: message %d: %v, rule %+v", seq, errno, b.Rule(seq))
	})
}

func open(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatalf("netlink socket: %v", err)
	}
	for _, option := range []int{unix.SO_SNDBUFFORCE, unix.SO_RCVBUFFORCE} {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 16<<20)
	}
	return fd
}

// dumpBytes returns the kernel's messages about all objects of one kind.
func dumpBytes(t *testing.T, ns *netnstest.NS, kind uint16, about ...string) (stream []byte) {
	t.Helper()
	ns.Do(func() {
		fd := open(t)
		defer unix.Close(fd)
		var b wire.Batch
		family := byte(unix.NFPROTO_UNSPEC)
		if len(about) > 0 {
			family = about[0][0]
		}
		at := b.Begin(kind, unix.NLM_F_DUMP, family, nil)
		for i := 1; i < len(about); i++ { // NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET
			b.Text(uint16(i), about[i])
		}
		b.End(at)
		if err := unix.Sendto(fd, b.Bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatalf("ask for a dump: %v", err)
		}
		buffer := make([]byte, 1<<20)
		for {
			n, _, err := unix.Recvfrom(fd, buffer, 0)
			if err != nil {
				t.Fatalf("dump: %v", err)
			}
			for rest := buffer[:n]; len(rest) > 0; {
				if binary.NativeEndian.Uint16(rest[4:]) == unix.NLMSG_DONE {
					return
				}
				size := binary.NativeEndian.Uint32(rest)
				stream = append(stream, rest[:size]...)
				rest = rest[size:]
			}
		}
	})
	return stream
}

// dumpAll returns a dump as Read takes it: tables, chains, sets, elements, rules.
func dumpAll(t *testing.T, ns *netnstest.NS) []byte {
	t.Helper()
	sets := dumpBytes(t, ns, unix.NFT_MSG_GETSET)
	all := [][]byte{dumpBytes(t, ns, unix.NFT_MSG_GETTABLE), dumpBytes(t, ns, unix.NFT_MSG_GETCHAIN), sets}
	eachOf(t, sets, func(m wire.Message) {
		all = append(all, dumpBytes(t, ns, unix.NFT_MSG_GETSETELEM, string([]byte{m.Family}),
			m.Attrs.Text(unix.NFTA_SET_TABLE), m.Attrs.Text(unix.NFTA_SET_NAME)))
	})
	return bytes.Join(append(all, dumpBytes(t, ns, unix.NFT_MSG_GETRULE)), nil)
}

// eachOf calls f with each message of a stream.
func eachOf(t *testing.T, stream []byte, f func(m wire.Message)) {
	t.Helper()
	for at := 0; at < len(stream); {
		m, rest, err := wire.Next(stream[at:], at)
		if err != nil {
			t.Fatal(err)
		}
		at = len(stream) - len(rest)
		f(m)
	}
}

// dump returns the kernel's rules, one a line: chain, the bytes of the expressions, the user data;
// its chains, sets and elements.
func dump(t *testing.T, ns *netnstest.NS) []string {
	t.Helper()
	var lines, elements []string
	eachOf(t, dumpAll(t, ns), func(m wire.Message) {
		switch m.Kind() {
		case unix.NFT_MSG_NEWTABLE:
			lines = append(lines, fmt.Sprintf("%d %s flags %x", m.Family, m.Attrs.Text(unix.NFTA_TABLE_NAME),
				m.Attrs[unix.NFTA_TABLE_FLAGS]))
		case unix.NFT_MSG_NEWCHAIN:
			a := m.Attrs
			lines = append(lines, fmt.Sprintf("%d %s %s: type %s hook %x policy %x", m.Family,
				a.Text(unix.NFTA_CHAIN_TABLE), a.Text(unix.NFTA_CHAIN_NAME),
				a.Text(unix.NFTA_CHAIN_TYPE), a[unix.NFTA_CHAIN_HOOK], a[unix.NFTA_CHAIN_POLICY]))
		case unix.NFT_MSG_NEWRULE:
			a := m.Attrs
			lines = append(lines, fmt.Sprintf("%d %s %s: %x %x", m.Family, a.Text(unix.NFTA_RULE_TABLE),
				a.Text(unix.NFTA_RULE_CHAIN),
				a[unix.NFTA_RULE_EXPRESSIONS], a[unix.NFTA_RULE_USERDATA]))
		case unix.NFT_MSG_NEWSET:
			a := m.Attrs
			lines = append(lines, fmt.Sprintf("%d %s set %s: flags %x type %x length %x desc %x %x", m.Family,
				a.Text(unix.NFTA_SET_TABLE), a.Text(unix.NFTA_SET_NAME),
				a[unix.NFTA_SET_FLAGS], a[unix.NFTA_SET_KEY_TYPE], a[unix.NFTA_SET_KEY_LEN], a[unix.NFTA_SET_DESC],
				a[unix.NFTA_SET_USERDATA]))
		case unix.NFT_MSG_NEWSETELEM: // in any order
			wire.EachAttr(m.Attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS], func(_ uint16, data []byte) {
				elements = append(elements, fmt.Sprintf("%d %s %s: %x", m.Family,
					m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_TABLE), m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_SET), data))
			})
		}
	})
	slices.Sort(elements)
	return append(lines, elements...)
}

// elementsText returns the elements of p's sets.
func elementsText(p *ir.Program) string {
	text := ""
	for _, s := range p.Sets {
		var elements []string
		for _, e := range s.Elements {
			var words []string
			for _, m := range e {
				words = append(words, ir.MatchText(m))
			}
			elements = append(elements, strings.Join(words, " "))
		}
		text += "; " + strings.Join(elements, ", ")
	}
	return text
}

// TestKernelReadForeign loads rules that vnetc never writes, with the loader that their writers
// use, and reads the kernel's dump.
func TestKernelReadForeign(t *testing.T) {
	netnstest.Require(t, "nft", "iptables-nft")
	tests := []struct{ name, load, want string }{
		{"family from an address", `nft add rule inet t c ip saddr 10.0.0.0/8 tcp dport 22 accept`,
			`ip saddr 10.0.0.0/8 l4proto tcp dport 22 accept`},
		{"family said", `nft add rule inet t c meta nfproto ipv6 drop`, `ip6 drop`},
		{"no counter, no verdict", `nft add rule inet t c iifname eth0`, `inet iifname "eth0" counter`},
		{"interface by index", `nft add rule inet t c iif lo accept`,
			`inet unknown port "iif 1" accept`},
		{"ports from", `nft add rule inet t c tcp sport >= 1024 tcp dport <= 80 accept`,
			`inet l4proto tcp sport 1024-65535 dport 0-80 accept`},
		{"anonymous set", `nft add rule inet t c tcp dport { 22, 80 } accept`,
			`inet l4proto tcp lookup __set0 accept; dport 22, dport 80`},
		{"interval set", `nft add rule inet t c ip daddr { 10.0.0.0/24, 192.0.2.7-192.0.2.9, 255.255.255.255 } accept`,
			`ip lookup __set0 accept; daddr 10.0.0.0-10.0.0.255, daddr 192.0.2.7-192.0.2.9, daddr 255.255.255.255/32`},
		{"not in a set", `nft add rule inet t c iifname != { eth0, lo } drop`,
			`inet lookup != __set0 drop; iifname "eth0", iifname "lo"`},
		{"named set of subnets",
			`nft add set inet t s { type ifname . ipv4_addr; elements = { "a" . 10.0.0.0, "b" . 10.0.1.0 }; }; add rule inet t c iifname . ip saddr & 255.255.255.0 @s accept`,
			`ip lookup s accept; iifname "a" saddr 10.0.0.0/24, iifname "b" saddr 10.0.1.0/24`},
		{"protocol and port", `nft add rule inet t c meta l4proto . th dport { tcp . 22, udp . 53 } accept`,
			`inet lookup __set0 accept; l4proto tcp dport 22, l4proto udp dport 53`},
		{"ranges in a concatenation",
			`nft add rule inet t c ip saddr . tcp dport { 10.0.0.0/24 . 80-90, 10.0.1.1 . 443 } accept`,
			`ip l4proto tcp lookup __set0 accept; saddr 10.0.0.0-10.0.0.255 dport 80-90, saddr 10.0.1.1/32 dport 443`},
		{"set that changes by itself",
			`nft add set inet t s { type ipv4_addr; flags timeout; timeout 1h; }; add rule inet t c ip saddr @s accept`,
			`ip lookup s unknown set "ip saddr @s {  }" accept; `},
		{"set whose elements count",
			`nft add set inet t s { type ipv4_addr; counter; elements = { 10.0.0.1 }; }; add rule inet t c ip saddr @s accept`,
			`ip lookup s accept; saddr 10.0.0.1/32`},
		{"set whose elements limit",
			`nft add set inet t s { type ipv4_addr; limit rate 5/second; elements = { 10.0.0.1 }; }; add rule inet t c ip saddr @s accept`,
			`ip unknown set "ip saddr @s" accept`},
		{"mask with holes",
			`nft add set inet t s { type ipv4_addr; elements = { 10.0.0.1 }; }; add rule inet t c ip saddr & 255.0.0.255 @s accept`,
			`ip unknown payload "ip saddr & 0xff0000ff @s { 0x0a000001 }" accept`},
		{"verdict map", `nft add rule inet t c iifname vmap { "eth0" : accept }`,
			`inet iifname "eth0" accept`},
		{"states", `nft add rule inet t c ct state != established drop`, `inet ct state != established drop`},
		{"NAT", `nft add rule inet t c ct status snat,dnat accept`, `inet ct status snat,dnat accept`},
		{"no NAT", `nft add rule inet t c ct status ! dnat accept`, `inet ct status != dnat accept`},
		{"status of more than NAT", `nft add rule inet t c ct status assured,dnat accept`,
			`inet unknown connection "ct status & 0x00000024 != 0x00000000" accept`},
		{"nothing but NAT", `nft add rule inet t c ct status != dnat accept`,
			`inet unknown connection "ct status != 0x00000020" accept`},
		{"code alone", `nft add rule inet t c icmp type echo-request icmp code 3 drop`,
			`ip l4proto icmp icmp type 8 code 3 drop`},
		{"reject", `nft add rule inet t c reject with icmpx admin-prohibited`, `inet reject with admin-prohibited`},
		{"comment", `nft add rule inet t c accept comment "who knows"`, `inet accept comment "who knows"`},
		// Apart, because which of them come first in one rule differs between versions of iptables.
		{"iptables addresses", `iptables-nft -A FORWARD -s 10.0.0.0/8 ! -d 10.1.0.0/16 -j ACCEPT`,
			`ip saddr 10.0.0.0/8 daddr != 10.1.0.0/16 accept`},
		{"iptables interfaces", `iptables-nft -A FORWARD -i eth0 -o vnet+ -p tcp -j ACCEPT`,
			`ip iifname "eth0" oifname "vnet"* l4proto tcp accept`},
		{"iptables reject", `iptables-nft -A FORWARD -j REJECT --reject-with icmp-host-prohibited`,
			`ip opaque-verdict "xt target \"REJECT\" rev 0 info 0x0600000000000000"`},
		{"ip6tables", `ip6tables-nft -A FORWARD -s fd00::/8 -j DROP`, `ip6 saddr fd00::/8 drop`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ns := netnstest.New(t)
			ns.Exec("nft", "add table inet t; add chain inet t c")
			command, args, _ := strings.Cut(tt.load, " ")
			if command == "nft" {
				ns.Exec("nft", args)
			} else {
				ns.Exec(command, strings.Fields(args)...)
			}
			var got []string
			p := read(t, dumpAll(t, ns))
			for _, c := range p.Chains {
				for i := range c.Rules {
					got = append(got, c.Rules[i].String()+elementsText(p))
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
