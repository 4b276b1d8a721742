package iptables

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// models have for matches that the options don't read one by one what becomes of them: ok is false
// if they stay of an unknown sort, or are not modelled.
var models = map[string]func(s *ruleReader, in *instance) (m []ir.Match, ok bool){
	"addrtype":  modelAddrType,
	"connmark":  modelConnMark,
	"conntrack": modelConntrack,
	"ttl":       modelTTL,
	"hl":        modelTTL,
	"length":    modelLength,
	"dscp":      modelDSCP,
	"tos":       modelTOS,
	"ecn":       modelECN,
	"pkttype":   modelPktType,
	"mac":       modelMAC,
	"owner":     modelOwner,
	"recent":    modelRecent,
}

// sorts are the sorts of matches of which no packet's fields tell whether they hold.
var sorts = map[string]ir.Sort{
	"connlimit": ir.SortRate, "hashlimit": ir.SortRate, "limit": ir.SortRate, "nfacct": ir.SortRate,
	"quota": ir.SortRate, "rateest": ir.SortRate, "recent": ir.SortRate, "statistic": ir.SortRate,
	"set":    ir.SortMembers,
	"cgroup": ir.SortOwner, "owner": ir.SortOwner, "socket": ir.SortOwner,
	"ah": ir.SortPayload, "bpf": ir.SortPayload, "dccp": ir.SortPayload, "dst": ir.SortPayload, "esp": ir.SortPayload,
	"eui64": ir.SortPayload, "frag": ir.SortPayload, "hbh": ir.SortPayload, "ipcomp": ir.SortPayload,
	"ipv6header": ir.SortPayload, "mh": ir.SortPayload, "osf": ir.SortPayload, "rt": ir.SortPayload,
	"sctp": ir.SortPayload, "srh": ir.SortPayload, "string": ir.SortPayload, "tcp": ir.SortPayload,
	"tcpmss": ir.SortPayload, "u32": ir.SortPayload,
	"addrtype": ir.SortRouting, "realm": ir.SortRouting, "rpfilter": ir.SortRouting,
	"policy":    ir.SortIPsec,
	"connbytes": ir.SortConnection, "connlabel": ir.SortConnection, "conntrack": ir.SortConnection,
	"helper": ir.SortConnection, "ipvs": ir.SortConnection, "cluster": ir.SortConnection,
	"physdev": ir.SortPort, "devgroup": ir.SortPort,
	"time": ir.SortClock,
	"cpu":  ir.SortElsewhere,
}

// model gives in, a match of which options were kept as text, its match.
func (s *ruleReader) model(in *instance) {
	if in.ext.model != nil {
		if all, ok := in.ext.model(s, in); ok {
			s.matches[in.opaque] = nil
			if len(all) > 0 {
				s.matches[in.opaque] = all[0]
				s.matches = append(s.matches, all[1:]...)
			}
			return
		}
	}
	text := s.matches[in.opaque].(ir.Opaque).Text
	sort := sorts[in.ext.name]
	switch {
	case in.ext.loose:
		sort = ir.SortElsewhere
	case sort == "":
		return
	}
	u := ir.Unknown{Sort: sort, Text: text}
	if name := "-m " + in.ext.name + " "; in.nots != 0 && in.nots == in.seen && in.seen&(in.seen-1) == 0 {
		u.Text, u.Not = name+strings.TrimPrefix(text, name+"! "), true
	}
	if in.ext.name == "set" && in.seen&(in.seen-1) != 0 {
		u.Sort = ir.SortRate // counters of its elements
	}
	s.matches[in.opaque] = u
}

// compact takes out what became no match.
func (s *ruleReader) compact() {
	left := s.matches[:0]
	for i, m := range s.matches {
		switch {
		case len(s.sources) > 1 && i == s.source:
			s.source = len(left)
		case len(s.dests) > 1 && i == s.dest:
			s.dest = len(left)
		case m == nil:
			continue
		}
		left = append(left, m)
	}
	s.matches = left
}

// one returns a match on one key.
func one(f ir.Field, not bool) ([]ir.Match, bool) {
	f.Not = not
	fits := f.From <= f.To && f.To <= f.Key.All() && f.Mask != 0 && f.Mask&^f.Key.All() == 0 &&
		(f.From != f.To || f.From&^f.Mask == 0)
	return []ir.Match{f}, fits
}

