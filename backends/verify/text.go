package verify

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// maxShown is how many findings are printed for people; the rest are counted.
const maxShown = 20

// SARIF writes what was decided, and remarks about single rules, as a SARIF log of vnetc in version
// toolVersion.
func (v *Verification) SARIF(out io.Writer, toolVersion string) error {
	return diag.SARIF(out, append(v.Diagnostics(), v.Remarks()...), v.Sources, toolVersion)
}

// Text writes what was decided for people.
func (v *Verification) Text(out io.Writer) error {
	var b bytes.Buffer
	v.printProofs(&b)
	v.printRules(&b)
	printMatrix(&b, v.Cells)
	if len(v.Leaks) > 0 {
		fmt.Fprintf(&b, "\n%s:\n\n", plural(len(v.Leaks), "finding"))
		if err := diag.Text(&b, v.Leaks, v.Sources, diag.TextOptions{Max: maxShown}); err != nil {
			return err
		}
	}
	if err := v.printClaims(&b); err != nil {
		return err
	}
	v.printChanges(&b)
	v.printTooLarge(&b)
	_, err := out.Write(b.Bytes())
	return err
}

func (v *Verification) printProofs(b *bytes.Buffer) {
	for _, p := range v.Proofs {
		switch p.Result.Answer {
		case prove.Proved:
			fmt.Fprintf(b, "proved       %s: the rules mean what the networks mean, for every packet\n", p.Label)
			continue
		case prove.Refuted:
			fmt.Fprintf(b, "refuted      %s: the rules do not mean what the networks mean\n", p.Label)
		case prove.Unknown:
			fmt.Fprintf(b, "can't prove  %s: %s has a rule that is not modelled: %s\n", p.Label,
				p.Result.Because.Chain.Label(), diag.Visible(p.Result.Because.Rule.String()))
		case prove.TooLarge:
			fmt.Fprintf(b,
				"too large    %s: whether the rules mean what the networks mean is too large for the budget\n",
				p.Label)
		}
		for i, title := range []string{"as the networks mean it", "as " + p.Label + " has it"} {
			if i < len(p.Ways) {
				fmt.Fprintf(b, "\n  %s:\n\n%s\n", title, indentText(p.Ways[i].Text(), "    "))
			}
		}
	}
}

// printMatrix writes a table for each family, one for both where they are the same.
func printMatrix(b *bytes.Buffer, cells []prove.Cell) {
	if len(cells) == 0 {
		return
	}
	v4, v6 := matrixTable(cells, ir.IPv4), matrixTable(cells, ir.IPv6)
	const title = "\nwho (left) can open connections to whom (top)"
	switch {
	case v4 == v6 && v4 == "":
		return // networks without addresses, which no rule is about
	case v4 == v6:
		fmt.Fprintf(b, "%s:\n\n%s", title, v4)
		return
	case v4 != "":
		fmt.Fprintf(b, "%s, IPv4:\n\n%s", title, v4)
	}
	if v6 != "" {
		fmt.Fprintf(b, "%s, IPv6, among networks with an IPv6 address:\n\n%s", title, v6)
	}
}

// matrixTable returns the table of a family, without places that have no packets in it, and what
// "some" stands for; nothing if no network has packets in it.
func matrixTable(cells []prove.Cell, f ir.Family) string {
	var places []prove.Endpoint
	networks := false
	for _, c := range cells {
		if c.Family == f && c.Access != prove.NotAsked && !slices.Contains(places, c.From) {
			places = append(places, c.From)
			networks = networks || c.From.Kind == prove.Network
		}
	}
	if !networks {
		return ""
	}
	var b, notes strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, p := range places {
		fmt.Fprintf(w, "\t%s", diag.Visible(shortPlace(p)))
	}
	var row prove.Endpoint
	for _, c := range cells {
		if c.Family != f || !slices.Contains(places, c.From) || !slices.Contains(places, c.To) {
			continue
		}
		if c.From != row {
			row = c.From
			fmt.Fprintf(w, "\n  %s", diag.Visible(shortPlace(row)))
		}
		fmt.Fprintf(w, "\t%s", c.Access)
		if words := dependsWords(c.Because); words != "" {
			fmt.Fprintf(&notes, "  %s to %s: %s\n", diag.Visible(shortPlace(c.From)), diag.Visible(shortPlace(c.To)),
				diag.Visible(words))
		}
		for _, words := range c.Some {
			fmt.Fprintf(&notes, "  %s to %s: %s\n", diag.Visible(shortPlace(c.From)), diag.Visible(shortPlace(c.To)),
				diag.Visible(words))
		}
	}
	w.Flush() // to a strings.Builder, which takes all
	text := b.String() + "\n"
	if notes.Len() > 0 {
		text += "\n  some of them:\n" + notes.String()
	}
	return text
}

