package decode

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// keyed is where a value has the bits of a key of the IR.
type keyed struct {
	key   ir.Key
	shift int    // by how many bits the key's are higher
	bits  uint64 // which of the value's bits are the key's
	host  bool   // host is true if it is in the host's byte order.
}

// keyOf returns what key a value is; ok is false if it is none.
func (m *machine) keyOf(v *value) (k keyed, ok bool) {
	if v == nil || v.load == nil || v.xor != nil {
		return k, false
	}
	whole := func(key ir.Key, host bool) (keyed, bool) {
		return keyed{key: key, bits: key.All(), host: host && !v.swapped}, true
	}
	switch v.load.Name {
	case "ct":
		switch v.load.Number(unix.NFTA_CT_KEY) {
		case unix.NFT_CT_MARK:
			return whole(ir.KeyCTMark, true)
		case unix.NFT_CT_DIRECTION:
			return whole(ir.KeyDirection, false)
		case unix.NFT_CT_PROTO_DST:
			// of the first packet, where the rule says that it has one
			if d := v.load.Attrs[unix.NFTA_CT_DIRECTION]; len(d) == 1 && d[0] == 0 && ir.HasPorts(m.proto) {
				return whole(ir.KeyOrigDPort, false)
			}
		}
	case "meta":
		switch v.load.Number(unix.NFTA_META_KEY) {
		case unix.NFT_META_LEN:
			return whole(ir.KeyLength, true)
		case unix.NFT_META_PKTTYPE:
			return whole(ir.KeyPktType, false)
		case unix.NFT_META_SKUID:
			return whole(ir.KeyUID, true)
		case unix.NFT_META_SKGID:
			return whole(ir.KeyGID, true)
		}
	case "payload":
		return m.headerKey(v)
	}
	return k, false
}

// headerKey is keyOf for bytes of a header.
func (m *machine) headerKey(v *value) (k keyed, ok bool) {
	at, size := v.load.Number(unix.NFTA_PAYLOAD_OFFSET), v.load.Number(unix.NFTA_PAYLOAD_LEN)
	switch base := v.load.Number(unix.NFTA_PAYLOAD_BASE); {
	case base == unix.NFT_PAYLOAD_LL_HEADER && at == 6 && size == 6:
		k.key = ir.KeyMAC
	case base != unix.NFT_PAYLOAD_NETWORK_HEADER:
		return k, false
	case m.out.Family == ir.IPv4 && at == 1 && size == 1:
		k.key = ir.KeyTOS
	case m.out.Family == ir.IPv4 && at == 2 && size == 2:
		k.key = ir.KeyLength
	case m.out.Family == ir.IPv4 && at == 6 && size == 2:
		k.key = ir.KeyFragment
	case m.out.Family == ir.IPv4 && at == 8 && size == 1, m.out.Family == ir.IPv6 && at == 7 && size == 1:
		k.key = ir.KeyTTL
	case m.out.Family == ir.IPv6 && at == 0 && size == 2: // version, class, label
		k.key, k.shift = ir.KeyTOS, 4
		k.bits = 0x0ff0
		return k, true
	default:
		return k, false
	}
	k.bits = k.key.All()
	return k, true
}

// key adds the match that a key is from, to or between, or is not; false if the value is no key.
func (m *machine) key(v *value, from, to []byte, not bool) bool {
	k, ok := m.keyOf(v)
	if !ok || len(from) != len(to) || len(from) > 8 || v.mask != nil && len(v.mask) != len(from) {
		return false
	}
	order := binary.ByteOrder(binary.BigEndian)
	if k.host {
		order = binary.NativeEndian
	}
	low, high, mask := number(from, order), number(to, order), k.bits
	if v.mask != nil {
		mask = number(v.mask, order)
	}
	if mask&^k.bits != 0 && (k.key != ir.KeyLength || v.mask != nil) {
		return false
	}
	if most := k.key.All() << k.shift; high > most && low <= most && low != high { // to the end of the register
		high = most
	}
	f := ir.Field{Key: k.key, Mask: mask >> k.shift, From: low >> k.shift, To: high >> k.shift, Not: not}
	inRange := f.Mask != 0 && f.Mask&^k.key.All() == 0 && f.From <= f.To && f.To <= k.key.All() &&
		low&(1<<k.shift-1)|high&(1<<k.shift-1) == 0 && (f.From != f.To || f.From&^f.Mask == 0)
	if !inRange {
		return false
	}
	if k.key == ir.KeyMAC {
		m.dropEthernet()
	}
	m.match(f)
	return true
}

// ethernet is the text of the match on devices of Ethernet, which nft puts before one on a frame's
// addresses.
const ethernet = "iiftype 1"

// dropEthernet takes that match out: a packet's frame has an address only if the device has.
func (m *machine) dropEthernet() {
	if n := len(m.out.Matches); n > 0 {
		if u, is := m.out.Matches[n-1].(ir.Unknown); is && u.Text == ethernet && !u.Not {
			m.out.Matches = m.out.Matches[: n-1 : n-1]
		}
	}
}

