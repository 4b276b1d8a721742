package netxml

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// This file holds the checks of values that are numbers, words and addresses; names.go those of names and lines.

func yesNo(v string) problem {
	if v == "yes" || v == "no" {
		return problem{}
	}
	return notOneOf(v, []string{"yes", "no"})
}

func yesNoAnyCase(v string) problem { return yesNo(strings.ToLower(v)) }

// oneOf accepts the words given, spelled so.
func oneOf(names ...string) check {
	return func(v string) problem {
		if slices.Contains(names, v) {
			return problem{}
		}
		return notOneOf(v, names)
	}
}

func notOneOf(v string, names []string) problem {
	what := "not " + words(names, "or")
	if len(names) > 2 {
		what = "none of " + words(names, "and")
	}
	p := problem{"value-unknown", what, "only these words are understood, spelled so",
		fmt.Sprintf("write %s", words(names, "or"))}
	if near := nearest(v, names); near != "" {
		p.fix = fmt.Sprintf("did you mean %q?", near)
	}
	return p
}

// number accepts whole decimal numbers from low to high.
func number(low, high uint64) check {
	return func(v string) problem {
		if strings.ContainsAny(v, "xX") {
			return notNumber(low, high)
		}
		return inRange(v, low, high)
	}
}

// hexNumber accepts hexadecimal numbers behind 0x too, as PCI addresses have them. Libvirt reads a leading zero there as C
// does, for octal.
func hexNumber(low, high uint64) check {
	return func(v string) problem {
		if len(v) > 1 && v[0] == '0' && v[1] != 'x' && v[1] != 'X' {
			return problem{"value-number", "a number with a leading zero", "libvirt takes such a number for octal",
				fmt.Sprintf("write 0x%s if it is hexadecimal, or drop the zero", strings.TrimLeft(v[:len(v)-1], "0")+v[len(v)-1:])}
		}
		return inRange(v, low, high)
	}
}

func inRange(v string, low, high uint64) problem {
	n, ok := parseNumber(v)
	switch {
	case !ok:
		return notNumber(low, high)
	case n < low || n > high:
		return problem{"value-number", fmt.Sprintf("not from %d to %d", low, high), "beyond this range the value can't work",
			fmt.Sprintf("write a number from %d to %d", low, high)}
	}
	return problem{}
}

func notNumber(low, high uint64) problem {
	return problem{"value-number", "not a whole number", "the value counts something",
		fmt.Sprintf("write a number from %d to %d", low, high)}
}

