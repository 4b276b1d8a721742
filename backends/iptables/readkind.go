package iptables

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// kinds are the kinds of values that have a name; a colon behind a number's stands for a range.
var kinds = sync.OnceValue(func() map[string]kind {
	return map[string]kind{
		"u8":   {name: "number up to 255", check: number(0, math.MaxUint8)},
		"u16":  {name: "number up to 65535", check: number(0, math.MaxUint16)},
		"u32":  {name: "number of 32 bits", check: number(0, math.MaxUint32)},
		"u64":  {name: "number of 64 bits", check: number(0, math.MaxUint64)},
		"u16:": {name: "range of numbers up to 65535", check: numbers(math.MaxUint16, false)},
		"u32:": {name: "range of numbers of 32 bits", check: numbers(math.MaxUint32, false)},

		"u16rising":   {name: "range of numbers up to 65535", check: numbers(math.MaxUint16, true)},
		"u64rising":   {name: "range of numbers", check: numbers(math.MaxUint64, true)},
		"any":         {name: "word", check: pattern(`.*`)},
		"string128":   {name: "string of up to 128 bytes", check: upTo(128)},
		"str":         {name: "word", check: pattern(`.+`)},
		"fraction":    {name: "fraction", check: isFraction},
		"proto":       {name: "protocol", check: isProtocol},
		"port":        {name: "port", check: isPort},
		"port:":       {name: "port or range of ports", check: isPorts},
		"sports":      {name: portList, check: isPortList, read: (*ruleReader).sourcePorts},
		"dports":      {name: portList, check: isPortList, read: (*ruleReader).destinationPorts},
		"ports":       {name: portList, check: isPortList, read: (*ruleReader).eitherPorts},
		"addr":        {name: "address", check: isAddr},
		"addrs":       {name: "list of addresses", check: isAddrs},
		"net":         {name: "address with its mask", check: isNet},
		"plen":        {name: "prefix length or mask", check: isPrefixLength},
		"prefix":      {name: "prefix of up to 64 bits", check: isPrefix},
		"plenmask":    {name: "prefix length or mask", check: isPrefixOrMask},
		"filename":    {name: "name without a slash", check: pattern(`[^/]+`)},
		"gateway":     {name: "address", check: isGateway},
		"iface":       {name: "name of an interface", check: upTo(maxInterfaceName)},
		"mac":         {name: "Ethernet address", check: pattern(`[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}`)},
		"mask32":      {name: "value with its mask", check: isMark},
		"group":       {name: "number or name of a group", check: isGroup},
		"label":       {name: "label", check: isLabel},
		"id":          {name: "user or group", check: isID},
		"types":       {name: "list of address types", check: oneOf("starts", strings.Fields(addressTypes))},
		"dscpclass":   {name: "DiffServ class", check: pattern(`(?i)EF|BE|CS[0-7]|AF[1-4][1-3]`)},
		"tos":         {name: "type of service", check: isTOS},
		"level":       {name: "level", check: isLevel},
		"tcpflags":    {name: "list of TCP flags", check: (*ruleReader).isTCPMask},
		"tcpflagsset": {name: "list of TCP flags", check: isTCPFlags, read: (*ruleReader).tcpFlags},
		"tcpoptions":  {name: "list of TCP options", check: isTCPOptions},
		"headernames": {name: "list of headers", check: oneOf("list", strings.Fields(headerNames))},
		"headeropts":  {name: "list of up to 16 options", check: isHeaderOptions},
		"mhtype":      {name: "type of mobility header", check: isMHType},
		"chunks":      {name: "list of chunk types", check: isChunks},
		"rate":        {name: "rate", check: isRate},
		"hashrate":    {name: "rate", check: isHashRate},
		"hashburst":   {name: "burst", check: isHashBurst},
		"hashmode":    {name: "mode", check: isHashMode},
		"bitrate":     {name: "rate", check: pattern(`(?i)[0-9.]+(e[0-9]+)?([kmgt]?(i?(bit|bps))|bit|bps)?`)},
		"estimate":    {name: "time", check: pattern(`(?i)[0-9.]+(s|secs?|ms|msecs?|us|usecs?)?`)},
		"bytecode":    {name: "BPF program", check: isBytecode},
		"hexstring":   {name: "string with hexadecimal parts", check: pattern(`([^|]|\|( *[0-9a-fA-F]{2} *)+\|)+`)},
		"u32tests":    {name: "list of tests", check: isU32},
		"time":        {name: "time of day", check: pattern(`(0?[0-9]|1[0-9]|2[0-3]):[0-5]?[0-9](:([0-5]?[0-9])?)?`)},
		"date":        {name: "date", check: isDate},
		"monthdays":   {name: "list of days", check: pattern(`((3[01]|[12]?[0-9])(,(3[01]|[12]?[0-9]))*,?)?`)},
		"weekdays":    {name: "list of days", check: isWeekdays},
		"zone":        {name: "zone", check: isZone},
		"class":       {name: "class", check: pattern(`(0[xX])?[0-9a-fA-F]+:[0-9a-fA-F]+`)},
		"queues":      {name: "range of queues", check: isQueues},
		"leddelay":    {name: "time", check: pattern(`inf|[0-9]+`)},
		"hmarktuple":  {name: "list of fields", check: isTuple},
		"reject":      {name: "code of REJECT", check: isReject},
		"natports":    {name: "port or range of ports of the rule's protocol", check: isNATPorts},
		"snat":        {name: "range of addresses, or of ports of the rule's protocol", check: isNATRange},
		"dnat":        {name: "range of addresses, or of ports of the rule's protocol", check: isNATRange},

		"comment": {name: "comment", check: pattern(`.*`), read: (*ruleReader).addComment},
		"sport": {name: "port or range of ports", check: (*ruleReader).isMatchPorts,
			read: (*ruleReader).sourcePort},
		"dport": {name: "port or range of ports", check: (*ruleReader).isMatchPorts,
			read: (*ruleReader).destinationPort},
		"icmptype":   {name: "ICMP type", check: isICMPType, read: (*ruleReader).icmpType},
		"icmpv6type": {name: "ICMPv6 type", check: isICMPType, read: (*ruleReader).icmpType},
		"state":      {name: "connection state", check: isState, read: (*ruleReader).ctstate},
		"ctstate":    {name: "connection state", check: isCTState, read: (*ruleReader).ctstate},
		"mark":       {name: "mark", check: isMark, read: (*ruleReader).mark},
		"srcrange":   {name: "range of addresses", check: isRange, read: (*ruleReader).sourceRange},
		"dstrange":   {name: "range of addresses", check: isRange, read: (*ruleReader).destinationRange},
	}
})

