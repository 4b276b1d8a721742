package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// setTraffic changes the traffic control of the bridge. The network works without it: what the
// kernel lacks is reported as a warning.
type setTraffic struct {
	bridge
	what    string
	changes []trafficChange
	done    []trafficChange // for Undo
}

// trafficChange has one object instead of another; nil stands for none.
type trafficChange struct{ from, to trafficObject }

func (s *setTraffic) String() string { return s.what }

// Do makes all changes or none, except optional ones, whose lack is reported when the rest is done.
func (s *setTraffic) Do() error {
	index, err := s.index()
	if err != nil {
		return err
	}
	var lacking Warning
	for _, c := range s.changes {
		err := c.apply(index)
		switch {
		case err == nil:
			s.done = append(s.done, c)
		case errors.Is(err, unix.EEXIST) && c.to == rootQdisc(): // another step was first
		case c.to != nil && embellishment(c.to):
			lacking.add(c.to, err)
		default:
			lacking.add(c.to, err)
			lacking.Step = s.what
			if err := s.Undo(); err != nil {
				return errors.Join(&lacking, err)
			}
			return &lacking
		}
	}
	if lacking.Err != nil {
		lacking.Step = s.what
		return &lacking
	}
	return nil
}

// Futile is true if Do would change nothing because the kernel lacks the modules in lacks.
func (s *setTraffic) Futile(lacks func(module string) bool) bool {
	useful := false
	for _, c := range s.changes {
		missing := slices.ContainsFunc(modules(c.to), lacks)
		if missing && !embellishment(c.to) {
			return true
		}
		useful = useful || !missing
	}
	return !useful
}

// modules returns the kernel modules without which an object can't be made.
func modules(o trafficObject) []string {
	switch o := o.(type) {
	case nil, class: // a class is of its qdisc's module
		return nil
	case qdisc:
		return []string{"sch_" + o.kind}
	case markFilter:
		return []string{"cls_fw"}
	case policeFilter:
		return []string{"cls_u32", "act_police"}
	case checksumFilter:
		return []string{"cls_u32", "act_csum"}
	default:
		panic(fmt.Sprintf("link: unknown traffic object %T", o))
	}
}

// add adds an object's error.
func (w *Warning) add(o trafficObject, err error) {
	w.Err = errors.Join(w.Err, err)
	if module := lackingModule(o, err); module != "" {
		w.Modules = append(w.Modules, module)
	}
}

func (s *setTraffic) Undo() error {
	index, err := s.index()
	if err != nil {
		return ignoreGone(err)
	}
	var failed error
	for _, c := range slices.Backward(s.done) {
		failed = errors.Join(failed, ignoreThere(trafficChange{c.to, c.from}.apply(index)))
	}
	s.done = nil
	return failed
}

// embellishment is true for what only makes the limit fairer.
func embellishment(o trafficObject) bool {
	return o == qdisc{"sfq", restID, sfqHandle} || o == markFilter{}
}

func (c trafficChange) apply(index int) error {
	if _, inPlace := c.from.(class); c.from != nil && !(inPlace && c.to != nil) {
		m := c.from.message()
		if err := m.send(m.kind+1, 0, index, m.attrs[:1]); err != nil && !gone(err) { // RTM_DEL... follows RTM_NEW...
			return err
		}
	}
	if c.to == nil {
		return nil
	}
	flags := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	if c.from != nil && c.from.id() == c.to.id() {
		if _, ok := c.from.(class); ok {
			flags = 0
		}
	}
	m := c.to.message()
	return m.send(m.kind, flags, index, m.attrs)
}

// trafficMessage is the request that makes an object.
type trafficMessage struct {
	kind                 int // RTM_NEWQDISC, RTM_NEWTCLASS or RTM_NEWTFILTER
	parent, handle, info uint32
	attrs                []*nl.RtAttr // the kind's name first
}

func (m trafficMessage) send(kind, flags, index int, attrs []*nl.RtAttr) error {
	header := &nl.TcMsg{Ifindex: int32(index), Parent: m.parent, Handle: m.handle, Info: m.info}
	return request(kind, flags, header, attrs...)
}

func (q qdisc) message() trafficMessage {
	m := trafficMessage{unix.RTM_NEWQDISC, q.parent, q.handle, 0, []*nl.RtAttr{text(nl.TCA_KIND, q.kind)}}
	switch q.kind {
	case "htb":
		// struct tc_htb_glob: version, rate to quantum, default class, debug, direct packets
		m.attrs = append(m.attrs, group(nl.TCA_OPTIONS, words(nl.TCA_HTB_INIT, 3, 10, restID&0xffff, 0, 0)))
	case "sfq":
		const perturb = 10 // seconds
		m.attrs = append(m.attrs, nl.NewRtAttr(nl.TCA_OPTIONS, append(native(0, perturb),
			make([]byte, 64)...))) // struct tc_sfq_qopt_v1
	}
	return m
}

func (c class) message() trafficMessage {
	// struct tc_htb_opt: rate, ceil, buffer, cbuffer, quantum, level, prio
	opt := slices.Concat(rateSpec(c.rate, 0), rateSpec(c.ceil, 0), native(c.burst, c.cburst, c.quantum, 0, 0))
	options := []*nl.RtAttr{}
	if c.rate > math.MaxUint32 {
		options = append(options, nl.NewRtAttr(nl.TCA_HTB_RATE64, nl.Uint64Attr(c.rate)))
	}
	if c.ceil > math.MaxUint32 {
		options = append(options, nl.NewRtAttr(nl.TCA_HTB_CEIL64, nl.Uint64Attr(c.ceil)))
	}
	options = append(options, nl.NewRtAttr(nl.TCA_HTB_PARMS, opt))
	return trafficMessage{unix.RTM_NEWTCLASS, c.parent, c.handle, 0,
		[]*nl.RtAttr{text(nl.TCA_KIND, "htb"), group(nl.TCA_OPTIONS, options...)}}
}

