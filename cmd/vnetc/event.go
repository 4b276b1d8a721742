package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
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
			fmt.Fprintf(s.err, "vnetc: %s\n", visibleLines(eventText(e)))
		}
	}
}

// eventText returns an event as one sentence.
func eventText(e inforce.Event) string {
	switch e := e.(type) {
	case inforce.Waits:
		if e.Left <= 0 {
			return "the last apply was not confirmed in time and is not undone yet; vnetc confirm --undo undoes it now"
		}
		return fmt.Sprintf("the last apply is undone in %s unless vnetc confirm comes",
			max(e.Left.Round(time.Second), time.Second))
	case inforce.Overdue:
		return "the last apply was not confirmed in time, and was undone"
	case inforce.Unexplained:
		remove := "vnetc remove"
		for _, b := range e.Bridges {
			remove += " --bridge " + diag.ShellWord(b)
		}
		return fmt.Sprintf("found vnetc rules for %s with no state file; they stay. To remove them: %s",
			visibleList(e.Bridges), remove)
	case inforce.Unread:
		return fmt.Sprintf("cannot tell whether there are rules with no state file: %v", e.Err)
	case inforce.Pruned:
		return "removed what is not named: " + pruned(e)
	case inforce.Left:
		return verify.LeftRules(e.Rules)
	case inforce.ConnectionsCut:
		return "ended " + plural(e.Report.Cut, "connection") + " that policies do not allow any more"
	case inforce.NotCut:
		return fmt.Sprintf("connections that policies do not allow any more go on until they end: %v", e.Err)
	case inforce.BadPending:
		return fmt.Sprintf("cannot tell whether an apply waits for its confirmation: %v", e.Err)
	case inforce.Changing:
		return "another vnetc is changing the host, or was killed while it did: this may show a change half done"
	case inforce.Unreadable:
		return fmt.Sprintf("cannot look for libvirt's rules in %s: %v", e.Place, e.Err)
	case inforce.Preferred:
		return preferredText(e)
	case inforce.StillActive:
		return fmt.Sprintf("libvirt still lists network %q as active; when libvirtd starts it will add its rules again unless the network uses forward mode 'open'", e.Network)
	}
	panic(fmt.Sprintf("unknown event %T", e))
}

// preferredText says why rules go to another back end than the first.
func preferredText(e inforce.Preferred) string {
	found := verify.Doctor{Answers: e.Lost}
	text := fmt.Sprintf("rules go to %s (--backend auto); with %s", e.Backend, e.Over)
	if len(e.Later) > 0 {
		text += fmt.Sprintf(", beside %s, which starts at boot,", strings.Join(e.Later, " and "))
	}
	for _, a := range e.Lost {
		if lines := found.Short(a.Network); len(lines) > 0 {
			return text + " " + lines[0]
		}
	}
	return text + " guests are cut off"
}

// pruned says what is gone.
func pruned(e inforce.Pruned) string {
	var parts []string
	if n := len(e.Networks); n > 0 {
		parts = append(parts, fmt.Sprintf("network %s", visibleList(e.Networks)))
	}
	if len(e.Bridges) > 0 {
		parts = append(parts, fmt.Sprintf("rules for %s, which had no state file", visibleList(e.Bridges)))
	}
	if len(e.Policies) > 0 {
		parts = append(parts, fmt.Sprintf("policy %s", visibleList(e.Policies)))
	}
	return strings.Join(parts, "; ")
}

// visibleList returns names of the host as one list.
func visibleList(names []string) string {
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = diag.Visible(n)
	}
	return strings.Join(shown, ", ")
}

// sayUntrusted says which state files aren't used, once for each reason: after a boot it is all of
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
			fmt.Fprintf(s.err, "vnetc: state file %s %s; apply the %s again\n", diag.Visible(u.Path), u.Why,
				cmp.Or(u.Give, "network"))
		default:
			fmt.Fprintf(s.err,
				"vnetc: state file %s %s, and so are the state files of %s; apply these networks again\n",
				diag.Visible(u.Path), u.Why, plural(n-1, "other network"))
		}
		count[u.Why] = 0
	}
}
