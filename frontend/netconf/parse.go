package netconf

import (
	"bytes"

	"github.com/vnetc/vnetc/ir/diag"
)

// setting is one KEY = VALUE.
type setting struct {
	key       string
	span      diag.Span // of the key
	kind      kind
	text      string // of a string
	valueSpan diag.Span
}

// kind is what a value is, in words.
type kind string

const (
	stringValue kind = "a string"
	numberValue kind = "a number"
	listValue   kind = "a list"
)

// maxDepth is how many lists may be in each other. libvirt's files have none in another.
const maxDepth = 16

// parser walks over the text once.
type parser struct {
	file  string
	text  []byte
	at    int
	lines *diag.Lines
	found diag.List
}

// next goes to the next setting; false at the end.
func (p *parser) next() bool {
	p.skip(" \t\r\n;")
	for p.at < len(p.text) && p.text[p.at] == '#' {
		p.skipLine()
		p.skip(" \t\r\n;")
	}
	return p.at < len(p.text)
}

// setting reads one setting with what separates it from the next. After an error it goes on with
// the next line.
func (p *parser) setting() (s setting, ok bool) {
	begin := p.at
	for p.at < len(p.text) && isName(p.text[p.at], p.at > begin) {
		p.at++
	}
	s.key, s.span = string(p.text[begin:p.at]), p.span(begin, p.at)
	if s.key == "" {
		return s, p.fail(begin, "a setting begins with its key",
			`write KEY = VALUE, such as firewall_backend = "nftables"`)
	}
	p.skip(" \t")
	if p.peek() != '=' {
		return s, p.fail(p.at, "a = is missing behind the key "+s.key, "write "+s.key+` = "..."`)
	}
	p.at++
	p.skip(" \t")
	begin = p.at
	if !p.value(&s, 0) {
		return s, false
	}
	s.valueSpan = p.span(begin, p.at)
	p.skip(" \t")
	switch p.peek() {
	case '#':
		p.skipLine()
	case '\n', '\r', ';', 0:
	default:
		return s, p.fail(p.at, "there is more after the value of "+s.key,
			"begin a new line, or begin a comment with #")
	}
	return s, true
}

// value reads a value into s; false if there is none.
func (p *parser) value(s *setting, depth int) bool {
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		return p.quoted(s)
	case c == '[':
		return p.list(s, depth)
	case isDigit(c) || c == '-' || c == '+':
		begin := p.at
		p.at++
		for isDigit(p.peek()) {
			p.at++
		}
		if !isDigit(p.text[p.at-1]) {
			return p.fail(begin, "a sign without a number", "write a whole number")
		}
		s.kind = numberValue
		return true
	}
	return p.fail(p.at, "the value of "+s.key+" is missing, or has no quotes",
		`write a string in quotes, a whole number, or a list in [ ]`)
}

// quoted reads a string. Only one in triple quotes goes over lines.
func (p *parser) quoted(s *setting) bool {
	begin, quote := p.at, p.text[p.at:p.at+1]
	if triple := []byte(`"""`); bytes.HasPrefix(p.text[p.at:], triple) {
		quote = triple
	}
	rest := p.text[p.at+len(quote):]
	end := bytes.Index(rest, quote)
	if line := bytes.IndexAny(rest, "\r\n"); end < 0 || len(quote) == 1 && line >= 0 && line < end {
		return p.fail(begin, "this string has no end", "close it with "+string(quote))
	}
	s.kind, s.text = stringValue, string(rest[:end])
	p.at += len(quote) + end + len(quote)
	return true
}

// list reads a list of values, which may go over lines and end in a comma.
func (p *parser) list(s *setting, depth int) bool {
	begin := p.at
	if depth == maxDepth {
		return p.fail(begin, "lists nested too deep", "no setting of libvirt needs that")
	}
	p.at++
	for {
		p.skip(" \t\r\n")
		if p.peek() == ']' {
			break
		}
		item := setting{key: s.key}
		if p.at == len(p.text) {
			return p.fail(begin, "this list has no end", "close it with ]")
		}
		if !p.value(&item, depth+1) {
			return false
		}
		p.skip(" \t\r\n")
		if p.peek() == ',' {
			p.at++
		} else if p.peek() != ']' {
			return p.fail(p.at, "the values of a list have a comma between them, and ] at their end", "write [ 1, 2 ]")
		}
	}
	p.at++
	s.kind, s.text = listValue, ""
	return true
}

// fail reports a problem at the place begin, and goes to the end of its line. It returns false.
func (p *parser) fail(begin int, what, fix string) bool {
	end := min(begin+1, len(p.text))
	p.found = append(p.found, diag.Diagnostic{
		Severity: diag.Error, Code: "conf-syntax", Span: p.span(begin, end),
		What: what, Why: "libvirt refuses such a file, and starts no network", Fix: fix,
	})
	p.at = max(p.at, end)
	p.skipLine()
	return false
}

func (p *parser) span(from, to int) diag.Span {
	return diag.Span{File: p.file, Start: p.lines.Pos(from), End: p.lines.Pos(to)}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// skip goes over bytes of set.
func (p *parser) skip(set string) {
	p.at = len(p.text) - len(bytes.TrimLeft(p.text[p.at:], set))
}

// skipLine goes to the next line end.
func (p *parser) skipLine() {
	if n := bytes.IndexAny(p.text[p.at:], "\r\n"); n >= 0 {
		p.at += n
	} else {
		p.at = len(p.text)
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isName is true for the bytes of keys: letters, and behind the first digits and underscores.
func isName(c byte, inside bool) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || inside && (isDigit(c) || c == '_')
}
