package iptables

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// tcpFlagsOf returns the flags in a list that isTCPFlags takes.
func tcpFlagsOf(text string) (all ir.Flags) {
	for word := range strings.SplitSeq(strings.ToUpper(text), ",") {
		i := slices.Index([]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"}, word)
		switch {
		case i >= 0:
			all |= 1 << i
		case word == "ALL":
			all |= knownFlags
		}
	}
	return all
}

// isTCPMask takes the first list of --tcp-flags.
func (s *ruleReader) isTCPMask(text string) bool {
	s.mask = tcpFlagsOf(text)
	return isTCPFlags(s, text)
}

// tcpFlags reads the second list of --tcp-flags: the flags under the mask that are to be set. No
// packet has flags beyond the mask; that stays text.
func (s *ruleReader) tcpFlags(text string) bool {
	m := ir.TCPFlags{Mask: s.mask, Flags: tcpFlagsOf(text), Not: s.not}
	if m.Mask == 0 || m.Flags&^m.Mask != 0 {
		return false
	}
	s.one(m)
	return true
}

// syn reads --syn.
func (s *ruleReader) syn() bool {
	s.one(ir.TCPFlags{Mask: ir.FlagFIN | ir.FlagSYN | ir.FlagRST | ir.FlagACK, Flags: ir.FlagSYN, Not: s.not})
	return true
}

// sourcePorts reads --source-ports of multiport.
func (s *ruleReader) sourcePorts(text string) bool { return s.portSet("sports", text, true, false) }

// destinationPorts reads --destination-ports of multiport.
func (s *ruleReader) destinationPorts(text string) bool {
	return s.portSet("dports", text, false, true)
}

// eitherPorts reads --ports of multiport: one of the two ports is in the list.
func (s *ruleReader) eitherPorts(text string) bool { return s.portSet("ports", text, true, true) }

// portSet reads a list of ports as a set, which is named after what it holds: rules of the same
// list share one.
func (s *ruleReader) portSet(option, text string, source, destination bool) bool {
	var ranges []ir.PortRange
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		a, b, two := strings.Cut(word, ":")
		from, _ := s.parsePort(a)
		to := from
		if two {
			to, _ = s.parsePort(b)
		}
		r := ir.PortRange{From: from, To: to}
		ranges, words = append(ranges, r), append(words, r.String())
	}
	name := option + " " + strings.Join(words, ",")
	key := chainKey{s.table, name}
	set := s.sets[key]
	if set == nil {
		set = &ir.Set{Family: s.family, Table: s.table, Name: name}
		for _, r := range ranges {
			if source {
				set.Elements = append(set.Elements, []ir.Match{ir.SPort{From: r.From, To: r.To}})
			}
			if destination {
				set.Elements = append(set.Elements, []ir.Match{ir.DPort{From: r.From, To: r.To}})
			}
		}
		if s.sets == nil {
			s.reader.sets = make(map[chainKey]*ir.Set)
		}
		s.sets[key] = set
	}
	s.one(ir.Lookup{Set: set, Not: s.not})
	return true
}
