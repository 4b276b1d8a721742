package verify

import (
	"bytes"
	"fmt"
	"io"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/expect"
)

// Text writes what was found for people: by network what guests can't do, or not in every case,
// why, and what helps; then what was not looked at.
func (d Doctor) Text(out io.Writer) error {
	var b bytes.Buffer
	for _, name := range d.networks() {
		d.network(&b, name)
	}
	d.limits(&b)
	_, err := out.Write(b.Bytes())
	return err
}

func (d Doctor) network(b *bytes.Buffer, name string) {
	all := d.findings(name)
	fmt.Fprintf(b, "network %s: %s\n", diag.Visible(name), summary(all))
	for _, f := range all {
		if f.Verdict == expect.Yes && !d.Verbose {
			continue
		}
		fmt.Fprintf(b, "  %-8s %s\n", f.Verdict, f.sentence())
		if f.Verdict != expect.Yes {
			explain(b, f)
		}
	}
	for _, n := range d.Notes {
		if n.Network == name {
			fmt.Fprintf(b, "  note     %s\n", diag.Visible(n.Text))
		}
	}
}

// summary is the network's state in a few words.
func summary(all []finding) string {
	count := make(map[expect.Verdict]int)
	for _, f := range all {
		count[f.Verdict]++
	}
	switch {
	case count[expect.No] > 0:
		return "guests are cut off"
	case count[expect.CantTell] > 0:
		return "can't tell"
	case count[expect.Depends] > 0:
		return "depends on what vnetc can't decide"
	case len(all) == 0:
		return "promises guests nothing that this host decides"
	case count[expect.Part] > 0:
		return "guests have what it promises, but not in every case"
	}
	return "guests have what it promises"
}

// explain writes what decides, a packet, and what helps.
func explain(b *bytes.Buffer, f finding) {
	line := func(word, text string) {
		if text != "" {
			fmt.Fprintf(b, "           %-7s %s\n", word, text)
		}
	}
	line("why", causeWords(f.Answer))
	if f.Leg < len(f.Legs) && f.Legs[f.Leg].Bridged && !f.Legs[f.Leg].Plain {
		line("note", "frames between guests of one bridge meet rules for IP here: bridge-nf-call-iptables")
	}
	if f.Packet.Family != 0 {
		packet := f.Packet.String()
		if f.Leg > 0 {
			packet = f.Legs[f.Leg].Words + ", " + packet
		}
		line("packet", diag.Visible(packet))
	}
	for _, c := range cures(f.Answer) {
		line(cureWord(f.Answer), diag.Visible(c))
	}
	if f.Verdict == expect.No && !f.Refused && f.Fact == nil && len(cures(f.Answer)) == 0 {
		line("cure", "none is known that lets this through and nothing else")
	}
}

// cureWord says how sure the cure is: one that was not proved is to be tried.
func cureWord(a expect.Answer) string {
	if a.Fact != nil || proved(a) {
		return "cure"
	}
	return "try"
}

// limits writes what was not looked at.
func (d Doctor) limits(b *bytes.Buffer) {
	for _, u := range d.Unread {
		how := "not read"
		if u.Worse {
			how = "read in part"
		}
		fmt.Fprintf(b, "%s: %s: %s\n", how, diag.Visible(u.What), diag.Visible(u.Why))
	}
	for _, h := range d.Hidden {
		fmt.Fprintf(b, "not looked at: %s\n", diag.Visible(h.Text))
	}
	for _, chains := range d.Assumed {
		fmt.Fprint(b, "order assumed at one hook and priority:")
		for i := range chains {
			sep := " before"
			if i == 0 {
				sep = ""
			}
			fmt.Fprintf(b, "%s %s", sep, diag.Visible(chains[i].Label()))
		}
		fmt.Fprintln(b)
	}
}
