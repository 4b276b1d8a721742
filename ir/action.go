package ir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Action is what a rule does before its verdict to a packet for which its matches hold: it alters
// the packet or has a side effect, and lets the packet go on. The kinds are the types of this file;
// [SampleActions] has one of each.
type Action interface{ isAction() }

// Log writes the packet to the kernel's log, with Prefix before it, or to a group of programs that
// listen.
type Log struct {
	Prefix string
	Level  string // nft(8)'s word; empty for warn, which is usual
	// Flags say what to write besides, as linux/netfilter/nf_log.h has them: TCP's sequence and
	// options, IP's options, the user, the Ethernet header.
	Flags uint8

	Grouped          bool // Grouped is true if it goes to Group, and not to the kernel's log.
	Group, Threshold uint16
	Snap             uint32 // bytes of the packet; 0 for what is usual
}

// SetMark takes the bits of Mask away from the packet's mark, and turns those of Value over: so
// bits of the mask are set to those of the value. The rest stays.
type SetMark struct {
	Value, Mask uint32
	CT          bool // CT is true for the mark of the packet's connection, if it has one.
}

// CopyMark takes the bits of Clear away from the packet's mark, and adds, without carry, those of
// Take of its connection's mark. A packet without a connection stays as it is.
type CopyMark struct {
	Clear, Take uint32
	Save        bool // Save is true for the other direction: to the connection's mark.
}

// ClampMSS lowers the maximum segment size that a TCP packet offers, to Size or, where that is 0,
// to what the route's MTU leaves. No match looks at it.
type ClampMSS struct{ Size uint16 }

// Effect is an action of a known kind that no match sees, but for what it touches, which has an
// unknown value from then on: it adds to a set, copies the packet, writes into a header. It has the
// words of the rule set that it was read from. Nothing lowers it.
type Effect struct {
	Text    string
	Touches Fields
}

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
func (CopyMark) isAction()     {}
func (ClampMSS) isAction()     {}
func (Effect) isAction()       {}
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
	FieldCTMark
	FieldHeader // the rest of the headers of IP, see Key

	AllFields = FieldHeader<<1 - 1
)

var fieldNames = [...]string{"saddr", "daddr", "l4proto", "sport", "dport", "icmp", "state", "mark", "flags", "ctmark",
	"header"}

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
	case Field:
		return keyTable[m.Key].fields
	case AddrType:
		if m.Source {
			return FieldSAddr
		}
		return FieldDAddr
	case IIfName, OIfName, Limit, Unknown,
		Opaque: // no action alters an interface; what an opaque match looks at is not known anyhow
		return 0
	}
	panic(fmt.Sprintf("ir: unknown match %T", m))
}

// Touches returns the fields that a may alter.
func Touches(a Action) Fields {
	switch a := a.(type) {
	case Log, ClampMSS:
		return 0
	case SetMark:
		if a.CT {
			return FieldCTMark
		}
		return FieldMark
	case CopyMark:
		if a.Save {
			return FieldCTMark
		}
		return FieldMark
	case Effect:
		return a.Touches
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
		return logWords(a)
	case SetMark:
		if a.CT {
			return "set ctmark " + markWords(a.Value, a.Mask)
		}
		return "set mark " + markWords(a.Value, a.Mask)
	case CopyMark:
		if a.Save {
			return fmt.Sprintf("save mark %#x/%#x", a.Take, a.Clear)
		}
		return fmt.Sprintf("restore mark %#x/%#x", a.Take, a.Clear)
	case ClampMSS:
		if a.Size == 0 {
			return "clamp mss route"
		}
		return fmt.Sprintf("clamp mss %d", a.Size)
	case Effect:
		text := "effect " + strconv.Quote(a.Text)
		if a.Touches != 0 {
			text += " touches " + a.Touches.String()
		}
		return text
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

// logLevels are nft(8)'s words for the levels of syslog(3), and one more.
var logLevels = [...]string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}

// LogLevel returns the number of a level's word; ok is false if there is no such level.
func LogLevel(word string) (number int, ok bool) {
	if word == "" {
		word = "warn"
	}
	number = slices.Index(logLevels[:], word)
	return number, number >= 0
}

// LevelWord returns the word of a level for Log, empty for the usual one and for one that there
// isn't.
func LevelWord(number int) string {
	if number < 0 || number >= len(logLevels) || logLevels[number] == "warn" {
		return ""
	}
	return logLevels[number]
}

func logWords(a Log) string {
	text := "log"
	if a.Prefix != "" {
		text += " prefix " + strconv.Quote(a.Prefix)
	}
	if a.Level != "" {
		text += " level " + word(a.Level)
	}
	if a.Flags != 0 {
		text += fmt.Sprintf(" flags %#x", a.Flags)
	}
	if a.Grouped {
		text += fmt.Sprintf(" group %d threshold %d snaplen %d", a.Group, a.Threshold, a.Snap)
	}
	return text
}
