package netxml

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// domainName accepts what DNS and dnsmasq's configuration can hold: labels of letters, digits,
// dashes and underscores with dots between (RFC 1123 section 2.1; underscores as in RFC 2782), and
// one dot at the end if wanted.
func domainName(v string) xmldoc.Problem { return dnsName("dns-name", v) }

// guestName is the name of a guest in a <host> of DHCP.
func guestName(v string) xmldoc.Problem {
	if v != "" && (v[0] == '_' || v[0] == '-') {
		return xmldoc.Wrong("dhcp-host-name", fmt.Sprintf("with %q at its beginning", v[:1]),
			"libvirt refuses names of guests that begin otherwise", "begin it with a letter or digit")
	}
	return dnsName("dhcp-host-name", strings.TrimSuffix(v, "."))
}

// hostName is a name in dnsmasq's file of hosts. What dnsmasq serves as it is written is taken, but
// for what begins something else in its other files; [checker.unusualNames] warns of it.
func hostName(v string) xmldoc.Problem {
	const code = "dns-name"
	const fix = "use letters, digits and dashes, with dots between"
	switch r, bad := xmldoc.Find(v, func(r rune) bool {
		return r <= ' ' || r > '~' ||
			strings.ContainsRune(`,/#"\`, r)
	}); {
	case !bad:
		return dnsLabels(code, v)
	case r == ' ' || r == '#':
		return xmldoc.Wrong(code, fmt.Sprintf("with %q in it", string(r)),
			"dnsmasq's file of hosts ends a name at a blank, and takes # for the beginning of a comment", fix)
	case r > '~' || r < ' ':
		return notInDNS(code, r)
	default:
		return xmldoc.Wrong(code, fmt.Sprintf("with %q in it", string(r)),
			"no host has such a name, and vnetc writes no such name into dnsmasq's files", fix)
	}
}

// unusualLabel says what makes v a name that no host should have; found is false if nothing does.
func unusualLabel(v string) (odd string, found bool) {
	if r, bad := xmldoc.Find(v, notInName); bad {
		return fmt.Sprintf("with %q in it", string(r)), true
	}
	for label := range strings.SplitSeq(v, ".") {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return "with a dash at the edge of a part", true
		}
	}
	return "", false
}

func dnsName(code diag.Code, v string) xmldoc.Problem {
	if r, bad := xmldoc.Find(v, notInName); bad {
		return notInDNS(code, r)
	}
	if p := dnsLabels(code, v); p.Code != "" {
		return p
	}
	if odd, found := unusualLabel(v); found {
		return xmldoc.Wrong(code, odd, "a label begins and ends with a letter or digit", "remove the dash")
	}
	return xmldoc.Problem{}
}

// dnsLabels accepts what DNS can carry, whatever the characters: labels of 1 to 63 bytes with dots
// between, and one dot at the end if wanted.
func dnsLabels(code diag.Code, v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong(code, "an empty name", "a domain name has at least one letter or digit",
			"use letters, digits and dashes, with dots between")
	}
	name := strings.TrimSuffix(v, ".")
	if len(name) > 253 {
		return xmldoc.Wrong(code, fmt.Sprintf("%d bytes long", len(name)), "a domain name has 253 bytes at most",
			"shorten it")
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return xmldoc.Wrong(code, "with an empty part", "between two dots there must be a label of 1 to 63 bytes",
				"remove a dot")
		case len(label) > 63:
			return xmldoc.Wrong(code, fmt.Sprintf("with a part of %d bytes", len(label)),
				"between two dots there must be a label of 1 to 63 bytes", "shorten it")
		}
	}
	return xmldoc.Problem{}
}

// notInDNS returns the character that DNS does not allow in a name.
func notInDNS(code diag.Code, r rune) xmldoc.Problem {
	if r > unicode.MaxASCII && unicode.IsLetter(r) {
		return xmldoc.Wrong(code, fmt.Sprintf("with %q in it", string(r)),
			"DNS carries ASCII; other letters have a form that begins with xn--",
			"write the name in its xn-- form")
	}
	return xmldoc.Named(code, r, "dnsmasq's configuration")
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// srvTarget is a host, or the dot by which RFC 2782 says that there is no such service.
func srvTarget(v string) xmldoc.Problem {
	if v == "." {
		return xmldoc.Problem{}
	}
	return domainName(v)
}

// txtValue is the text of a TXT record, as dnsmasq reads it: commas part it into strings, and
// quotes, which are dropped, keep them together.
func txtValue(v string) xmldoc.Problem {
	if p := xmldoc.OneLine(v); p.Code != "" {
		return p
	}
	if len(v) > maxText {
		return xmldoc.Wrong("dns-txt-value", fmt.Sprintf("%d bytes long", len(v)),
			fmt.Sprintf("dnsmasq reads %d bytes of a line, and takes the rest for another", maxLine),
			fmt.Sprintf("write %d bytes at most", maxText))
	}
	const why = "dnsmasq's configuration has the value in a line, where quotes come in pairs and # behind a blank begins a comment"
	switch quoted, comment := quotes(v); {
	case quoted:
		return xmldoc.Wrong("dns-txt-value", "with a quote that is not closed", why,
			`write \" inside of quotes, or close it`)
	case comment:
		return xmldoc.Wrong("dns-txt-value", "with a blank before #", why, "put the value in double quotes")
	}
	return xmldoc.Problem{}
}

// maxText is how many bytes of a line a text may have that shares it with names and words of
// dnsmasq's own: see maxLine.
const maxText = 700

// quotes reports whether dnsmasq, when it has read a value, is still in a quotation, and whether it
// drops a comment. Within quotes a backslash takes the meaning from the character behind it.
func quotes(v string) (quoted, comment bool) {
	blank := false // before the character
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && blank && c == '#':
			return false, true
		}
		blank = i < len(v) && (v[i] == ' ' || v[i] == '\t')
	}
	return quoted, comment
}

