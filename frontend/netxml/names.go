package netxml

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// This file holds the checks of names and lines. They end up as names of interfaces and files, in
// lines of dnsmasq's configuration and in rules, so each is checked against what those places can
// hold.

// title accepts text without line breaks. It is not passed on, so nothing else in it is checked.
func title(v string) xmldoc.Problem {
	return xmldoc.WithoutAny(v, func(r rune) bool { return r == '\n' || r == '\r' })
}

// maxName leaves room for an ending in a file name of 255 bytes.
const maxName = 200

// networkName becomes the name of files, and a part of rule comments.
func networkName(v string) xmldoc.Problem {
	const code = "name-unsafe"
	const why = "files are named after the network, beside those of other networks"
	switch {
	case v == "":
		return xmldoc.Wrong("name-missing", "an empty name", "everything that is made for a network has its name",
			"write a name such as lab")
	case v == "." || v == "..":
		return xmldoc.Wrong(code, "a directory", why, "write a name such as lab")
	case v[0] == '-':
		return xmldoc.Wrong(code, "with a dash at its beginning", "programs take such a name for an option",
			"begin it with a letter")
	case len(v) > maxName:
		return xmldoc.Wrong(code, fmt.Sprintf("%d bytes long", len(v)),
			why+fmt.Sprintf(", which leaves it %d bytes", maxName), "shorten it")
	}
	if r, bad := xmldoc.Find(v, xmldoc.UnsafeIn); bad {
		return xmldoc.Named(code, r, "file names, dnsmasq's configuration and comments of rules")
	}
	return xmldoc.Problem{}
}

// bridgeName is the name of a bridge, or a pattern with %d in it where a free number goes.
func bridgeName(v string) xmldoc.Problem {
	const code = "bridge-name"
	if v == "lo" {
		return xmldoc.Wrong(code, "the loopback interface", "every host has it, and it is not a bridge",
			"write a name such as virbr0")
	}
	if !strings.Contains(v, "%") {
		return xmldoc.DeviceName(code, v)
	}
	if before, after, ok := strings.Cut(v, "%d"); ok && !strings.Contains(before+after, "%") {
		return xmldoc.DeviceName(code, before+"0"+after)
	}
	return xmldoc.Wrong("bridge-pattern", "not a pattern for names",
		"at most one %d means a number; other % have no meaning", "write a name, or a pattern such as virbr%d")
}

// zoneName is the name of a firewalld zone. Whether there is one of that name only the host knows.
func zoneName(v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong("bridge-zone", "an empty name", "a bridge is put into the firewalld zone of that name",
			"write the name of a zone, or remove the attribute")
	}
	if r, bad := xmldoc.Find(v, xmldoc.UnsafeInDevice); bad {
		return xmldoc.Named("bridge-zone", r, "commands to firewalld")
	}
	return xmldoc.Problem{}
}

// moduleName is the name of a kernel module.
func moduleName(v string) xmldoc.Problem {
	const place = "commands that load the driver"
	if v == "" {
		return xmldoc.Wrong("value-unsafe", "empty", "the value is used in "+place,
			"write a value, or remove the attribute")
	}
	if r, bad := xmldoc.Find(v, xmldoc.UnsafeInDevice); bad {
		return xmldoc.Named("value-unsafe", r, place)
	}
	return xmldoc.Problem{}
}

// portgroupName is chosen by those who write guests.
func portgroupName(v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong("portgroup-name", "an empty name", "guests choose a port group by its name", "write a name")
	}
	if p := xmldoc.OneLine(v); p.Code != "" {
		return p
	}
	return xmldoc.Problem{}
}

// profileID is at most 39 characters, the length of a port profile in libvirt's and the kernel's
// structures (IFLA_PORT_PROFILE).
func profileID(v string) xmldoc.Problem {
	if len(v) > 39 {
		return xmldoc.Wrong("virtualport-parameter", fmt.Sprintf("%d bytes long", len(v)),
			"the name of a port profile has 39 bytes at most", "shorten it")
	}
	return xmldoc.OneLine(v)
}
