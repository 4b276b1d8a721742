package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// What is read of one policy. The bounds keep what a hostile file costs in proportion to its size.
const (
	// MaxSize is the length of the longest policy, in bytes.
	MaxSize = xmldoc.MaxSize
	// MaxStatements is how many statements and sets a policy may have.
	MaxStatements = 20000
	// MaxList is how many values a list may have.
	MaxList = 4096
	// MaxValues is how many addresses all ends of a policy may have together, each set counted as
	// often as it is named.
	MaxValues = 1 << 18
)

// Parse reads a policy: one statement a line, # begins a comment.
//
//	allow tcp from network web to network db port 5432
//	deny from network lab to outside port 25
//	publish tcp 8080 to 192.168.122.10 port 80
//	isolated network safe
//	clamp mss network vpn
//	let web = 10.0.0.5, 10.0.0.6
//
// It reads all lines and reports everything wrong with them; with errors there are no statements.
// What must be known of the networks to judge a statement is left to [Check].
func Parse(file string, text []byte) ([]Statement, diag.List) {
	src := &xmldoc.Source{Name: file, Text: text}
	skip := len(text) - len(bytes.TrimPrefix(text, []byte("\ufeff"))) // which some editors write
	return ParseIn("", string(text[skip:]), func(from, to int) diag.Span {
		return src.Span(xmldoc.Extent{Start: int32(skip + from), End: int32(skip + to)})
	})
}

// ParseIn is [Parse] for a policy in the document of a network; span says where in the document the
// bytes from one offset of text up to and without another stand.
func ParseIn(network, text string, span func(from, to int) diag.Span) ([]Statement, diag.List) {
	r := &reader{network: network, place: span, sets: make(map[string]set)}
	if len(text) > MaxSize {
		r.errorf("policy-limit", MaxSize, MaxSize, fmt.Sprintf("the policy is longer than %d bytes", MaxSize),
			"no more is read of one policy", "split it into several files")
		return nil, r.list
	}
	lines := r.lines(text)
	for _, l := range lines {
		if l.tree.Let != nil {
			r.enter(l)
			r.let(l)
		}
	}
	var all []Statement
	for _, l := range lines {
		if l.tree.Let != nil {
			continue
		}
		r.enter(l)
		before := len(r.list)
		if s := r.statement(l.tree); len(r.list) == before {
			s.Network, s.Span = network, r.span(l.from, l.to)
			all = append(all, s)
		}
	}
	// sets are read before statements, and are reported in the order of lines all the same
	slices.SortStableFunc(r.list, func(a, b diag.Diagnostic) int { return a.Span.Start.Offset - b.Span.Start.Offset })
	if r.list.HasErrors() {
		return nil, r.list
	}
	return all, r.list
}

// reader turns lines into statements and gathers what is wrong with them.
type reader struct {
	network string
	place   func(from, to int) diag.Span
	start   int    // offset of the line at hand
	line    string // the line at hand
	sets    map[string]set
	values  int // addresses so far
	list    diag.List
}

// line is one line that has a statement or a set.
type line struct {
	start    int    // offset in the text
	text     string // without a comment
	from, to int    // of what stands there, in the line, without blanks
	tree     *textLine
}

// lines parses each line of the text. Those that are wrong are reported and left out.
func (r *reader) lines(text string) (all []line) {
	for at := 0; at < len(text); {
		one, _, _ := strings.Cut(text[at:], "\n")
		l := line{start: at}
		at += len(one) + 1
		l.text = one[:commentAt(one)]
		bare := bareWord(l.text, 0)
		if bare.Text == "" {
			continue
		}
		l.from, l.to = bare.Pos.Offset, bare.Pos.Offset+len(bare.Text)
		r.enter(l)
		if len(all) == MaxStatements {
			r.errorf("policy-limit", l.from, l.to, fmt.Sprintf("one statement too many: the policy has more than %d", MaxStatements),
				"no more are read of one policy", "split it into several files")
			return all
		}
		var err error
		if l.tree, err = grammar().ParseString("", l.text); err != nil {
			r.syntax(l, err)
			continue
		}
		all = append(all, l)
	}
	return all
}

