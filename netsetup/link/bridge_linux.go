package link

import (
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// bridge names one of our bridges: the steps that work on one look it up again, and leave alone
// what is not ours.
type bridge struct{ name, network string }

// index returns the index of the bridge in the kernel.
func (b bridge) index() (int, error) {
	d, err := findDevice(b.name)
	if err != nil {
		return 0, err
	}
	if !d.Ours(b.network) {
		return 0, errNotOurs
	}
	return d.Index, nil
}

// findDevice asks the kernel for the device called name.
func findDevice(name string) (Device, error) {
	found, err := execute(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		[]*nl.RtAttr{text(unix.IFLA_IFNAME, name), u32(unix.IFLA_EXT_MASK, skipStats)})
	if err != nil {
		return Device{}, err
	}
	for _, m := range found {
		if d, ok := readDevice(m); ok {
			return d, nil
		}
	}
	return Device{}, unix.ENODEV
}

// set changes attributes of the bridge's link.
func (b bridge) set(attrs ...*nl.RtAttr) error {
	index, err := b.index()
	if err != nil {
		return err
	}
	return request(unix.RTM_NEWLINK, 0, linkHeader(index), attrs...)
}

// addBridge adds a bridge, down, with its mark.
type addBridge struct {
	bridge
	mac   net.HardwareAddr // nil for the kernel's choice
	mtu   int              // 0 for the kernel's choice
	stp   bool
	delay time.Duration // what the kernel will show; see delayShown
}

func (s addBridge) String() string {
	text := ""
	if s.mac != nil {
		text += s.mac.String() + ", "
	}
	text += fmt.Sprintf("STP %s, delay %v", onOff(s.stp), s.delay)
	if s.mtu != 0 {
		text += fmt.Sprintf(", MTU %d", s.mtu)
	}
	return fmt.Sprintf("add bridge %s (%s)", s.name, text)
}

// Do adds the bridge. Its group, which is its first mark, and its other options come into being
// with it; that it must not exist (NLM_F_EXCL) leaves no moment in which it could be another's.
func (s addBridge) Do() error {
	attrs := []*nl.RtAttr{text(unix.IFLA_IFNAME, s.name), u32(unix.IFLA_GROUP, Group)}
	if s.mac != nil {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, s.mac))
	}
	attrs = append(attrs, bridgeInfo(delayAttr(s.delay), stpAttr(s.stp))) // the kernel takes the delay first
	err := request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nl.NewIfInfomsg(unix.AF_UNSPEC), attrs...)
	if err != nil {
		return err
	}
	if err := (setMark{s.bridge}).Do(); err != nil {
		return fmt.Errorf("mark it: %w", err)
	}
	if s.mtu != 0 { // not on creation: the kernel would forget that it was asked for when the first port comes
		if err := (setMTU{s.bridge, 0, s.mtu}).Do(); err != nil {
			return fmt.Errorf("set MTU: %w", err)
		}
	}
	return nil
}

// Undo deletes the bridge if it is there and ours. If another one has come to its name, ours is
// gone.
func (s addBridge) Undo() error {
	index, err := s.index()
	if err == nil {
		err = request(unix.RTM_DELLINK, 0, linkHeader(index))
	}
	return ignoreGone(err)
}

// deleteBridge deletes one of our bridges, with its addresses, routes and traffic control. Do puts
// it in the group of those that go; Wait deletes the whole group. The kernel takes some 40 ms to
// delete a device by itself, and half of that in a group.
type deleteBridge struct{ bridge }

func (s deleteBridge) String() string { return fmt.Sprintf("delete bridge %s", s.name) }

func (s deleteBridge) Do() error {
	index, err := s.index()
	if err == nil {
		err = request(unix.RTM_NEWLINK, 0, linkHeader(index), u32(unix.IFLA_GROUP, doomedGroup))
	}
	return ignoreGone(err)
}

