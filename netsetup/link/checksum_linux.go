package link

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fillChecksums has the UDP checksums of DHCP answers filled in by a filter of traffic control.
// Without it they are left to a network card that a guest doesn't have, and old DHCP clients drop
// what they get. A kernel without the filter's modules can compute the checksums of all that the
// host sends by the bridge: that costs more, and no client is left without an answer.
type fillChecksums struct {
	*setTraffic
	inSoftware bool // inSoftware is true once Do has turned the offload off.
}

func (s *fillChecksums) Do() error {
	err := s.setTraffic.Do()
	var lacking *Warning
	if !errors.As(err, &lacking) || len(lacking.Modules) == 0 {
		return err
	}
	if off := setChecksumOffload(s.name, false); off != nil {
		lacking.Err = errors.Join(lacking.Err, off)
		return lacking
	}
	s.inSoftware = true
	return nil
}

func (s *fillChecksums) Undo() error {
	err := s.setTraffic.Undo()
	if s.inSoftware {
		err = errors.Join(err, ignoreGone(setChecksumOffload(s.name, true)))
		s.inSoftware = false
	}
	return err
}

// Futile is false: there is a second way.
func (s *fillChecksums) Futile(func(module string) bool) bool { return false }

// checksumOffload reports whether a device leaves checksums of what it sends to others.
func checksumOffload(name string) (bool, error) {
	value := ethtoolValue{cmd: unix.ETHTOOL_GTXCSUM}
	err := value.ioctl(name)
	return value.data != 0, err
}

// setChecksumOffload turns that on or off.
func setChecksumOffload(name string, on bool) error {
	value := ethtoolValue{cmd: unix.ETHTOOL_STXCSUM}
	if on {
		value.data = 1
	}
	if err := value.ioctl(name); err != nil {
		return fmt.Errorf("turn the checksum offload of %s %s: %w", name, onOff(on), err)
	}
	return nil
}

// ethtoolValue is struct ethtool_value of linux/ethtool.h.
type ethtoolValue struct{ cmd, data uint32 }

func (v *ethtoolValue) ioctl(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // any socket will do
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var request struct { // struct ifreq of linux/if.h
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(v)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
