package ir

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// String returns r as one line of the text form, without its origin.
func (r *Rule) String() string {
	words := []string{r.Family.String()}
	for _, m := range r.Matches {
		words = append(words, MatchText(m))
	}
	for _, a := range r.Actions {
		words = append(words, ActionText(a))
	}
	words = append(words, VerdictText(r.Verdict))
	if r.Comment != "" {
		words = append(words, "comment "+strconv.Quote(r.Comment))
	}
	return strings.Join(words, " ")
}

// MatchText returns m in the words of the text form, which are nft(8)'s where nft has them.
func MatchText(m Match) string {
	switch m := m.(type) {
	case IIfName:
		return "iifname " + nameWords(m.Name, m.Wildcard, m.Not)
	case OIfName:
		return "oifname " + nameWords(m.Name, m.Wildcard, m.Not)
	case SAddr:
		return "saddr " + not(m.Not) + m.Prefix.String()
	case DAddr:
		return "daddr " + not(m.Not) + m.Prefix.String()
	case SAddrRange:
		return "saddr " + not(m.Not) + fromTo(m.From, m.To)
	case DAddrRange:
		return "daddr " + not(m.Not) + fromTo(m.From, m.To)
	case L4Proto:
		return "l4proto " + not(m.Not) + ProtoName(m.Proto)
	case SPort:
		return "sport " + not(m.Not) + portWords(m.From, m.To)
	case DPort:
		return "dport " + not(m.Not) + portWords(m.From, m.To)
	case ICMPType:
		return "icmp type " + not(m.Not) + icmpWords(m)
	case TCPFlags:
		return "tcp flags " + not(m.Not) + m.Flags.String() + "/" + m.Mask.String()
	case CTState:
		return "ct state " + not(m.Not) + stateWords(m.States)
	case CTStatus:
		return "ct status " + not(m.Not) + statusWords(m.Status)
	case Mark:
		return "mark " + not(m.Not) + markWords(m.Value, m.Mask)
	case Lookup:
		return "lookup " + not(m.Not) + word(m.Set.Name)
	case Limit:
		return "limit " + not(m.Over) + limitWords(m)
	case Field:
		return m.Key.String() + " " + not(m.Not) + fieldWords(m)
	case AddrType:
		return "type of " + addrTypeWords(m)
	case Unknown:
		return "unknown " + string(m.Sort) + " " + not(m.Not) + strconv.Quote(m.Text)
	case Opaque:
		return "opaque-match " + strconv.Quote(m.Text)
	}
	panic(fmt.Sprintf("ir: unknown match %T", m))
}

// VerdictText returns v in the words of the text form.
func VerdictText(v Verdict) string {
	switch v := v.(type) {
	case Accept:
		return "accept"
	case Drop:
		return "drop"
	case Reject:
		return "reject with " + word(string(v.With))
	case Return:
		return "return"
	case Jump:
		return "jump " + word(v.Chain)
	case Goto:
		return "goto " + word(v.Chain)
	case Masquerade:
		return NAT{Kind: KindMasquerade, Ports: v.Ports, Flags: v.Flags}.String()
	case SNAT:
		return NAT{Kind: KindSNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags}.String()
	case DNAT:
		return NAT{Kind: KindDNAT, Addrs: v.Addrs, Ports: v.Ports, Flags: v.Flags}.String()
	case Redirect:
		return NAT{Kind: KindRedirect, Ports: v.Ports, Flags: v.Flags}.String()
	case ChecksumFill:
		return "checksum fill"
	case Counter:
		return "counter"
	case Handed:
		return "handed " + strconv.Quote(v.Text)
	case Opaque:
		return "opaque-verdict " + strconv.Quote(v.Text)
	}
	panic(fmt.Sprintf("ir: unknown verdict %T", v))
}

// String returns n in the words of the text form: snat to 203.0.113.4-203.0.113.10 port 1024-65535.
func (n NAT) String() string {
	s := string(n.Kind)
	if !n.Addrs.IsZero() {
		s += " to " + n.Addrs.String()
	}
	if !n.Ports.IsZero() {
		s += " port " + n.Ports.String()
	}
	if n.Flags != 0 {
		s += " flags " + n.Flags.String()
	}
	return s
}

// String returns From-To, or the one address if both are the same.
func (r AddrRange) String() string {
	if r.From == r.To {
		return r.From.String()
	}
	return fromTo(r.From, r.To)
}

// String returns From-To, or the one port if both are the same.
func (r PortRange) String() string { return portWords(r.From, r.To) }

// word returns s as it is where that is a plain word, else quoted.
func word(s string) string {
	if isWord(s) {
		return s
	}
	return strconv.Quote(s)
}

// isWord is true if s can stand in the text form without quotes: ASCII letters, digits and _./:@-
// only.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_./:@-", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

func not(not bool) string {
	if not {
		return "!= "
	}
	return ""
}

func nameWords(name string, wildcard, negated bool) string {
	words := not(negated) + strconv.Quote(name)
	if wildcard {
		words += "*"
	}
	return words
}

func fromTo(from, to netip.Addr) string { return from.String() + "-" + to.String() }

func portWords(from, to uint16) string {
	if from == to {
		return strconv.Itoa(int(from))
	}
	return fmt.Sprintf("%d-%d", from, to)
}

func icmpWords(m ICMPType) string {
	if !m.HasCode {
		return strconv.Itoa(int(m.Type))
	}
	return fmt.Sprintf("%d code %d", m.Type, m.Code)
}

type limitUnit struct {
	per  time.Duration
	word string
}

// limitUnits are the units of a limit, by nft(8)'s words.
var limitUnits = [...]limitUnit{
	{time.Second, "second"}, {time.Minute, "minute"}, {time.Hour, "hour"},
	{24 * time.Hour, "day"}, {7 * 24 * time.Hour, "week"},
}

// limitWords returns RATE/UNIT burst PACKETS.
func limitWords(m Limit) string {
	unit := m.Per.String()
	for _, u := range limitUnits {
		if u.per == m.Per {
			unit = u.word
		}
	}
	return fmt.Sprintf("%d/%s burst %d", m.Rate, unit, m.Burst)
}

func markWords(value, mask uint32) string {
	if mask == ^uint32(0) {
		return fmt.Sprintf("%#x", value)
	}
	return fmt.Sprintf("%#x/%#x", value, mask)
}
