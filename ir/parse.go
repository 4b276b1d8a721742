package ir

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/vnetc/vnetc/ir/diag"
)

// The grammar of the text form. Every value is one word, quoted or not; what kind of value it must
// be is checked later, so that all wrong values are reported at once.
type (
	textProgram struct {
		Blocks []*textBlock `parser:"@@*"`
	}
	textBlock struct {
		Group  *textGroup `parser:"  'group' @@"`
		Chain  *textChain `parser:"| 'chain' @@"`
		Set    *textSet   `parser:"| 'set' @@"`
		Link   *textLink  `parser:"| 'link' @@"`
		Unseen *textWord  `parser:"| 'unseen' @@"`
	}
	textSet struct {
		Family   textWord       `parser:"@@"`
		Table    textWord       `parser:"@@"`
		Name     textWord       `parser:"@@"`
		Elements []*textElement `parser:"'{' @@* '}'"`
	}
	textElement struct {
		Matches []*textMatch `parser:"'element' @@*"`
	}
	textGroup struct {
		Name  textWord    `parser:"@@"`
		Rules []*textRule `parser:"'{' @@* '}'"`
	}
	textChain struct {
		Family textWord    `parser:"@@"`
		Table  textWord    `parser:"@@"`
		Name   textWord    `parser:"@@"`
		Base   *textBase   `parser:"( 'hook' @@ )?"`
		Rules  []*textRule `parser:"'{' @@* '}'"`
	}
	textBase struct {
		Hook     textWord `parser:"@@"`
		Type     textWord `parser:"'type' @@"`
		Priority textWord `parser:"'priority' @@"`
		Policy   string   `parser:"'policy' @( 'accept' | 'drop' )"`
	}
	textRule struct {
		Family  textWord      `parser:"@@"`
		Matches []*textMatch  `parser:"@@*"`
		Actions []*textAction `parser:"@@*"`
		Verdict *textVerdict  `parser:"@@"`
		Comment *textWord     `parser:"( 'comment' @@ )?"`
		Origin  *textOrigin   `parser:"( 'from' @@ )?"`
	}
	textMatch struct {
		Kind  string    `parser:"( @( 'iifname' | 'oifname' | 'saddr' | 'daddr' | 'l4proto' | 'sport' | 'dport' | 'mark' | 'lookup' | 'limit' | 'ctmark' | 'direction' | 'ttl' | 'length' | 'tos' | 'fragment' | 'pkttype' | 'uid' | 'gid' | 'mac' | 'origdport' ) | 'icmp' @'type' | 'tcp' @'flags' | 'ct' @( 'state' | 'status' ) | @'opaque-match'"`
		Open  string    `parser:"| ( 'type' @'of' | @'unknown' )"`
		Sort  *textWord `parser:"  @@ )"`
		Not   bool      `parser:"@'!='?"`
		Value textWord  `parser:"@@"`
		Star  *textStar `parser:"@@?"`
		Code  *textWord `parser:"( 'code' @@ )?"`
		Burst *textWord `parser:"( 'burst' @@ )?"`
	}
	textStar struct {
		Pos  lexer.Position
		Star string `parser:"@'*'"`
	}
	textAction struct {
		Log     bool      `parser:"(  @'log'"`
		Prefix  *textWord `parser:"   ( 'prefix' @@ )?"`
		Level   *textWord `parser:"   ( 'level' @@ )?"`
		Flags   *textWord `parser:"   ( 'flags' @@ )?"`
		Group   *textWord `parser:"   ( 'group' @@"`
		Thresh  *textWord `parser:"     'threshold' @@"`
		Snap    *textWord `parser:"     'snaplen' @@ )?"`
		NoTrack bool      `parser:"| @'notrack'"`
		MSS     *textWord `parser:"| 'clamp' 'mss' @@"`
		Set     string    `parser:"| 'set' @( 'mark' | 'ctmark' )"`
		Mark    *textWord `parser:"   @@"`
		Copy    string    `parser:"| @( 'save' | 'restore' ) 'mark'"`
		Taken   *textWord `parser:"   @@"`
		Effect  bool      `parser:"| ( @'effect' | 'opaque-action' )"`
		Opaque  *textWord `parser:"   @@"`
		Touches *textWord `parser:"   ( 'touches' @@ )? )"`
	}
	textVerdict struct {
		Plain string    `parser:"  @( 'accept' | 'drop' | 'return' | 'counter' ) | @'checksum' 'fill'"`
		NAT   string    `parser:"| ( @( 'masquerade' | 'snat' | 'dnat' | 'redirect' )"`
		To    *textWord `parser:"    ( 'to' @@ )?"`
		Port  *textWord `parser:"    ( 'port' @@ )?"`
		Flags *textWord `parser:"    ( 'flags' @@ )? )"`
		Kind  string    `parser:"| ( @'reject' 'with' | @'jump' | @'goto' | @'handed' | @'opaque-verdict' )"`
		Value *textWord `parser:"  @@"`
	}
	textOrigin struct {
		File    textWord  `parser:"@@"`
		Place   *textWord `parser:"( 'at' @@ )?"`
		Network *textWord `parser:"( 'network' @@ )?"`
		Element *textWord `parser:"( 'element' @@ )?"`
		Reason  *textWord `parser:"( 'reason' @@ )?"`
		Bytes   *textWord `parser:"( 'bytes' @@ )?"`
	}
	textLink struct {
		Name    textWord     `parser:"@@"`
		Entries []*textEntry `parser:"'{' @@* '}'"`
	}
	textEntry struct {
		Key     textWord     `parser:"@@"`
		Block   bool         `parser:"( @'{'"`
		Entries []*textEntry `parser:"  @@* '}'"`
		Value   *textWord    `parser:"| @@ )"`
	}
	// textWord is a word as it was written, with its quotes.
	textWord struct {
		Pos  lexer.Position
		Text string `parser:"@( Word | String )"`
	}
)

