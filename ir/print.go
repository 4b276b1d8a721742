package ir

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

// Print writes p in its text form, which [Parse] reads back: sets first, then chains, then links,
// then what was not looked at, each in the order of p.
//
//	group FWI {
//	    ip oifname "virbr0" daddr 192.168.122.0/24 ct state established,related accept
//	        from "lab.xml" at 7:9-7:40 network "lab" element network/ip reason "answers to what guests asked" bytes 210-241
//	    ip oifname "virbr0" reject with port-unreachable
//	}
//	chain ip filter FORWARD hook forward type filter priority 0 policy accept {
//	    ip jump LIBVIRT_FWX
//	}
//	set ip filter bridges {
//	    element iifname "virbr0"
//	    element iifname "virbr1"
//	}
//	link "lab" {
//	    mode nat
//	    bridge { name virbr0 }
//	}
//	unseen "chain gate of table bridge corp, at hook forward"
//
// (A rule looks a packet up with: lookup bridges.) A rule is the packets it is for, what must hold,
// actions, the verdict, and, where there are any, its comment and its origin. Words are nft(8)'s
// where it has them. White space separates words and has no other meaning; # begins a comment. Text
// that is no plain word is quoted as in Go. What [Verify] passes comes back the same from Parse,
// but that empty slices come back as nil, and that a set loses all but its name and elements.
func Print(w io.Writer, p *Program) error {
	_, err := io.WriteString(w, p.String())
	return err
}

// String returns the text form of p; see [Print].
func (p *Program) String() string {
	var b strings.Builder
	for _, s := range p.Sets {
		printSet(&b, s)
	}
	for _, c := range p.Chains {
		printChain(&b, c)
	}
	for _, l := range p.Links {
		printLink(&b, l)
	}
	for _, u := range p.Unseen {
		fmt.Fprintf(&b, "unseen %s\n", strconv.Quote(u))
	}
	return b.String()
}

func printSet(b *strings.Builder, s *Set) {
	fmt.Fprintf(b, "set %s %s %s {\n", s.Family, word(s.Table), word(s.Name))
	for _, e := range s.Elements {
		b.WriteString("    element")
		for _, m := range e {
			b.WriteString(" " + MatchText(m))
		}
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
}

func printChain(b *strings.Builder, c *Chain) {
	if c.Group != 0 {
		fmt.Fprintf(b, "group %s", c.Group)
	} else {
		fmt.Fprintf(b, "chain %s %s %s", c.Family, word(c.Table), word(c.Name))
		if c.Base != nil {
			policy := VerdictText(Accept{})
			if c.Base.Drop {
				policy = VerdictText(Drop{})
			}
			fmt.Fprintf(b, " hook %s type %s priority %d policy %s", c.Base.Hook, c.Base.Type, c.Base.Priority, policy)
		}
	}
	b.WriteString(" {\n")
	for i := range c.Rules {
		fmt.Fprintf(b, "    %s\n", &c.Rules[i])
		if from := originWords(c.Rules[i].Origin); from != "" {
			fmt.Fprintf(b, "        %s\n", from)
		}
	}
	b.WriteString("}\n")
}

// originWords returns o in the words of the text form, nothing for the zero Origin.
func originWords(o Origin) string {
	var words []string
	add := func(key, value string, is bool) {
		if is {
			words = append(words, key, value)
		}
	}
	place := func(p diag.Pos) string { return fmt.Sprintf("%d:%d", p.Line, p.Col) }
	from, to := o.Span.Start, o.Span.End
	add("from", strconv.Quote(o.Span.File), o != Origin{})
	add("at", place(from)+"-"+place(to), from.Line != 0 || from.Col != 0 || to.Line != 0 || to.Col != 0)
	add("network", strconv.Quote(o.Network), o.Network != "")
	add("element", word(o.Element), o.Element != "")
	add("reason", strconv.Quote(o.Reason), o.Reason != "")
	add("bytes", fmt.Sprintf("%d-%d", from.Offset, to.Offset), from.Offset != 0 || to.Offset != 0)
	return strings.Join(words, " ")
}
