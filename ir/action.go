package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Action is what a rule does before its verdict to a packet for which its matches hold: it alters
// the packet or has a side effect, and lets the packet go on. The kinds are the types of this file;
// [SampleActions] has one of each.
type Action interface{ isAction() }

// Log writes the packet to the kernel's log, with Prefix before it.
type Log struct{ Prefix string }

// SetMark sets the bits of Mask in the packet's mark to those of Value, which has no others. The
// rest stays.
type SetMark struct{ Value, Mask uint32 }

// NoTrack keeps the packet out of connection tracking: its state becomes untracked. It is in rules
// that are met before connection tracking, which comes at priority -200 (NF_IP_PRI_CONNTRACK);
// behind that the kernel ignores it.
type NoTrack struct{}

// OpaqueAction is an action that was read from a foreign rule set and is not modelled, with the
// text it had there. What it touches has an unknown value from then on. Nothing lowers it.
type OpaqueAction struct {
	Text    string
	Touches Fields
}

func (Log) isAction()          {}
func (SetMark) isAction()      {}
func (NoTrack) isAction()      {}
func (OpaqueAction) isAction() {}

// Fields is a set of what matches look at in a packet and an action may alter.
type Fields uint16

const (
	FieldSAddr Fields = 1 << iota
	FieldDAddr
	FieldL4Proto
	FieldSPort
	FieldDPort
	FieldICMP  // type and code
	FieldState // of connection tracking, and the connection's status
	FieldMark
	FieldTCPFlags

	AllFields = FieldTCPFlags<<1 - 1
)

var fieldNames = [...]string{"saddr", "daddr", "l4proto", "sport", "dport", "icmp", "state", "mark", "flags"}

// String returns the names of the fields with commas between them, as the text form has them.
func (f Fields) String() string {
	var names []string
	for i, name := range fieldNames {
		if f>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// FieldsOf returns the fields that m looks at.
func FieldsOf(m Match) Fields {
	switch m := m.(type) {
	case SAddr, SAddrRange:
		return FieldSAddr
	case DAddr, DAddrRange:
		return FieldDAddr
	case L4Proto:
		return FieldL4Proto
	case SPort:
		return FieldSPort | FieldL4Proto
	case DPort:
		return FieldDPort | FieldL4Proto
	case ICMPType:
		return FieldICMP | FieldL4Proto
	case TCPFlags:
		return FieldTCPFlags | FieldL4Proto
	case CTState, CTStatus:
		return FieldState
	case Mark:
		return FieldMark
	case Lookup:
		var all Fields
		for _, e := range m.Set.Elements {
			for _, part := range e {
				all |= FieldsOf(part)
			}
		}
		return all
	case IIfName, OIfName, Limit,
		Opaque: // no action alters an interface; what an opaque match looks at is not known anyhow
		return 0
	}
	panic(fmt.Sprintf("ir: unknown match %T", m))
}

// Touches returns the fields that a may alter.
func Touches(a Action) Fields {
	switch a := a.(type) {
	case Log:
		return 0
	case SetMark:
		return FieldMark
	case NoTrack:
		return FieldState
	case OpaqueAction:
		return a.Touches
	}
	panic(fmt.Sprintf("ir: unknown action %T", a))
}

// Alters is true if r has an action that may alter what a match looks at.
func (r *Rule) Alters() bool {
	for _, a := range r.Actions {
		if Touches(a) != 0 {
			return true
		}
	}
	return false
}

// ActionText returns a in the words of the text form.
func ActionText(a Action) string {
	switch a := a.(type) {
	case Log:
		if a.Prefix == "" {
			return "log"
		}
		return "log prefix " + strconv.Quote(a.Prefix)
	case SetMark:
		return "set mark " + markWords(a.Value, a.Mask)
	case NoTrack:
		return "notrack"
	case OpaqueAction:
		text := "opaque-action " + strconv.Quote(a.Text)
		if a.Touches != 0 {
			text += " touches " + a.Touches.String()
		}
		return text
	}
	panic(fmt.Sprintf("ir: unknown action %T", a))
}