func shortPlace(p prove.Endpoint) string {
	if p.Kind == prove.Network {
		return p.Name
	}
	return p.String()
}

func (v *Verification) printClaims(b *bytes.Buffer) error {
	if len(v.Claims) > 0 {
		fmt.Fprintf(b, "\n%s:\n\n", plural(len(v.Claims), "assertion"))
	}
	for _, c := range v.Claims {
		switch c.Answer {
		case prove.Proved:
			fmt.Fprintf(b, "holds  %s\n", diag.Visible(c.Text))
			continue
		case prove.TooLarge:
			fmt.Fprintf(b, "too large to tell  %s\n", diag.Visible(c.Text))
			continue
		case prove.Unknown:
			fmt.Fprintf(b, "depends  %s\n", diag.Visible(c.Text))
			continue
		}
		fmt.Fprintf(b, "fails  %s\n", diag.Visible(c.Text))
		if err := diag.Text(b, diag.List{c.diagnostic()}, v.Sources, diag.TextOptions{}); err != nil {
			return err
		}
		if c.Way != nil {
			fmt.Fprintf(b, "\n%s\n", indentText(c.Way.Text(), "    "))
		}
	}
	isolated := func(c Claim) bool { return c.Kind == prove.Isolated && c.Answer == prove.Proved }
	if !v.Strict && slices.ContainsFunc(v.Claims, isolated) {
		fmt.Fprint(b, answersNote)
	}
	return nil
}

// answersNote is what "isolated" does not say: the proofs are about packets that guests send.
const answersNote = `
Not covered: what the host itself sends because of a packet (ICMP errors, echo
replies, SYN-ACKs, answers of DNS) goes to the source that the guest wrote, and
carries its data. --strict-isolation drops packets with a false source.
`

func (v *Verification) printChanges(b *bytes.Buffer) {
	if v.Old == nil {
		return
	}
	if len(v.Changes) == 0 && len(v.TooLarge) == 0 {
		fmt.Fprintf(b, "\nno packet's fate changes\n")
		return
	}
	if len(v.Changes) == 0 {
		return
	}
	fmt.Fprintf(b, "\nwhat changes:\n")
	var titles, foreign []string
	about := make(map[string][]prove.Difference)
	for _, d := range v.Changes {
		title := changeTitle(d)
		switch {
		case about[title] != nil:
		case d.Foreign:
			foreign = append(foreign, title)
		default:
			titles = append(titles, title)
		}
		about[title] = append(about[title], d)
	}
	for _, title := range titles {
		fmt.Fprintf(b, "\n%s\n", title)
		for _, d := range about[title] {
			printChange(b, d)
		}
	}
	if v.More {
		fmt.Fprintf(b, "\nand more of the same kinds; %d of each are shown\n", maxChanges)
	}
	if len(foreign) == 0 {
		return
	}
	fmt.Fprintf(b,
		"\nonly for packets with an address that is not of where they come from or go to (--format json has them all):\n\n")
	for _, title := range foreign {
		d := about[title][0]
		fmt.Fprintf(b, "%s: %s\n  such as %s: was %s, now %s\n", title, plural(len(about[title]), "kind"), d.Example,
			diag.Visible(d.Was), diag.Visible(d.NowWords()))
	}
}

// printTooLarge says what was not told.
func (v *Verification) printTooLarge(b *bytes.Buffer) {
	if !v.Undecided() {
		return
	}
	if len(v.TooLarge) > 0 {
		fmt.Fprintf(b, "\ntoo large to tell:\n")
	}
	for _, what := range v.TooLarge {
		fmt.Fprintf(b, "  %s\n", what)
	}
	fmt.Fprintf(b, "\n  why: %s\n  fix: %s\n", tooLargeWhy, tooLargeFix)
}

// printChange prints what changes for some packets between two places.
func printChange(b *bytes.Buffer, d prove.Difference) {
	words := strings.Join(d.Packets, "; ")
	if d.Foreign {
		words += ", with an address of elsewhere"
	}
	fmt.Fprintf(b, "  %s\n    was  %s\n    now  %s\n    such as %s\n", diag.Visible(words), diag.Visible(d.Was),
		diag.Visible(d.NowWords()), d.Example)
	if words := dependsWords(d.Because); words != "" {
		fmt.Fprintf(b, "    %s\n", diag.Visible(words))
	}
}

// changeTitle says between whom the packets go.
func changeTitle(d prove.Difference) string {
	family := "IPv4"
	if d.Family == ir.IPv6 {
		family = "IPv6"
	}
	return diag.Visible(fmt.Sprintf("from %s to %s, %s", d.From, d.To, family))
}

// indentText puts by before every line of text that is not empty.
func indentText(text, by string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
