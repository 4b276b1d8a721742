package iptables

import (
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// The values that options of extensions take: each function reports whether iptables takes text as
// one of a kind.

func isFraction(_ *ruleReader, text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && 0 <= f && f <= 1
}

func isProtocol(_ *ruleReader, text string) bool {
	_, ok := parseProtocol(text)
	return ok
}

// isPort takes a port as getaddrinfo(3) does: a decimal number, or the name of a service of any
// protocol.
func isPort(_ *ruleReader, text string) bool {
	if isDigits(text) {
		return true
	}
	return serviceOf(text, "") > 0
}

func isPorts(s *ruleReader, text string) bool {
	a, b, _ := strings.Cut(text, ":")
	return (a == "" || isPort(s, a)) && (b == "" || isPort(s, b))
}

// isPortList takes up to 15 ports, a range counting as two.
func isPortList(s *ruleReader, text string) bool {
	if !s.portsAllowed("tcp", "udp", "udplite", "sctp", "dccp") || s.protocolNot {
		return false
	}
	n := 0
	for word := range strings.SplitSeq(text, ",") {
		a, b, two := strings.Cut(word, ":")
		x, ok := s.parsePort(a)
		y, ok2 := x, true
		if n++; two {
			n++
			y, ok2 = s.parsePort(b)
		}
		if !ok || !ok2 || x > y && two || two && x >= y {
			return false
		}
	}
	return n <= 15
}

func isAddr(s *ruleReader, text string) bool {
	_, ok := parseHost(text, s.family)
	return ok
}

// isAddrs takes addresses of IPv6.
func isAddrs(_ *ruleReader, text string) bool {
	n := 0
	for word := range strings.SplitSeq(text, ",") {
		a, err := netip.ParseAddr(word)
		if n++; err != nil || !a.Is6() || a.Zone() != "" || n > 16 {
			return false
		}
	}
	return true
}

// isNet takes an address and a mask or prefix length; names of hosts are of the host.
func isNet(s *ruleReader, text string) bool {
	if strings.Contains(text, ",") {
		return false
	}
	_, err := parseNet(text, s.family)
	return err == nil
}

// isPrefix takes what a prefix of IPv6 is translated to or from.
func isPrefix(s *ruleReader, text string) bool {
	p, err := netip.ParsePrefix(text)
	return err == nil && p.Addr().Is6() && p.Bits() <= 64 && p == p.Masked()
}

// isPrefixOrMask takes a number, which may be beyond all prefixes, or a mask.
func isPrefixOrMask(s *ruleReader, text string) bool {
	if _, ok := parseUint(text, math.MaxUint8); ok {
		return true
	}
	_, ok := parseMask(text, s.family)
	return ok
}

// isPrefixLength takes a prefix length.
func isPrefixLength(s *ruleReader, text string) bool {
	top := uint64(32)
	if s.family == ir.IPv6 {
		top = 128
	}
	if _, ok := parseUint(text, top); ok {
		return true
	}
	_, ok := parseMask(text, s.family)
	return ok
}

// isGroup takes a number, and a mask behind a slash; or a name, which stands in a file of the host.
func isGroup(_ *ruleReader, text string) bool {
	if _, ok := parseMark(text); ok {
		return true
	}
	return isHostName(text) && !isDigits(text[:1])
}

// isLabel takes the number of a label, or a name, which stands in a file of the host.
func isLabel(_ *ruleReader, text string) bool {
	n, ok := parseUint(text, math.MaxUint64)
	return text != "" && (!ok || n < 128)
}

// isID takes a user or group, by number or range of numbers; or by name, which the host knows.
func isID(_ *ruleReader, text string) bool {
	n, rest, ok := strtoul(text)
	if !ok {
		return text != "" && text[0] != '-' && isHostName(text)
	}
	m := n
	if strings.HasPrefix(rest, "-") {
		m, ok = parseUint(rest[1:], math.MaxUint32-1)
		rest = ""
	}
	return ok && rest == "" && n <= m && m < math.MaxUint32
}

func isMark(_ *ruleReader, text string) bool {
	_, ok := parseMark(text)
	return ok
}

func isState(_ *ruleReader, text string) bool {
	_, status, ok := parseStates(text)
	return ok && status == 0
}

func isCTState(_ *ruleReader, text string) bool {
	_, _, ok := parseStates(text)
	return ok
}

func isRange(s *ruleReader, text string) bool {
	_, ok := parseRange(text, s.family)
	return ok
}

func isReject(s *ruleReader, text string) bool { return rejectCode(text, s.family) != "" }

func isNATPorts(s *ruleReader, text string) bool {
	_, ok := s.parseNATPorts(text, false)
	return ok
}

func isNATRange(s *ruleReader, text string) bool {
	_, ok := s.parseTo(text)
	return ok
}

// isGateway takes an address to which packets can be sent.
func isGateway(s *ruleReader, text string) bool {
	a, ok := parseHost(text, s.family)
	return ok && !a.IsUnspecified()
}

// isZone takes the number of a zone, or the word that lets the mark choose it.
func isZone(_ *ruleReader, text string) bool {
	_, ok := parseUint(text, math.MaxUint16)
	return ok || strings.EqualFold(text, "mark")
}

var tosNames = oneOf("iword", []string{
	"Minimize-Delay", "Maximize-Throughput", "Maximize-Reliability", "Minimize-Cost", "Normal-Service",
})

func isTOS(_ *ruleReader, text string) bool {
	if tosNames(nil, text) {
		return true
	}
	value, mask, masked := strings.Cut(text, "/")
	_, ok := parseUint(value, math.MaxUint8)
	ok2 := true
	if masked {
		_, ok2 = parseUint(mask, math.MaxUint8)
	}
	return ok && ok2
}

func isLevel(_ *ruleReader, text string) bool {
	if n, ok := parseUint(text, 7); ok {
		return n <= 7
	}
	return slices.Contains(strings.Fields("alert crit debug emerg error info notice panic warning"), text)
}

// isTCPFlags takes flags with commas, doubled commas too.
func isTCPFlags(_ *ruleReader, text string) bool {
	for word := range strings.SplitSeq(text, ",") {
		if word != "" && !slices.Contains(strings.Fields("FIN SYN RST PSH ACK URG ALL NONE"), strings.ToUpper(word)) {
			return false
		}
	}
	return true
}

func isTCPOptions(_ *ruleReader, text string) bool {
	for word := range strings.SplitSeq(text, ",") {
		if n, ok := parseUint(word, 255); ok && n >= 2 {
			continue
		}
		if !slices.Contains([]string{"wscale", "mss", "sack-permitted", "sack", "timestamp", "md5"}, word) {
			return false
		}
	}
	return true
}

// isHeaderOptions takes up to 16 TYPE[:LEN].
func isHeaderOptions(_ *ruleReader, text string) bool {
	n := 0
	for word := range strings.SplitSeq(text, ",") {
		typ, length, measured := strings.Cut(word, ":")
		_, ok := parseUint(strings.TrimPrefix(typ, "-"), math.MaxUint64)
		ok2 := true
		if measured {
			_, ok2 = parseUint(strings.TrimPrefix(length, "-"), math.MaxUint64)
		}
		if n++; !ok || !ok2 || n > 16 {
			return false
		}
	}
	return true
}

func isMHType(_ *ruleReader, text string) bool {
	names := strings.Fields("binding-refresh-request home-test-init careof-test-init home-test careof-test " +
		"binding-update binding-acknowledgement binding-error")
	short := []string{"brr", "hoti", "coti", "hot", "cot", "bu", "ba", "be"}
	parse := func(text string, missing uint64) (uint64, bool) {
		if text == "" {
			return missing, true
		}
		if n, ok := parseUint(text, math.MaxUint8); ok {
			return n, true
		}
		lower := strings.ToLower(text)
		if i := slices.Index(short, lower); i >= 0 {
			return uint64(i), true
		}
		i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, lower) })
		return uint64(i), i >= 0
	}
	a, b, two := strings.Cut(text, ":")
	if !two {
		_, ok := parse(text, 0)
		return ok && text != ""
	}
	x, ok := parse(a, 0)
	y, ok2 := parse(b, math.MaxUint8)
	return ok && ok2 && x <= y
}