func modelAddrType(s *ruleReader, in *instance) (all []ir.Match, ok bool) {
	if in.has("limit-iface-in") || in.has("limit-iface-out") {
		return nil, false
	}
	for _, source := range []bool{true, false} {
		option := map[bool]string{true: "src-type", false: "dst-type"}[source]
		if !in.has(option) {
			continue
		}
		m := ir.AddrType{Source: source, Not: in.negated(option)}
		for word := range strings.SplitSeq(s.value(in, option), ",") {
			i := slices.IndexFunc(strings.Fields(addressTypes), func(name string) bool {
				return len(word) <= len(name) && strings.EqualFold(name[:len(word)], word)
			})
			if i < 0 || 1<<i > ir.TypeProhibit {
				return nil, false
			}
			m.Types |= 1 << i
		}
		all = append(all, m)
	}
	return all, true
}

func modelConnMark(s *ruleReader, in *instance) ([]ir.Match, bool) {
	m, _ := parseMark(s.value(in, "mark"))
	return one(ir.Field{Key: ir.KeyCTMark, Mask: uint64(m.Mask), From: uint64(m.Value), To: uint64(m.Value)},
		in.negated("mark"))
}

// modelConntrack has the direction, or the port that the connection went to at first, if nothing
// else is asked that is kept as text.
func modelConntrack(s *ruleReader, in *instance) ([]ir.Match, bool) {
	if in.seen == in.ext.bits("ctorigdstport") {
		from, to, ok := portsOf(s.value(in, "ctorigdstport"))
		f := ir.Field{Key: ir.KeyOrigDPort, Mask: ir.KeyOrigDPort.All(), From: from, To: to}
		all, _ := one(f, in.negated("ctorigdstport"))
		return all, ok && ir.HasPorts(s.number) && !s.protocolNot
	}
	if in.seen&^in.ext.bits("ctstate", "ctdir") != 0 || in.has("ctstate") && s.states != 1 {
		return nil, false
	}
	value := uint64(0)
	if strings.EqualFold(s.value(in, "ctdir"), "reply") {
		value = 1
	}
	return one(ir.FieldIs(ir.KeyDirection, value), false)
}

// portsOf reads a port, or two with a colon between them.
func portsOf(text string) (from, to uint64, ok bool) {
	a, b, two := strings.Cut(text, ":")
	from, err := strconv.ParseUint(a, 10, 16)
	if !two {
		return from, from, err == nil
	}
	to, errTo := strconv.ParseUint(b, 10, 16)
	return from, to, err == nil && errTo == nil && from <= to
}

func modelTTL(s *ruleReader, in *instance) ([]ir.Match, bool) {
	name := in.ext.name
	number := func(option string) uint64 {
		n, _ := parseUint(s.value(in, option), math.MaxUint8)
		return n
	}
	f := ir.Field{Key: ir.KeyTTL, Mask: math.MaxUint8, To: math.MaxUint8}
	switch {
	case in.has(name + "-eq"):
		f.From = number(name + "-eq")
		f.To = f.From
		return one(f, in.negated(name+"-eq"))
	case in.has(name + "-lt"):
		if number(name+"-lt") == 0 {
			return nil, false
		}
		f.To = number(name+"-lt") - 1
	default:
		f.From = number(name+"-gt") + 1
	}
	return one(f, false)
}

func modelLength(s *ruleReader, in *instance) ([]ir.Match, bool) {
	a, b, two := strings.Cut(s.value(in, "length"), ":")
	from, to := uint64(0), uint64(math.MaxUint16)
	if a != "" {
		from, _ = parseUint(a, math.MaxUint16)
	}
	switch {
	case !two:
		to = from
	case b != "":
		to, _ = parseUint(b, math.MaxUint16)
	}
	return one(ir.Field{Key: ir.KeyLength, Mask: math.MaxUint16, From: from, To: to}, in.negated("length"))
}

// dscpOf returns the number of a class of DiffServ (RFC 4594).
func dscpOf(class string) uint64 {
	class = strings.ToUpper(class)
	switch {
	case class == "EF":
		return 46
	case class == "BE":
		return 0
	case strings.HasPrefix(class, "CS"):
		return uint64(class[2]-'0') << 3
	}
	return uint64(class[2]-'0')<<3 | uint64(class[3]-'0')<<1 // AFxy
}

func modelDSCP(s *ruleReader, in *instance) ([]ir.Match, bool) {
	n, not := dscpValue(s.value(in, "dscp"), s.value(in, "dscp-class")), in.negated("dscp") || in.negated("dscp-class")
	return one(ir.Field{Key: ir.KeyTOS, Mask: 0xfc, From: n << 2, To: n << 2}, not)
}

