package netxml

import (
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// This file holds the checks of numbers that only networks have.

// mtu is bounded below by the smallest IPv4 datagram every link must carry (RFC 791), and above by its length field.
func mtu(v string) xmldoc.Problem {
	p := xmldoc.Number(68, 65535)(v)
	if p.Code != "" {
		p.Code, p.Why = "mtu-size", "an IPv4 link carries at least 68 bytes, and a bridge at most 65535"
	}
	return p
}

// rate is the average of a bandwidth.
func rate(v string) xmldoc.Problem {
	if strings.Trim(v, "0") == "" && v != "" {
		return xmldoc.Wrong("bandwidth-zero", "no rate at all", "libvirt drops a limit of 0, so traffic would not be limited",
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
		"classes are chosen by who sets the limits up, never by a network", "remove classID")
}
