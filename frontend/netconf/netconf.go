// Package netconf reads the configuration of libvirt's network driver, /etc/libvirt/network.conf:
// which firewall back end is to be used. It touches no host, and knows no back end but by libvirt's
// word for it.
package netconf

import (
	"fmt"

	"github.com/vnetc/vnetc/ir/diag"
)

// The words that libvirt takes for firewall_backend.
const (
	NFTables = "nftables"
	IPTables = "iptables"
	None     = "none" // networks that need rules don't start
)

// Config is what a network.conf says.
type Config struct {
	FirewallBackend string    // one of the words above; empty if the file leaves the choice open
	Span            diag.Span // of its value
}

const backendKey = "firewall_backend"

// Parse reads a file of libvirt's configuration syntax: settings KEY = VALUE that a line end or a ;
// separates. A value is a string in 'single', "double" or """triple""" quotes, which have no
// escapes, a whole number, or a list [VALUE, ...]; # begins a comment. Only firewall_backend means
// something here; other keys are accepted. All problems are reported, each at its place in file;
// with an error among them the Config is empty.
func Parse(file string, text []byte) (Config, diag.List) {
	p := &parser{file: file, text: text, lines: diag.NewLines(text)}
	var c Config
	seen := make(map[string]setting)
	for p.next() {
		s, ok := p.setting()
		if !ok {
			continue
		}
		if first, twice := seen[s.key]; twice {
			p.found = append(p.found, given(s, first))
			continue
		}
		seen[s.key] = s
		if s.key == backendKey {
			c = p.backend(s)
		} else if near, ok := diag.Near(s.key, []string{backendKey}); ok {
			p.found = append(p.found, unknown(s, near))
		}
	}
	if p.found.HasErrors() {
		return Config{}, p.found
	}
	return c, p.found
}

// Chosen returns the back end that the file names, empty if it leaves the choice open. With none
// there is nothing to choose, which is an error where rules are wanted.
func (c Config) Chosen() (string, diag.List) {
	if c.FirewallBackend != None {
		return c.FirewallBackend, nil
	}
	return "", diag.List{{
		Severity: diag.Error, Code: "conf-none", Span: c.Span,
		What: `firewall_backend = "none" asks for no rules`,
		Why:  "with it libvirt starts no network that needs rules, and rules are what is wanted here",
		Fix:  "name nftables or iptables here, or give --backend",
	}}
}

// backend returns the Config of one setting of firewall_backend.
func (p *parser) backend(s setting) Config {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "conf-backend", Span: s.valueSpan,
		Why: "libvirt knows the back ends nftables and iptables, and none",
		Fix: `write firewall_backend = "nftables" or "iptables"`,
	}
	words := []string{NFTables, IPTables, None}
	if s.kind != stringValue {
		d.What = fmt.Sprintf("firewall_backend is %s, not a string", s.kind)
		p.found = append(p.found, d)
		return Config{}
	}
	for _, w := range words {
		if s.text == w {
			return Config{FirewallBackend: w, Span: s.valueSpan}
		}
	}
	d.What = fmt.Sprintf("firewall_backend %q is not known", s.text)
	if near, ok := diag.Near(s.text, words); ok {
		d.Fix = fmt.Sprintf("did you mean %q?", near)
	}
	p.found = append(p.found, d)
	return Config{}
}

func given(s, first setting) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Warning, Code: "conf-twice", Span: s.span,
		What: fmt.Sprintf("%s is given twice", s.key), Why: "libvirt takes the first", Fix: "leave one of them out",
		Related: []diag.Related{{Span: first.span, Text: "the first"}},
	}
}

func unknown(s setting, near string) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Warning, Code: "conf-unknown", Span: s.span,
		What: fmt.Sprintf("%s is ignored", s.key),
		Why:  "libvirt has no such key, and ignores those that it doesn't know",
		Fix:  fmt.Sprintf("did you mean %s?", near),
	}
}
