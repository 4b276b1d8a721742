package link

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// setPort sets what a port of the bridge may do. A port that has left the bridge since is left
// alone.
type setPort struct {
	bridge
	port     string
	from, to PortInfo
}

func (s setPort) String() string {
	var changes []string
	for _, o := range s.options() {
		changes = append(changes, fmt.Sprintf("%s %s", o.name, onOff(o.to)))
	}
	return fmt.Sprintf("set port %s of %s: %s", s.port, s.name, strings.Join(changes, ", "))
}

func (s setPort) Do() error   { return s.change(func(o portOption) bool { return o.to }) }
func (s setPort) Undo() error { return s.change(func(o portOption) bool { return o.from }) }

// portOption is one option that differs, by the name that bridge(8) has for it.
type portOption struct {
	name     string
	kind     int
	from, to bool
}

func (s setPort) options() []portOption {
	all := []portOption{
		{"isolated", nl.IFLA_BRPORT_ISOLATED, s.from.Isolated, s.to.Isolated},
		{"learning", nl.IFLA_BRPORT_LEARNING, s.from.Learning, s.to.Learning},
		{"flood", nl.IFLA_BRPORT_UNICAST_FLOOD, s.from.Flood, s.to.Flood},
	}
	var differ []portOption
	for _, o := range all {
		if o.from != o.to {
			differ = append(differ, o)
		}
	}
	return differ
}

func (s setPort) change(value func(portOption) bool) error {
	master, err := s.index()
	if err != nil {
		return ignoreGone(err)
	}
	d, err := findDevice(s.port)
	if err != nil || d.Master != master {
		return ignoreGone(err)
	}
	info := nest(unix.IFLA_PROTINFO)
	for _, o := range s.options() {
		v := uint8(0)
		if value(o) {
			v = 1
		}
		info.AddChild(u8(o.kind, v))
	}
	header := linkHeader(d.Index)
	header.Family = unix.AF_BRIDGE
	return ignoreGone(request(unix.RTM_SETLINK, 0, header, info))
}

// filterVLANs has the bridge look at VLAN tags, which macTableManager='libvirt' requires. The
// network works without it.
type filterVLANs struct{ bridge }

func (s filterVLANs) String() string { return fmt.Sprintf("set VLAN filtering of %s on", s.name) }

func (s filterVLANs) Do() error {
	err := s.change(1)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = fmt.Errorf("%w (the kernel is built without CONFIG_BRIDGE_VLAN_FILTERING)", err)
	}
	if err != nil {
		return &Warning{Step: s.String(), Err: err}
	}
	return nil
}

func (s filterVLANs) Undo() error {
	err := s.change(0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return ignoreGone(err)
}

func (s filterVLANs) change(on uint8) error {
	return s.set(bridgeInfo(u8(nl.IFLA_BR_VLAN_FILTERING, on)))
}
