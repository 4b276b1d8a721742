// Package bus speaks with the services of a host that have a say in a network's bridge, over the
// system's D-Bus: firewalld, which puts links into zones, and systemd-resolved, which queries name
// servers by link.
package bus

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/vnetc/vnetc/ir"
)

// Names on the bus (firewalld.dbus(5), org.freedesktop.resolve1(5)).
const (
	firewalldName = "org.fedoraproject.FirewallD1"
	firewalldPath = "/org/fedoraproject/FirewallD1"
	resolvedName  = "org.freedesktop.resolve1"
	resolvedPath  = "/org/freedesktop/resolve1"
)

// limit is how long a service may take for an answer, firewalld's reloads included.
const limit = 30 * time.Second

// Bus is a connection to the system's D-Bus, and which services are there. The zero value is a host
// without any.
type Bus struct {
	conn      *dbus.Conn
	Firewalld bool
	Resolved  bool
	Zones     []string // of firewalld
	Policies  []string // of firewalld; none before 0.9
}

// Open looks for the services. A host without a system bus has none of them, and neither has a
// network namespace other than that of the host's first process: the services know the links of
// theirs only. DBUS_SYSTEM_BUS_ADDRESS names another bus.
func Open() (*Bus, error) {
	if !ours() {
		return &Bus{}, nil
	}
	conn, err := dbus.ConnectSystemBus()
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EACCES) {
		return &Bus{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("system D-Bus: %w", err)
	}
	b := &Bus{conn: conn}
	if err := b.look(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// socket is where the system's bus is (dbus-daemon(1)).
const socket = "/run/dbus/system_bus_socket"

// ours is true if there is a bus to ask about links of the calling thread's network namespace.
func ours() bool {
	if os.Getenv("DBUS_SYSTEM_BUS_ADDRESS") != "" {
		return true
	}
	if _, err := os.Stat(socket); err != nil {
		return false
	}
	// A file that each namespace has of its own in /proc; /proc/1/ns/net would take CAP_SYS_PTRACE.
	first, err := os.Stat("/proc/1/net/dev")
	own, err2 := os.Stat("/proc/thread-self/net/dev")
	return err != nil || err2 != nil || os.SameFile(first, own)
}

// Close ends the connection.
func (b *Bus) Close() error {
	if b.conn == nil {
		return nil
	}
	return b.conn.Close()
}

func (b *Bus) look() error {
	names := b.conn.BusObject()
	for name, there := range map[string]*bool{firewalldName: &b.Firewalld, resolvedName: &b.Resolved} {
		if err := names.Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(there); err != nil {
			return fmt.Errorf("system D-Bus: %w", err)
		}
	}
	if !b.Firewalld {
		return nil
	}
	if err := b.firewalld("zone.getZones", &b.Zones); err != nil {
		return err
	}
	var unknown dbus.Error
	if err := b.firewalld("policy.getPolicies", &b.Policies); err != nil && !errors.As(err, &unknown) {
		return err
	}
	return nil
}

// firewalld calls a method below firewalld's interface name and stores its answer.
func (b *Bus) firewalld(method string, answer any, args ...any) error {
	return b.call(firewalldName, firewalldPath, firewalldName+"."+method, answer, args...)
}

func (b *Bus) call(service string, path dbus.ObjectPath, method string, answer any, args ...any) error {
	call := b.conn.Object(service, path).Go(method, 0, make(chan *dbus.Call, 1), args...)
	select {
	case <-call.Done:
	case <-time.After(limit):
		return fmt.Errorf("%s: no answer in %s", method, limit)
	}
	err := call.Err
	if err == nil && answer != nil {
		err = call.Store(answer)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// zones that come with libvirt's packages
const (
	zoneLibvirt = "libvirt"
	zoneRouted  = "libvirt-routed"
	policyOut   = "libvirt-routed-out"
)

// NoZone is the error that firewalld lacks the zone which networks get by default.
type NoZone struct{ Bridge string }

// Error says what that means for guests, and what to do.
func (n NoZone) Error() string {
	return fmt.Sprintf("firewalld has no zone %s, so bridge %s stays in its default zone, which usually rejects the guests' "+
		"DHCP and DNS; install libvirt's zones, or name a zone that accepts them: <bridge zone='trusted'/>",
		zoneLibvirt, n.Bridge)
}

// ZoneFor returns the zone of firewalld that a network's bridge belongs into, as libvirt chooses
// it; empty for none. The error is a [NoZone] if nobody asked for a zone and firewalld lacks the
// one that libvirt's packages bring.
func (b *Bus) ZoneFor(l *ir.Link) (string, error) {
	switch {
	case l.Bridge.Zone != "":
		if !b.Firewalld {
			return "",
				fmt.Errorf("network %s: bridge %s belongs into firewalld's zone %s, and firewalld is not running; start it, or leave the zone out", l.Name, l.Bridge.Name, l.Bridge.Zone)
		}
		if !slices.Contains(b.Zones, l.Bridge.Zone) {
			return "", fmt.Errorf("network %s: firewalld has no zone %s; firewall-cmd --get-zones lists those it has",
				l.Name, l.Bridge.Zone)
		}
		return l.Bridge.Zone, nil
	case !b.Firewalld || !l.Mode.Filtered():
		return "", nil
	case l.Mode == ir.ModeRoute && slices.Contains(b.Zones, zoneRouted) && slices.Contains(b.Policies, policyOut):
		return zoneRouted, nil
	case !slices.Contains(b.Zones, zoneLibvirt):
		return "", NoZone{Bridge: l.Bridge.Name}
	}
	return zoneLibvirt, nil
}

// ZoneOf returns the zone that a link is in; empty for none.
func (b *Bus) ZoneOf(link string) (string, error) {
	var zone string
	if !b.Firewalld {
		return "", nil
	}
	err := b.firewalld("zone.getZoneOfInterface", &zone, link)
	return zone, err
}

// SetZone puts a link into a zone; into none if To is empty.
type SetZone struct {
	Bus      *Bus
	Link     string
	From, To string // empty for none
}

// String says what is done.
func (s SetZone) String() string {
	if s.To == "" {
		return fmt.Sprintf("firewalld: take %s out of zone %s", s.Link, s.From)
	}
	return fmt.Sprintf("firewalld: put %s into zone %s", s.Link, s.To)
}

// Do moves the link.
func (s SetZone) Do() error { return s.move(s.From, s.To) }

// Undo moves it back.
func (s SetZone) Undo() error { return s.move(s.To, s.From) }

func (s SetZone) move(from, to string) error {
	now, err := s.Bus.ZoneOf(s.Link)
	if err != nil || now == to {
		return err
	}
	if to != "" {
		return s.Bus.firewalld("zone.changeZoneOfInterface", nil, to, s.Link)
	}
	if now != from {
		return nil // somebody else's by now
	}
	return s.Bus.firewalld("zone.removeInterface", nil, from, s.Link)
}

// domainOn is a domain that systemd-resolved knows of a link.
type domainOn struct {
	Name    string
	Routing bool
}

// Registered is true if systemd-resolved sends queries for a domain to the server on the link with
// this index.
func (b *Bus) Registered(index int, domain string) (bool, error) {
	if !b.Resolved {
		return false, nil
	}
	var path dbus.ObjectPath
	if err := b.call(resolvedName, resolvedPath, resolvedName+".Manager.GetLink", &path, int32(index)); err != nil {
		return false, err
	}
	var found dbus.Variant
	if err := b.call(resolvedName, path, "org.freedesktop.DBus.Properties.Get", &found, resolvedName+".Link",
		"Domains"); err != nil {
		return false, err
	}
	var domains []domainOn
	if err := found.Store(&domains); err != nil {
		return false, fmt.Errorf("domains of link %d: %w", index, err)
	}
	return slices.ContainsFunc(domains, func(d domainOn) bool { return d.Name == domain }), nil
}

// Register makes systemd-resolved send queries for a domain to the server on a link.
type Register struct {
	Bus    *Bus
	Index  func() (int, error) // of the link, asked when the step is done
	Link   string
	Domain string
	Server netip.Addr
}

// String says what is done.
func (r Register) String() string {
	return fmt.Sprintf("systemd-resolved: ask %s on %s for names in %s", r.Server, r.Link, r.Domain)
}

// Do registers the domain.
func (r Register) Do() error {
	if !r.Bus.Resolved {
		return errors.New("systemd-resolved is not running; start it, or leave out <domain register='yes'>")
	}
	index, err := r.Index()
	if err != nil {
		return err
	}
	type server struct {
		Family  int32
		Address []byte
	}
	family := int32(syscall.AF_INET)
	if r.Server.Is6() {
		family = syscall.AF_INET6
	}
	if err := r.resolved("SetLinkDNS", int32(index), []server{{family, r.Server.AsSlice()}}); err != nil {
		return err
	}
	return r.resolved("SetLinkDomains", int32(index), []domainOn{{r.Domain, true}})
}

// Undo does nothing: systemd-resolved forgets a link that is gone.
func (r Register) Undo() error { return nil }

func (r Register) resolved(method string, args ...any) error {
	return r.Bus.call(resolvedName, resolvedPath, resolvedName+".Manager."+method, nil, args...)
}
