package nftables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// action lowers what is done to the packet before the verdict.
func (s *ruleLowering) action(a ir.Action) {
	switch a := a.(type) {
	case ir.Log:
		s.log(a)
	case ir.SetMark:
		if a.Value&^a.Mask != 0 && a.Mask != 0 {
			s.refuse("a mark of which some bits are set and others turned over", "nft(8) lists it in words that it takes for others",
				"make a rule for each")
			return
		}
		s.add(setMark{a.Value, a.Mask, a.CT})
	case ir.CopyMark:
		if a.Clear != ^uint32(0) {
			s.refuse("a mark of which some bits are copied and others stay: "+ir.ActionText(a),
				"nft(8) sets a mark from one value", "copy all bits, or none")
			return
		}
		s.add(copyMark{a.Save, a.Take})
	case ir.ClampMSS:
		if !slices.Contains(s.rule.Matches, ir.Match(ir.L4Proto{Proto: ir.TCP})) {
			s.refuse("a segment size in a rule for any protocol", "only TCP has one", "add a match on protocol tcp")
			return
		}
		if _, onward := s.rule.Verdict.(ir.Counter); !onward || s.rule.Actions[len(s.rule.Actions)-1] != ir.Action(a) {
			s.refuse("what follows a change of the segment size in its rule",
				"a packet without this option of TCP leaves the rule there", "make a rule for each")
			return
		}
		s.add(clampMSS{a.Size})
	case ir.Effect:
		s.refuse(fmt.Sprintf("an effect of which only the text is known can't be expressed in nftables: %s", a.Text),
			"vnetc does not model it, so its meaning could change or be lost",
			"write the rule in nft(8)'s words, in a table of your own")
	case ir.NoTrack:
		s.add(noTrack{})
	case ir.OpaqueAction:
		s.refuse(fmt.Sprintf("an action of which only the text is known can't be expressed in nftables: %s", a.Text),
			"vnetc does not model it, so its meaning could change or be lost",
			"write the rule in nft(8)'s words, in a table of your own")
	default:
		panic(fmt.Sprintf("nftables: unknown action %T", a))
	}
}

// needConnection says that the packet has a connection, before an action that takes its mark: for
// others the kernel leaves the rule there.
func (s *ruleLowering) needConnection() {
	takes := func(a ir.Action) bool {
		switch a := a.(type) {
		case ir.CopyMark:
			return !a.Save
		case ir.SetMark:
			return a.CT && a.Mask != ^uint32(0)
		}
		return false
	}
	if !slices.ContainsFunc(s.rule.Actions, takes) ||
		slices.Contains(s.rule.Matches, ir.Match(ir.CTState{States: ir.Tracked})) {
		return
	}
	if _, onward := s.rule.Verdict.(ir.Counter); !onward || len(s.rule.Actions) > 1 {
		s.refuse("what is done beside a mark that is taken from the connection",
			"a packet without a connection leaves the rule there", "make a rule for each")
		return
	}
	s.add(ctState{states: ir.Tracked})
}

// maxLogPrefix is the longest prefix of a log in bytes (NF_LOG_PREFIXLEN without its NUL).
const maxLogPrefix = 127

func (s *ruleLowering) log(a ir.Log) {
	if len(a.Prefix) > maxLogPrefix || strings.ContainsAny(a.Prefix, `"$`) {
		s.refuse(fmt.Sprintf("nftables can't log with prefix %q", a.Prefix),
			fmt.Sprintf("a prefix has at most %d bytes, and no \" or $, which end it or name a variable to nft(8)",
				maxLogPrefix),
			"choose another prefix")
		return
	}
	if a.Flags&^allLogFlags != 0 {
		s.refuse(fmt.Sprintf("nftables can't log with flags %#x", a.Flags), "nft(8) has no word for some of them",
			"leave them out")
		return
	}
	s.add(logging(a))
}

// logging is a log.
type logging ir.Log

// allLogFlags are the flags of a log that nft(8) has words for (linux/netfilter/nf_log.h).
const allLogFlags = 0x2f

