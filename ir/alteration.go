package ir

import "fmt"

// Alteration is what the actions of all rules that a packet met have done to it. The zero value is
// nothing. It is comparable, and a normal form: of equal packets, equal alterations make equal
// ones.
type Alteration struct {
	mark      markSet // the first that was done to the mark
	markText  string  // opaque actions and sets behind that, in order
	markTail  markSet // behind these
	untracked bool    // untracked is true if a notrack came before stateText.
	stateText string  // opaque actions that touch the state
	fields    Fields  // other fields that opaque actions have touched
	text      string  // these actions
}

// markSet sets bits of a mark.
type markSet struct{ value, mask uint32 }

const allBits = ^uint32(0)

func (a markSet) then(b markSet) markSet { return markSet{a.value&^b.mask | b.value, a.mask | b.mask} }

// AlterationOf returns what a does.
func AlterationOf(a Action) Alteration {
	switch a := a.(type) {
	case SetMark:
		return Alteration{mark: markSet{a.Value, a.Mask}}
	case NoTrack:
		return Alteration{untracked: true}
	case OpaqueAction:
		var out Alteration
		if a.Touches&FieldMark != 0 {
			out.markText = a.Text
		}
		if a.Touches&FieldState != 0 {
			out.stateText = a.Text
		}
		if out.fields = a.Touches &^ (FieldMark | FieldState); out.fields != 0 {
			out.text = a.Text
		}
		return out
	case Log:
		return Alteration{}
	}
	panic(fmt.Sprintf("ir: unknown action %T", a))
}

// Alteration returns what the actions of r do.
func (r *Rule) Alteration() (all Alteration) {
	for _, a := range r.Actions {
		all = all.Then(AlterationOf(a))
	}
	return all
}

// Then returns what is done if b follows a.
func (a Alteration) Then(b Alteration) Alteration {
	out := Alteration{fields: a.fields | b.fields, text: joinTexts(a.text, b.text)}
	out.mark, out.markText, out.markTail = a.markThen(b)
	out.untracked, out.stateText = a.untracked || b.untracked, joinTexts(a.stateText, b.stateText)
	if b.untracked {
		out.stateText = b.stateText
	}
	return out
}

// markThen is Then for the mark.
func (a Alteration) markThen(b Alteration) (first markSet, text string, last markSet) {
	if a.markText == "" {
		first, text, last = a.mark.then(b.mark), b.markText, b.markTail
	} else {
		between := a.markTail.then(b.mark)
		switch {
		case between.mask == allBits: // what was before does not matter
			first, text, last = between, b.markText, b.markTail
		case b.markText == "":
			first, text, last = a.mark, a.markText, between
		case between.mask == 0:
			first, text, last = a.mark, joinTexts(a.markText, b.markText), b.markTail
		default:
			set := ActionText(SetMark{between.value, between.mask})
			first, text, last = a.mark, joinTexts(joinTexts(a.markText, set), b.markText), b.markTail
		}
	}
	if last.mask == allBits {
		return last, "", markSet{}
	}
	return first, text, last
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
	}
	if a.stateText != "" {
		f |= FieldState
	}
	return f
}

// Mark returns the value of the mark's bits that are set and no more; mask is 0 if there are none.
func (a Alteration) Mark() (value, mask uint32) {
	if a.markText != "" {
		return 0, 0
	}
	return a.mark.value, a.mark.mask
}

// Untracked is true if connection tracking passes over the packet.
func (a Alteration) Untracked() bool { return a.untracked && a.stateText == "" }

// Seen returns the part of a that is a change for pkt, to which it was done.
func (a Alteration) Seen(pkt Packet) Alteration {
	if _, mask := a.Mark(); mask != 0 && pkt.Mark&mask == a.mark.value {
		a = a.WithoutMark()
	}
	if a.Untracked() && pkt.State == StateUntracked {
		a = a.WithoutNoTrack()
	}
	return a
}

// WithoutMark returns a for packets that have the mark anyhow that it sets.
func (a Alteration) WithoutMark() Alteration {
	a.mark = markSet{}
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
	if value, mask := a.Mark(); mask != 0 {
		words += ", mark set to " + markWords(value, mask)
	}
	if a.Untracked() {
		words += ", not tracked"
	}
	for _, part := range []struct {
		fields Fields
		text   string
	}{{a.fields, a.text}, {FieldMark, a.markText}, {FieldState, a.stateText}} {
		if part.text != "" {
			words += fmt.Sprintf(", %s changed by %q", part.fields, part.text)
		}
	}
	return words
}
