package netxml

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// maxLine is how many bytes of a line of its files dnsmasq reads at once: what is longer continues
// as a line of its own, and an option stands in the middle of it that no check has seen.
const maxLine = 1023

// dnsmasqLines: dnsmasq does not start with an option it doesn't know, or one whose value is
// missing or too much. Later versions may know more, so --lax lets them pass where the
// administrator allows any. Options that reach beyond the network need his permission.
func (c *checker) dnsmasqLines() {
	for _, options := range c.net.root.All("options") {
		for _, n := range options.All("option") {
			line, ok := n.Value("value")
			if line = strings.TrimSpace(line); !ok || line == "" || line[0] == '#' {
				continue
			}
			name, value, given := strings.Cut(line, "=")
			name = strings.TrimSpace(name)
			if !given {
				name, _, _ = strings.Cut(name, " ") // a comment may follow
			}
			c.dnsmasqLine(n.At("value"), name, value, given)
		}
	}
}

// dnsmasqLine judges one option; given is true if there is a =.
func (c *checker) dnsmasqLine(at xmldoc.Extent, name, value string, given bool) {
	const why = "dnsmasq would not start, and so not the network"
	kind, group := dnsmasqOptionOf(name)
	switch {
	case kind == unknownOption:
		fix := "look the option up in dnsmasq(8), written without its dashes"
		if near := xmldoc.Nearest(strings.TrimLeft(name, "-"), optionNames()); near != "" {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		report := c.Fault // its effect is unknown
		if c.allowed(name) {
			report = func(code diag.Code, at xmldoc.Extent, what, why, fix string, _ ...diag.Related) {
				c.Unknown(code, at, what, why, fix)
			}
		}
		report("dnsmasq-option", at, fmt.Sprintf("dnsmasq has no option %s", xmldoc.Quote(name)), why, fix)
	case kind == mustValue && xmldoc.Blank(value):
		c.Unknown("dnsmasq-option", at, fmt.Sprintf("option %s has no value", name), why,
			fmt.Sprintf("write %s=...", name))
	case kind == noValue && given:
		c.Unknown("dnsmasq-option", at, fmt.Sprintf("option %s has a value", name), why,
			fmt.Sprintf("write %s alone", name))
	}
	if group.permission == admin && !c.allowed(name) {
		c.Fault("dnsmasq-permission", at, fmt.Sprintf("dnsmasq's option %s %s", name, group.why),
			"a network's document decides over the network, and over the host only as far as its administrator allows",
			c.permit(name))
	}
}

// allowed is true if the administrator allows the network an option.
func (c *checker) allowed(option string) bool {
	return c.opts.AllowOption != nil && c.opts.AllowOption(c.net.Name(), option)
}

// permit says what to do instead of setting an option, or how to allow it.
func (c *checker) permit(option string) string {
	instead := map[string]string{
		"tftp-root": "write <tftp root='...'/> in the <ip>", "enable-tftp": "write <tftp root='...'/> in the <ip>",
		"addn-hosts": "write the hosts into <dns>", "hostsdir": "write the hosts into <dns>",
		"dhcp-hostsfile": "write the hosts into <dhcp>", "dhcp-hostsdir": "write the hosts into <dhcp>",
		"interface": "remove it, as the bridge is served anyway", "port": "write <dns enable='no'/> for no DNS",
	}[option]
	if instead == "" {
		instead = "remove it"
	}
	line := "NETWORK " + option
	if name := c.net.Name(); name != "" {
		line = xmldoc.Short(name) + " " + option
	}
	return fmt.Sprintf("%s; to allow it, give --allow-dnsmasq-options, or write the line %q into /etc/vnetc/dnsmasq-options", instead, line)
}
