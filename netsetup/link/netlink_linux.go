package link

import (
	"encoding/binary"
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// request sends one message to the kernel and waits for its answer. The socket is opened here, and
// so in the network namespace of the calling thread. An error is the kernel's errno with its text,
// if it gave one.
func request(kind, flags int, header nl.NetlinkRequestData, attrs ...*nl.RtAttr) error {
	_, err := execute(kind, flags|unix.NLM_F_ACK, header, attrs)
	return err
}

// dump returns the bodies of all messages that answer a request for a list. A list that changed
// while it was read is read again.
func dump(kind int, header nl.NetlinkRequestData, attrs ...*nl.RtAttr) ([][]byte, error) {
	for try := 0; ; try++ {
		found, err := execute(kind, unix.NLM_F_DUMP, header, attrs)
		interrupted := errors.Is(err, nl.ErrDumpInterrupted) || errors.Is(err, unix.EINTR)
		if !interrupted || try == 20 {
			return found, err
		}
	}
}

func execute(kind, flags int, header nl.NetlinkRequestData, attrs []*nl.RtAttr) ([][]byte, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	if err := socket.SetReceiveTimeout(&unix.Timeval{Sec: 60}); err != nil {
		return nil, err
	}
	if err := socket.SetExtAck(true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) { // Linux 4.12
		return nil, err
	}
	r := nl.NewNetlinkRequest(kind, flags)
	r.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}
	r.AddData(header)
	for _, a := range attrs {
		r.AddData(a)
	}
	return r.Execute(unix.NETLINK_ROUTE, 0)
}

func u8(kind int, v uint8) *nl.RtAttr   { return nl.NewRtAttr(kind, []byte{v}) }
func u32(kind int, v uint32) *nl.RtAttr { return nl.NewRtAttr(kind, nl.Uint32Attr(v)) }
func text(kind int, s string) *nl.RtAttr {
	return nl.NewRtAttr(kind, nl.ZeroTerminated(s))
}

func nest(kind int, kids ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil)
	for _, k := range kids {
		a.AddChild(k)
	}
	return a
}

// nlaTypeMask leaves the flags out of an attribute's kind: NLA_TYPE_MASK of linux/netlink.h.
const nlaTypeMask = 0x3fff

// attributes are the attributes of a message by their kind.
type attributes map[int][]byte

// parse reads attributes: length and kind in 16 bits each, then the value, then what is missing to
// a multiple of four. What the kernel sends is well-formed; should it not be, what is before the
// fault counts.
func parse(b []byte) attributes {
	found := attributes{}
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			break
		}
		kind := binary.NativeEndian.Uint16(b[2:])
		found[int(kind&nlaTypeMask)] = b[unix.SizeofRtAttr:length:length]
		b = b[min((length+3)&^3, len(b)):]
	}
	return found
}

func (a attributes) has(kind int) bool { _, ok := a[kind]; return ok }

func (a attributes) nest(kind int) attributes { return parse(a[kind]) }

func (a attributes) text(kind int) string { return unix.ByteSliceToString(a[kind]) }

func (a attributes) u8(kind int) uint8 {
	if b := a[kind]; len(b) >= 1 {
		return b[0]
	}
	return 0
}

func (a attributes) u32(kind int) uint32 {
	if b := a[kind]; len(b) >= 4 {
		return binary.NativeEndian.Uint32(b)
	}
	return 0
}

// errNotOurs says that a device is another one than the step was made for.
var errNotOurs = errors.New("not a bridge that vnetc made for this network")

// gone is true if err says that what was to be taken back isn't there.
func gone(err error) bool {
	for _, e := range []error{unix.ENODEV, unix.ESRCH, unix.EADDRNOTAVAIL, unix.ENOENT, errNotOurs} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ignoreThere returns nil if err says that what was to come back is there, or its device isn't;
// others as they are.
func ignoreThere(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return ignoreGone(err)
}

// ignoreGone returns nil for such an error, others as they are.
func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
