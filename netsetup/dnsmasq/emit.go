// Package dnsmasq gives a network DHCP, DNS, TFTP and router advertisements by a dnsmasq(8) of its
// own. Emit makes its files and is pure; Server, Find, Stop and Reload are about the process,
// Leases about what it gave out. What the files say is what libvirt's say, line for line; what is
// safer than libvirt is in the command line and in a file of its own.
package dnsmasq

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/ir"
)

// Paths says where the files of one network's dnsmasq stand.
type Paths struct {
	Conf      string // the configuration; dnsmasq reads it once
	Hosts     string // who gets which address (dhcp-hostsfile); read again on SIGHUP
	AddnHosts string // names for DNS (addn-hosts); read again on SIGHUP
	Reserved  string // names that no guest may take (addn-hosts); read again on SIGHUP
	PID       string // written by dnsmasq
	Leases    string // written by dnsmasq
	Stale     string // stands while dnsmasq may not have read what Hosts and AddnHosts hold
}

// At returns the paths of the network called name below the state folder dir, a full path. A name
// that is no name of a file is an error.
func At(dir, name string) (Paths, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return Paths{}, fmt.Errorf("network %q: this can't be the name of a file", name)
	}
	base := filepath.Join(dir, "dnsmasq", name)
	return Paths{
		Conf:      base + ".conf",
		Hosts:     base + ".hostsfile",
		AddnHosts: base + ".addnhosts",
		Reserved:  base + ".reserved",
		PID:       base + ".pid",
		Leases:    base + ".leases",
		Stale:     base + ".stale",
	}, nil
}

// Needed is true if the network wants a dnsmasq: it has an address, and DNS, DHCP or TFTP at it.
func Needed(l *ir.Link) bool {
	if !l.Mode.Managed() || len(l.Addresses) == 0 {
		return false
	}
	for _, a := range l.Addresses {
		if serves(a) || tftp(a) {
			return true
		}
	}
	return !l.DNS.Off
}

// Watches is true if the network's dnsmasq watches the host's list of name servers: it sends them
// queries that it can't answer itself.
func Watches(l *ir.Link) bool {
	elsewhere := func(f ir.Forwarder) bool { return f.Domain == "" }
	return Needed(l) && !l.DNS.Off && l.Mode != ir.ModeNone && !slices.ContainsFunc(l.DNS.Forwarders, elsewhere)
}

// serves is true if DHCP gives out addresses of the subnet. A <dhcp> with nothing but bootp in it
// gives out none.
func serves(a ir.Address) bool { return a.DHCP != nil && len(a.DHCP.Ranges)+len(a.DHCP.Hosts) > 0 }

func tftp(a ir.Address) bool { return a.TFTP != "" && a.Prefix.Addr().Is4() }

// Emit returns the files of a network for which Needed is true. Text that would end a line, or a
// name that would be more than one word of it, is an error: front ends refuse it before.
func Emit(l *ir.Link, p Paths) (Files, error) {
	v4, err := dhcpOf(l, netip.Addr.Is4)
	if err != nil {
		return Files{}, err
	}
	v6, err := dhcpOf(l, netip.Addr.Is6)
	if err != nil {
		return Files{}, err
	}
	c := &conf{link: l, paths: p, v4: v4, v6: v6}
	c.emit()
	files := Files{Conf: c.text.Bytes()}
	if err := c.err; err != nil {
		return Files{}, fmt.Errorf("network %s: dnsmasq's configuration: %w", l.Name, err)
	}
	if v4 != nil || v6 != nil {
		if files.Hosts, err = hostsFile(v4, v6); err != nil {
			return Files{}, fmt.Errorf("network %s: hosts of DHCP: %w", l.Name, err)
		}
	}
	if !l.DNS.Off {
		if files.AddnHosts, err = addnHosts(l.DNS.Hosts); err != nil {
			return Files{}, fmt.Errorf("network %s: hosts of DNS: %w", l.Name, err)
		}
	}
	if files.Hosts != nil && files.AddnHosts != nil {
		if files.Reserved, err = reservedNames(l.DNS.Hosts, v4, v6); err != nil {
			return Files{}, fmt.Errorf("network %s: names of hosts of DHCP: %w", l.Name, err)
		}
	}
	return files, nil
}

// dhcpOf returns the one subnet of a family whose addresses are given out, or nil.
func dhcpOf(l *ir.Link, family func(netip.Addr) bool) (*ir.Address, error) {
	var found *ir.Address
	for i := range l.Addresses {
		a := &l.Addresses[i]
		if !family(a.Prefix.Addr()) || !serves(*a) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("network %s: DHCP for %s and for %s: one subnet of each family can have it", l.Name,
				found.Prefix, a.Prefix)
		}
		found = a
	}
	return found, nil
}

// maxLine is how many bytes of a line dnsmasq reads at once; what follows is another line to it.
const maxLine = 1023

// oneLine refuses what would end a line.
func oneLine(line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("%.40q... has %d bytes, and dnsmasq would take what follows the first %d for another line",
			line, len(line), maxLine)
	}
	if i := strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
		return fmt.Errorf("%q would not be one line", line)
	}
	return nil
}

// oneWord refuses what a line with commas, blanks or slashes between its words can't hold as one of
// them.
func oneWord(word string) error {
	if i := strings.IndexFunc(word, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`,/#"\`, r)
	}); i >= 0 || word == "" {
		return fmt.Errorf("%q would not be one word of a line", word)
	}
	return nil
}
