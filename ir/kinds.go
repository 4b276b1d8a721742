package ir

import (
	"net/netip"
	"time"
)

// SampleMatches returns at least one match of every kind and of every form that prints or lowers in
// its own way. Tests that walk it are exhaustive: a new kind breaks exactly the places that must
// learn it. A program that has them must list the sets; see [Program.AddSets].
func SampleMatches() []Match {
	p4, p6 := netip.MustParsePrefix, netip.MustParsePrefix
	a := netip.MustParseAddr
	bridges := &Set{Family: Both, Name: "bridges", Elements: [][]Match{{IIfName{Name: "virbr0"}},
		{IIfName{Name: "virbr1"}}}}
	return []Match{
		IIfName{Name: "virbr0"},
		IIfName{Name: "virbr0", Not: true},
		IIfName{Name: "vnet", Wildcard: true},
		IIfName{Name: "vnet", Wildcard: true, Not: true},
		OIfName{Name: "virbr0"},
		OIfName{Name: "virbr0", Not: true},
		OIfName{Name: "vnet", Wildcard: true},
		OIfName{Name: "vnet", Wildcard: true, Not: true},
		SAddr{Prefix: p4("192.168.122.0/24")},
		SAddr{Prefix: p4("192.168.122.0/24"), Not: true},
		SAddr{Prefix: p4("192.168.122.64/26")},
		SAddr{Prefix: p4("192.0.2.1/32")},
		SAddr{Prefix: p6("fd00:1:2:3::/64")},
		SAddr{Prefix: p6("fd00:1:2:8::/61"), Not: true},
		DAddr{Prefix: p4("10.0.0.0/8")},
		DAddr{Prefix: p4("10.64.0.0/10"), Not: true},
		DAddr{Prefix: p4("255.255.255.255/32")},
		DAddr{Prefix: p6("ff02::/16")},
		DAddr{Prefix: p6("2001:db8::1/128"), Not: true},
		SAddrRange{From: a("192.0.2.10"), To: a("192.0.2.20")},
		SAddrRange{From: a("192.0.2.10"), To: a("192.0.2.20"), Not: true},
		SAddrRange{From: a("fd00::10"), To: a("fd00::20")},
		DAddrRange{From: a("192.0.2.10"), To: a("192.0.2.20")},
		DAddrRange{From: a("fd00::10"), To: a("fd00::20"), Not: true},
		L4Proto{Proto: TCP},
		L4Proto{Proto: UDP},
		L4Proto{Proto: SCTP},
		L4Proto{Proto: ICMP},
		L4Proto{Proto: ICMPv6},
		L4Proto{Proto: 47},
		L4Proto{Proto: TCP, Not: true},
		SPort{From: 500, To: 500},
		SPort{From: 1024, To: 65535},
		SPort{From: 0, To: 1023, Not: true},
		DPort{From: 53, To: 53},
		DPort{From: 53, To: 53, Not: true},
		DPort{From: 6000, To: 6063},
		ICMPType{Type: 8},
		ICMPType{Type: 3, Code: 4, HasCode: true},
		ICMPType{Type: 128, Not: true},
		TCPFlags{Mask: FlagFIN | FlagSYN | FlagRST | FlagACK, Flags: FlagSYN},
		TCPFlags{Mask: FlagSYN | FlagRST, Flags: FlagSYN, Not: true},
		TCPFlags{Mask: FlagFIN, Flags: FlagFIN},
		TCPFlags{Mask: FlagACK | FlagURG},
		CTState{States: StateEstablished | StateRelated},
		CTState{States: StateNew},
		CTState{States: StateInvalid, Not: true},
		CTState{States: StateUntracked | StateNew | StateEstablished},
		CTStatus{Status: StatusDNAT},
		CTStatus{Status: StatusSNAT | StatusDNAT},
		CTStatus{Status: StatusDNAT, Not: true},
		Mark{Value: 1, Mask: 0xffffffff},
		Mark{Value: 0x10, Mask: 0xf0},
		Mark{Value: 0x10, Mask: 0xf0, Not: true},
		Lookup{Set: bridges},
		Lookup{Set: bridges, Not: true},
		Lookup{Set: &Set{Family: Both, Name: "subnets", Elements: [][]Match{
			{IIfName{Name: "virbr0"}, SAddr{Prefix: p4("192.168.122.0/24")}},
			{IIfName{Name: "virbr1"}, SAddr{Prefix: p4("10.20.0.0/24")}},
		}}},
		Lookup{Set: &Set{Family: Both, Name: "subnets6", Elements: [][]Match{
			{OIfName{Name: "virbr0"}, DAddr{Prefix: p6("fd00:1:2:3::/64")}},
			{OIfName{Name: "virbr1"}, DAddr{Prefix: p6("fd00:1:2:4::/64")}},
		}}, Not: true},
		Limit{Rate: 3, Per: time.Minute, Burst: 10},
		Limit{Rate: 10, Per: time.Second, Burst: 5},
		Limit{Rate: 1, Per: 24 * time.Hour, Burst: 5, Over: true},
		FieldIs(KeyCTMark, 0x10), Field{Key: KeyCTMark, Mask: 0xf0, From: 0x10, To: 0x10, Not: true},
		FieldIs(KeyDirection, 1), FieldIs(KeyOrigDPort, 8080),
		FieldIs(KeyTTL, 255), Field{Key: KeyTTL, Mask: 0xff, To: 1},
		Field{Key: KeyTTL, Mask: 0xff, From: 64, To: 64, Not: true},
		Field{Key: KeyLength, Mask: 0xffff, From: 100, To: 1500},
		Field{Key: KeyLength, Mask: 0xffff, From: 1501, To: 65535, Not: true},
		Field{Key: KeyTOS, Mask: 0xfc, From: 0xb8, To: 0xb8}, FieldIs(KeyTOS, 0x10),
		Field{Key: KeyFragment, Mask: 0x4000, From: 0x4000, To: 0x4000},
		FieldIs(KeyPktType, 1), Field{Key: KeyPktType, Mask: 7, Not: true},
		FieldIs(KeyUID, 1000), Field{Key: KeyGID, Mask: 0xffffffff, From: 100, To: 200, Not: true},
		FieldIs(KeyMAC, 0x525400000001), Field{Key: KeyMAC, Mask: 1<<48 - 1, From: 0x525400000001, To: 0x525400000001,
			Not: true},
		AddrType{Types: TypeLocal}, AddrType{Types: TypeBroadcast | TypeMulticast, Not: true},
		AddrType{Source: true, Types: TypeMulticast},
		Unknown{Sort: SortRate, Text: "-m quota --quota 100"},
		Unknown{Sort: SortMembers, Text: "-m set --match-set bad src", Not: true},
		Opaque{Text: `-m physdev --physdev-in "vnet0"`},
	}
}

