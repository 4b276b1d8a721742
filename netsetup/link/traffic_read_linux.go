package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// readTraffic reads the traffic control of the bridges that carry our mark.
func (f *Facts) readTraffic() error {
	ours := map[int32]*Device{}
	for i, d := range f.Devices {
		if d.Kind == "bridge" && (d.Group == Group || d.Group == doomedGroup || strings.HasPrefix(d.Alias, Mark(""))) {
			ours[int32(d.Index)] = &f.Devices[i]
		}
	}
	for _, d := range ours {
		offload, err := checksumOffload(d.Name)
		d.ChecksumsInSoftware = err == nil && !offload
	}
	if len(ours) == 0 {
		return nil
	}
	list, err := dump(unix.RTM_GETQDISC, &nl.TcMsg{})
	if gone(err) {
		return nil // a kernel without traffic control
	}
	if err != nil {
		return fmt.Errorf("list the qdiscs: %w", err)
	}
	for _, m := range list {
		header, a := readTC(m)
		if d := ours[header.Ifindex]; d != nil && header.Handle != 0 { // one without a handle is there by default
			d.Traffic = append(d.Traffic, qdisc{a.text(nl.TCA_KIND), header.Parent, header.Handle})
		}
	}
	for _, d := range ours {
		if err := d.readLimits(); err != nil {
			return fmt.Errorf("list the traffic control of %s: %w", d.Name, err)
		}
	}
	return nil
}

// readLimits reads the classes and filters that depend on our qdiscs.
func (d *Device) readLimits() error {
	defer func() { d.Traffic.sort() }()
	for _, q := range d.Traffic {
		if q == rootQdisc() {
			classes, err := dump(unix.RTM_GETTCLASS, &nl.TcMsg{Ifindex: int32(d.Index)})
			if err != nil {
				return err
			}
			for _, m := range classes {
				if c, ok := readClass(m); ok {
					d.Traffic = append(d.Traffic, c)
				}
			}
		}
		if q == rootQdisc() || q == ingressQdisc() {
			filters, err := dump(unix.RTM_GETTFILTER, &nl.TcMsg{Ifindex: int32(d.Index), Parent: q.(qdisc).handle})
			if err != nil {
				return err
			}
			for _, m := range filters {
				if o := readFilter(m); o != nil {
					d.Traffic = append(d.Traffic, o)
				}
			}
		}
	}
	return nil
}

func readTC(m []byte) (*nl.TcMsg, attributes) {
	if len(m) < nl.SizeofTcMsg {
		return &nl.TcMsg{}, nil
	}
	return nl.DeserializeTcMsg(m), parse(m[nl.SizeofTcMsg:])
}

// readClass reads an RTM_NEWTCLASS message; false if it is none of our classes.
func readClass(m []byte) (class, bool) {
	header, a := readTC(m)
	options := a.nest(nl.TCA_OPTIONS)
	opt := options[nl.TCA_HTB_PARMS] // struct tc_htb_opt; see class.message
	if a.text(nl.TCA_KIND) != "htb" || len(opt) < 44 || header.Handle != wholeID && header.Handle != restID {
		return class{}, false
	}
	c := class{
		parent:  header.Parent,
		handle:  header.Handle,
		rate:    options.rate(readRate(opt), nl.TCA_HTB_RATE64),
		ceil:    options.rate(readRate(opt[12:]), nl.TCA_HTB_CEIL64),
		burst:   binary.NativeEndian.Uint32(opt[24:]),
		cburst:  binary.NativeEndian.Uint32(opt[28:]),
		quantum: binary.NativeEndian.Uint32(opt[32:]),
	}
	if c.parent == atRoot { // the kernel's way to say that the parent is the qdisc
		c.parent = htbHandle
	}
	return c, true
}

// readRate reads the rate of a struct tc_ratespec.
func readRate(spec []byte) uint32 { return binary.NativeEndian.Uint32(spec[8:]) }

// rate returns a rate, from the attribute that has it if it doesn't fit in 32 bits.
func (a attributes) rate(short uint32, long int) uint64 {
	if b := a[long]; short == math.MaxUint32 && len(b) >= 8 {
		return binary.NativeEndian.Uint64(b)
	}
	return uint64(short)
}

// readFilter reads an RTM_NEWTFILTER message; nil if it is none of our filters.
func readFilter(m []byte) trafficObject {
	header, a := readTC(m)
	options := a.nest(nl.TCA_OPTIONS)
	switch kind := a.text(nl.TCA_KIND); {
	case kind == "fw" && header.Info == filterInfo(1, unix.ETH_P_ALL) && header.Handle == 1:
		return markFilter{}
	case kind == "u32" && header.Info == filterInfo(2, unix.ETH_P_IP) && header.Parent == htbHandle &&
		options.selects(checksumMask, checksumValue, checksumOffset) &&
		options.nest(nl.TCA_U32_ACT).nest(1).text(nl.TCA_ACT_KIND) == "csum":
		return checksumFilter{}
	case kind == "u32" && header.Info == filterInfo(policePriority, unix.ETH_P_ALL) && header.Parent == inHandle &&
		options.selects(0, 0, 0):
		police := options.nest(nl.TCA_U32_POLICE)
		if tbf := police[nl.TCA_POLICE_TBF]; len(tbf) >= 32 { // struct tc_police; see policeFilter.message
			return policeFilter{police.rate(readRate(tbf[20:]), policeRate64), binary.NativeEndian.Uint32(tbf[12:])}
		}
	}
	return nil
}

// selects is true if the one key of a u32 filter is this one.
func (a attributes) selects(mask, value uint32, offset int32) bool {
	sel, want := a[nl.TCA_U32_SEL], selector(mask, value, offset).Data
	return len(sel) == len(want) && sel[2] == 1 && bytes.Equal(sel[16:28], want[16:28])
}
