package dnsmasq

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// hostsFile lists who gets which address, as dhcp-hostsfile has it: the words of dhcp-host, a host
// a line. The subnets may be nil. The text is never nil.
func hostsFile(subnets ...*ir.Address) ([]byte, error) {
	text := []byte{}
	for _, a := range subnets {
		if a == nil {
			continue
		}
		for _, h := range a.DHCP.Hosts {
			if !h.Addr.IsValid() {
				continue
			}
			words, err := hostWords(h)
			if err != nil {
				return nil, err
			}
			line := strings.Join(words, ",")
			if err := oneLine(line); err != nil {
				return nil, err
			}
			text = fmt.Appendf(text, "%s\n", line)
		}
	}
	return text, nil
}

// hostWords: an IPv4 host is known by its MAC, an IPv6 host by its DUID, and either by the name
// that it sends. A host that is known otherwise is given the name.
func hostWords(h ir.DHCPHost) ([]string, error) {
	var words []string
	switch {
	case h.DUID != "":
		words = append(words, "id:"+h.DUID)
	case h.MAC != nil:
		words = append(words, h.MAC.String())
	case h.Name == "":
		return nil, fmt.Errorf("host %s has no MAC, no DUID and no name", h.Addr)
	}
	addr := h.Addr.String()
	if h.Addr.Is6() {
		addr = "[" + addr + "]"
		if h.Name != "" {
			words = append(words, h.Name)
		}
		words = append(words, addr)
	} else if h.MAC == nil {
		words = append(words, h.Name, addr)
	} else if words = append(words, addr); h.Name != "" {
		words = append(words, h.Name)
	}
	if h.Lease != "" {
		words = append(words, string(h.Lease))
	}
	for _, w := range words {
		if err := oneWord(w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// addnHosts lists names for addresses, as hosts(5) has it: an address a line, in the order of the
// first mention. The text is never nil.
func addnHosts(hosts []ir.DNSHost) ([]byte, error) {
	names := make(map[netip.Addr][]string)
	var order []netip.Addr
	for _, h := range hosts {
		if _, seen := names[h.Addr]; !seen {
			order = append(order, h.Addr)
		}
		names[h.Addr] = append(names[h.Addr], h.Names...)
	}
	text := bytes.NewBuffer([]byte{})
	for _, addr := range order {
		fmt.Fprintf(text, "%s\t", addr)
		for _, name := range names[addr] {
			if err := oneWord(name); err != nil {
				return nil, err
			}
			fmt.Fprintf(text, "%s\t", name)
		}
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

// reservedTag is the tag of guests that request a name of reservedEverywhere.
const reservedTag = "vnetc-reserved"

// reservedEverywhere lists names that mean more than a host, and that no guest gets by asking for
// them: browsers take the proxy of all that they fetch from wpad (CERT VU#598349), Windows its way
// to IPv6 from isatap, and localhost is oneself.
func reservedEverywhere() []string { return []string{"wpad", "isatap", "localhost"} }

// matchPrefix begins the line of a file of reserved names that lists those which may not even be
// asked for.
const matchPrefix = "#match"

// reservedNames lists the names of hosts with a fixed address, as hosts(5) has it. dnsmasq gives no
// guest a name that stands in such a file for another address of the same family; without it the
// first guest that requests the name gets it for all. Those that <dns> has are in its own file. The
// text is never nil.
//
// Where DHCP is there for both families, a guest could have the name in the other one. So there the
// first line lists names for [arguments] that dnsmasq drops from guests' requests. Hosts that are
// known by nothing else but the name are not among them.
func reservedNames(known []ir.DNSHost, v4, v6 *ir.Address) ([]byte, error) {
	taken := make(map[string]bool)
	for _, h := range known {
		for _, name := range h.Names {
			taken[plain(name)] = true
		}
	}
	text, match := []byte{}, matchPrefix
	for _, a := range []*ir.Address{v4, v6} {
		if a == nil {
			continue
		}
		for _, h := range a.DHCP.Hosts {
			name := plain(h.Name)
			if name == "" || !h.Addr.IsValid() {
				continue
			}
			if err := oneWord(name); err != nil {
				return nil, err
			}
			if h.MAC != nil || h.DUID != "" {
				match += " " + name
			}
			if !taken[name] {
				text = fmt.Appendf(text, "%s\t%s\n", h.Addr, name)
			}
		}
	}
	if v4 != nil && v6 != nil && match != matchPrefix {
		text = append([]byte(match+"\n"), text...)
	}
	return text, nil
}

// matched returns the line of a file of reserved names that lists those which may not be asked for.
func matched(reserved []byte) string {
	line, _, _ := strings.Cut(string(reserved), "\n")
	if !strings.HasPrefix(line, matchPrefix) {
		return ""
	}
	return line
}

// plain is the part of a guest's name that dnsmasq gives it; the rest is the network's domain or
// nothing.
func plain(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	return name
}
