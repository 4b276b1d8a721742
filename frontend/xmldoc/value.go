package xmldoc

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// This file holds the checks of values that are numbers, words and addresses; line.go those of text
// and names.

// YesNo accepts the words yes and no.
func YesNo(v string) Problem {
	if v == "yes" || v == "no" {
		return Problem{}
	}
	return notOneOf(v, []string{"yes", "no"})
}

// YesNoAnyCase accepts them in capitals, too.
func YesNoAnyCase(v string) Problem { return YesNo(strings.ToLower(v)) }

// OneOf accepts the words given, spelled so.
func OneOf(names ...string) Check {
	return func(v string) Problem {
		if slices.Contains(names, v) {
			return Problem{}
		}
		return notOneOf(v, names)
	}
}

func notOneOf(v string, names []string) Problem {
	what := "not " + Words(names, "or")
	if len(names) > 2 {
		what = "none of " + Words(names, "and")
	}
	p := Problem{"value-unknown", what, "only these words are understood, spelled so",
		fmt.Sprintf("write %s", Words(names, "or"))}
	if near := Nearest(v, names); near != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", near)
	}
	return p
}

// Number accepts whole decimal numbers from low to high.
func Number(low, high uint64) Check {
	return func(v string) Problem {
		if strings.ContainsAny(v, "xX") {
			return notNumber(low, high)
		}
		return inRange(v, low, high)
	}
}

// HexNumber accepts hexadecimal numbers behind 0x too, as PCI addresses have them. Libvirt reads a
// leading zero there as C does, for octal.
func HexNumber(low, high uint64) Check {
	return func(v string) Problem {
		if len(v) > 1 && v[0] == '0' && v[1] != 'x' && v[1] != 'X' {
			return Problem{"value-number", "a number with a leading zero", "libvirt takes such a number for octal",
				fmt.Sprintf("write 0x%s if it is hexadecimal, or drop the zero",
					strings.TrimLeft(v[:len(v)-1], "0")+v[len(v)-1:])}
		}
		return inRange(v, low, high)
	}
}

func inRange(v string, low, high uint64) Problem {
	n, ok := ParseNumber(v)
	switch {
	case !ok:
		return notNumber(low, high)
	case n < low || n > high:
		return Problem{"value-number", fmt.Sprintf("not from %d to %d", low, high),
			"beyond this range the value can't work",
			fmt.Sprintf("write a number from %d to %d", low, high)}
	}
	return Problem{}
}

func notNumber(low, high uint64) Problem {
	return Problem{"value-number", "not a whole number", "the value counts something",
		fmt.Sprintf("write a number from %d to %d", low, high)}
}

// ParseNumber reads what [Number] and [HexNumber] accept. Signs, blanks and underscores are no part
// of a number.
func ParseNumber(v string) (n uint64, ok bool) {
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

// Port is a transport protocol's port. Libvirt takes 0 and writes it into rules, where it means
// something else.
func Port(v string) Problem { return Number(1, 65535)(v) }

// Address accepts a numeric address of either family.
func Address(v string) Problem {
	a, err := netip.ParseAddr(v)
	switch {
	case err == nil && a.Zone() != "":
		return Problem{"ip-address", "an address with a zone",
			"a zone names an interface of one host; the network has one of its own",
			fmt.Sprintf("write %s", a.WithZone(""))}
	case err == nil && a.Is4In6():
		return Problem{"ip-address", "an IPv4-mapped IPv6 address", "such addresses never appear on a link",
			fmt.Sprintf("write %s", a.Unmap())}
	case err == nil:
		return Problem{}
	}
	if plain, octal, ok := leadingZeros(v); ok {
		return Problem{"ip-leading-zero", "an address with leading zeros",
			fmt.Sprintf("some readers, libvirt's C library among them, take such numbers for octal: %s", octal),
			fmt.Sprintf("write %s", plain)}
	}
	return Problem{"ip-address", "not an IP address", "host names are not looked up, and every number must be in range",
		"write an address such as 192.168.122.1 or fd00::1"}
}

// leadingZeros reports whether v would be an IPv4 address but for leading zeros, and how else it
// may be read.
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

// Address4 accepts IPv4 addresses only.
func Address4(v string) Problem {
	if p := Address(v); p.Code != "" {
		return p
	}
	if a := netip.MustParseAddr(v); !a.Is4() {
		return Problem{"ip-family", "an IPv6 address", "this part of the network speaks IPv4 only",
			"write an IPv4 address"}
	}
	return Problem{}
}

// Netmask accepts IPv4 masks: ones, then zeros.
func Netmask(v string) Problem {
	if p := Address(v); p.Code != "" {
		return p
	}
	if _, ok := MaskBits(netip.MustParseAddr(v)); !ok {
		return Problem{"ip-netmask", "no netmask",
			"a netmask is an IPv4 address of ones followed by zeros, without holes",
			"write a mask such as 255.255.255.0, or prefix='24' in its place"}
	}
	return Problem{}
}

// MaskBits returns the prefix length that a netmask stands for.
func MaskBits(mask netip.Addr) (bits int, ok bool) {
	if !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	word := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for bits = 0; bits < 32 && word&(1<<31>>bits) != 0; bits++ {
	}
	return bits, word<<bits == 0
}

// UnicastMAC accepts six octets of one or two hexadecimal digits, not all zero and no group
// address.
func UnicastMAC(v string) Problem {
	mac, ok := ParseMAC(v)
	switch {
	case !ok:
		return Problem{"mac-format", "not a MAC address",
			"a MAC address is six octets in hexadecimal, with colons between", "write 52:54:00:12:34:56 or the like"}
	case mac == [6]byte{}:
		return Problem{"mac-zero", "no address at all", "no interface can have the MAC address of zeros only",
			"write 52:54:00:12:34:56 or the like, or leave it out"}
	case mac[0]&1 != 0:
		mac[0] &^= 1
		return Problem{"mac-multicast", "a multicast address",
			"the lowest bit of the first octet marks addresses of groups; an interface has one without it",
			fmt.Sprintf("clear the bit: %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])}
	}
	return Problem{}
}

// ParseMAC reads a MAC address as libvirt does: one or two digits an octet.
func ParseMAC(v string) (mac [6]byte, ok bool) {
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
