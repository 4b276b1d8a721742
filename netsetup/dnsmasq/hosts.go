package dnsmasq

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// hostsFile lists who gets which address, as dhcp-hostsfile has it: the words of dhcp-host, a host a line. The subnets may be
// nil. The text is never nil.
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
			text = fmt.Appendf(text, "%s\n", strings.Join(words, ","))
		}
	}
	return text, nil
}

// hostWords: an IPv4 host is known by its MAC, an IPv6 host by its DUID, and either by the name that it sends. A host that
// is known otherwise is given the name.
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

// addnHosts lists names for addresses, as hosts(5) has it: an address a line, in the order of the first mention. The text is
// never nil.
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