// isChunks takes chunk types of SCTP, DATA and ABORT and SHUTDOWN_COMPLETE with flags.
func isChunks(_ *ruleReader, text string) bool {
	types := strings.Fields("DATA INIT INIT_ACK SACK HEARTBEAT HEARTBEAT_ACK ABORT SHUTDOWN SHUTDOWN_ACK ERROR " +
		"COOKIE_ECHO COOKIE_ACK ECN_ECNE ECN_CWR SHUTDOWN_COMPLETE I_DATA RE_CONFIG PAD ASCONF ASCONF_ACK FORWARD_TSN " +
		"I_FORWARD_TSN")
	flags := map[string]string{"DATA": "BEUI", "I_DATA": "BEUI", "ABORT": "T", "SHUTDOWN_COMPLETE": "T"}
	if upper := strings.ToUpper(text); upper == "ALL" || upper == "NONE" {
		return true
	}
	for word := range strings.SplitSeq(strings.ToUpper(text), ",") {
		name, set, _ := strings.Cut(word, ":")
		if !slices.Contains(types, name) || strings.Trim(set, flags[name]) != "" {
			return false
		}
	}
	return true
}

// parseRate reads N or N/UNIT as limit and hashlimit do: N as atoi(3) does, UNIT by its beginning.
func parseRate(text string) (n uint64, perSecond float64, ok bool) {
	text = strings.TrimLeft(text, space)
	count, unit, per := strings.Cut(text, "/")
	digits := count[:len(count)-len(strings.TrimLeft(strings.TrimPrefix(count, "+"), "0123456789"))]
	n, err := strconv.ParseUint(strings.TrimPrefix(digits, "+"), 10, 32)
	if err != nil || n == 0 {
		return 0, 0, false
	}
	if !per {
		return n, float64(n), true
	}
	for i, name := range [...]string{"second", "minute", "hour", "day"} {
		if unit != "" && len(unit) <= len(name) && strings.EqualFold(unit, name[:len(unit)]) {
			return n, float64(n) / [...]float64{1, 60, 3600, 86400}[i], true
		}
	}
	return 0, 0, false
}

