package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Messages of ctnetlink, and their subsystem, in linux/netfilter/nfnetlink.h.
const (
	subsystem = 1 // NFNL_SUBSYS_CTNETLINK
	ctGet     = 1 // IPCTNL_MSG_CT_GET
	ctDelete  = 2 // IPCTNL_MSG_CT_DELETE
)

const nfgenmsg = 4 // bytes: family, version, resource

// ModuleError says that the kernel can't list connections.
type ModuleError struct {
	Module string // as modprobe(8) names it
	Err    error  // the kernel's error
}

func (e *ModuleError) Error() string {
	return fmt.Sprintf("connections that a policy forbids can't be cut: %v: missing in the kernel: %s "+
		"(where it is installed, modprobe %[2]s loads it)", e.Err, e.Module)
}

func (e *ModuleError) Unwrap() error { return e.Err }

// explain says what is missing where an errno alone would not. A subsystem that the kernel does not
// know is EINVAL (nfnetlink_rcv_msg in net/netfilter/nfnetlink.c).
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("list connections: %w: CAP_NET_ADMIN over this network namespace is needed", err)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return &ModuleError{"nf_conntrack_netlink", err}
	}
	return fmt.Errorf("list connections: %w", err)
}

// conn is a netlink socket in the network namespace of the thread that opened it.
type conn struct {
	fd  int
	seq uint32
	buf []byte
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	c := &conn{fd: fd, buf: make([]byte, 1<<16)} // the kernel fills 32 KiB at most
	if err := c.prepare(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// prepare binds the socket. Answers to requests that fail don't repeat them, and what never comes
// is not waited for.
func (c *conn) prepare() error {
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil {
		return err
	}
	return unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30})
}

func (c *conn) close() { unix.Close(c.fd) }

// request appends a message of ctnetlink to b.
func (c *conn) request(b []byte, sub, typ, flags uint16, family byte, attrs ...[]byte) []byte {
	from := len(b)
	c.seq++
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint16(b, sub<<8|typ)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, c.seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, family, 0, 0, 0)
	for _, a := range attrs {
		b = appendPadded(b, a)
	}
	binary.NativeEndian.PutUint32(b[from:], uint32(len(b)-from))
	return b
}

// appendPadded appends an attribute so that another can follow it.
func appendPadded(b, a []byte) []byte { return append(append(b, a...), make([]byte, -len(a)&3)...) }

func (c *conn) send(b []byte) error {
	return unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// receive calls yield with each message of the next datagram: its type and what is behind its
// header.
func (c *conn) receive(yield func(typ uint16, body []byte) error) error {
	var n int
	for {
		var err error
		n, _, err = unix.Recvfrom(c.fd, c.buf, unix.MSG_TRUNC)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	if n > len(c.buf) {
		return fmt.Errorf("a datagram of %d bytes", n)
	}
	for data := c.buf[:n]; len(data) > 0; {
		if len(data) < unix.NLMSG_HDRLEN {
			return fmt.Errorf("%d bytes where a message should be", len(data))
		}
		size := int(binary.NativeEndian.Uint32(data))
		if size < unix.NLMSG_HDRLEN || size > len(data) {
			return fmt.Errorf("a message of %d bytes in %d", size, len(data))
		}
		if err := yield(binary.NativeEndian.Uint16(data[4:]), data[unix.NLMSG_HDRLEN:size]); err != nil {
			return err
		}
		data = data[min(len(data), (size+3)&^3):]
	}
	return nil
}

// errno returns what an error message says, nil for an acknowledgement. The end of a dump has the
// same form.
func errno(body []byte) error {
	if len(body) < 4 {
		return errors.New("an error message without an error")
	}
	if n := -int32(binary.NativeEndian.Uint32(body)); n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// list calls yield with the attributes of each entry, of both families. They are valid until yield
// returns. It keeps no more than one datagram, as the kernel gives the next when that is read.
func (c *conn) list(sub uint16, yield func(family byte, attrs []byte) error) error {
	if err := c.send(c.request(nil, sub, ctGet, unix.NLM_F_DUMP, unix.AF_UNSPEC)); err != nil {
		return err
	}
	for done := false; !done; {
		err := c.receive(func(typ uint16, body []byte) error {
			switch {
			case typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR:
				done = true
				return errno(body)
			case len(body) < nfgenmsg:
				return fmt.Errorf("an entry of %d bytes", len(body))
			}
			return yield(body[0], body[nfgenmsg:])
		})
		if err != nil {
			return err
		}
	}
	return nil
}
