package prove

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// The grammar of one line of an assertion file.
type (
	textLine struct {
		Isolated *textWord  `parser:"  'isolated' 'network' @@"`
		Claim    *textClaim `parser:"| @@"`
	}
	textClaim struct {
		Kind   string    `parser:"@( 'deny' | 'allow' )"`
		Family string    `parser:"@( 'ipv4' | 'ipv6' )?"`
		Proto  *textWord `parser:"( (?! 'from' ) @@ )?"`
		From   textEnd   `parser:"'from' @@"`
		To     textEnd   `parser:"'to' @@"`
		Ports  *textWord `parser:"( 'port' @@ )?"`
	}
	textEnd struct {
		Addr    *textWord  `parser:"( (?! 'network' | 'host' | 'outside' ) @@ 'in' )?"`
		Network *textWord  `parser:"( 'network' @@"`
		Plain   *textPlain `parser:"| @@ )"`
		By      *textWord  `parser:"( 'by' @@ )?"`
	}
	textPlain struct {
		Pos  lexer.Position
		Text string `parser:"@( 'host' | 'outside' )"`
	}
	// textWord is a word as it was written, with its quotes.
	textWord struct {
		Pos  lexer.Position
		Text string `parser:"@( Word | String )"`
	}
)

// lineGrammar is built when it is first asked for: most runs of vnetc read no assertions.
var lineGrammar = sync.OnceValue(func() *participle.Parser[textLine] {
	return participle.MustBuild[textLine](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Comment", Pattern: `#.*`},
			{Name: "Space", Pattern: `\s+`},
			{Name: "String", Pattern: `"(?:\\.|[^"\\])*"`},
			{Name: "Word", Pattern: `[^\s"#]+`},
		})),
		participle.Elide("Comment", "Space"),
		participle.UseLookahead(0),
	)
})

// ParseAssertions reads an assertion file: one assertion a line, # begins a comment.
//
//	deny from network lab to network dmz
//	allow tcp from network lab to outside port 443
//	allow ipv4 udp from 10.0.0.0/28 in network lab to host port 53
//	allow from network lab to outside by eth0
//	isolated network lab
//
// Between deny or allow and from may stand ipv4 or ipv6, and a protocol by name or number. An end
// is network NAME, host or outside, and may be narrowed to an address or a prefix with ADDRESS in
// before it; outside also to an interface with by. Ports are one, or two with - between them. Names
// that are no plain word stand in quotes. All lines are read and all wrong ones reported; with
// errors there are no assertions. Whether the networks exist is asked by [CheckNames].
func ParseAssertions(file string, text []byte) ([]Assertion, diag.List) {
	a := &assertReader{file: file, lines: diag.NewLines(text)}
	var all []Assertion
	whole := string(text) // once: a copy of the rest for each line is the square of the file
	for at := 0; at < len(whole); {
		line, _, _ := strings.Cut(whole[at:], "\n")
		a.start = at
		if one, ok := a.line(line); ok {
			all = append(all, one)
		}
		at += len(line) + 1
	}
	if a.list.HasErrors() {
		return nil, a.list
	}
	return all, a.list
}

// assertReader turns lines into assertions and gathers what is wrong with them.
type assertReader struct {
	file  string
	lines *diag.Lines
	start int // offset of the line at hand
	list  diag.List
}

func (a *assertReader) span(offset, size int) diag.Span {
	return diag.Span{File: a.file, Start: a.lines.Pos(a.start + offset), End: a.lines.Pos(a.start + offset + size)}
}

func (a *assertReader) errorf(code diag.Code, offset, size int, what, why, fix string) {
	a.list = append(a.list, diag.Diagnostic{Severity: diag.Error, Code: code, Span: a.span(offset, size), What: what,
		Why: why, Fix: fix})
}