func dscpValue(number, class string) uint64 {
	if number == "" {
		return dscpOf(class)
	}
	n, _ := parseUint(number, 63)
	return n
}

// tosNumbers are the names of --tos, under a mask (libxt tos_values.c).
var tosNumbers = map[string]uint64{"minimize-delay": 0x10, "maximize-throughput": 8, "maximize-reliability": 4,
	"minimize-cost": 2, "normal-service": 0}

func modelTOS(s *ruleReader, in *instance) ([]ir.Match, bool) {
	value, mask, masked := strings.Cut(s.value(in, "tos"), "/")
	v, ok := parseUint(value, math.MaxUint8)
	m := uint64(math.MaxUint8)
	if masked {
		m, _ = parseUint(mask, math.MaxUint8)
	}
	if name, is := tosNumbers[strings.ToLower(value)]; is {
		v, ok, m = name, true, 0x3f
	}
	if !ok {
		return nil, false // a name that is not known
	}
	return one(ir.Field{Key: ir.KeyTOS, Mask: m, From: v, To: v}, in.negated("tos"))
}

// modelECN reads bits of TOS and of TCP's flags.
func modelECN(s *ruleReader, in *instance) (all []ir.Match, ok bool) {
	if in.has("ecn-ip-ect") {
		n, _ := parseUint(s.value(in, "ecn-ip-ect"), 3)
		all, _ = one(ir.Field{Key: ir.KeyTOS, Mask: 3, From: n, To: n}, in.negated("ecn-ip-ect"))
	}
	for option, flag := range map[string]ir.Flags{"ecn-tcp-cwr": ir.FlagCWR, "ecn-tcp-ece": ir.FlagECE} {
		if in.has(option) {
			if s.number != ir.TCP || s.protocolNot {
				return nil, false
			}
			all = append(all, ir.TCPFlags{Mask: flag, Flags: flag, Not: in.negated(option)})
		}
	}
	slices.SortFunc(all, func(a, b ir.Match) int { return strings.Compare(ir.MatchText(a), ir.MatchText(b)) })
	return all, true
}

func modelPktType(s *ruleReader, in *instance) ([]ir.Match, bool) {
	value, ok := map[string]uint64{"unicast": 0, "host": 0, "broadcast": 1, "bcast": 1, "multicast": 2, "mcast": 2,
		"otherhost": 3}[strings.ToLower(s.value(in, "pkt-type"))]
	m, fits := one(ir.FieldIs(ir.KeyPktType, value), in.negated("pkt-type"))
	return m, ok && fits
}

func modelMAC(s *ruleReader, in *instance) ([]ir.Match, bool) {
	var value uint64
	for part := range strings.SplitSeq(s.value(in, "mac-source"), ":") {
		n, _ := strconv.ParseUint(part, 16, 8)
		value = value<<8 | n
	}
	return one(ir.FieldIs(ir.KeyMAC, value), in.negated("mac-source"))
}

// modelOwner reads numbers of a user or a group. Negated, the match holds for packets without a
// sender too, and names are the host's.
func modelOwner(s *ruleReader, in *instance) (all []ir.Match, ok bool) {
	if in.nots != 0 || in.seen&^in.ext.bits("uid-owner", "gid-owner") != 0 {
		return nil, false
	}
	for option, key := range map[string]ir.Key{"uid-owner": ir.KeyUID, "gid-owner": ir.KeyGID} {
		if !in.has(option) {
			continue
		}
		from, to := s.value(in, option), ""
		if a, b, two := strings.Cut(from, "-"); two {
			from, to = a, b
		} else {
			to = from
		}
		low, ok := parseUint(from, math.MaxUint32)
		high, ok2 := parseUint(to, math.MaxUint32)
		m, fits := one(ir.Field{Key: key, Mask: math.MaxUint32, From: low, To: high}, false)
		if !ok || !ok2 || !fits {
			return nil, false
		}
		all = append(all, m...)
	}
	slices.SortFunc(all, func(a, b ir.Match) int { return strings.Compare(ir.MatchText(a), ir.MatchText(b)) })
	return all, true
}

// modelRecent reads --set: it notes the packet's address, and holds for every packet.
func modelRecent(s *ruleReader, in *instance) ([]ir.Match, bool) {
	if !in.has("set") || in.nots != 0 {
		return nil, false
	}
	s.effects = append(s.effects, ir.Effect{Text: s.matches[in.opaque].(ir.Opaque).Text})
	return nil, true
}
