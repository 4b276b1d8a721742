package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// TextOptions are how [Text] prints. The zero value prints everything, without colours.
type TextOptions struct {
	Color bool
	Max   int // how many diagnostics are printed; 0 for all
}

// Text writes l for people, in its order, each with the line of src that it is about:
//
//	lab.xml:14:43: error: DHCP range ends (192.168.123.10) before it starts (192.168.123.200) [dhcp-range-order]
//	   14 |       <range start='192.168.123.200' end='192.168.123.10'/>
//	      |                                           ^~~~~~~~~~~~~~
//	  why: addresses are leased upward from start to end, so this range holds none
//	  fix: swap the two, or end the range at 192.168.123.254
//
// A related place follows as a note with its own line. Lines whose text src does not have, or
// hides, are left out. What would not print is escaped, see [Visible].
func Text(w io.Writer, l List, src *Sources, o TextOptions) error {
	t := textPrinter{src: src, paint: plain}
	if o.Color {
		t.paint = ansi
	}
	shown := l
	if o.Max > 0 && len(l) > o.Max {
		shown = l[:o.Max]
	}
	for _, d := range shown {
		t.diagnostic(d)
	}
	if rest := l[len(shown):]; len(rest) > 0 {
		fmt.Fprintf(&t.out, "and %d more: %s\n", len(rest), countWords(rest))
	}
	_, err := io.WriteString(Exactly(w), t.out.String())
	return err
}

// countWords returns how many of each severity l holds: 2 errors, 1 warning.
func countWords(l List) string {
	var words []string
	for _, s := range []Severity{Error, Warning, Note} {
		switch n := l.Count(s); n {
		case 0:
		case 1:
			words = append(words, "1 "+s.String())
		default:
			words = append(words, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(words, ", ")
}

// style is a way in which a piece of a diagnostic stands out.
type style string

const (
	bold   style = "1"
	red    style = "1;31"
	yellow style = "1;33"
	cyan   style = "1;36"
	faint  style = "2"
)

// plain and ansi are the two ways to paint: not, and with the terminal's SGR sequences (ECMA-48).
func plain(_ style, s string) string { return s }
func ansi(st style, s string) string { return "\x1b[" + string(st) + "m" + s + "\x1b[0m" }

func styleOf(s Severity) style {
	switch s {
	case Error:
		return red
	case Warning:
		return yellow
	}
	return cyan
}

type textPrinter struct {
	out   strings.Builder
	src   *Sources
	paint func(style, string) string
}

func (t *textPrinter) diagnostic(d Diagnostic) {
	t.headline(d.Span, d.Severity, said(d.What)+" "+t.paint(faint, "["+Visible(string(d.Code))+"]"))
	t.excerpt(d.Span, styleOf(d.Severity))
	if d.Why != "" {
		fmt.Fprintf(&t.out, "  %s %s\n", t.paint(bold, "why:"), said(d.Why))
	}
	if d.Fix != "" {
		fmt.Fprintf(&t.out, "  %s %s\n", t.paint(bold, "fix:"), said(d.Fix))
	}
	for _, r := range d.Related {
		t.headline(r.Span, Note, said(r.Text))
		t.excerpt(r.Span, cyan)
	}
}

// maxSaid is how many characters of a sentence are printed. The longest that quotes no value is far
// below.
const maxSaid = 600

// said returns a sentence as it is printed: one that quotes a value of any length ends somewhere.
func said(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxSaid {
			return Visible(s[:i]) + "…"
		}
	}
	return Visible(s)
}

func (t *textPrinter) headline(at Span, s Severity, text string) {
	if where := at.String(); where != "" {
		fmt.Fprintf(&t.out, "%s ", t.paint(bold, Visible(where)+":"))
	}
	fmt.Fprintf(&t.out, "%s %s\n", t.paint(styleOf(s), s.String()+":"), text)
}

// excerpt writes the line where at begins, and a marker under at.
func (t *textPrinter) excerpt(at Span, st style) {
	text := t.src.Text(at.File)
	from := at.Start.Offset
	unknown := from == 0 && (at.Start.Line != 1 || at.Start.Col != 1) // a place from elsewhere, without its offset
	if text == nil || t.src.Hidden(at.File) || !at.IsValid() || unknown || from < 0 || from > len(text) {
		return
	}
	line, start := t.src.Line(at.File, from)
	shown, before, under := window(line, from-start, max(at.End.Offset-start, from-start))
	marker := "^" + strings.Repeat("~", max(under-1, 0))
	number := fmt.Sprintf("%5d", at.Start.Line)
	fmt.Fprintf(&t.out, "%s | %s\n", number, shown)
	fmt.Fprintf(&t.out, "%*s | %s%s\n", len(number), "", strings.Repeat(" ", before), t.paint(st, marker))
}

// Widths in columns: of a line as it is shown, of what is kept before the marker when it is cut, of
// a tab.
const (
	lineWidth   = 120
	beforeWidth = 40
	tabWidth    = 4
)

// window returns what is shown of line, how many columns of it stand before byte from, and how many
// belong to the bytes from up to to. A line too wide is cut on both sides of from, with … where it
// was cut.
func window(line []byte, from, to int) (shown string, before, under int) {
	from, to = min(from, len(line)), min(to, len(line))
	// Only what is near from is looked at, however long the line: a column takes few bytes.
	first := max(0, from-4*lineWidth)
	for first > 0 && !utf8.RuneStart(line[first]) {
		first--
	}
	last := min(len(line), first+12*lineWidth)
	for last < len(line) && !utf8.RuneStart(line[last]) {
		last++
	}
	cells := cellsOf(string(line[first:last]))
	begin, width := 0, 0
	for _, c := range cells {
		width += c.width
		if first+c.end <= from {
			before += c.width
		}
	}
	cut := width > lineWidth || first > 0 || last < len(line)
	for cut && before > beforeWidth && begin < len(cells) {
		before -= cells[begin].width
		begin++
	}
	var b strings.Builder
	if begin > 0 || first > 0 {
		b.WriteString("…")
		before++
	}
	used := 0
	for _, c := range cells[begin:] {
		if used+c.width > lineWidth {
			b.WriteString("…")
			break
		}
		b.WriteString(c.text)
		used += c.width
		if at := first + c.end; at > from && at <= to {
			under += c.width
		}
	}
	return b.String(), before, under
}

// cell is one character as it is shown.
type cell struct {
	text  string
	width int
	end   int // offset behind it
}

func cellsOf(s string) []cell {
	var cells []cell
	column := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		c := cell{text: visibleRune(r, s[i:i+size]), end: i + size}
		if r == '\t' {
			c.text = strings.Repeat(" ", tabWidth-column%tabWidth)
		}
		c.width = columns(c.text)
		column += c.width
		cells = append(cells, c)
		i += size
	}
	return cells
}
