package nftables

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// errInterrupted says that the ruleset changed while the kernel was telling it.
var errInterrupted = errors.New("the ruleset changed while it was read")

// asker asks nf_tables of one network namespace for what it holds.
type asker struct {
	fd  int
	seq uint32
	buf []byte
}

func openAsker() (*asker, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	r := &asker{fd: fd, buf: make([]byte, 1<<18)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		r.close()
		return nil, fmt.Errorf("bind netlink socket: %w", err)
	}
	return r, nil
}

func (r *asker) close() { unix.Close(r.fd) }

// ask sends a request with the attributes already encoded, and appends the kernel's messages to out.
func (r *asker) ask(out []byte, typ uint16, flags uint16, family byte, attrs []byte) ([]byte, error) {
	r.seq++
	request := make([]byte, unix.NLMSG_HDRLEN+4, unix.NLMSG_HDRLEN+4+len(attrs))
	request = append(request, attrs...)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.NFNL_SUBSYS_NFTABLES<<8|typ)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|flags)
	binary.NativeEndian.PutUint32(request[8:], r.seq)
	request[unix.NLMSG_HDRLEN] = family
	if err := unix.Sendto(r.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return out, fmt.Errorf("ask nf_tables: %w", err)
	}
	for {
		n, _, err := unix.Recvfrom(r.fd, r.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return out, fmt.Errorf("read nf_tables: %w", err)
		}
		var done bool
		if out, done, err = collect(out, r.buf[:n], flags&unix.NLM_F_DUMP != 0); err != nil || done {
			return out, err
		}
	}
}

// collect appends the messages of one datagram to out; done is true if they are the last. The answer to a question that is
// not a dump is one message, or an error.
func collect(out, data []byte, dump bool) (all []byte, done bool, err error) {
	for len(data) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(data))
		if size < unix.NLMSG_HDRLEN || size > len(data) {
			return out, true, fmt.Errorf("read nf_tables: message of %d bytes in a datagram of %d", size, len(data))
		}
		padded := min(len(data), (size+3)&^3)
		message := data[:padded]
		data = data[padded:]
		if binary.NativeEndian.Uint16(message[6:])&unix.NLM_F_DUMP_INTR != 0 {
			return out, true, errInterrupted
		}
		switch binary.NativeEndian.Uint16(message[4:]) {
		case unix.NLMSG_DONE:
			return out, true, nil
		case unix.NLMSG_ERROR:
			if len(message) < unix.NLMSG_HDRLEN+4 {
				return out, true, errors.New("read nf_tables: error message without an error")
			}
			if errno := -int32(binary.NativeEndian.Uint32(message[unix.NLMSG_HDRLEN:])); errno != 0 {
				return out, true, unix.Errno(errno)
			}
			return out, true, nil
		}
		out = append(out, message...)
	}
	return out, !dump, nil
}