func (s logging) appendText(b []byte, _ form) []byte {
	b = append(b, "log"...)
	if s.Prefix != "" {
		b = fmt.Appendf(b, ` prefix "%s"`, s.Prefix)
	}
	if s.Grouped {
		b = fmt.Appendf(b, " group %d", s.Group)
		if s.Snap != 0 {
			b = fmt.Appendf(b, " snaplen %d", s.Snap)
		}
		if s.Threshold != 0 {
			b = fmt.Appendf(b, " queue-threshold %d", s.Threshold)
		}
		return b
	}
	if s.Level != "" {
		b = fmt.Appendf(b, " level %s", s.Level)
	}
	if s.Flags == allLogFlags {
		return append(b, " flags all"...)
	}
	switch s.Flags & 3 {
	case 1:
		b = append(b, " flags tcp sequence"...)
	case 2:
		b = append(b, " flags tcp options"...)
	case 3:
		b = append(b, " flags tcp sequence,options"...)
	}
	for _, f := range [...]struct {
		bit  uint8
		word string
	}{{4, " flags ip options"}, {8, " flags skuid"}, {0x20, " flags ether"}} {
		if s.Flags&f.bit != 0 {
			b = append(b, f.word...)
		}
	}
	return b
}

func (s logging) exprs(x []expr.Any) []expr.Any {
	e := &expr.Log{Data: []byte(s.Prefix)}
	has := func(attr int, is bool) {
		if is {
			e.Key |= 1 << attr
		}
	}
	has(unix.NFTA_LOG_PREFIX, s.Prefix != "")
	if s.Grouped {
		e.Group, e.Snaplen, e.QThreshold = s.Group, s.Snap, s.Threshold
		has(unix.NFTA_LOG_GROUP, true)
		has(unix.NFTA_LOG_SNAPLEN, s.Snap != 0)
		has(unix.NFTA_LOG_QTHRESHOLD, s.Threshold != 0)
		return append(x, e)
	}
	level, _ := ir.LogLevel(s.Level)
	e.Level, e.Flags = expr.LogLevel(level), expr.LogFlags(s.Flags)
	has(unix.NFTA_LOG_LEVEL, s.Level != "")
	has(unix.NFTA_LOG_FLAGS, s.Flags != 0)
	return append(x, e)
}

// setMark sets bits of a mark, or turns them over. Nft says which bits stay or are set, and the
// kernel first clears the latter.
type setMark struct {
	value, mask uint32
	ct          bool
}

func (s setMark) appendText(b []byte, _ form) []byte {
	word := "meta mark"
	if s.ct {
		word = "ct mark"
	}
	b = append(append(b, word...), " set "...)
	if s.mask == ^uint32(0) {
		return fmt.Appendf(b, "0x%08x", s.value)
	}
	b = append(b, word...)
	if s.mask == 0 {
		return fmt.Appendf(b, " ^ 0x%08x", s.value)
	}
	if and := ^s.mask | s.value; and != ^uint32(0) {
		b = fmt.Appendf(b, " & 0x%08x", and)
	}
	if s.value != 0 {
		b = fmt.Appendf(b, " | 0x%08x", s.value)
	}
	return b
}

func (s setMark) exprs(x []expr.Any) []expr.Any {
	load := expr.Any(&expr.Meta{Key: expr.MetaKeyMARK, Register: reg})
	set := expr.Any(&expr.Meta{Key: expr.MetaKeyMARK, Register: reg, SourceRegister: true})
	if s.ct {
		load = &expr.Ct{Key: expr.CtKeyMARK, Register: reg}
		set = &expr.Ct{Key: expr.CtKeyMARK, Register: reg, SourceRegister: true}
	}
	if s.mask == ^uint32(0) {
		return append(x, &expr.Immediate{Register: reg, Data: hostEndian32(s.value)}, set)
	}
	return append(x, load, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4, Mask: hostEndian32(^s.mask),
		Xor: hostEndian32(s.value)}, set)
}

// noTrack keeps the packet out of connection tracking.
type noTrack struct{}

func (noTrack) appendText(b []byte, _ form) []byte { return append(b, "notrack"...) }
func (noTrack) exprs(x []expr.Any) []expr.Any      { return append(x, &expr.Notrack{}) }
