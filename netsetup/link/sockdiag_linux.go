package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socketRequest asks for the sockets of a protocol that wait for anyone: struct inet_diag_req_v2 of
// linux/inet_diag.h.
type socketRequest struct {
	family, protocol uint8
	states           uint32
}

const socketRequestSize, socketSize = 56, 72 // bytes; the second is struct inet_diag_msg

func (r socketRequest) Len() int { return socketRequestSize }

func (r socketRequest) Serialize() []byte {
	b := make([]byte, socketRequestSize)
	b[0], b[1] = r.family, r.protocol
	binary.NativeEndian.PutUint32(b[4:], r.states)
	return b
}

// diagnoseSockets returns the sockets at one of the ports, by sock_diag(7): unlike /proc/net it
// shows the device that a socket is bound to. ENOENT says that the kernel can't.
func diagnoseSockets(ports []uint16) (found []socket, err error) {
	const listen, unconnected = 1 << 10, 1 << 7 // TCP_LISTEN, TCP_CLOSE
	for _, r := range []socketRequest{
		{unix.AF_INET, unix.IPPROTO_TCP, listen}, {unix.AF_INET6, unix.IPPROTO_TCP, listen},
		{unix.AF_INET, unix.IPPROTO_UDP, unconnected}, {unix.AF_INET6, unix.IPPROTO_UDP, unconnected},
	} {
		list, err := dumpSockets(r)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if s, ok := readDiagnosis(m, r); ok && slices.Contains(ports, s.Addr.Port()) {
				found = append(found, s)
			}
		}
	}
	return found, nil
}

func dumpSockets(r socketRequest) ([][]byte, error) {
	for try := 0; ; try++ {
		list, err := askSockets(r)
		interrupted := errors.Is(err, nl.ErrDumpInterrupted) || errors.Is(err, unix.EINTR)
		if !interrupted || try == 20 {
			return list, err
		}
	}
}

func askSockets(r socketRequest) ([][]byte, error) {
	conn, err := nl.Subscribe(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetReceiveTimeout(&unix.Timeval{Sec: 60}); err != nil {
		return nil, err
	}
	req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_SOCK_DIAG: {Socket: conn}}
	req.AddData(r)
	list, err := req.Execute(unix.NETLINK_SOCK_DIAG, 0)
	if err != nil {
		return nil, fmt.Errorf("list the sockets: %w", err)
	}
	return list, nil
}

// readDiagnosis reads a struct inet_diag_msg.
func readDiagnosis(m []byte, r socketRequest) (socket, bool) {
	if len(m) < socketSize {
		return socket{}, false
	}
	addr := netip.AddrFrom4([4]byte(m[8:12]))
	if m[0] == unix.AF_INET6 {
		addr = netip.AddrFrom16([16]byte(m[8:24])).Unmap()
	}
	return socket{
		Listener: Listener{
			TCP:    r.protocol == unix.IPPROTO_TCP,
			Addr:   netip.AddrPortFrom(addr, binary.BigEndian.Uint16(m[4:])),
			Device: int(binary.NativeEndian.Uint32(m[40:])),
			Queued: int(binary.NativeEndian.Uint32(m[56:])),
		},
		inode: strconv.Itoa(int(binary.NativeEndian.Uint32(m[68:]))),
	}, true
}
