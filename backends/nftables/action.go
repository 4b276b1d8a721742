package nftables

import (
	"fmt"
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
		s.add(setMark{a.Value, a.Mask})
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
	s.add(logging{a.Prefix})
}

// logging is a log with or without a prefix.
type logging struct{ prefix string }

func (s logging) appendText(b []byte, _ form) []byte {
	b = append(b, "log"...)
	if s.prefix != "" {
		b = fmt.Appendf(b, ` prefix "%s"`, s.prefix)
	}
	return b
}

func (s logging) exprs(x []expr.Any) []expr.Any {
	if s.prefix == "" {
		return append(x, &expr.Log{})
	}
	return append(x, &expr.Log{Key: 1 << unix.NFTA_LOG_PREFIX, Data: []byte(s.prefix)})
}

// setMark sets bits of the packet's mark. Nft says which bits stay or are set, and the kernel first
// clears the latter.
type setMark struct{ value, mask uint32 }

func (s setMark) appendText(b []byte, _ form) []byte {
	b = append(b, "meta mark set "...)
	if s.mask == ^uint32(0) {
		return fmt.Appendf(b, "0x%08x", s.value)
	}
	b = append(b, "meta mark"...)
	if and := ^s.mask | s.value; and != ^uint32(0) {
		b = fmt.Appendf(b, " & 0x%08x", and)
	}
	if s.value != 0 {
		b = fmt.Appendf(b, " | 0x%08x", s.value)
	}
	return b
}

func (s setMark) exprs(x []expr.Any) []expr.Any {
	set := &expr.Meta{Key: expr.MetaKeyMARK, Register: reg, SourceRegister: true}
	if s.mask == ^uint32(0) {
		return append(x, &expr.Immediate{Register: reg, Data: hostEndian32(s.value)}, set)
	}
	return append(x, &expr.Meta{Key: expr.MetaKeyMARK, Register: reg},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4, Mask: hostEndian32(^s.mask),
			Xor: hostEndian32(s.value)}, set)
}

// noTrack keeps the packet out of connection tracking.
type noTrack struct{}

func (noTrack) appendText(b []byte, _ form) []byte { return append(b, "notrack"...) }
func (noTrack) exprs(x []expr.Any) []expr.Any      { return append(x, &expr.Notrack{}) }