// grammar is built when it is first asked for: most runs of vnetc parse no IR.
var grammar = sync.OnceValue(func() *participle.Parser[textProgram] {
	return participle.MustBuild[textProgram](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Comment", Pattern: `#[^\n]*`},
			{Name: "Space", Pattern: `\s+`},
			{Name: "String", Pattern: `"(?:\\.|[^"\\\n])*"`},
			{Name: "Mark", Pattern: `[{}*]`},
			{Name: "Word", Pattern: `[^\s"{}*#]+`},
		})),
		participle.Elide("Comment", "Space"),
		participle.UseLookahead(0), // the first word decides; so what is wrong is found where it stands
	)
})

// maxDepth is how deep blocks may nest: a link's own blocks go to 4.
const maxDepth = 8

// Parse reads the text form that [Print] writes. File is the name that diagnostics and spans carry.
// It stops at the first word that can't stand where it stands, and reports every wrong value; with
// errors the program is nil. What it means is not judged here; see [Verify].
func Parse(file string, text []byte) (*Program, diag.List) {
	t := &textReader{file: file, area: "ir", lines: diag.NewLines(text)}
	if offset := tooDeep(text); offset >= 0 {
		t.errorf("ir-syntax", offset, 1, fmt.Sprintf("block inside more than %d others", maxDepth),
			"a program has blocks in blocks only where a link is described", "close the blocks before with }")
		return nil, t.list
	}
	tree, err := grammar().ParseBytes(file, text)
	if err != nil {
		t.syntax(err)
		return nil, t.list
	}
	p := &Program{}
	t.program = p
	for _, b := range tree.Blocks {
		if b.Set != nil { // before the rules that name it
			p.Sets = append(p.Sets, t.namedSet(b.Set))
		}
	}
	for _, b := range tree.Blocks {
		switch {
		case b.Group != nil:
			p.Chains = append(p.Chains, t.group(b.Group))
		case b.Chain != nil:
			p.Chains = append(p.Chains, t.chain(b.Chain))
		case b.Unseen != nil:
			p.Unseen = append(p.Unseen, t.text(*b.Unseen))
		case b.Link != nil:
			p.Links = append(p.Links, t.link(b.Link))
		}
	}
	if t.list.HasErrors() {
		return nil, t.list
	}
	return p, nil
}

// tooDeep returns the offset of the first { that nests deeper than maxDepth, -1 if there is none.
// It is asked before the parser, which goes as deep as its input does.
func tooDeep(text []byte) int {
	depth, quoted, comment := 0, false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			quoted, comment = false, false
		case comment:
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#':
			comment = true
		case c == '{':
			if depth++; depth > maxDepth {
				return i
			}
		case c == '}':
			depth--
		}
	}
	return -1
}

// textReader turns the tree of the text form into a program and gathers what is wrong with it.
type textReader struct {
	file  string
	area  diag.Code // the first word of its codes
	lines *diag.Lines
	list  diag.List

	program *Program // with the sets read
	within  *Chain   // whose rules are read
	packets Family   // of the rule that is read
}

func (t *textReader) errorf(code diag.Code, offset, size int, what, why, fix string) {
	t.list = append(t.list, diag.Diagnostic{
		Severity: diag.Error, Code: code, What: what, Why: why, Fix: fix, Span: t.span(offset, size),
	})
}

func (t *textReader) span(offset, size int) diag.Span {
	return diag.Span{File: t.file, Start: t.lines.Pos(offset), End: t.lines.Pos(offset + size)}
}

// syntax reports what the parser found.
func (t *textReader) syntax(err error) {
	const form = "a program is made of group, chain, set, link and unseen blocks; a rule is: family, matches, actions, verdict, comment, from"
	var token *participle.UnexpectedTokenError
	var other participle.Error
	switch {
	case errors.As(err, &token) && token.Unexpected.EOF():
		t.errorf("ir-syntax", token.Unexpected.Pos.Offset, 0, "the text ends in the middle of a block", form,
			"close the block with }")
	case errors.As(err, &token):
		value := token.Unexpected.Value
		fix := "write what the grammar expects here, or remove it"
		if near, ok := diag.Near(value, keywords()); ok {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		t.errorf("ir-syntax", token.Unexpected.Pos.Offset, len(value),
			fmt.Sprintf("%s is not allowed here", shown(value)),
			form, fix)
	case errors.As(err, &other):
		t.errorf("ir-syntax", other.Position().Offset, 1, "this is no word, string or brace",
			"a string ends on the line on which it begins", `end the string with "`)
	default:
		panic(fmt.Sprintf("ir: unknown error of the parser: %v", err))
	}
}

// shown returns a word of the input as messages show it.
func shown(value string) string {
	if strings.HasPrefix(value, `"`) {
		return value
	}
	return strconv.Quote(value)
}

func keywords() []string {
	return strings.Fields("group chain set element link unseen hook type priority policy accept drop return counter checksum fill reject with jump goto " +
		"opaque-match opaque-verdict handed masquerade snat dnat redirect to port iifname oifname saddr daddr l4proto sport dport mark lookup limit burst type of unknown ctmark direction ttl length tos fragment pkttype uid gid mac origdport icmp tcp flags ct state status log prefix level group threshold snaplen notrack clamp mss save restore effect opaque-action touches " +
		"code comment from at network element reason bytes")
}
