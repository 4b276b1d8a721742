package link

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadListeners returns the sockets at one of the ports, and the processes that have them open.
func ReadListeners(ports ...uint16) ([]Listener, error) {
	found, err := readSockets(ports)
	if err != nil {
		return nil, err
	}
	return nameProcesses(found), nil
}

// ReadSockets is ReadListeners without the processes, which take longer to find than all else.
func ReadSockets(ports ...uint16) ([]Listener, error) {
	found, err := readSockets(ports)
	var all []Listener
	for _, s := range found {
		all = append(all, s.Listener)
	}
	return all, err
}

func readSockets(ports []uint16) ([]socket, error) {
	if len(ports) == 0 {
		return nil, nil
	}
	found, err := diagnoseSockets(ports)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EPROTONOSUPPORT) && !errors.Is(err, unix.EAFNOSUPPORT) {
		return found, err
	}
	return listSockets(ports)
}

// listSockets reads the sockets of a kernel without sock_diag(7), which doesn't show what devices
// they are bound to.
func listSockets(ports []uint16) (found []socket, err error) {
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("list the sockets: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if s, ok := readSocket(line, table); ok && slices.Contains(ports, s.Addr.Port()) {
				found = append(found, s)
			}
		}
	}
	return found, nil
}

// socket is a listener whose process is not known yet.
type socket struct {
	Listener
	inode string
}

// readSocket reads a line of /proc/net/tcp and its like (proc_pid_net(5)); false if the socket
// doesn't wait for anyone who comes.
func readSocket(line, table string) (socket, bool) {
	const listen, unconnected = "0A", "07"
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return socket{}, false
	}
	tcp := strings.HasPrefix(table, "tcp")
	if state := fields[3]; tcp && state != listen || !tcp && state != unconnected {
		return socket{}, false
	}
	addr, ok := readSocketAddr(fields[1])
	return socket{Listener{TCP: tcp, Addr: addr, Device: UnknownDevice}, fields[9]}, ok
}

// readSocketAddr reads an address as four or sixteen bytes in hex, each four of them a number of
// this machine's byte order, and a port in hex.
func readSocketAddr(text string) (netip.AddrPort, bool) {
	digits, portDigits, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(digits)
	port, portErr := strconv.ParseUint(portDigits, 16, 16)
	if err != nil || portErr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}

// nameProcesses looks through the files that processes have open. Those of other users can't be
// seen without privilege.
func nameProcesses(found []socket) []Listener {
	byLink := map[string][]int{} // by what the links in /proc/PID/fd say
	listeners := make([]Listener, len(found))
	for i, s := range found {
		listeners[i] = s.Listener
		name := "socket:[" + s.inode + "]"
		byLink[name] = append(byLink[name], i)
	}
	if len(found) == 0 {
		return nil
	}
	for _, dir := range list("/proc") {
		pid, err := strconv.Atoi(dir)
		if err != nil || len(byLink) == 0 {
			continue
		}
		dir = "/proc/" + dir
		for _, fd := range list(dir + "/fd") {
			target, err := os.Readlink(dir + "/fd/" + fd)
			if found, ok := byLink[target]; ok && err == nil {
				name, _ := os.ReadFile(dir + "/comm")
				for _, i := range found {
					listeners[i].PID, listeners[i].Process = pid, strings.TrimSpace(string(name))
				}
				delete(byLink, target)
			}
		}
	}
	return listeners
}

// list returns the names in a folder in no order; none if it can't be read.
func list(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return names
}