func isRate(_ *ruleReader, text string) bool {
	_, rate, ok := parseRate(text)
	return ok && rate <= 10000
}

var byteRate = regexp.MustCompile(`^[0-9]+[kKmMgG]?[bB](/s)?$`)

func isHashRate(_ *ruleReader, text string) bool {
	if byteRate.MatchString(text) {
		return true
	}
	_, rate, ok := parseRate(text)
	return ok && rate <= 1e6
}

func isHashBurst(_ *ruleReader, text string) bool {
	if byteRate.MatchString(text) {
		return true
	}
	n, ok := parseUint(text, 1e6)
	return ok && n > 0
}

func isHashMode(s *ruleReader, text string) bool { return text == "" || hashModes(s, text) }

var hashModes = oneOf("list", []string{"dstip", "srcip", "dstport", "srcport"})

// isBytecode takes a program of BPF: how many instructions, and each of them, four numbers.
func isBytecode(_ *ruleReader, text string) bool {
	parts := strings.Split(strings.TrimSuffix(text, ","), ",")
	n, ok := parseUint(parts[0], 64)
	if !ok || n == 0 || int(n) != len(parts)-1 {
		return false
	}
	for _, p := range parts[1:] {
		fields := strings.Fields(p)
		if len(fields) != 4 {
			return false
		}
		for _, f := range fields {
			if _, ok := parseUint(f, math.MaxUint32); !ok {
				return false
			}
		}
	}
	return true
}

var (
	u32Range = `\s*N\s*(:\s*N\s*)?`
	u32Test  = regexp.MustCompile(strings.ReplaceAll(
		`^\s*N\s*((&|<<|>>|@)\s*N\s*)*=`+u32Range+`(,`+u32Range+`)*$`, "N", "[0-9a-fA-FxX]+"))
	u32Number = regexp.MustCompile(`[0-9a-fA-FxX]+`)
)

// isU32 takes tests of the match u32, up to ten with up to ten steps and values each.
func isU32(_ *ruleReader, text string) bool {
	tests := strings.Split(text, "&&")
	for _, t := range tests {
		if !u32Test.MatchString(t) {
			return false
		}
		for _, n := range u32Number.FindAllString(t, -1) {
			if _, ok := parseUint(n, math.MaxUint32); !ok {
				return false
			}
		}
	}
	return len(tests) <= 10
}

var date = regexp.MustCompile(`^([0-9]{1,4})(-([0-9]{1,2})(-([0-9]{1,2})` +
	`(T([0-9]{1,2})(:([0-9]{1,2})(:([0-9]{1,2}))?)?)?)?)?$`)

func isDate(_ *ruleReader, text string) bool {
	m := date.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	for i, limit := range map[int][2]int{1: {1970, 2038}, 3: {1, 12}, 5: {1, 31}, 7: {0, 23}, 9: {0, 59}, 11: {0, 59}} {
		if m[i] == "" {
			continue
		}
		if n, _ := strconv.Atoi(m[i]); n < limit[0] || n > limit[1] {
			return false
		}
	}
	return true
}

// isWeekdays takes days by number or by the two first letters, with or without commas.
func isWeekdays(_ *ruleReader, text string) bool {
	for word := range strings.SplitSeq(text, ",") {
		if word == "" {
			continue
		}
		if n, rest, ok := strtoul(word); ok {
			if n == 0 || rest != "" {
				return false
			}
			continue
		}
		if len(word) < 2 || !slices.Contains([]string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}, word[:2]) {
			return false
		}
	}
	return true
}

func isQueues(_ *ruleReader, text string) bool {
	a, b, two := strings.Cut(text, ":")
	x, ok := uint64(0), true
	if a != "" {
		x, ok = parseUint(a, math.MaxUint16)
	}
	y, ok2 := parseUint(b, math.MaxUint16)
	return two && ok && ok2 && x < y && y-x < math.MaxUint16
}

var tupleWords = oneOf("list", []string{"src", "dst", "sport", "dport", "spi", "proto", "ct"})

// isTuple takes a list of fields; the ports and the SPI share their place.
func isTuple(s *ruleReader, text string) bool {
	words := strings.Split(text, ",")
	ports := slices.Contains(words, "sport") || slices.Contains(words, "dport")
	return tupleWords(s, text) && !(ports && slices.Contains(words, "spi"))
}
