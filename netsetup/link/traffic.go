package link

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// Traffic is the traffic control of one of our bridges, as far as it has a place in the shape that
// libvirt gives it. Toward the guests a tree of classes shapes, from them a filter drops. A
// network's inbound is what its guests receive, and so what the bridge sends.
//
//	qdisc htb 1: root default 2
//	├─ class htb 1:1                     the whole
//	│  └─ class htb 1:2                  all that has no class of its own
//	│     └─ qdisc sfq 2: perturb 10     shares it among the connections
//	├─ filter prio 1 handle 1 fw         packets with mark 1
//	└─ filter prio 2 u32 dport 68        fills in the checksums of DHCP answers
//	qdisc ingress ffff:
//	└─ filter u32 police                 drops what is too much
type Traffic []trafficObject

// trafficObject is a qdisc, a class or a filter. Two that are equal (==) do the same.
type trafficObject interface {
	id() string // its place, where a bridge has one object only
	message() trafficMessage
}

// Handles, major number in the upper 16 bits and minor in the lower, as in linux/pkt_sched.h.
const (
	atRoot    = 0xffffffff
	atIngress = 0xfffffff1
	htbHandle = 0x00010000
	wholeID   = htbHandle | 1
	restID    = htbHandle | 2
	sfqHandle = 0x00020000
	inHandle  = 0xffff0000
)

// qdisc is a queueing discipline, by kind and place.
type qdisc struct {
	kind           string
	parent, handle uint32
}

// class is an HTB class.
type class struct {
	parent, handle uint32
	rate, ceil     uint64 // bytes a second
	burst, cburst  uint32 // what may be sent at once, as the time it takes at rate and at ceil, in ticks
	quantum        uint32 // bytes
}

// policeFilter drops what comes in faster than its rate.
type policeFilter struct {
	rate  uint64 // bytes a second
	burst uint32 // as in class
}

// markFilter has packets with mark 1 classified by the root.
type markFilter struct{}

// checksumFilter fills in the IP and UDP checksums of what goes to a DHCP client.
type checksumFilter struct{}

func (q qdisc) id() string        { return fmt.Sprintf("qdisc at %x", q.parent) }
func (c class) id() string        { return fmt.Sprintf("class %x", c.handle) }
func (policeFilter) id() string   { return "police" }
func (markFilter) id() string     { return "mark" }
func (checksumFilter) id() string { return "checksum" }

// at returns the object in a place, nil if there is none.
func (t Traffic) at(id string) trafficObject {
	if i := slices.IndexFunc(t, func(o trafficObject) bool { return o.id() == id }); i >= 0 {
		return t[i]
	}
	return nil
}

// sort brings the objects in the order in which they can be made.
func (t Traffic) sort() {
	made := slices.Concat(shaping(&ir.Rate{Average: 1}), Traffic{checksumFilter{}}, policing(&ir.Rate{Average: 1}))
	place := func(o trafficObject) int {
		return slices.IndexFunc(made, func(m trafficObject) bool { return m.id() == o.id() })
	}
	slices.SortStableFunc(t, func(a, b trafficObject) int { return place(a) - place(b) })
}

func rootQdisc() qdisc    { return qdisc{"htb", atRoot, htbHandle} }
func ingressQdisc() qdisc { return qdisc{"ingress", atIngress, inHandle} }

// shaping is the tree for what guests receive.
func shaping(r *ir.Rate) Traffic {
	rate, ceil := r.Average*kilobyte, r.Peak*kilobyte
	if ceil == 0 {
		ceil = rate
	}
	// What tc(8) lets a class send at once if it isn't told: what the timer's resolution of 1 ns
	// requires, and a packet.
	burst, cburst := ticks(rate/1e9+1600, rate), ticks(ceil/1e9+1600, ceil)
	quantum := uint32(min(max(r.Average*1024/8/1500, 1), math.MaxInt32))
	whole := class{htbHandle, wholeID, rate, ceil, burst, cburst, quantum}
	rest := class{wholeID, restID, rate, ceil, burst, cburst, quantum}
	if r.Burst > 0 {
		rest.burst = ticks(r.Burst*1024, rate)
	}
	return Traffic{rootQdisc(), whole, rest, qdisc{"sfq", restID, sfqHandle}, markFilter{}}
}

