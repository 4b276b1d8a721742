package wire

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Debug prints the rules in a stream of netlink messages in the notation of `nft --debug=netlink`:
// a line with family, table and chain, a line for each expression, then the user data or an empty
// line. It prints what the bytes say; an error means that they are damaged.
func Debug(stream []byte) ([]byte, error) {
	var b []byte
	for at := 0; at < len(stream); {
		m, rest, err := Next(stream[at:], at)
		if err != nil {
			return nil, err
		}
		at = len(stream) - len(rest)
		if m.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWRULE {
			continue
		}
		list, err := Expressions(nil, m.Attrs[unix.NFTA_RULE_EXPRESSIONS])
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", m.At, err)
		}
		b = fmt.Appendf(b, "%s %s %s\n", FamilyWord(m.Family), m.Attrs.Text(unix.NFTA_RULE_TABLE),
			m.Attrs.Text(unix.NFTA_RULE_CHAIN))
		for i := range list {
			b = append(list[i].AppendDebug(append(b, "  "...)), '\n')
		}
		b = AppendUserdata(b, m.Attrs[unix.NFTA_RULE_USERDATA])
	}
	return b, nil
}

// FamilyWord returns nft's word for an NFPROTO number.
func FamilyWord(n byte) string {
	switch n {
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	case unix.NFPROTO_ARP:
		return "arp"
	case unix.NFPROTO_BRIDGE:
		return "bridge"
	case unix.NFPROTO_NETDEV:
		return "netdev"
	}
	return fmt.Sprintf("family(%d)", n)
}

// AppendUserdata prints the end of a rule.
func AppendUserdata(b, data []byte) []byte {
	if len(data) == 0 {
		return append(b, '\n')
	}
	b = append(b, "  userdata = { "...)
	for _, c := range data {
		if c >= ' ' && c < 0x7f {
			b = append(b, c)
			continue
		}
		b = fmt.Appendf(b, `\x%02x`, c)
	}
	return append(b, " }\n"...)
}

// AppendDebug prints the expression in brackets. Kinds that the notation is not known of here are
// printed with their bytes.
func (e *Expression) AppendDebug(b []byte) []byte {
	b = append(append(b, "[ "...), e.Name...)
	if !e.plain() {
		return append(e.debugBytes(b), " ]"...)
	}
	switch e.Name {
	case "byteorder":
		b = e.debugByteorder(b)
	case "exthdr":
		b = e.debugExthdr(b)
	case "fib":
		b = e.debugFib(b)
	case "rt":
		b = fmt.Appendf(b, " load tcpmss => reg %d", e.Number(1))
	case "meta":
		b = e.debugMeta(b)
	case "payload":
		b = fmt.Appendf(b, " load %db @ %s + %d => reg %d", e.Number(unix.NFTA_PAYLOAD_LEN),
			payloadBase(e.Number(unix.NFTA_PAYLOAD_BASE)),
			e.Number(unix.NFTA_PAYLOAD_OFFSET), e.Number(unix.NFTA_PAYLOAD_DREG))
	case "ct":
		b = e.debugCt(b)
	case "cmp":
		b = fmt.Appendf(b, " %s reg %d", operator(e.Number(unix.NFTA_CMP_OP)), e.Number(unix.NFTA_CMP_SREG))
		b = appendWords(b, e.Value(unix.NFTA_CMP_DATA))
	case "range":
		b = fmt.Appendf(b, " %s reg %d", operator(e.Number(unix.NFTA_RANGE_OP)), e.Number(unix.NFTA_RANGE_SREG))
		b = appendWords(appendWords(b, e.Value(unix.NFTA_RANGE_FROM_DATA)), e.Value(unix.NFTA_RANGE_TO_DATA))
	case "bitwise":
		b = fmt.Appendf(b, " reg %d = ( reg %d &", e.Number(unix.NFTA_BITWISE_DREG), e.Number(unix.NFTA_BITWISE_SREG))
		b = append(appendWords(b, e.Value(unix.NFTA_BITWISE_MASK)), " ) ^"...)
		b = appendWords(b, e.Value(unix.NFTA_BITWISE_XOR))
	case "counter":
		b = fmt.Appendf(b, " pkts %d bytes %d", e.Uint64(unix.NFTA_COUNTER_PACKETS), e.Uint64(unix.NFTA_COUNTER_BYTES))
	case "immediate":
		b = e.debugImmediate(b)
	case "reject":
		code := byte(0)
		if d := e.Attrs[unix.NFTA_REJECT_ICMP_CODE]; len(d) == 1 {
			code = d[0]
		}
		b = fmt.Appendf(b, " type %d code %d", e.Number(unix.NFTA_REJECT_TYPE), code)
	case "lookup":
		b = e.debugLookup(b)
	case "nat":
		b = e.debugNAT(b)
	case "masq":
		b = e.debugPorts(b, unix.NFTA_MASQ_REG_PROTO_MIN, unix.NFTA_MASQ_REG_PROTO_MAX, unix.NFTA_MASQ_FLAGS)
	case "redir":
		b = e.debugPorts(b, unix.NFTA_REDIR_REG_PROTO_MIN, unix.NFTA_REDIR_REG_PROTO_MAX, unix.NFTA_REDIR_FLAGS)
	case "log":
		b = e.debugLog(b)
	case "limit":
		b = e.debugLimit(b)
	case "match", "target": // of iptables, by iptables-nft
		b = fmt.Appendf(b, " name %s rev %d info %x", e.Text(unix.NFTA_MATCH_NAME), e.Number(unix.NFTA_MATCH_REV),
			e.Attrs[unix.NFTA_MATCH_INFO])
	default:
		b = e.debugBytes(b)
	}
	return append(b, " ]"...)
}

