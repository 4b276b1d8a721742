package netxml

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/ir/diag"
)

// This file holds the checks of names and lines. They end up as names of interfaces and files, in lines of dnsmasq's
// configuration and in rules, so each is checked against what those places can hold.

// anything accepts all text.
func anything(string) problem { return problem{} }

// oneLine accepts text without control characters: no line of a configuration made from it becomes two.
func oneLine(v string) problem { return withoutAny(v, unprintable) }

// title accepts text without line breaks. It goes nowhere, so what else is in it is nobody's business.
func title(v string) problem {
	return withoutAny(v, func(r rune) bool { return r == '\n' || r == '\r' })
}

func withoutAny(v string, bad func(rune) bool) problem {
	if r, ok := find(v, bad); ok {
		return problem{"value-control", fmt.Sprintf("with the character %U in it", r),
			"the value becomes one line of text elsewhere; a line break in it would begin another", "remove the character"}
	}
	return problem{}
}

// unprintable is true for what must not be in a line: control characters, line and paragraph separators, and the
// invisible characters that make a line look like another; and the sign that an editor leaves for bytes it couldn't read.
func unprintable(r rune) bool {
	return r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r)
}

func find(v string, bad func(rune) bool) (rune, bool) {
	for _, r := range v {
		if bad(r) {
			return r, true
		}
	}
	return 0, false
}

// unsafeIn is true for what no name may hold: blanks, quotes, the wildcards of iptables, nft and the shell, and what
// cannot be seen.
func unsafeIn(r rune) bool {
	return unicode.IsSpace(r) || unprintable(r) || strings.ContainsRune("\"'`\\*+?[]/", r)
}

// unsafeInDevice adds what iptables, nft and dnsmasq give a meaning, and what the kernel refuses (dev_valid_name).
func unsafeInDevice(r rune) bool { return unsafeIn(r) || strings.ContainsRune(":,;#!{}()<>|&$%=", r) }

// named tells which character makes a name unsafe.
func named(code diag.Code, r rune, place string) problem {
	what := fmt.Sprintf("with %q in it", string(r))
	if unprintable(r) {
		what = fmt.Sprintf("with the character %U in it", r)
	}
	return problem{code, what, fmt.Sprintf("the name is used in %s, where this character has another meaning", place),
		"use letters, digits, dots, dashes and underscores"}
}

// maxName leaves room for an ending in a file name of 255 bytes.
const maxName = 200

// networkName becomes the name of files, and a part of rule comments.
func networkName(v string) problem {
	const code = "name-unsafe"
	const why = "the name becomes the name of files beside those of other networks"
	switch {
	case v == "":
		return problem{"name-missing", "an empty name", "everything that is made for a network bears its name",
			"write a name such as lab"}
	case v == "." || v == "..":
		return problem{code, "a directory", why, "write a name such as lab"}
	case v[0] == '-':
		return problem{code, "with a dash at its beginning", "programs take such a name for an option",
			"begin it with a letter"}
	case len(v) > maxName:
		return problem{code, fmt.Sprintf("%d bytes long", len(v)),
			why + fmt.Sprintf(", which leaves it %d bytes", maxName), "shorten it"}
	}
	if r, bad := find(v, unsafeIn); bad {
		return named(code, r, "file names, dnsmasq's configuration and comments of rules")
	}
	return problem{}
}

// maxDevice is IFNAMSIZ without the zero byte at the end (linux/if.h).
const maxDevice = 15

// device is the name of a network interface.
func device(v string) problem { return deviceCode("device-name", v) }

