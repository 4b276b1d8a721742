package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/vnetc/vnetc/ir/diag"
)

// The grammar of one line. The README beside this file has it in EBNF.
type (
	textLine struct {
		Let      []textWord   `parser:"  'let' @@+"`
		Isolated *textWord    `parser:"| 'isolated' 'network' @@"`
		Clamp    *textClamp   `parser:"| 'clamp' 'mss' @@"`
		Publish  *textPublish `parser:"| 'publish' @@"`
		Rule     *textRule    `parser:"| @@"`
	}
	textClamp struct {
		MSS     *textWord `parser:"( (?! 'network' ) @@ )?"`
		Network textWord  `parser:"'network' @@"`
	}
	textPublish struct {
		Proto      textWord   `parser:"(?! 'to' ) @@"`
		Port       textWord   `parser:"(?! 'to' ) @@"`
		Guest      textWord   `parser:"'to' @@"`
		GuestPorts []textWord `parser:"(  'port' @@"`
		On         []textWord `parser:" | 'on' @@"`
		At         []textWord `parser:" | 'at' @@"`
		From       []textList `parser:" | 'from' @@ )*"`
	}
	textList struct {
		Words []textWord `parser:"( (?! 'port' | 'on' | 'at' | 'from' ) @@ )+"`
	}
	textRule struct {
		Kind   string     `parser:"@( 'deny' | 'allow' )"`
		Family string     `parser:"@( 'ipv4' | 'ipv6' )?"`
		Proto  *textWord  `parser:"( (?! 'type' | 'from' | 'to' | 'port' | 'network' | 'host' | 'outside' ) @@ )?"`
		Types  []textWord `parser:"( 'type' ( (?! 'from' | 'to' | 'port' ) @@ )+ )?"`
		From   *textEnd   `parser:"( 'from' @@ )?"`
		To     *textEnd   `parser:"( 'to' @@ )?"`
		Ports  []textWord `parser:"( 'port' @@+ )?"`
	}
	textEnd struct {
		Addrs   []textWord `parser:"( ( (?! 'network' | 'host' | 'outside' | 'in' | 'from' | 'to' | 'port' ) @@ )+ 'in' )?"`
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

// keywords are the words that the grammar gives a meaning to. No set can have such a name.
var keywords = strings.Fields("allow deny publish isolated clamp let mss ipv4 ipv6 type from to network host outside in by port on at")

// grammar is built when it is first asked for: most runs of vnetc read no policies.
var grammar = sync.OnceValue(func() *participle.Parser[textLine] {
	return participle.MustBuild[textLine](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Space", Pattern: `\s+`},
			{Name: "String", Pattern: `"(?:\\.|[^"\\])*"`},
			{Name: "Word", Pattern: `[^\s"#]+`},
		})),
		participle.Elide("Space"),
		participle.UseLookahead(0),
	)
})

// form is how a kind of line is written, and an example of it.
type form struct{ form, example string }

var forms = map[string]form{
	"let":      {"the form is: let NAME = ADDRESS, ADDRESS", "let web = 10.0.0.5, 10.0.0.6"},
	"isolated": {"the form is: isolated network NAME", "isolated network lab"},
	"clamp":    {"the form is: clamp mss, a number of bytes or nothing, network NAME", "clamp mss network lab"},
	"publish": {"the form is: publish, a protocol, a port, to an address, and port, on, at and from where they are needed",
		"publish tcp 8080 to 10.0.0.5 port 80"},
}

// ruleForm is that of allow and deny, which most lines are.
var ruleForm = form{
	"the form is: allow or deny, a protocol if not all are meant, from an end, to an end, port and ports; or publish, clamp, isolated or let",
	"allow tcp from network lab to outside port 443",
}

// syntax reports what the parser found.
func (r *reader) syntax(l line, err error) {
	f := ruleForm
	if words := strings.Fields(l.text); forms[words[0]].form != "" {
		f = forms[words[0]]
	}
	var token *participle.UnexpectedTokenError
	var other participle.Error
	switch {
	case errors.As(err, &token) && token.Unexpected.EOF():
		if !r.noEnd(l.text, f) {
			r.errorf("policy-syntax", l.to, l.to, "the line ends too early", f.form, "write the rest, such as: "+f.example)
		}
	case errors.As(err, &token):
		at, value := token.Unexpected.Pos.Offset, token.Unexpected.Value
		if r.noEnd(l.text[:at], f) {
			return
		}
		fix := "write what the grammar expects, such as: " + f.example
		if near, ok := diag.Near(value, keywords); ok && !slices.Contains(keywords, value) {
			fix = fmt.Sprintf("did you mean %s?", near)
		}
		r.errorf("policy-syntax", at, at+len(value), fmt.Sprintf("%s is not allowed here", shown(value)), f.form, fix)
	case errors.As(err, &other):
		at := other.Position().Offset
		r.errorf("policy-syntax", at, at+1, "a string without an end", "what begins with \" ends with one on the same line",
			"end the string with \"")
	default:
		panic(fmt.Sprintf("policy: unknown error of the parser: %v", err))
	}
}

// noEnd reports the last word before a mistake if it stands where an end should: the parser took it
// for an address, and missed what would have to follow. It is false if there is no such word.
func (r *reader) noEnd(before string, f form) bool {
	words := strings.Fields(before)
	if len(words) < 2 || words[0] != string(Allow) && words[0] != string(Deny) {
		return false
	}
	word, key := words[len(words)-1], words[len(words)-2]
	if key != "from" && key != "to" || slices.Contains(keywords, word) {
		return false
	}
	fix := fmt.Sprintf("write %s network %s if it is a network, host or outside", key, word)
	if _, err := netip.ParsePrefix(word); err == nil || isAddr(word) {
		fix = fmt.Sprintf("write %s %s in network NAME, in outside or in host", key, word)
	} else if near, ok := diag.Near(word, []string{"network", "host", "outside"}); ok {
		fix = fmt.Sprintf("did you mean %s?", near)
	}
	at := strings.LastIndex(before, word)
	r.errorf("policy-syntax", at, at+len(word), fmt.Sprintf("%s is not an end", shown(word)), f.form, fix)
	return true
}

func isAddr(word string) bool {
	_, err := netip.ParseAddr(word)
	return err == nil
}