func (e *Expression) debugMeta(b []byte) []byte {
	key := metaKey(e.Number(unix.NFTA_META_KEY))
	if e.Attrs[unix.NFTA_META_SREG] != nil {
		return fmt.Appendf(b, " set %s with reg %d", key, e.Number(unix.NFTA_META_SREG))
	}
	return fmt.Appendf(b, " load %s => reg %d", key, e.Number(unix.NFTA_META_DREG))
}

func (e *Expression) debugCt(b []byte) []byte {
	key := fmt.Sprintf("key(%d)", e.Number(unix.NFTA_CT_KEY))
	switch e.Number(unix.NFTA_CT_KEY) {
	case unix.NFT_CT_STATE:
		key = "state"
	case unix.NFT_CT_STATUS:
		key = "status"
	case unix.NFT_CT_MARK:
		key = "mark"
	case unix.NFT_CT_DIRECTION:
		key = "direction"
	case unix.NFT_CT_PROTO_DST:
		key = "proto_dst"
	}
	if e.Attrs[unix.NFTA_CT_SREG] != nil {
		return fmt.Appendf(b, " set %s with reg %d", key, e.Number(unix.NFTA_CT_SREG))
	}
	b = fmt.Appendf(b, " load %s => reg %d", key, e.Number(unix.NFTA_CT_DREG))
	if d := e.Attrs[unix.NFTA_CT_DIRECTION]; len(d) == 1 {
		word := "original"
		if d[0] == 1 {
			word = "reply"
		}
		b = fmt.Appendf(b, " , dir %s", word)
	}
	return b
}

func (e *Expression) debugImmediate(b []byte) []byte {
	b = fmt.Appendf(b, " reg %d", e.Number(unix.NFTA_IMMEDIATE_DREG))
	code, chain, ok := e.Verdict(unix.NFTA_IMMEDIATE_DATA)
	if !ok {
		return appendWords(b, e.Value(unix.NFTA_IMMEDIATE_DATA))
	}
	b = fmt.Appendf(b, " %s", verdictWord(code))
	if chain != "" {
		b = fmt.Appendf(b, " -> %s", chain)
	}
	return b
}

func (e *Expression) debugLookup(b []byte) []byte {
	b = fmt.Appendf(b, " reg %d set %s", e.Number(unix.NFTA_LOOKUP_SREG), e.Text(unix.NFTA_LOOKUP_SET))
	if e.Attrs[unix.NFTA_LOOKUP_DREG] != nil {
		b = fmt.Appendf(b, " dreg %d", e.Number(unix.NFTA_LOOKUP_DREG))
	}
	if flags := e.Number(unix.NFTA_LOOKUP_FLAGS); flags != 0 {
		b = fmt.Appendf(b, " 0x%x", flags)
	}
	return b
}