// Wait deletes the bridges of all such steps that have been done; the next one's Wait finds none.
func (s deleteBridge) Wait() error {
	return ignoreGone(request(unix.RTM_DELLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC), u32(unix.IFLA_GROUP, doomedGroup)))
}

// Undo does nothing: a deleted bridge's ports are not known any more.
func (s deleteBridge) Undo() error { return nil }

// setMark writes the network's name on its bridge, by which a later run knows it, and puts it in
// the group of ours.
type setMark struct{ bridge }

func (s setMark) String() string {
	return fmt.Sprintf("mark %s as the bridge of %s", s.name, s.network)
}

func (s setMark) Do() error {
	return s.set(text(unix.IFLA_IFALIAS, Mark(s.network)), u32(unix.IFLA_GROUP, Group))
}

// Undo leaves the mark: a bridge without it is ours as well, and this says so better.
func (s setMark) Undo() error { return nil }

// setMAC changes the bridge's own address.
type setMAC struct {
	bridge
	from, to net.HardwareAddr
}

func (s setMAC) String() string { return fmt.Sprintf("set MAC of %s to %s", s.name, s.to) }
func (s setMAC) Do() error      { return s.change(s.to) }
func (s setMAC) Undo() error    { return ignoreGone(s.change(s.from)) }

func (s setMAC) change(mac net.HardwareAddr) error {
	return s.set(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
}

// setMTU changes the bridge's MTU.
type setMTU struct {
	bridge
	from, to int // bytes
}

func (s setMTU) String() string { return fmt.Sprintf("set MTU of %s to %d", s.name, s.to) }
func (s setMTU) Do() error      { return s.change(s.to) }
func (s setMTU) Undo() error    { return ignoreGone(s.change(s.from)) }

func (s setMTU) change(mtu int) error {
	return s.set(u32(unix.IFLA_MTU, uint32(mtu)))
}

// setSTP changes the spanning tree protocol and the forward delay.
type setSTP struct {
	bridge
	from, to BridgeInfo
}

func (s setSTP) String() string {
	return fmt.Sprintf("set STP of %s %s, delay %v", s.name, onOff(s.to.STP), s.to.Delay)
}
func (s setSTP) Do() error   { return s.change(s.to) }
func (s setSTP) Undo() error { return ignoreGone(s.change(s.from)) }

// change sets the delay while STP allows it: any delay while it is off, 2 s to 30 s while it is on.
func (s setSTP) change(to BridgeInfo) error {
	order := []*nl.RtAttr{delayAttr(to.Delay), stpAttr(to.STP)}
	if !to.STP {
		order[0], order[1] = order[1], order[0]
	}
	for _, a := range order {
		if err := s.set(bridgeInfo(a)); err != nil {
			return err
		}
	}
	return nil
}

// setUp brings the bridge up.
type setUp struct{ bridge }

func (s setUp) String() string { return fmt.Sprintf("set %s up", s.name) }
func (s setUp) Do() error      { return s.change(unix.IFF_UP) }
func (s setUp) Undo() error    { return ignoreGone(s.change(0)) }

func (s setUp) change(flags uint32) error {
	index, err := s.index()
	if err != nil {
		return err
	}
	header := linkHeader(index)
	header.Flags, header.Change = flags, unix.IFF_UP
	return request(unix.RTM_NEWLINK, 0, header)
}

func linkHeader(index int) *nl.IfInfomsg {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	return m
}

func bridgeInfo(options ...*nl.RtAttr) *nl.RtAttr {
	return nest(unix.IFLA_LINKINFO, text(nl.IFLA_INFO_KIND, "bridge"), nest(nl.IFLA_INFO_DATA, options...))
}

func delayAttr(d time.Duration) *nl.RtAttr {
	return u32(nl.IFLA_BR_FORWARD_DELAY, uint32(d/tick))
}

func stpAttr(on bool) *nl.RtAttr {
	var v uint32
	if on {
		v = 1
	}
	return u32(nl.IFLA_BR_STP_STATE, v)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
