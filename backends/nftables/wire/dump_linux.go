package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// ErrInterrupted says that the ruleset changed while the kernel was telling it.
var ErrInterrupted = errors.New("the ruleset changed while it was read")

// Conn asks nf_tables of one network namespace for what it holds.
type Conn struct {
	fd  int
	seq uint32
	buf []byte
}

// Dial opens a connection, in the network namespace of the calling thread.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	r := &Conn{fd: fd, buf: make([]byte, 1<<18)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		r.Close()
		return nil, fmt.Errorf("bind netlink socket: %w", err)
	}
	return r, nil
}

// Close closes the connection.
func (r *Conn) Close() { unix.Close(r.fd) }

// Ask sends a request with the attributes already encoded, and appends the kernel's messages to
// out.
func (r *Conn) Ask(out []byte, typ uint16, flags uint16, family byte, attrs []byte) ([]byte, error) {
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

// collect appends the messages of one datagram to out; done is true if they are the last. The
// answer to a question that is not a dump is one message, or an error.
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
			return out, true, ErrInterrupted
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
		if cap(out)-len(out) < len(message) {
			out = slices.Grow(out,
				len(out)+len(message)) // twice as long: by less, a long dump is copied again and again
		}
		out = append(out, message...)
	}
	return out, !dump, nil
}