// dumpTable returns the kernel's messages about one table: itself, its chains, sets, elements and rules. There are none if
// the table does not exist.
func (r *asker) dumpTable(family byte, name string) ([]byte, error) {
	table := attribute(nil, unix.NFTA_TABLE_NAME, name)
	out, err := r.ask(nil, unix.NFT_MSG_GETTABLE, 0, family, table)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	chains, err := r.ask(nil, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, family, nil)
	if err != nil {
		return nil, err
	}
	out = appendOfTable(out, chains, name)
	sets, err := r.ask(nil, unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, family, attribute(nil, unix.NFTA_SET_TABLE, name))
	if err != nil {
		return nil, err
	}
	out = append(out, sets...)
	err = eachMessage(sets, func(message []byte) error {
		set := attribute(attribute(nil, unix.NFTA_SET_ELEM_LIST_TABLE, name), unix.NFTA_SET_ELEM_LIST_SET, textAttribute(message, unix.NFTA_SET_NAME))
		out, err = r.ask(out, unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, family, set)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.ask(out, unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, family, attribute(nil, unix.NFTA_RULE_TABLE, name))
}

// appendOfTable appends the messages of a dump of chains that are about the table called name: the kernel has no filter
// for them.
func appendOfTable(out, dump []byte, name string) []byte {
	_ = eachMessage(dump, func(message []byte) error {
		if textAttribute(message, unix.NFTA_CHAIN_TABLE) == name {
			out = append(out, message...)
		}
		return nil
	})
	return out
}

// eachMessage calls f for each message of a stream that came from the kernel.
func eachMessage(stream []byte, f func(message []byte) error) error {
	for len(stream) >= unix.NLMSG_HDRLEN {
		size := (int(binary.NativeEndian.Uint32(stream)) + 3) &^ 3
		if size < unix.NLMSG_HDRLEN || size > len(stream) {
			return fmt.Errorf("message of %d bytes in a stream of %d", size, len(stream))
		}
		if err := f(stream[:size]); err != nil {
			return err
		}
		stream = stream[size:]
	}
	return nil
}

// attribute appends one text attribute, as nf_tables has its names: with a NUL at the end.
func attribute(b []byte, typ uint16, text string) []byte {
	size := unix.NLA_HDRLEN + len(text) + 1
	b = binary.NativeEndian.AppendUint16(b, uint16(size))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, text...)
	return append(b, make([]byte, 1+(4-size%4)%4)...)
}

// textAttribute returns the text of a message's attribute, empty if there is none.
func textAttribute(message []byte, typ uint16) string {
	attrs := message[min(len(message), unix.NLMSG_HDRLEN+4):]
	for len(attrs) >= unix.NLA_HDRLEN {
		size := int(binary.NativeEndian.Uint16(attrs))
		if size < unix.NLA_HDRLEN || size > len(attrs) {
			return ""
		}
		if binary.NativeEndian.Uint16(attrs[2:])&^uint16(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == typ && size > unix.NLA_HDRLEN {
			return string(attrs[unix.NLA_HDRLEN : size-1])
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
	return ""
}

// generation returns the number of the ruleset's last change in this network namespace.
func (r *asker) generation() (uint32, error) {
	out, err := r.ask(nil, unix.NFT_MSG_GETGEN, 0, 0, nil)
	if err != nil {
		return 0, err
	}
	attrs := out[min(len(out), unix.NLMSG_HDRLEN+4):]
	for len(attrs) >= 8 {
		size := int(binary.NativeEndian.Uint16(attrs))
		if size < unix.NLA_HDRLEN || size > len(attrs) {
			break
		}
		if binary.NativeEndian.Uint16(attrs[2:]) == unix.NFTA_GEN_ID {
			return binary.BigEndian.Uint32(attrs[4:]), nil
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
	return 0, errors.New("nf_tables gives no generation number")
}

// tries is how often a dump is begun again because somebody else changes the ruleset.
const tries = 10

// dumpNames returns the kernel's messages about the tables of names in both families, all of one generation, and its number.
func dumpNames(names backends.Names) (stream []byte, generation uint32, err error) {
	r, err := openAsker()
	if err != nil {
		return nil, 0, err
	}
	defer r.close()
	for range tries {
		before, err := r.generation()
		if err != nil {
			return nil, 0, err
		}
		stream, err := r.dumpTables(names)
		if err != nil && !errors.Is(err, errInterrupted) && !errors.Is(err, unix.ENOENT) {
			return nil, 0, err
		}
		after, genErr := r.generation()
		if genErr != nil {
			return nil, 0, genErr
		}
		if err == nil && before == after {
			return stream, before, nil
		}
	}
	return nil, 0, errInterrupted
}

func (r *asker) dumpTables(names backends.Names) ([]byte, error) {
	var stream []byte
	for _, family := range []ir.Family{ir.IPv4, ir.IPv6} {
		part, err := r.dumpTable(familyNumber(family), namesOf(names).table)
		if err != nil {
			return nil, err
		}
		stream = append(stream, part...)
	}
	return stream, nil
}