// serviceName is the name of a service without its underscore (RFC 6335 section 5.1, and
// underscores as libvirt has it).
func serviceName(v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong("dns-srv-service", "an empty name", "a record is found by its service",
			"write a name such as ldap")
	}
	if r, bad := xmldoc.Find(v, func(r rune) bool { return notInName(r) || r == '.' }); bad {
		return xmldoc.Named("dns-srv-service", r, "dnsmasq's configuration")
	}
	if len(v) > 62 {
		return xmldoc.Wrong("dns-srv-service", fmt.Sprintf("%d bytes long", len(v)),
			"with its underscore it is a label of at most 63 bytes", "shorten it")
	}
	return xmldoc.Problem{}
}

// txtName is the name of a TXT record. What libvirt refuses is blanks and commas, at which dnsmasq
// ends it; the others are those that no word of its configuration has.
func txtName(v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong("dns-txt-name", "an empty name", "a record is found by its name", "write a domain name")
	}
	if len(v) > 253 {
		return xmldoc.Wrong("dns-txt-name", fmt.Sprintf("%d bytes long", len(v)), "a domain name has 253 bytes at most",
			"shorten it")
	}
	if r, bad := xmldoc.Find(v, func(r rune) bool {
		return r <= ' ' || r > '~' ||
			strings.ContainsRune(`,/#"\`, r)
	}); bad {
		return notInDNS("dns-txt-name", r)
	}
	return xmldoc.Problem{}
}

// duid is a DHCPv6 unique identifier (RFC 8415 section 11): octets in hexadecimal with colons
// between.
func duid(v string) xmldoc.Problem {
	bad := xmldoc.Wrong("dhcp-host-id", "not a DUID",
		"a DUID is octets in hexadecimal with colons between, 3 to 130 of them",
		"write 00:03:00:01:52:54:00:12:34:56 or the like")
	octets := strings.Split(v, ":")
	if len(octets) < 3 || len(octets) > 130 {
		return bad
	}
	for _, o := range octets {
		if len(o) < 1 || len(o) > 2 || strings.Trim(o, "0123456789abcdefABCDEF") != "" {
			return bad
		}
	}
	return xmldoc.Problem{}
}

// tftpRoot is a directory, as dnsmasq's tftp-root takes it: a comma would begin the name of an
// interface.
func tftpRoot(v string) xmldoc.Problem {
	if p := inLine("tftp-root", v); p.Code != "" {
		return p
	}
	if v[0] != '/' {
		return xmldoc.Wrong("tftp-root", "not a full path", "dnsmasq runs in a directory of its own choice",
			"begin it with /")
	}
	return xmldoc.Problem{}
}

// bootFile is the file that a guest boots from, as dnsmasq's dhcp-boot takes it: a comma would
// begin the name of a server.
func bootFile(v string) xmldoc.Problem { return inLine("dhcp-bootp-file", v) }

// inLine accepts one value of a line of dnsmasq's configuration.
func inLine(code diag.Code, v string) xmldoc.Problem {
	if v == "" {
		return xmldoc.Wrong(code, "empty", "there is nothing to serve", "write the path, or remove the element")
	}
	if p := xmldoc.OneLine(v); p.Code != "" {
		return p
	}
	if len(v) > maxText {
		return xmldoc.Wrong(code, fmt.Sprintf("%d bytes long", len(v)),
			fmt.Sprintf("dnsmasq reads %d bytes of a line, and takes the rest for another", maxLine),
			fmt.Sprintf("write %d bytes at most", maxText))
	}
	if r, bad := xmldoc.Find(v, func(r rune) bool { return strings.ContainsRune(`,"'\`, r) }); bad {
		p := xmldoc.Named(code, r, "dnsmasq's configuration")
		p.Fix = "rename the file or directory"
		return p
	}
	if strings.TrimSpace(v) != v || strings.Contains(v, " #") {
		return xmldoc.Wrong(code, "with a blank at its edge or before #",
			"dnsmasq drops blanks at the edge, and takes # behind a blank for a comment",
			"remove the blank")
	}
	return xmldoc.Problem{}
}

// dnsmasqOption is one line of dnsmasq's configuration, taken as it is.
func dnsmasqOption(v string) xmldoc.Problem {
	if xmldoc.Blank(v) {
		return xmldoc.Wrong("dnsmasq-option", "empty", "each value becomes a line of dnsmasq's configuration",
			"write an option, or remove the element")
	}
	if r, bad := xmldoc.Find(v, xmldoc.Unprintable); bad && r != '\t' {
		return xmldoc.Wrong("dnsmasq-option", fmt.Sprintf("with the character %U in it", r),
			"each value becomes one line of dnsmasq's configuration",
			"write one <dnsmasq:option> for each line")
	}
	if len(v) > maxLine {
		return xmldoc.Wrong("dnsmasq-option", fmt.Sprintf("%d bytes long", len(v)),
			fmt.Sprintf("dnsmasq reads %d bytes of a line, and takes the rest for another", maxLine), "shorten it")
	}
	if quoted, _ := quotes(v); quoted {
		return xmldoc.Wrong("dnsmasq-option", "with a quote that is not closed",
			"dnsmasq would not start, and so not the network",
			"close it, or remove it")
	}
	return xmldoc.Problem{}
}
