package kernel

import (
	"encoding/binary"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// dump returns what nf_tables holds in ns, as the messages of the kernel's dumps: tables, chains,
// sets, elements, rules.
func dump(t *testing.T, ns *netnstest.NS) (stream []byte) {
	t.Helper()
	ns.Do(func() {
		sets := ask(t, unix.NFT_MSG_GETSET, 0, nil)
		stream = append(stream, ask(t, unix.NFT_MSG_GETCHAIN, 0, nil)...)
		stream = append(stream, sets...)
		for len(sets) > 0 {
			size := binary.NativeEndian.Uint32(sets)
			body := sets[unix.NLMSG_HDRLEN:size]
			stream = append(stream, ask(t, unix.NFT_MSG_GETSETELEM, body[0], firstTwo(body[4:]))...)
			sets = sets[size:]
		}
		stream = append(stream, ask(t, unix.NFT_MSG_GETRULE, 0, nil)...)
	})
	return stream
}

// firstTwo returns the first two attributes: of a set, its table and its name, which have the same
// numbers in a question for its elements.
func firstTwo(attrs []byte) []byte {
	end := 0
	for range 2 {
		end += int(binary.NativeEndian.Uint16(attrs[end:])+3) &^ 3
	}
	return attrs[:end]
}

// ask asks for a dump.
func ask(t *testing.T, typ uint16, family byte, attrs []byte) (stream []byte) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+4+len(attrs)))
	b = binary.NativeEndian.AppendUint16(b, unix.NFNL_SUBSYS_NFTABLES<<8|typ)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = append(append(b, make([]byte, 8)...), family, unix.NFNETLINK_V0, 0, 0)
	if err := unix.Sendto(fd, append(b, attrs...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1<<18)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			t.Fatal(err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if m.Header.Type == unix.NLMSG_DONE {
				return stream
			}
			if m.Header.Type == unix.NLMSG_ERROR {
				t.Fatalf("dump: %v", syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data))))
			}
		}
		stream = append(stream, buffer[:n]...)
	}
}