func deviceCode(code diag.Code, v string) problem {
	switch {
	case v == "":
		return problem{code, "an empty name", "an interface has a name of 1 to 15 bytes",
			"write the name of an interface, or remove the attribute"}
	case len(v) > maxDevice:
		return problem{code, fmt.Sprintf("%d bytes long", len(v)),
			"the kernel's names of interfaces have 15 bytes at most", "shorten it"}
	case v == "." || v == "..":
		return problem{code, "a directory", "the kernel keeps a directory of that name for each interface",
			"write a name such as virbr0"}
	case v == "all" || v == "default": // devinet_sysctl_register of net/ipv4/devinet.c
		return problem{code, "a word that the kernel keeps for itself", "settings of that name, such as net.ipv6.conf.all, are about all interfaces, and none can have it",
			"write a name such as virbr0"}
	case v[0] == '-':
		return problem{code, "with a dash at its beginning", "programs take such a name for an option",
			"begin it with a letter"}
	}
	if r, bad := find(v, unsafeInDevice); bad {
		return named(code, r, "rules, dnsmasq's configuration and paths")
	}
	return problem{}
}

// bridgeName is the name of a bridge, or a pattern with %d in it where a free number goes.
func bridgeName(v string) problem {
	const code = "bridge-name"
	if v == "lo" {
		return problem{code, "the loopback interface", "every host has it, and it is no bridge", "write a name such as virbr0"}
	}
	if !strings.Contains(v, "%") {
		return deviceCode(code, v)
	}
	if before, after, ok := strings.Cut(v, "%d"); ok && !strings.Contains(before+after, "%") {
		return deviceCode(code, before+"0"+after)
	}
	return problem{"bridge-pattern", "no pattern for names",
		"one %d at most stands for a number; other % have no meaning", "write a name, or a pattern such as virbr%d"}
}

// zoneName is the name of a firewalld zone. Whether there is one of that name only the host knows.
func zoneName(v string) problem {
	if v == "" {
		return problem{"bridge-zone", "an empty name", "a bridge is put into the firewalld zone of that name",
			"write the name of a zone, or remove the attribute"}
	}
	if r, bad := find(v, unsafeInDevice); bad {
		return named("bridge-zone", r, "commands to firewalld")
	}
	return problem{}
}

// moduleName is the name of a kernel module.
func moduleName(v string) problem {
	return deviceLike("value-unsafe", v, "commands that load the driver")
}

// portgroupName is chosen by those who write guests.
func portgroupName(v string) problem {
	if v == "" {
		return problem{"portgroup-name", "an empty name", "guests choose a port group by its name", "write a name"}
	}
	if p := oneLine(v); p.code != "" {
		return p
	}
	return problem{}
}

// profileID is at most 39 characters, the length of a port profile in libvirt's and the kernel's structures (IFLA_PORT_PROFILE).
func profileID(v string) problem {
	if len(v) > 39 {
		return problem{"virtualport-parameter", fmt.Sprintf("%d bytes long", len(v)),
			"the name of a port profile has 39 bytes at most", "shorten it"}
	}
	return oneLine(v)
}

func deviceLike(code diag.Code, v, place string) problem {
	if v == "" {
		return problem{code, "empty", "the value is used in " + place, "write a value, or remove the attribute"}
	}
	if r, bad := find(v, unsafeInDevice); bad {
		return named(code, r, place)
	}
	return problem{}
}

// uuid is RFC 9562's text form. Libvirt takes it without dashes and between blanks too.
func uuid(v string) problem {
	id, ok := parseUUID(v)
	switch {
	case !ok:
		return problem{"uuid-format", "not a UUID",
			"a UUID is 32 hexadecimal digits, with dashes between groups of 8, 4, 4, 4 and 12",
			"write the output of uuidgen, or leave it out"}
	case id == [16]byte{}:
		return problem{"uuid-zero", "the UUID of nothing", "all zeros is RFC 9562's Nil UUID and identifies nothing",
			"write the output of uuidgen, or leave it out"}
	}
	return problem{}
}

func parseUUID(v string) (id [16]byte, ok bool) {
	v = strings.TrimSpace(v)
	if len(v) == 36 {
		if v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
			return id, false
		}
		v = v[:8] + v[9:13] + v[14:18] + v[19:23] + v[24:]
	}
	if len(v) != 32 {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(v))
	return id, err == nil
}

// uuidText is the usual form of id, with dashes.
func uuidText(id [16]byte) string {
	digits := hex.EncodeToString(id[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