const portList = "list of up to 15 ports of the rule's protocol"

// addressTypes are the words of the match addrtype, headerNames those of ipv6header.
const (
	addressTypes = "unspec unicast local broadcast anycast multicast blackhole unreachable prohibit throw nat xresolve"
	headerNames  = "hop dst route frag auth esp none prot hop-by-hop ipv6-opts ipv6-route ipv6-frag ah ipv6-nonxt protocol " +
		"0 60 43 44 51 50 59"
)

// space is what isspace(3) takes for blank.
const space = " \t\n\v\f\r"

// strtoul reads a number as strtoul(3) with base 0 does, and returns what follows. It has no minus.
func strtoul(text string) (n uint64, rest string, ok bool) {
	if text != "" && (text[0] <= ' ' || text[0] == '+') {
		text = strings.TrimPrefix(strings.TrimLeft(text, space), "+")
	}
	base := uint64(10)
	if len(text) > 1 && text[0] == '0' {
		base = 8
		if len(text) > 2 && text[1]|0x20 == 'x' && digit(text[2]) < 16 {
			base, text = 16, text[2:]
		}
	}
	i := 0
	for ; i < len(text) && digit(text[i]) < base; i++ {
		d := digit(text[i])
		if n > (math.MaxUint64-d)/base {
			return 0, "", false
		}
		n = n*base + d
	}
	return n, text[i:], i > 0
}

// digit returns the value of a digit of any base up to 16, else 99.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return 99
}

// parseUint reads a number up to top that is all of text.
func parseUint(text string, top uint64) (uint64, bool) {
	n, rest, ok := strtoul(text)
	return n, ok && rest == "" && n <= top
}

func number(low, high uint64) func(*ruleReader, string) bool {
	return func(_ *ruleReader, text string) bool {
		n, ok := parseUint(text, high)
		return ok && n >= low
	}
}

// numbers reads one number or two with a colon, of which each may be missing.
func numbers(top uint64, rising bool) func(*ruleReader, string) bool {
	return func(_ *ruleReader, text string) bool {
		a, b, two := strings.Cut(text, ":")
		x, y := uint64(0), top
		ok, ok2 := true, true
		if a != "" {
			x, ok = parseUint(a, top)
		}
		if b != "" {
			y, ok2 = parseUint(b, top)
		}
		return ok && ok2 && (!rising || !two || x <= y)
	}
}

// upTo takes up to n bytes.
func upTo(n int) func(*ruleReader, string) bool {
	return func(_ *ruleReader, text string) bool { return len(text) <= n }
}

// oneOf takes one of words, or several with commas; the kinds with an i, and starts, in any case,
// starts only their beginning.
func oneOf(how string, words []string) func(*ruleReader, string) bool {
	fits := func(text string) bool {
		return slices.ContainsFunc(words, func(w string) bool {
			switch how {
			case "starts":
				return text != "" && len(text) <= len(w) && strings.EqualFold(w[:len(text)], text)
			case "iword", "ilist":
				return strings.EqualFold(w, text)
			}
			return w == text
		})
	}
	switch how {
	case "word", "iword":
		return func(_ *ruleReader, text string) bool { return fits(text) }
	case "list", "ilist", "starts":
		return func(_ *ruleReader, text string) bool {
			for w := range strings.SplitSeq(text, ",") {
				if !fits(w) {
					return false
				}
			}
			return true
		}
	}
	panic("iptables: no kind " + how)
}

// pattern takes what matches a regular expression as a whole.
func pattern(expression string) func(*ruleReader, string) bool {
	re := regexp.MustCompile(`^(?s:` + expression + `)$`)
	return func(_ *ruleReader, text string) bool { return re.MatchString(text) }
}