// dumpTable appends the kernel's messages about one table to out: itself, its chains, sets,
// elements, other objects and rules. There are none if the table does not exist.
func (r *Conn) dumpTable(out []byte, family byte, name string) ([]byte, error) {
	out, err := r.Ask(out, unix.NFT_MSG_GETTABLE, 0, family, nameAttr(unix.NFTA_TABLE_NAME, name))
	if errors.Is(err, unix.ENOENT) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	chains, err := r.Ask(nil, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, family, nil)
	if err != nil {
		return nil, err
	}
	err = Each(chains, func(m Message, raw []byte) error {
		if m.Attrs.Text(unix.NFTA_CHAIN_TABLE) == name { // the kernel has no filter for chains
			out = append(out, raw...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sets, err := r.Ask(nil, unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, family, nameAttr(unix.NFTA_SET_TABLE, name))
	if err != nil {
		return nil, err
	}
	out = append(out, sets...)
	err = Each(sets, func(m Message, _ []byte) error {
		set := append(nameAttr(unix.NFTA_SET_ELEM_LIST_TABLE, name),
			nameAttr(unix.NFTA_SET_ELEM_LIST_SET, m.Attrs.Text(unix.NFTA_SET_NAME))...)
		out, err = r.Ask(out, unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, family, set)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, kind := range []uint16{unix.NFT_MSG_GETOBJ,
		unix.NFT_MSG_GETFLOWTABLE} { // which have their table in attribute 1, too
		out, err = r.Ask(out, kind, unix.NLM_F_DUMP, family, nameAttr(1, name))
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err,
			unix.EOPNOTSUPP) { // an old kernel has none of that kind
			return nil, err
		}
	}
	return r.Ask(out, unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, family, nameAttr(unix.NFTA_RULE_TABLE, name))
}

// nameAttr returns a string attribute.
func nameAttr(typ uint16, text string) []byte {
	var b Batch
	b.Text(typ, text)
	return b.Bytes
}

// Generation returns the number of the ruleset's last change in this network namespace.
func (r *Conn) Generation() (n uint32, err error) {
	out, err := r.Ask(nil, unix.NFT_MSG_GETGEN, 0, 0, nil)
	if err != nil {
		return 0, err
	}
	err = Each(out, func(m Message, _ []byte) error {
		n, _ = m.Attrs.Uint32(unix.NFTA_GEN_ID)
		return nil
	})
	if err != nil || n != 0 {
		return n, err
	}
	return 0, errors.New("nf_tables gives no generation number")
}

// Tries is how often what is read is begun again because somebody else changes the ruleset.
const Tries = 10

// Table is a table by the kernel's number of its family, and its name.
type Table struct {
	Family byte
	Name   string
}

// Dump returns the kernel's messages about tables, all of one generation of the ruleset, and its
// number.
func Dump(tables []Table) (stream []byte, generation uint32, err error) {
	return steady(func(r *Conn) (stream []byte, err error) {
		for _, t := range tables {
			if stream, err = r.dumpTable(stream, t.Family, t.Name); err != nil {
				return nil, err
			}
		}
		return stream, nil
	})
}

// DumpAll is [Dump] of all tables of all families: tables and chains in the order in which they
// were made, chains table by table.
func DumpAll() (stream []byte, generation uint32, err error) { return steady((*Conn).dumpAll) }

// DumpHooks is DumpAll of base chains and their rules, but for the rules of tables called but.
// Chains of more than most rules are not read; long has their names.
func DumpHooks(but string, most uint32) (stream []byte, long []string, err error) {
	stream, _, err = steady(func(r *Conn) (out []byte, err error) {
		long = nil
		if out, err = r.Ask(nil, unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil); err != nil {
			return nil, err
		}
		chains, err := r.Ask(nil, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
		if err != nil {
			return nil, err
		}
		var rules []byte
		err = Each(chains, func(m Message, raw []byte) error {
			table := m.Attrs.Text(unix.NFTA_CHAIN_TABLE)
			if m.Attrs[unix.NFTA_CHAIN_HOOK] == nil || table == but {
				return nil
			}
			out = append(out, raw...)
			// Nobody jumps to a base chain: what uses it is its rules.
			if use := m.Attrs[unix.NFTA_CHAIN_USE]; len(use) == 4 && binary.BigEndian.Uint32(use) > most {
				long = append(long, m.Attrs.Text(unix.NFTA_CHAIN_NAME))
				return nil
			}
			of := append(nameAttr(unix.NFTA_RULE_TABLE, table), nameAttr(unix.NFTA_RULE_CHAIN,
				m.Attrs.Text(unix.NFTA_CHAIN_NAME))...)
			rules, err = r.Ask(rules, unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, m.Family, of)
			return err
		})
		return append(out, rules...), err
	})
	return stream, long, err
}

// dumpAll returns the kernel's messages about everything.
func (r *Conn) dumpAll() (out []byte, err error) {
	for _, kind := range []uint16{unix.NFT_MSG_GETTABLE, unix.NFT_MSG_GETCHAIN} {
		if out, err = r.Ask(out, kind, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil); err != nil {
			return nil, err
		}
	}
	sets, err := r.Ask(nil, unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
	if err != nil {
		return nil, err
	}
	out = append(out, sets...)
	err = Each(sets, func(m Message, _ []byte) error {
		set := append(nameAttr(unix.NFTA_SET_ELEM_LIST_TABLE, m.Attrs.Text(unix.NFTA_SET_TABLE)),
			nameAttr(unix.NFTA_SET_ELEM_LIST_SET, m.Attrs.Text(unix.NFTA_SET_NAME))...)
		out, err = r.Ask(out, unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, m.Family, set)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, kind := range []uint16{unix.NFT_MSG_GETOBJ, unix.NFT_MSG_GETFLOWTABLE} {
		out, err = r.Ask(out, kind, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
		// an old kernel has none of that kind
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, err
		}
	}
	return r.Ask(out, unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, nil)
}

// steady returns what read reads of one generation of the ruleset, and its number.
func steady(read func(*Conn) ([]byte, error)) (stream []byte, generation uint32, err error) {
	r, err := Dial()
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	for range Tries {
		before, err := r.Generation()
		if err != nil {
			return nil, 0, err
		}
		stream, err = read(r)
		if err != nil && !errors.Is(err, ErrInterrupted) && !errors.Is(err, unix.ENOENT) {
			return nil, 0, err
		}
		after, genErr := r.Generation()
		if genErr != nil {
			return nil, 0, genErr
		}
		if err == nil && before == after {
			return stream, before, nil
		}
	}
	return nil, 0, ErrInterrupted
}