func (markFilter) message() trafficMessage {
	const classid, mark, flowid = 1, 1, 1 // TCA_FW_CLASSID
	return trafficMessage{unix.RTM_NEWTFILTER, htbHandle, mark, filterInfo(1, unix.ETH_P_ALL),
		[]*nl.RtAttr{text(nl.TCA_KIND, "fw"), group(nl.TCA_OPTIONS, u32(classid, flowid))}}
}

// checksumKey is what u32 looks for: the lower half of the word behind an IP header without
// options, a UDP destination port.
const checksumMask, checksumValue, checksumOffset = 0x0000ffff, 68, 20

func (checksumFilter) message() trafficMessage {
	const ipHeader, udp = 1, 16 // TCA_CSUM_UPDATE_FLAG_...
	parms := native(0, 0, 0, 0, 0,
		ipHeader|udp) // struct tc_csum: index, capab, action, refcnt, bindcnt, update flags
	action := group(1, text(nl.TCA_ACT_KIND, "csum"), // the first action of the list
		nest(nl.TCA_ACT_OPTIONS, nl.NewRtAttr(1, parms)))
	return trafficMessage{unix.RTM_NEWTFILTER, htbHandle, 0, filterInfo(2, unix.ETH_P_IP),
		[]*nl.RtAttr{text(nl.TCA_KIND, "u32"), group(nl.TCA_OPTIONS,
			group(nl.TCA_U32_ACT, action), selector(checksumMask, checksumValue, checksumOffset))}}
}

// policePriority is the one that the kernel takes for a filter without.
const policePriority = 49152

func (f policeFilter) message() trafficMessage {
	const drop, mtu, cellLog = 2, 64 << 10, 9 // TC_ACT_SHOT; frames up to 64 KiB, counted in cells of 2^9 bytes
	// struct tc_police: index, action, limit, burst, mtu, rate, peak rate, refcnt, bindcnt, capab
	tbf := slices.Concat(native(0, drop, 0, f.burst, mtu), rateSpec(f.rate, cellLog), make([]byte, 24))
	table := make([]uint32, 256) // of the time that each size takes: the kernel wants it and computes its own
	for i := range table {
		table[i] = ticks(uint64(i+1)<<cellLog, f.rate)
	}
	police := []*nl.RtAttr{nl.NewRtAttr(nl.TCA_POLICE_TBF, tbf), nl.NewRtAttr(nl.TCA_POLICE_RATE, native(table...))}
	if f.rate > math.MaxUint32 {
		police = append(police, nl.NewRtAttr(policeRate64, nl.Uint64Attr(f.rate)))
	}
	return trafficMessage{unix.RTM_NEWTFILTER, inHandle, 0, filterInfo(policePriority, unix.ETH_P_ALL),
		[]*nl.RtAttr{text(nl.TCA_KIND, "u32"), group(nl.TCA_OPTIONS,
			group(nl.TCA_U32_POLICE, police...), u32(nl.TCA_U32_CLASSID, 1), selector(0, 0, 0))}}
}

// policeRate64 is TCA_POLICE_RATE64 of linux/pkt_cls.h.
const policeRate64 = 8

// selector is a struct tc_u32_sel with one key: (word at offset) & mask == value. Mask and value
// are in network order.
func selector(mask, value uint32, offset int32) *nl.RtAttr {
	b := make([]byte, 16)
	b[0], b[2] = 1, 1 // TC_U32_TERMINAL; number of keys
	b = binary.BigEndian.AppendUint32(b, mask)
	b = binary.BigEndian.AppendUint32(b, value)
	return nl.NewRtAttr(nl.TCA_U32_SEL, append(b, native(uint32(offset), 0)...))
}

// rateSpec is a struct tc_ratespec. A rate that doesn't fit in it is given beside it.
func rateSpec(rate uint64, cellLog uint8) []byte {
	const ethernet = 1 // TC_LINKLAYER_ETHERNET
	b := []byte{cellLog, ethernet, 0, 0, 0xff, 0xff, 0, 0}
	return append(b, native(uint32(min(rate, math.MaxUint32)))...)
}

// filterInfo is the tcm_info of a filter: its priority, and the protocol in network order.
func filterInfo(priority uint16, protocol uint16) uint32 {
	return uint32(priority)<<16 | uint32(protocol>>8|protocol<<8)
}

// group is a nest without the flag that says so, as tc(8) sends it.
func group(kind int, kids ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(kind, nil)
	for _, k := range kids {
		a.AddChild(k)
	}
	return a
}

func native(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func words(kind int, values ...uint32) *nl.RtAttr { return nl.NewRtAttr(kind, native(values...)) }

// lackingModule returns the kernel module for want of which an object was refused, empty if it was
// another fault. The kernel says ENOENT for a kind of qdisc, classifier or action that it doesn't
// know and can't load.
func lackingModule(o trafficObject, err error) string {
	if !errors.Is(err, unix.ENOENT) {
		return ""
	}
	all := modules(o)
	switch {
	case len(all) == 0:
		return ""
	case len(all) > 1 && !strings.Contains(err.Error(), "classifier"):
		return all[1]
	}
	return all[0]
}