// commentAt returns where the comment of a line begins, the end of the line if it has none.
func commentAt(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '#' && !quoted:
			return i
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '\\' && quoted:
			i++
		}
	}
	return len(line)
}

// enter makes l the line at hand.
func (r *reader) enter(l line) { r.start, r.line = l.start, l.text }

// span returns where a part of the line at hand stands.
func (r *reader) span(from, to int) diag.Span { return r.place(r.start+from, r.start+to) }

func (r *reader) errorf(code diag.Code, from, to int, what, why, fix string, related ...diag.Related) {
	r.list = append(r.list, diag.Diagnostic{Severity: diag.Error, Code: code, Span: r.span(from, to), What: what,
		Why: why, Fix: fix, Related: related})
}

// wrong reports w with a code.
func (r *reader) wrong(code diag.Code, w textWord, what, why, fix string) {
	r.errorf(code, w.Pos.Offset, w.Pos.Offset+len(w.Text), what, why, fix)
}

// value reports w as a wrong value.
func (r *reader) value(w textWord, want, fix string) {
	r.wrong("policy-value", w, fmt.Sprintf("%s is not %s", shown(w.Text), want), "nothing else can stand here", fix)
}

// spanOf returns where w stands.
func (r *reader) spanOf(w textWord) diag.Span { return r.span(w.Pos.Offset, w.Pos.Offset+len(w.Text)) }

// text returns the word without its quotes.
func (r *reader) text(w textWord) string {
	if !strings.HasPrefix(w.Text, `"`) {
		return w.Text
	}
	s, err := strconv.Unquote(w.Text)
	if err != nil {
		r.value(w, "a quoted string", `write \\ for a backslash, \" for a quote`)
	}
	return s
}

// items splits words, which stand one behind the other, into what is between their commas. ok is
// false if a comma is missing or one too many.
func (r *reader) items(words []textWord) (all []textWord, ok bool) {
	last := words[len(words)-1]
	from, to := words[0].Pos.Offset, last.Pos.Offset+len(last.Text)
	before := len(r.list)
	for at := from; at <= to; {
		item, _, _ := strings.Cut(r.line[at:to], ",")
		one, begin := bareWord(item, at), at
		at += len(item) + 1
		switch {
		case one.Text == "":
			r.errorf("policy-syntax", max(begin-1, from), max(begin, from+1), "a comma with nothing on one side of it",
				"commas stand between the values of a list", "remove the comma, or write the value")
		case startsPart(one.Text):
			word := strings.Fields(one.Text)[1]
			r.wrong("policy-syntax", one, fmt.Sprintf("%s stands behind the ports", word),
				"ports are the last part of a statement", "write port and its ports behind all other parts")
		case strings.ContainsAny(one.Text, " \t") && one.Text[0] != '"':
			r.wrong("policy-syntax", one, fmt.Sprintf("%s is not one value", shown(one.Text)),
				"commas stand between the values of a list",
				"write "+strings.Join(strings.Fields(one.Text), ", "))
		default:
			all = append(all, one)
		}
		if len(r.list) > before {
			return nil, false
		}
	}
	if len(all) > MaxList {
		r.wrong("policy-limit", all[MaxList], fmt.Sprintf("one value too many: the list has %d", len(all)),
			fmt.Sprintf("a list has %d values at most", MaxList), "write prefixes or ranges, or several statements")
		return nil, false
	}
	return all, true
}

// bareWord returns what is between blanks in a text that stands at an offset.
func bareWord(text string, at int) textWord {
	w := textWord{Text: strings.TrimSpace(text)}
	w.Pos.Offset = at + strings.Index(text, w.Text)
	return w
}

// shown returns a word of the input as messages show it.
func shown(value string) string {
	if strings.HasPrefix(value, `"`) {
		return value
	}
	return strconv.Quote(value)
}

// startsPart is true if the second word of text begins another part of a statement.
func startsPart(text string) bool {
	words := strings.Fields(text)
	return len(words) > 1 && (words[1] == "from" || words[1] == "to")
}