// parseNumber reads what [number] and [hexNumber] accept. Signs, blanks and underscores are no part of a number.
func parseNumber(v string) (n uint64, ok bool) {
	digits, base := v, 10
	if len(v) > 1 && v[0] == '0' && (v[1] == 'x' || v[1] == 'X') {
		digits, base = v[2:], 16
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return n, err == nil
}

// port is a transport protocol's port. Libvirt takes 0 and writes it into rules, where it means something else.
func port(v string) problem { return number(1, 65535)(v) }

// mtu is bounded below by the smallest IPv4 datagram every link must carry (RFC 791), and above by its length field.
func mtu(v string) problem {
	p := number(68, 65535)(v)
	if p.code != "" {
		p.code, p.why = "mtu-size", "an IPv4 link carries at least 68 bytes, and a bridge at most 65535"
	}
	return p
}

// rate is the average of a bandwidth.
func rate(v string) problem {
	if strings.Trim(v, "0") == "" && v != "" {
		return problem{"bandwidth-zero", "no rate at all", "libvirt drops a limit of 0, so traffic would not be limited",
			"write the rate in kilobytes a second, or remove the element"}
	}
	return number(1, maxRate)(v)
}

func noFloor(string) problem {
	return problem{"bandwidth-floor", "a guarantee to one guest",
		"a floor belongs to a guest's interface; a network has none to give it to",
		"remove floor, or write it in the <interface> of a guest"}
}

func noClass(string) problem {
	return problem{"bandwidth-floor", "a traffic class",
		"classes are chosen by who sets the limits up, never by a network", "remove classID"}
}

// address accepts a numeric address of either family.
func address(v string) problem {
	a, err := netip.ParseAddr(v)
	switch {
	case err == nil && a.Zone() != "":
		return problem{"ip-address", "an address with a zone",
			"a zone names an interface of one host; the network has one of its own",
			fmt.Sprintf("write %s", a.WithZone(""))}
	case err == nil && a.Is4In6():
		return problem{"ip-address", "an IPv4 address in IPv6 clothes", "such addresses never appear on a link",
			fmt.Sprintf("write %s", a.Unmap())}
	case err == nil:
		return problem{}
	}
	if plain, octal, ok := leadingZeros(v); ok {
		return problem{"ip-leading-zero", "an address with leading zeros",
			fmt.Sprintf("some readers, libvirt's C library among them, take such numbers for octal: %s", octal),
			fmt.Sprintf("write %s", plain)}
	}
	return problem{"ip-address", "not an IP address", "host names are not looked up, and every number must be in range",
		"write an address such as 192.168.122.1 or fd00::1"}
}

// leadingZeros tells whether v would be an IPv4 address but for leading zeros, and how else it may be read.
func leadingZeros(v string) (plain, octal string, ok bool) {
	parts := strings.Split(v, ".")
	if len(parts) != 4 {
		return "", "", false
	}
	var tens, eights []string
	for _, p := range parts {
		ten, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return "", "", false
		}
		eight := ten
		if len(p) > 1 && p[0] == '0' {
			if eight, err = strconv.ParseUint(p, 8, 8); err != nil {
				eight = ten
			}
		}
		tens, eights = append(tens, fmt.Sprint(ten)), append(eights, fmt.Sprint(eight))
	}
	return strings.Join(tens, "."), strings.Join(eights, "."), true
}

// address4 accepts IPv4 addresses only.
func address4(v string) problem {
	if p := address(v); p.code != "" {
		return p
	}
	if a := netip.MustParseAddr(v); !a.Is4() {
		return problem{"ip-family", "an IPv6 address", "this part of the network speaks IPv4 only", "write an IPv4 address"}
	}
	return problem{}
}

// netmask accepts IPv4 masks: ones, then zeros.
func netmask(v string) problem {
	if p := address(v); p.code != "" {
		return p
	}
	if _, ok := maskBits(netip.MustParseAddr(v)); !ok {
		return problem{"ip-netmask", "no netmask", "a netmask is an IPv4 address of ones followed by zeros, without holes",
			"write a mask such as 255.255.255.0, or prefix='24' in its place"}
	}
	return problem{}
}

// maskBits returns the prefix length that a netmask stands for.
func maskBits(mask netip.Addr) (bits int, ok bool) {
	if !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	word := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for bits = 0; bits < 32 && word&(1<<31>>bits) != 0; bits++ {
	}
	return bits, word<<bits == 0
}

// unicastMAC accepts six octets of one or two hexadecimal digits, not all zero and no group address.
func unicastMAC(v string) problem {
	mac, ok := parseMAC(v)
	switch {
	case !ok:
		return problem{"mac-format", "not a MAC address",
			"a MAC address is six octets in hexadecimal, with colons between", "write 52:54:00:12:34:56 or the like"}
	case mac == [6]byte{}:
		return problem{"mac-zero", "no address at all", "no interface can have the MAC address of zeros only",
			"write 52:54:00:12:34:56 or the like, or leave it out"}
	case mac[0]&1 != 0:
		mac[0] &^= 1
		return problem{"mac-multicast", "a multicast address",
			"the lowest bit of the first octet marks addresses of groups; an interface has one without it",
			fmt.Sprintf("clear the bit: %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])}
	}
	return problem{}
}

// parseMAC reads a MAC address as libvirt does: one or two digits an octet.
func parseMAC(v string) (mac [6]byte, ok bool) {
	parts := strings.Split(v, ":")
	if len(parts) != len(mac) {
		return mac, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) > 2 || p[0] == '+' {
			return mac, false
		}
		mac[i] = byte(n)
	}
	return mac, true
}
