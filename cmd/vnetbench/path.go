package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// path is the way of the packets: a guest, a host with a bridge and an uplink, and what is beyond.
// There they are dropped at once, as they are for another station.
type path struct {
	guest, host, far *namespace
	frame            []byte
	device           int // the guest's, by its number
	port             uint16
}

func newPath() (p *path, err error) {
	p = &path{}
	for _, ns := range []**namespace{&p.guest, &p.host, &p.far} {
		if *ns, err = newNamespace(); err != nil {
			return nil, err
		}
	}
	err = p.host.sh(fmt.Sprintf(`
ip link set lo up
ip link add vbr0 address 52:54:00:00:00:01 type bridge
ip addr add 10.0.0.1/24 dev vbr0
ip link set vbr0 up
ip link add port0 type veth peer name eth0 address 52:54:00:00:00:05 netns %d
ip link set port0 master vbr0 up
ip link add up0 type veth peer name eth0 netns %d
ip addr add 198.51.100.1/24 dev up0
ip link set up0 up
ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:99 dev up0 nud permanent
ip route add default via 198.51.100.2
echo 1 > /proc/sys/net/ipv4/ip_forward`, p.guest.tid, p.far.tid))
	if err != nil {
		return nil, err
	}
	for _, ns := range []*namespace{p.guest, p.far} {
		if err := ns.sh("ip link set eth0 up"); err != nil {
			return nil, err
		}
	}
	p.guest.do(func() {
		var dev *net.Interface
		if dev, err = net.InterfaceByName("eth0"); err == nil {
			p.device = dev.Index
		}
	})
	p.frame = frame()
	time.Sleep(100 * time.Millisecond) // for the bridge to forward
	return p, err
}

func (p *path) close() {
	for _, ns := range []*namespace{p.guest, p.host, p.far} {
		ns.close()
	}
}

// frame returns the smallest Ethernet frame with a UDP packet from the guest to the world.
func frame() []byte {
	b := make([]byte, 60)
	copy(b, []byte{0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 5, 0x08, 0x00})
	ip := b[14:]
	copy(ip, []byte{0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, unix.IPPROTO_UDP, 0, 0, 10, 0, 0, 5, 203, 0, 113, 7})
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(ip[20:], 40000)
	binary.BigEndian.PutUint16(ip[22:], 9)
	binary.BigEndian.PutUint16(ip[24:], 26)
	return b
}

// send sends packets and returns what one costs in CPU time. With flows each has a port of its own.
func (p *path) send(packets int, flows bool) (cost time.Duration, err error) {
	before, err := p.arrived()
	if err != nil {
		return 0, err
	}
	p.guest.do(func() { cost, err = p.burst(packets, flows) })
	if err != nil {
		return 0, err
	}
	after, err := p.arrived()
	if err == nil && after-before < uint64(packets)*99/100 {
		err = fmt.Errorf("%d of %d packets arrived", after-before, packets)
	}
	return cost / time.Duration(packets), err
}

// burst is send, in the guest's namespace and on one processor.
func (p *path) burst(packets int, flows bool) (time.Duration, error) {
	cpu := runtime.NumCPU() - 1
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return 0, fmt.Errorf("keep to one processor: %w", err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Ifindex: p.device}
	begin, err := spent(cpu)
	if err != nil {
		return 0, err
	}
	port := p.frame[14+20:]
	for range packets {
		if flows {
			p.port++
			if p.port < 1024 {
				p.port = 1024
				binary.BigEndian.PutUint16(port[2:], binary.BigEndian.Uint16(port[2:])+1)
			}
			binary.BigEndian.PutUint16(port, p.port)
		}
		if err := unix.Sendto(fd, p.frame, 0, to); err != nil {
			return 0, err
		}
	}
	end, err := spent(cpu)
	return end - begin, err
}

// spent returns the CPU time of this thread and of the kernel thread that processes packets on a
// processor when there are many.
func spent(cpu int) (time.Duration, error) {
	var own unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &own); err != nil { // getrusage(2) counts in ticks
		return 0, err
	}
	kernel, err := softirqd(cpu)
	return time.Duration(own.Nano()) + kernel, err
}

// softirqd returns the CPU time of ksoftirqd/CPU, from the nanoseconds of /proc/PID/schedstat.
func softirqd(cpu int) (time.Duration, error) {
	name := fmt.Sprintf("ksoftirqd/%d\n", cpu)
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, file := range names {
		if text, err := os.ReadFile(file); err != nil || string(text) != name {
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "schedstat"))
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseInt(string(bytes.Fields(text)[0]), 10, 64)
		return time.Duration(ns), err
	}
	return 0, nil // out of sight, in a container
}

// arrived returns how many packets came to what is beyond the host.
func (p *path) arrived() (n uint64, err error) {
	p.far.do(func() {
		var text []byte
		if text, err = os.ReadFile("/proc/thread-self/net/dev"); err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			if name, figures, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "eth0" {
				n, err = strconv.ParseUint(strings.Fields(figures)[1], 10, 64)
			}
		}
	})
	return n, err
}
