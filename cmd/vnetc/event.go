package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

// teller returns what prints the events of the engine: the talk of a verb.
func (s streams) teller() func(inforce.Event) {
	var line *progress
	return func(e inforce.Event) {
		switch e := e.(type) {
		case inforce.Begun:
			line = s.begin(e)
		case inforce.Stepped:
			line.step()
		case inforce.Ended:
			line.end()
		case inforce.Said:
			_ = report(s, e.Sources, e.Found, false) // it has no errors
		case inforce.Untrusted:
			s.sayUntrusted(e)
		default:
			fmt.Fprintf(s.err, "vnetc: %s\n", eventText(e))
		}
	}
}

// eventText returns an event as one sentence.
func eventText(e inforce.Event) string {
	switch e := e.(type) {
	case inforce.Waits:
		return fmt.Sprintf("the last apply is undone in %s unless vnetc confirm comes", max(e.Left.Round(time.Second), time.Second))
	case inforce.Overdue:
		return "the last apply was not confirmed in time; what was in force before is in force again"
	case inforce.Lost:
		return fmt.Sprintf("the kernel holds rules of ours about %s, and no note says of which networks; they go. To have them in force, apply their XML", strings.Join(e.Interfaces, ", "))
	case inforce.Unlisted:
		return fmt.Sprintf("there is no note, and the kernel holds rules of ours about %s; vnetc audit shows them", strings.Join(e.Interfaces, ", "))
	case inforce.Unreadable:
		return fmt.Sprintf("%s can't be looked at for rules of libvirt's: %v", e.Place, e.Err)
	case inforce.StillActive:
		return fmt.Sprintf("libvirt's notes call network %q active: its daemon, when it starts, makes rules for it again, unless the network is in mode open there", e.Network)
	}
	panic(fmt.Sprintf("unknown event %T", e))
}

// sayUntrusted says which notes aren't trusted, once for each reason: after a boot it is all of
// them.
func (s streams) sayUntrusted(e inforce.Untrusted) {
	count := make(map[string]int)
	for _, u := range e.Files {
		count[u.Why]++
	}
	for _, u := range e.Files {
		switch n := count[u.Why]; n {
		case 0: // told
		case 1:
			fmt.Fprintf(s.err, "vnetc: %s %s and not trusted; apply the network again\n", u.Path, u.Why)
		default:
			fmt.Fprintf(s.err, "vnetc: %s %s and not trusted, and so are the notes about %s; apply these networks again\n", u.Path, u.Why, plural(n-1, "other network"))
		}
		count[u.Why] = 0
	}
}
