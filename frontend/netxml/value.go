package netxml

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// This file holds the checks of numbers that only networks have.

// mtu is bounded below by the smallest IPv4 datagram every link must carry (RFC 791), and above by
// its length field.
func mtu(v string) xmldoc.Problem {
	p := xmldoc.Number(68, 65535)(v)
	if p.Code != "" {
		p.Code, p.Why = "mtu-size", "an IPv4 link carries at least 68 bytes, and a bridge at most 65535"
	}
	return p
}

// stp refuses the words that mean off, since libvirt takes any but off itself for on;
// [checker.bridgeSTP] warns of others.
func stp(v string) xmldoc.Problem {
	if v != "off" && slices.Contains([]string{"off", "no", "false", "0", "none", "disable", "disabled"},
		strings.ToLower(v)) {
		return xmldoc.Wrong("value-unknown", "not off", "libvirt takes every word but off, spelled so, for on",
			"write 'off'")
	}
	return xmldoc.Problem{}
}

// leaseTime: libvirt reads this number, alone of those that are decimal, as C does.
func leaseTime(v string) xmldoc.Problem {
	if len(v) > 1 && v[0] == '0' && strings.Trim(v, "0123456789") == "" {
		reads := "refuses it"
		if n, err := strconv.ParseUint(v, 8, 64); err == nil {
			reads = fmt.Sprintf("reads %d", n)
		}
		return xmldoc.Wrong("value-number", "a number with a leading zero",
			"libvirt takes such a number for octal, and "+reads,
			fmt.Sprintf("write %s", cmp.Or(strings.TrimLeft(v, "0"), "0")))
	}
	return xmldoc.Number(0, 1<<32-1)(v)
}

// rate is the average of a bandwidth.
func rate(v string) xmldoc.Problem {
	if strings.Trim(v, "0") == "" && v != "" {
		return xmldoc.Wrong("bandwidth-zero", "no rate at all",
			"libvirt drops a limit of 0, so traffic would not be limited",
			"write the rate in kilobytes a second, or remove the element")
	}
	return xmldoc.Number(1, maxRate)(v)
}

func noFloor(string) xmldoc.Problem {
	return xmldoc.Wrong("bandwidth-floor", "a guarantee to one guest",
		"a floor belongs to a guest's interface; a network has none to give it to",
		"remove floor, or write it in the <interface> of a guest")
}

func noClass(string) xmldoc.Problem {
	return xmldoc.Wrong("bandwidth-floor", "a traffic class",
		"classes are internal to the limits, and a network can't choose them", "remove classID")
}