func (e *Expression) debugNAT(b []byte) []byte {
	typ := "snat"
	if e.Number(unix.NFTA_NAT_TYPE) == unix.NFT_NAT_DNAT {
		typ = "dnat"
	}
	b = fmt.Appendf(b, " %s %s", typ, FamilyWord(byte(e.Number(unix.NFTA_NAT_FAMILY))))
	if e.Attrs[unix.NFTA_NAT_REG_ADDR_MIN] != nil {
		b = fmt.Appendf(b, " addr_min reg %d", e.Number(unix.NFTA_NAT_REG_ADDR_MIN))
	}
	if e.Attrs[unix.NFTA_NAT_REG_ADDR_MAX] != nil {
		b = fmt.Appendf(b, " addr_max reg %d", e.Number(unix.NFTA_NAT_REG_ADDR_MAX))
	}
	return e.debugPorts(b, unix.NFTA_NAT_REG_PROTO_MIN, unix.NFTA_NAT_REG_PROTO_MAX, unix.NFTA_NAT_FLAGS)
}

func (e *Expression) debugLog(b []byte) []byte {
	if e.Attrs[unix.NFTA_LOG_PREFIX] != nil {
		b = fmt.Appendf(b, " prefix %s", e.Text(unix.NFTA_LOG_PREFIX))
	}
	if e.Attrs[unix.NFTA_LOG_GROUP] != nil {
		return fmt.Appendf(b, " group %d snaplen %d qthreshold %d", e.short(unix.NFTA_LOG_GROUP),
			e.Number(unix.NFTA_LOG_SNAPLEN), e.short(unix.NFTA_LOG_QTHRESHOLD))
	}
	if e.Attrs[unix.NFTA_LOG_LEVEL] != nil {
		b = fmt.Appendf(b, " level %d", e.Number(unix.NFTA_LOG_LEVEL))
	}
	for i, word := range []string{"tcpseq", "tcpopt", "ipopt", "uid", "nflog", "macdecode"} {
		if e.Number(unix.NFTA_LOG_FLAGS)>>i&1 == 1 {
			b = append(append(b, ' '), word...)
		}
	}
	return b
}

// short returns a number of two bytes in network byte order.
func (e *Expression) short(attr int) uint16 {
	if len(e.Attrs[attr]) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(e.Attrs[attr])
}

func (e *Expression) debugByteorder(b []byte) []byte {
	const sreg, dreg, op, length, size = 1, 2, 3, 4, 5 // NFTA_BYTEORDER_*
	word := "ntoh"
	if e.Number(op) == 1 {
		word = "hton"
	}
	return fmt.Appendf(b, " reg %d = %s(reg %d, %d, %d)", e.Number(dreg), word, e.Number(sreg), e.Number(size),
		e.Number(length))
}

// debugExthdr prints what writes an option of TCP.
func (e *Expression) debugExthdr(b []byte) []byte {
	const typ, offset, length, sreg = 2, 3, 4, 7 // NFTA_EXTHDR_*
	return fmt.Appendf(b, " write tcpopt reg %d => %db @ %d + %d", e.Number(sreg), e.Number(length), e.Attrs[typ][0],
		e.Number(offset))
}

// debugFib prints a look-up of the type of an address.
func (e *Expression) debugFib(b []byte) []byte {
	const dreg, flags = 1, 3 // NFTA_FIB_*
	side := "daddr"
	if e.Number(flags)&unix.NFTA_FIB_F_SADDR != 0 {
		side = "saddr"
	}
	return fmt.Appendf(b, " %s type => reg %d", side, e.Number(dreg))
}

// plain is true if e has one of the forms that the notation is known of.
func (e *Expression) plain() bool {
	const fibResult, fibFlags, fibType = 2, 3, 3
	const exthdrType, exthdrOp, exthdrSreg, rtKey, rtMSS = 2, 6, 7, 1, 3
	switch e.Name {
	case "fib":
		return e.Number(fibResult) == fibType && (e.Number(fibFlags) == unix.NFTA_FIB_F_SADDR ||
			e.Number(fibFlags) == unix.NFTA_FIB_F_DADDR)
	case "exthdr":
		return e.Number(exthdrOp) == 1 && e.Attrs[exthdrSreg] != nil && len(e.Attrs[exthdrType]) == 1
	case "rt":
		return e.Number(rtKey+1) == rtMSS
	}
	return true
}