// markRange adds the match that the mark is from, to or between: as a set of masked values.
func (m *machine) markRange(v *value, from, to []byte, not bool) bool {
	if v.load == nil || v.load.Name != "meta" || v.load.Number(unix.NFTA_META_KEY) != unix.NFT_META_MARK ||
		v.mask != nil || !v.swapped || len(from) != 4 || len(to) != 4 || m.reader == nil {
		return false
	}
	low, high := uint64(binary.BigEndian.Uint32(from)), uint64(binary.BigEndian.Uint32(to))
	set := &ir.Set{Family: m.table, Table: m.chain.table, Name: fmt.Sprintf("mark %#x-%#x", low, high)}
	for low <= high {
		free := min(bits.TrailingZeros64(low|1<<32), bits.Len64(high-low+1)-1)
		mask := ^uint32(0) << free
		if free == 32 {
			return false
		}
		set.Elements = append(set.Elements, []ir.Match{ir.Mark{Value: uint32(low), Mask: mask}})
		low += 1 << free
	}
	for _, s := range m.reader.used {
		if s.Name == set.Name && s.Table == set.Table && s.Family == set.Family {
			set = s
		}
	}
	if len(m.reader.used) == 0 || m.reader.used[len(m.reader.used)-1] != set {
		m.reader.addUsed(set)
	}
	m.match(ir.Lookup{Set: set, Not: not})
	return true
}

func (r *reader) addUsed(set *ir.Set) {
	for _, s := range r.used {
		if s == set {
			return
		}
	}
	r.used = append(r.used, set)
}

// fib types: NFTA_FIB_RESULT and NFTA_FIB_FLAGS of linux/netfilter/nf_tables.h.
const (
	fibResult = 2
	fibFlags  = 3
	fibType   = 3 // NFT_FIB_RESULT_ADDRTYPE
	fibSource = 1 // NFTA_FIB_F_SADDR
	fibDest   = 2 // NFTA_FIB_F_DADDR
)

// addrTypes adds the match that the type of an address is one of numbers, or none.
func (m *machine) addrTypes(v *value, numbers []uint32, not bool) bool {
	if v == nil || v.load == nil || v.load.Name != "fib" || v.mask != nil || v.load.Number(fibResult) != fibType {
		return false
	}
	t := ir.AddrType{Not: not}
	switch v.load.Number(fibFlags) {
	case fibSource:
		t.Source = true
	case fibDest:
	default:
		return false
	}
	for _, n := range numbers {
		if n > 8 {
			return false
		}
		t.Types |= 1 << n
	}
	m.match(t)
	return t.Types != 0
}

// etherType adds the match that the packet is of the family of an EtherType.
func (m *machine) etherType(data []byte, not bool) bool {
	if len(data) != 2 {
		return false
	}
	switch binary.BigEndian.Uint16(data) {
	case 0x0800:
		return m.nfproto(unix.NFPROTO_IPV4, not)
	case 0x86dd:
		return m.nfproto(unix.NFPROTO_IPV6, not)
	}
	return false
}

// sortOf returns of which sort it is that steps ask; ok is false if that isn't known.
func (m *machine) sortOf(steps []*wire.Expression) (sort ir.Sort, ok bool) {
	for _, e := range steps {
		of := ir.Sort("")
		switch e.Name {
		case "limit", "connlimit", "quota", "numgen", "dynset":
			of = ir.SortRate
		case "objref":
			of = ir.SortRate
		case "fib", "rt":
			of = ir.SortRouting
			const ipsec = 4 // NFT_RT_XFRM
			if e.Name == "rt" && e.Number(2) == ipsec {
				of = ir.SortIPsec
			}
		case "xfrm":
			of = ir.SortIPsec
		case "socket":
			of = ir.SortOwner
		case "exthdr", "osf", "payload", "hash", "inner":
			of = ir.SortPayload
		case "ct":
			of = ir.SortConnection
			if key := e.Number(unix.NFTA_CT_KEY); key == unix.NFT_CT_STATE || key == unix.NFT_CT_STATUS {
				of = ir.SortConnection
			}
		case "meta":
			of = metaSort(e.Number(unix.NFTA_META_KEY))
		case "lookup":
			if s := m.setOf(e); s == nil || !s.closed || s.timed {
				of = ir.SortMembers
			}
		case "cmp", "bitwise", "byteorder", "range", "immediate":
		default:
			return "", false
		}
		if of != "" && (sort == "" || sort != ir.SortRate && (of == ir.SortRate || of == ir.SortMembers)) {
			sort = of
		}
	}
	return sort, sort != ""
}

const metaSecPath = 25 // NFT_META_SECPATH

// metaSort returns of which sort a key of meta is (enum nft_meta_keys).
func metaSort(key uint32) ir.Sort {
	switch key {
	case unix.NFT_META_SKUID, unix.NFT_META_SKGID, unix.NFT_META_CGROUP:
		return ir.SortOwner
	case unix.NFT_META_IIF, unix.NFT_META_OIF, unix.NFT_META_IIFTYPE, unix.NFT_META_OIFTYPE, unix.NFT_META_IIFGROUP,
		unix.NFT_META_OIFGROUP, unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME, unix.NFT_META_BRI_IIFNAME,
		unix.NFT_META_BRI_OIFNAME,
		26, 27, 33, 34: // NFT_META_IIFKIND, NFT_META_OIFKIND, NFT_META_SDIF, NFT_META_SDIFNAME
		return ir.SortPort
	case unix.NFT_META_RTCLASSID:
		return ir.SortRouting
	case metaSecPath:
		return ir.SortIPsec
	case 30, 31, 32: // NFT_META_TIME_NS, NFT_META_TIME_DAY, NFT_META_TIME_HOUR
		return ir.SortClock
	case unix.NFT_META_PRANDOM:
		return ir.SortRate
	case unix.NFT_META_CPU:
		return ir.SortElsewhere
	}
	return ir.SortPayload // marks and header fields in forms that are not modelled
}