// policing is the limit on what guests send.
func policing(r *ir.Rate) Traffic {
	burst := r.Burst
	if burst == 0 {
		burst = r.Average
	}
	rate := r.Average * kilobyte
	return Traffic{ingressQdisc(), policeFilter{rate, ticks(burst*1024, rate)}}
}

// kilobyte is the unit of rates in the XML, 1000 bytes, as tc(8) has it in kbps; that of bursts is
// 1024.
const kilobyte = 1000

// ticks is the time that an amount of bytes takes at a rate in bytes a second, in the kernel's
// ticks of 64 ns.
func ticks(bytes, rate uint64) uint32 {
	return uint32(min(float64(bytes)/float64(rate)*1e9/64, math.MaxUint32))
}

// traffic limits what goes through the bridge, and fills in checksums of DHCP answers. A limit that
// is gone from the network goes from the bridge.
func (u *upgrade) traffic(checksum bool) {
	var inbound, outbound, filling Traffic
	if r := u.link.Inbound; r != nil && r.Average > 0 {
		inbound = shaping(r)
	}
	if r := u.link.Outbound; r != nil && r.Average > 0 {
		outbound = policing(r)
	}
	if checksum && !(u.now.ChecksumsInSoftware && u.now.Traffic.at(checksumFilter{}.id()) == nil) {
		filling = Traffic{rootQdisc(), checksumFilter{}}
	}
	u.unlimit(slices.Concat(inbound, outbound, filling))
	if s := u.limit(inbound, func() string {
		return "limit what the guests of %s receive to " +
			describeRate(u.link.Inbound)
	}); s != nil {
		u.after(s)
	}
	if s := u.limit(outbound, func() string {
		return "limit what the guests of %s send to " +
			describeRate(u.link.Outbound)
	}); s != nil {
		u.after(s)
	}
	if s := u.limit(filling, func() string {
		return "fill in the checksums of DHCP answers to the guests of %s"
	}); s != nil {
		u.after(&fillChecksums{setTraffic: s})
	}
}

// unlimit takes away what the network doesn't want, last first.
func (u *upgrade) unlimit(want Traffic) {
	s := &setTraffic{bridge: u.bridge, what: fmt.Sprintf("remove limits of traffic from %s", u.name)}
	for _, o := range slices.Backward(u.now.Traffic) {
		if want.at(o.id()) == nil && !foreign(o) {
			s.changes = append(s.changes, trafficChange{o, nil})
		}
	}
	if len(s.changes) > 0 {
		u.after(s)
	}
}

// limit returns the step that adds what is missing of the objects wanted, nil if nothing is.
func (u *upgrade) limit(want Traffic, what func() string) *setTraffic {
	if len(want) == 0 {
		return nil
	}
	s := &setTraffic{bridge: u.bridge, what: fmt.Sprintf(what(), u.name)}
	for _, o := range want {
		have := u.now.Traffic.at(o.id())
		switch {
		case alike(have, o):
		case have != nil && foreign(have):
			u.plan.Notes = append(u.plan.Notes, fmt.Sprintf("%s: left out, because the bridge already has a "+
				"foreign qdisc %s there",
				s.what, have.(qdisc).kind))
			return nil
		default:
			s.changes = append(s.changes, trafficChange{have, o})
		}
	}
	if len(s.changes) == 0 {
		return nil
	}
	return s
}

// alike is true if a and b do the same. The quantum of a class that has classes below it does
// nothing, and the kernel keeps the one that the class began with.
func alike(a, b trafficObject) bool {
	x, ok := a.(class)
	y, also := b.(class)
	if ok && also && x.handle == wholeID {
		x.quantum = y.quantum
		return x == y
	}
	return a == b
}

// foreign is true for a qdisc that vnetc would not have put in its place.
func foreign(o trafficObject) bool {
	q, ok := o.(qdisc)
	return ok && q != rootQdisc() && q != ingressQdisc() && q.parent != restID
}

func describeRate(r *ir.Rate) string {
	parts := []string{fmt.Sprintf("%d kB/s", r.Average)}
	if r.Peak > 0 {
		parts = append(parts, fmt.Sprintf("at most %d", r.Peak))
	}
	if r.Burst > 0 {
		parts = append(parts, fmt.Sprintf("in bursts of %d KiB", r.Burst))
	}
	return strings.Join(parts, ", ")
}
