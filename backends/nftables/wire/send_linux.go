package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// RefusedError is one message of a batch that the kernel refused. With one of them nothing of the
// batch was applied.
type RefusedError struct {
	Seq   uint32     // of the message, counting from 1
	Rule  *ir.Rule   // the rule it came from, nil if it came from none
	Errno unix.Errno // the kernel's reason
	Text  string     // the kernel's text beside it (NLMSGERR_ATTR_MSG), usually none
}

// Unwrap returns the errno.
func (e *RefusedError) Unwrap() error { return e.Errno }

func (e *RefusedError) Error() string {
	said := e.Errno.Error()
	if e.Text != "" {
		said += " (" + e.Text + ")"
	}
	if e.Rule == nil {
		return fmt.Sprintf("the kernel refuses message %d of the batch: %s", e.Seq, said)
	}
	where := e.Rule.Origin.Span.String()
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%sthe kernel refuses %q: %s", where, e.Rule.String(), said)
}

// Send gives the batch to nf_tables of the calling thread's network namespace, in one piece: when
// it returns, all of it is in force or none. It needs CAP_NET_ADMIN there. What the kernel refuses
// is returned as one or more *[RefusedError], joined; other errors are the socket's.
func (b *Batch) Send() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	defer unix.Close(fd)
	if err := prepare(fd, len(b.Bytes)); err != nil {
		return err
	}
	if err := unix.Sendto(fd, b.Bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		if errors.Is(err, unix.EMSGSIZE) {
			return fmt.Errorf("send batch of %d bytes: %w (net.core.wmem_max limits it)", len(b.Bytes), err)
		}
		return fmt.Errorf("send batch of %d bytes: %w", len(b.Bytes), err)
	}
	return b.answers(fd)
}

// prepare gives the socket room for a batch of size bytes, and for an answer to each of its
// messages. A message is kept in one buffer of the kernel's, which counts a little more than its
// bytes.
func prepare(fd, size int) error {
	room := size + size/4 + 1<<16
	for force, option := range map[int]int{unix.SO_SNDBUFFORCE: unix.SO_SNDBUF, unix.SO_RCVBUFFORCE: unix.SO_RCVBUF} {
		// Without CAP_NET_ADMIN over the socket's namespace only the limited form is allowed.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, room) != nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, room); err != nil {
				return fmt.Errorf("set socket buffer to %d bytes: %w", room, err)
			}
		}
	}
	// Answers carry the kernel's text, and not the message that they answer.
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			return fmt.Errorf("set netlink option %d: %w", option, err)
		}
	}
	return nil
}

// answers reads the kernel's answers to the batch. All of them are there when the batch was sent.
func (b *Batch) answers(fd int) error {
	var refused []error
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return errors.Join(refused...)
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return errors.Join(append(refused, fmt.Errorf("read the kernel's answer: %w", err))...)
		}
		refused = append(refused, b.refusals(buffer[:n])...)
	}
}

// refusals returns the errors in one datagram of answers.
func (b *Batch) refusals(data []byte) []error {
	var all []error
	for len(data) >= unix.NLMSG_HDRLEN+4 {
		size := int(binary.NativeEndian.Uint32(data))
		if size < unix.NLMSG_HDRLEN+4 || size > len(data) {
			return append(all, fmt.Errorf("answer of %d bytes in a datagram of %d", size, len(data)))
		}
		message := data[:size]
		data = data[min(len(data), (size+3)&^3):]
		errno := unix.Errno(-int32(binary.NativeEndian.Uint32(message[unix.NLMSG_HDRLEN:])))
		if binary.NativeEndian.Uint16(message[4:]) != unix.NLMSG_ERROR || errno == 0 {
			continue
		}
		// struct nlmsgerr: the error, and the header of the message that is answered
		answered := message[unix.NLMSG_HDRLEN+4:]
		refused := &RefusedError{Errno: errno, Text: extendedAck(message)}
		if len(answered) >= unix.NLMSG_HDRLEN {
			refused.Seq = binary.NativeEndian.Uint32(answered[8:])
			refused.Rule = b.Rule(refused.Seq)
		}
		all = append(all, refused)
	}
	return all
}

// extendedAck returns the text behind an error message, if there is one (linux/netlink.h,
// NLM_F_ACK_TLVS).
func extendedAck(message []byte) string {
	if binary.NativeEndian.Uint16(message[6:])&unix.NLM_F_ACK_TLVS == 0 || len(message) < 2*unix.NLMSG_HDRLEN+4 {
		return ""
	}
	attrs := message[2*unix.NLMSG_HDRLEN+4:]
	for len(attrs) >= unix.NLA_HDRLEN {
		size := int(binary.NativeEndian.Uint16(attrs))
		if size < unix.NLA_HDRLEN || size > len(attrs) {
			return ""
		}
		if binary.NativeEndian.Uint16(attrs[2:]) == unix.NLMSGERR_ATTR_MSG {
			return strings.TrimRight(string(attrs[unix.NLA_HDRLEN:size]), "\x00")
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
	return ""
}