func (e *Expression) debugLimit(b []byte) []byte {
	units := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
	types := map[uint32]string{unix.NFT_LIMIT_PKTS: "packets", unix.NFT_LIMIT_PKT_BYTES: "bytes"}
	return fmt.Appendf(b, " rate %d/%s burst %d type %s flags %#x", e.Uint64(unix.NFTA_LIMIT_RATE),
		units[e.Uint64(unix.NFTA_LIMIT_UNIT)], e.Number(unix.NFTA_LIMIT_BURST),
		types[e.Number(unix.NFTA_LIMIT_TYPE)], e.Number(unix.NFTA_LIMIT_FLAGS))
}

func (e *Expression) debugPorts(b []byte, low, high, flags int) []byte {
	if e.Attrs[low] != nil {
		b = fmt.Appendf(b, " proto_min reg %d", e.Number(low))
	}
	if e.Attrs[high] != nil {
		b = fmt.Appendf(b, " proto_max reg %d", e.Number(high))
	}
	if e.Attrs[flags] != nil {
		b = fmt.Appendf(b, " flags 0x%x", e.Number(flags))
	}
	return b
}

func (e *Expression) debugBytes(b []byte) []byte {
	for typ, data := range e.Attrs {
		if data != nil {
			b = fmt.Appendf(b, " %d:%x", typ, data)
		}
	}
	return b
}

// Uint64 returns a number of eight bytes in network byte order, 0 if there is none.
func (a *Attrs) Uint64(typ int) uint64 {
	if len(a[typ]) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(a[typ])
}

// appendWords prints a register's content as nft does: words of four bytes in host byte order, the
// last one filled up.
func appendWords(b, value []byte) []byte {
	for len(value) > 0 {
		var word [4]byte
		value = value[copy(word[:], value):]
		b = fmt.Appendf(b, " 0x%08x", binary.NativeEndian.Uint32(word[:]))
	}
	return b
}

func payloadBase(n uint32) string {
	switch n {
	case unix.NFT_PAYLOAD_LL_HEADER:
		return "link header"
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		return "network header"
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		return "transport header"
	}
	return fmt.Sprintf("header(%d)", n)
}

func metaKey(n uint32) string {
	switch n {
	case unix.NFT_META_MARK:
		return "mark"
	case unix.NFT_META_IIF:
		return "iif"
	case unix.NFT_META_OIF:
		return "oif"
	case unix.NFT_META_IIFNAME:
		return "iifname"
	case unix.NFT_META_OIFNAME:
		return "oifname"
	case unix.NFT_META_NFPROTO:
		return "nfproto"
	case unix.NFT_META_L4PROTO:
		return "l4proto"
	case unix.NFT_META_LEN:
		return "len"
	case unix.NFT_META_PKTTYPE:
		return "pkttype"
	case unix.NFT_META_SKUID:
		return "skuid"
	case unix.NFT_META_SKGID:
		return "skgid"
	case unix.NFT_META_IIFTYPE:
		return "iiftype"
	}
	return fmt.Sprintf("key(%d)", n)
}

func operator(n uint32) string {
	switch n {
	case unix.NFT_CMP_EQ: // and NFT_RANGE_EQ
		return "eq"
	case unix.NFT_CMP_NEQ: // and NFT_RANGE_NEQ
		return "neq"
	case unix.NFT_CMP_LT:
		return "lt"
	case unix.NFT_CMP_LTE:
		return "lte"
	case unix.NFT_CMP_GT:
		return "gt"
	case unix.NFT_CMP_GTE:
		return "gte"
	}
	return fmt.Sprintf("op(%d)", n)
}

func verdictWord(code int32) string {
	switch code {
	case VerdictDrop:
		return "drop"
	case VerdictAccept:
		return "accept"
	case VerdictQueue:
		return "queue"
	case unix.NFT_CONTINUE:
		return "continue"
	case unix.NFT_BREAK:
		return "break"
	case unix.NFT_JUMP:
		return "jump"
	case unix.NFT_GOTO:
		return "goto"
	case unix.NFT_RETURN:
		return "return"
	}
	return fmt.Sprintf("verdict(%d)", code)
}