// SampleVerdicts is [SampleMatches] for verdicts. The chain that Jump and Goto name is called
// "other".
func SampleVerdicts() []Verdict {
	a := netip.MustParseAddr
	one4 := AddrRange{From: a("203.0.113.4"), To: a("203.0.113.4")}
	many4 := AddrRange{From: a("203.0.113.4"), To: a("203.0.113.10")}
	block4 := AddrRange{From: a("198.51.100.40"), To: a("198.51.100.47")}
	many6 := AddrRange{From: a("2001:db8::4"), To: a("2001:db8::10")}
	ports := PortRange{From: 1024, To: 65535}
	all := []Verdict{
		Accept{}, Drop{}, Return{}, Jump{Chain: "other"}, Goto{Chain: "other"},
		Masquerade{}, Masquerade{Ports: ports}, Masquerade{Ports: PortRange{From: 2000, To: 2000}},
		SNAT{Addrs: one4}, SNAT{Addrs: many4}, SNAT{Addrs: block4}, SNAT{Addrs: many4, Ports: ports},
		SNAT{Addrs: one4, Ports: ports},
		SNAT{Addrs: many6}, SNAT{Addrs: many6, Ports: ports},
		DNAT{Addrs: one4}, DNAT{Addrs: one4, Ports: PortRange{From: 80, To: 80}}, DNAT{Addrs: many4, Ports: ports},
		DNAT{Addrs: many6}, DNAT{Addrs: many6, Ports: PortRange{From: 80, To: 80}},
		Redirect{}, Redirect{Ports: PortRange{From: 3128, To: 3128}}, Redirect{Ports: ports},
		Masquerade{Flags: FullyRandom}, SNAT{Addrs: many4, Flags: Random | Persistent},
		DNAT{Addrs: many4, Flags: Persistent}, Redirect{Ports: ports, Flags: Random},
		ChecksumFill{}, Counter{}, Handed{Text: "queue num 5"}, Opaque{Text: "-j LOG"},
	}
	for _, code := range RejectCodes {
		all = append(all, Reject{With: code})
	}
	return all
}

// SampleActions is [SampleMatches] for actions. [NoTrack] is in rules met at priority raw only.
func SampleActions() []Action {
	return []Action{
		Log{}, Log{Prefix: "refused: "}, Log{Level: "info", Flags: 7},
		Log{Grouped: true, Prefix: "g", Group: 2, Snap: 64},
		SetMark{Value: 0x4000}, SetMark{Value: 1, Mask: 0xff, CT: true},
		CopyMark{Clear: 0xffffffff, Take: 0xffffffff}, CopyMark{Clear: 0xff00, Take: 0xff, Save: true},
		ClampMSS{}, ClampMSS{Size: 1452}, Effect{Text: "-j TTL --ttl-set 64", Touches: FieldHeader},
		SetMark{Value: 1, Mask: 0xffffffff}, SetMark{Value: 0x10, Mask: 0xf0}, SetMark{Mask: 0xf0},
		NoTrack{},
		OpaqueAction{Text: "-j TCPMSS --clamp-mss-to-pmtu"}, OpaqueAction{Text: "ip daddr set 198.51.100.9",
			Touches: FieldDAddr},
	}
}