// line reads one line; ok is false if it holds no assertion, or a wrong one.
func (a *assertReader) line(line string) (one Assertion, ok bool) {
	bare := strings.TrimSpace(line)
	if bare == "" || bare[0] == '#' {
		return Assertion{}, false
	}
	before := len(a.list)
	tree, err := lineGrammar().ParseString(a.file, line)
	if err != nil {
		a.syntax(line, err)
		return Assertion{}, false
	}
	if tree.Isolated != nil {
		one.Kind = Isolated
		one.From, one.fromSpan = a.network(*tree.Isolated)
	} else {
		one = a.claim(tree.Claim)
	}
	one.Span = a.span(strings.Index(line, bare), len(bare))
	return one, len(a.list) == before
}

// syntax reports what the parser found.
func (a *assertReader) syntax(line string, err error) {
	const form = "a line is: deny or allow, a protocol if not all are meant, from an end, to an end, a port; or: isolated network NAME"
	var token *participle.UnexpectedTokenError
	var other participle.Error
	switch {
	case errors.As(err, &token) && token.Unexpected.EOF():
		a.errorf("assert-syntax", len(strings.TrimRight(line, " \t\r")), 0, "the line ends too early", form,
			"write the rest, such as: "+example)
	case errors.As(err, &token):
		value := token.Unexpected.Value
		fix := "write what the grammar expects, such as: " + example
		if near, ok := diag.Near(value,
			strings.Fields("deny allow isolated from to network host outside in by port ipv4 ipv6")); ok &&
			near != value {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		a.errorf("assert-syntax", token.Unexpected.Pos.Offset, len(value),
			fmt.Sprintf("%s is not allowed here", shown(value)), form, fix)
	case errors.As(err, &other):
		a.errorf("assert-syntax", other.Position().Offset, 1, "a string without an end",
			"what begins with \" ends with one on the same line", "end the string with \"")
	default:
		panic(fmt.Sprintf("prove: unknown error of the parser: %v", err))
	}
}

// example is shown to those who wrote something else.
const example = "allow tcp from network lab to outside port 443"

func (a *assertReader) claim(c *textClaim) Assertion {
	one := Assertion{Kind: AssertionKind(c.Kind)}
	q := &one.Query
	q.Family = map[string]ir.Family{"ipv4": ir.IPv4, "ipv6": ir.IPv6}[c.Family]
	if c.Proto != nil {
		q.Proto = a.proto(*c.Proto)
	}
	one.From, one.fromSpan, q.Source = a.end(c.From)
	one.To, one.toSpan, q.Dest = a.end(c.To)
	q.In, q.Out = a.by(c.From), a.by(c.To)
	for _, addr := range []struct {
		word *textWord
		is   netip.Prefix
	}{{c.From.Addr, q.Source}, {c.To.Addr, q.Dest}} {
		a.family(q, addr.word, addr.is)
	}
	if c.Ports != nil {
		q.Ports = a.ports(*c.Ports)
		if q.Proto != 0 && !ir.HasPorts(q.Proto) {
			a.errorf("assert-unfit", c.Ports.Pos.Offset, len(c.Ports.Text),
				fmt.Sprintf("a port of protocol %s", ir.ProtoName(q.Proto)),
				"only tcp, udp, sctp, dccp and udplite have ports", "remove the port, or name another protocol")
		}
	}
	if _, ok := wayBetween(one.From, one.To); !ok {
		a.errorf("assert-unfit", one.toSpan.Start.Offset-a.start, one.toSpan.End.Offset-one.toSpan.Start.Offset,
			fmt.Sprintf("from %s to %s", one.From, one.To),
			"such packets meet no rules of networks: the host's own to itself stay in it, and the host's routes decide what it passes on",
			"name a network at one end")
	}
	return one
}

// family narrows q to the family of an address.
func (a *assertReader) family(q *Query, w *textWord, p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	family := ir.IPv6
	if p.Addr().Is4() {
		family = ir.IPv4
	}
	if q.Family != 0 && q.Family != family {
		a.errorf("assert-unfit", w.Pos.Offset, len(w.Text), fmt.Sprintf("an %s address in an assertion about %s",
			familyWord(family), familyWord(q.Family)),
			"both ends of a connection are of one family", "write addresses of one family")
	}
	q.Family = family
}

// end reads one end: the endpoint, where it is named, and the addresses.
func (a *assertReader) end(e textEnd) (Endpoint, diag.Span, netip.Prefix) {
	var prefix netip.Prefix
	if e.Addr != nil {
		prefix = a.prefix(*e.Addr)
	}
	if e.Network != nil {
		network, span := a.network(*e.Network)
		return network, span, prefix
	}
	span := a.span(e.Plain.Pos.Offset, len(e.Plain.Text))
	if e.Plain.Text == "host" {
		return Endpoint{Kind: Host}, span, prefix
	}
	return Endpoint{Kind: Outside}, span, prefix
}

// by reads the interface of an end, nothing if there is none.
func (a *assertReader) by(e textEnd) string {
	if e.By == nil {
		return ""
	}
	if e.Plain == nil || e.Plain.Text != "outside" {
		a.errorf("assert-unfit", e.By.Pos.Offset, len(e.By.Text), "an interface of what is not outside",
			"guests of a network come and go by its bridge, and the host itself has none",
			"remove by and the name, or name outside")
	}
	name := a.text(*e.By)
	if name == "" {
		a.value(*e.By, "the name of an interface", "write a name such as eth0")
	}
	return name
}

func (a *assertReader) network(w textWord) (Endpoint, diag.Span) {
	return Endpoint{Network, a.text(w)}, a.span(w.Pos.Offset, len(w.Text))
}

// value reports w as a wrong value.
func (a *assertReader) value(w textWord, want, fix string) {
	a.errorf("assert-value", w.Pos.Offset, len(w.Text), fmt.Sprintf("%s is not %s", shown(w.Text), want),
		"nothing else can stand here", fix)
}

// text returns the word without its quotes.
func (a *assertReader) text(w textWord) string {
	if !strings.HasPrefix(w.Text, `"`) {
		return w.Text
	}
	s, err := strconv.Unquote(w.Text)
	if err != nil {
		a.value(w, "a quoted string", `write \\ for a backslash, \" for a quote`)
	}
	return s
}

func (a *assertReader) proto(w textWord) uint8 {
	n, ok := ir.ProtoNumber(a.text(w))
	if !ok || n == 0 {
		a.value(w, "a protocol",
			"write tcp, udp, icmp, icmpv6, sctp, dccp, udplite or a number from 1 to 255, or nothing for all")
	}
	return n
}

// prefix reads an address or a prefix; an address is a prefix of one.
func (a *assertReader) prefix(w textWord) netip.Prefix {
	text := a.text(w)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() {
		fix := "write an address such as 10.0.0.5, or a prefix such as 10.0.0.0/28"
		if err == nil {
			fix = "write " + p.Masked().String()
		}
		a.value(w, "an address or a prefix", fix)
		return netip.Prefix{}
	}
	return p
}

func (a *assertReader) ports(w textWord) ir.PortRange {
	from, to, ranged := strings.Cut(a.text(w), "-")
	if !ranged {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, 16)
	high, err2 := strconv.ParseUint(to, 10, 16)
	if err != nil || err2 != nil || low == 0 || high < low {
		a.value(w, "a port or a range of ports",
			"write a number from 1 to 65535, or two with - between them, the lower first")
	}
	return ir.PortRange{From: uint16(low), To: uint16(high)}
}

// shown returns a word of the input as messages show it.
func shown(value string) string {
	if strings.HasPrefix(value, `"`) {
		return value
	}
	return strconv.Quote(value)
}

// isPlain is true if name can stand in an assertion without quotes.
func isPlain(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '#' || r >= 0x7f
	})
}
