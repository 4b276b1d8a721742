package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir"
)

// Entry is what the kernel keeps about one connection.
type Entry struct {
	Original Tuple // of its first packet, as it came
	Reply    Tuple // of the answers, as they come: behind NAT the ends are others
	Status   Status
	Zone     uint16 // 0 for the usual one; also where only one direction has it
	ID       uint32
	Timeout  time.Duration // until the kernel forgets it; 0 if that is not told
}

// Tuple is what packets of one direction have in common.
type Tuple struct {
	Src, Dst           netip.Addr
	Proto              uint8  // IANA number
	SPort, DPort       uint16 // for protocols with ports; for GRE the keys
	ICMPType, ICMPCode uint8  // for ICMP and ICMPv6
	ICMPID             uint16
}

// Status is the bits IPS_* of linux/netfilter/nf_conntrack_common.h.
type Status uint32

const (
	Expected  Status = 1 << 0 // another connection announced this one: its first packet was related
	SeenReply Status = 1 << 1
	Assured   Status = 1 << 2
	SourceNAT Status = 1 << 4
	DestNAT   Status = 1 << 5
)

// String returns the entry in words.
func (e Entry) String() string {
	text := e.Original.String()
	if real := e.Reply.reversed(); real.Src != e.Original.Src || real.Dst != e.Original.Dst ||
		real.SPort != e.Original.SPort || real.DPort != e.Original.DPort {
		text += fmt.Sprintf(", translated: %s", real)
	}
	return text
}

// String returns the tuple in words: tcp from 10.0.0.2:40000 to 192.0.2.1:80.
func (t Tuple) String() string {
	var b strings.Builder
	b.WriteString(ir.ProtoName(t.Proto))
	end := func(a netip.Addr, port uint16) string {
		if ir.HasPorts(t.Proto) {
			return netip.AddrPortFrom(a, port).String()
		}
		return a.String()
	}
	if isICMP(t.Proto) {
		fmt.Fprintf(&b, " type %d code %d id %d", t.ICMPType, t.ICMPCode, t.ICMPID)
	}
	fmt.Fprintf(&b, " from %s to %s", end(t.Src, t.SPort), end(t.Dst, t.DPort))
	return b.String()
}

// reversed returns t with its ends exchanged.
func (t Tuple) reversed() Tuple {
	t.Src, t.Dst, t.SPort, t.DPort = t.Dst, t.Src, t.DPort, t.SPort
	return t
}

func isICMP(proto uint8) bool { return proto == ir.ICMP || proto == ir.ICMPv6 }

// keys are the attributes by which the kernel finds an entry, as they came.
type keys struct{ tuple, zone, id []byte }

// Parse reads the attributes of a message of ctnetlink, what is behind the struct nfgenmsg.
func Parse(attrs []byte) (Entry, error) {
	e, _, err := parse(attrs)
	return e, err
}

// parse is Parse that also returns by what the entry is found. It allocates nothing unless it
// fails.
func parse(attrs []byte) (e Entry, k keys, err error) {
	for len(attrs) > 0 {
		var a attr
		if a, attrs, err = nextAttr(attrs); err != nil {
			return Entry{}, keys{}, err
		}
		switch a.typ {
		case ctaTupleOrig:
			k.tuple = a.raw
			e.Original, err = e.tuple(a.value)
		case ctaTupleReply:
			e.Reply, err = e.tuple(a.value)
		case ctaStatus:
			var n uint32
			n, err = a.uint32()
			e.Status = Status(n)
		case ctaTimeout:
			var n uint32
			n, err = a.uint32()
			e.Timeout = time.Duration(n) * time.Second
		case ctaID:
			k.id = a.raw
			e.ID, err = a.uint32()
		case ctaZone:
			k.zone = a.raw
			e.Zone, err = a.uint16()
		}
		if err != nil {
			return Entry{}, keys{}, err
		}
	}
	if err := e.check(); err != nil {
		return Entry{}, keys{}, err
	}
	return e, k, nil
}

// check returns what is missing in e, nil if it is whole.
func (e *Entry) check() error {
	o, r := &e.Original, &e.Reply
	switch {
	case !o.Src.IsValid() || !o.Dst.IsValid():
		return errors.New("an entry without the addresses of its first packet")
	case !r.Src.IsValid() || !r.Dst.IsValid():
		return errors.New("an entry without the addresses of its answers")
	case o.Src.Is4() != o.Dst.Is4() || o.Src.Is4() != r.Src.Is4() || r.Src.Is4() != r.Dst.Is4():
		return fmt.Errorf("an entry of two families, with addresses %s, %s, %s and %s", o.Src, o.Dst, r.Src, r.Dst)
	case o.Proto != r.Proto:
		return fmt.Errorf("an entry of two protocols: %d and %d", o.Proto, r.Proto)
	}
	return nil
}

// tuple reads a tuple. A zone that only its direction has becomes that of e.
func (e *Entry) tuple(attrs []byte) (t Tuple, err error) {
	for len(attrs) > 0 {
		var a attr
		if a, attrs, err = nextAttr(attrs); err != nil {
			return t, err
		}
		switch a.typ {
		case ctaTupleIP:
			err = t.addresses(a.value)
		case ctaTupleProto:
			err = t.protocol(a.value)
		case ctaTupleZone:
			e.Zone, err = a.uint16()
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *Tuple) addresses(attrs []byte) (err error) {
	for len(attrs) > 0 {
		var a attr
		if a, attrs, err = nextAttr(attrs); err != nil {
			return err
		}
		var b []byte
		switch a.typ {
		case ctaIPv4Src:
			if b, err = a.sized(4); err == nil {
				t.Src = netip.AddrFrom4([4]byte(b))
			}
		case ctaIPv4Dst:
			if b, err = a.sized(4); err == nil {
				t.Dst = netip.AddrFrom4([4]byte(b))
			}
		case ctaIPv6Src:
			if b, err = a.sized(16); err == nil {
				t.Src = netip.AddrFrom16([16]byte(b))
			}
		case ctaIPv6Dst:
			if b, err = a.sized(16); err == nil {
				t.Dst = netip.AddrFrom16([16]byte(b))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Tuple) protocol(attrs []byte) (err error) {
	for len(attrs) > 0 {
		var a attr
		if a, attrs, err = nextAttr(attrs); err != nil {
			return err
		}
		switch a.typ {
		case ctaProtoNum:
			t.Proto, err = a.uint8()
		case ctaProtoSrcPort:
			t.SPort, err = a.uint16()
		case ctaProtoDstPort:
			t.DPort, err = a.uint16()
		case ctaProtoICMPID, ctaProtoICMPv6ID:
			t.ICMPID, err = a.uint16()
		case ctaProtoICMPType, ctaProtoICMPv6Type:
			t.ICMPType, err = a.uint8()
		case ctaProtoICMPCode, ctaProtoICMPv6Code:
			t.ICMPCode, err = a.uint8()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
