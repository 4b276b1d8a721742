package ir

import "fmt"

// Alteration is what the actions of all rules that a packet met have done to it. The zero value is
// nothing. It is comparable, and a normal form: of equal packets, equal alterations make equal
// ones.
type Alteration struct {
	marks     marks  // what was done to the marks at first
	markText  string // actions of unknown effect on them, and what was done behind each: see unclear
	untracked bool   // untracked is true if a notrack came before stateText.
	stateText string // opaque actions that touch the state
	fields    Fields // other fields that opaque actions have touched
	text      string // these actions
}

const allBits = ^uint32(0)

// AlterationOf returns what a does.
func AlterationOf(a Action) Alteration {
	switch a := a.(type) {
	case SetMark, CopyMark:
		return Alteration{marks: marksOf(a)}
	case NoTrack:
		return Alteration{untracked: true}
	case OpaqueAction:
		return touching(a.Text, a.Touches)
	case Effect:
		return touching(a.Text, a.Touches)
	case Log, ClampMSS:
		return Alteration{}
	}
	panic(fmt.Sprintf("ir: unknown action %T", a))
}

// touching returns what an action does that gives some fields unknown values.
func touching(text string, touches Fields) (out Alteration) {
	if touches&(FieldMark|FieldCTMark) != 0 {
		out.markText = unclear{{text, touches, marks{}}}.String()
	}
	if touches&FieldState != 0 {
		out.stateText = text
	}
	if out.fields = touches &^ (FieldMark | FieldCTMark | FieldState); out.fields != 0 {
		out.text = text
	}
	return out
}

// Alteration returns what the actions of r do to a packet that has a connection, or has none:
// these have no mark of a connection that could be set, or copied.
func (r *Rule) Alteration(connected bool) (all Alteration) {
	for _, a := range r.Actions {
		if connected || !onConnection(a) {
			all = all.Then(AlterationOf(a))
		}
	}
	return all
}

// onConnection is true for what is done to packets of a connection only.
func onConnection(a Action) bool {
	switch a := a.(type) {
	case SetMark:
		return a.CT
	case CopyMark:
		return true
	case Effect:
		return a.Touches == FieldCTMark
	}
	return false
}

// Then returns what is done if b follows a.
func (a Alteration) Then(b Alteration) Alteration {
	out := Alteration{fields: a.fields | b.fields, text: joinTexts(a.text, b.text)}
	out.marks, out.markText = a.markThen(b)
	out.untracked, out.stateText = a.untracked || b.untracked, joinTexts(a.stateText, b.stateText)
	if b.untracked {
		out.stateText = b.stateText
	}
	return out
}

// markThen is Then for the marks.
func (a Alteration) markThen(b Alteration) (first marks, text string) {
	if a.markText+b.markText == "" {
		return a.marks.then(b.marks), ""
	}
	first, all := a.marks, parseUnclear(a.markText)
	if n := len(all); n > 0 {
		all[n-1].after = all[n-1].after.then(b.marks)
	} else {
		first = first.then(b.marks)
	}
	first, all = append(all, parseUnclear(b.markText)...).prune(first)
	return first, all.String()
}

func joinTexts(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// Unknown returns the fields of which the values are not known.
func (a Alteration) Unknown() Fields {
	f := a.fields
	if a.markText != "" {
		f |= FieldMark
		if a.touchesCTMark() {
			f |= FieldCTMark
		}
	}
	if a.stateText != "" {
		f |= FieldState
	}
	return f
}

// Mark returns the value of the mark's bits that are set, if nothing else is done to the marks;
// else mask is 0.
func (a Alteration) Mark() (value, mask uint32) {
	if a.markText != "" || !a.marks.sets() {
		return 0, 0
	}
	return a.marks.flip, a.marks.clear
}

// Untracked is true if connection tracking passes over the packet.
func (a Alteration) Untracked() bool { return a.untracked && a.stateText == "" }

// Seen returns the part of a that is a change for pkt, to which it was done.
func (a Alteration) Seen(pkt Packet) Alteration {
	if value, mask := a.Mark(); mask != 0 && pkt.Mark&mask == value {
		a = a.WithoutMark()
	}
	if a.Untracked() && pkt.State == StateUntracked {
		a = a.WithoutNoTrack()
	}
	return a
}

// WithoutMark returns a for packets that have the mark anyhow that it sets.
func (a Alteration) WithoutMark() Alteration {
	a.marks = marks{}
	return a
}

// WithoutNoTrack returns a for packets that connection tracking passes over anyhow.
func (a Alteration) WithoutNoTrack() Alteration {
	a.untracked = false
	return a
}

// String returns the alteration in words, a comma before each part.
func (a Alteration) String() string {
	var words string
	if a.markText == "" {
		words = a.marks.String()
	}
	if a.Untracked() {
		words += ", not tracked"
	}
	for _, part := range []struct {
		fields Fields
		text   string
	}{{a.fields, a.text}, {FieldMark, parseUnclear(a.markText).words()}, {FieldState, a.stateText}} {
		if part.text != "" {
			words += fmt.Sprintf(", %s changed by %q", part.fields, part.text)
		}
	}
	return words
}
