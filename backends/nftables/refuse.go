package nftables

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Unsupported is the code of what nftables can't say.
const Unsupported diag.Code = "backend-unsupported"

// LeftOut is the code of what has no effect in nftables, and is not emitted.
const LeftOut diag.Code = "backend-left-out"

func (l *lowerer) refuse(o ir.Origin, what, why, fix string) {
	l.diags = append(l.diags, diag.Diagnostic{Severity: diag.Error, Code: Unsupported, Span: o.Span, What: what,
		Why: why, Fix: fix})
}

// refuseAll refuses those that r stands for, each at its origin and once for both families.
func (l *lowerer) refuseAll(reason *refusal, r *ir.Rule, behind []*ir.Rule) {
	if len(behind) == 0 {
		behind = []*ir.Rule{r} // the layout needs it
	}
	for _, r := range behind {
		if !l.refused[r] {
			l.refused[r] = true
			l.refuse(r.Origin, reason.what, reason.why, reason.fix)
		}
	}
}

func (s *ruleLowering) refuse(what, why, fix string) {
	if s.reason == nil {
		s.reason = &refusal{what, why, fix}
	}
}

// omission is why a rule is left out.
type omission uint8

const (
	services omission = iota + 1
	checksum
)

// notes are what was left out, network by network: many rules of one network come from one place,
// of which it is said once.
type notes struct {
	all     []note
	last    map[string]int32 // by network: one more than the place of its last note
	network string           // whose rules came last
	at      int32            // its last
}

// note is one of the notes: the diagnostic with this number. Before is one more than the place of
// the network's note before it.
type note struct {
	number, before int32
	why            omission
}

// known is true if it was already reported that rules of the network from this place are left out.
func (l *lowerer) known(network string, span diag.Span, why omission) bool {
	n := &l.notes
	if network != n.network || n.at == 0 {
		n.network, n.at = network, n.last[network]
	}
	for at := n.at; at != 0; at = n.all[at-1].before {
		if old := n.all[at-1]; old.why == why && l.diags[old.number].Span == span {
			return true
		}
	}
	return false
}

// leftOut says why the rules of a row of the groups' table are left out of p, 0 if they are not.
// What only opens the host is: an accept here opens nothing. What refuses is not, nor the accepts
// that spare packets from it.
func leftOut(row *ir.GroupRow, p *ir.Program, families ir.Family) omission {
	switch {
	case row.Opens && !refusesAt(row.Base, p, families):
		return services
	case row.Type == ir.FilterType && row.Priority == ir.PriorityMangle && row.Hook == ir.Postrouting:
		return checksum
	}
	return 0
}

// refusesAt is true if a group of p at the base refuses packets of the families.
func refusesAt(base ir.Base, p *ir.Program, families ir.Family) bool {
	return slices.ContainsFunc(ir.GroupTable[:], func(row ir.GroupRow) bool {
		return row.Base == base && refuses(p.Group(row.Group), families)
	})
}

// refuses is true if a rule of c refuses packets of the families.
func refuses(c *ir.Chain, families ir.Family) bool {
	return c != nil && slices.ContainsFunc(c.Rules, func(r ir.Rule) bool {
		switch r.Verdict.(type) {
		case ir.Drop, ir.Reject:
			return r.Family&families != 0
		}
		return false
	})
}

// leaveOutOf notes which rules of p have no place here.
func (l *lowerer) leaveOutOf(p *ir.Program) {
	for i := range ir.GroupTable {
		row := &ir.GroupTable[i]
		why, c := leftOut(row, p, l.options.Families), p.Group(row.Group)
		if why == 0 || c == nil {
			continue
		}
		for i := range c.Rules {
			if row.Of == nil || row.Of(&c.Rules[i]) {
				l.leaveOut(&c.Rules[i], why)
			}
		}
	}
}

// leaveOut notes that r is not emitted.
func (l *lowerer) leaveOut(r *ir.Rule, why omission) {
	if r.Family&l.options.Families == 0 || l.known(r.Origin.Network, r.Origin.Span, why) {
		return
	}
	n := &l.notes
	n.all = append(n.all, note{int32(len(l.diags)), n.at, why})
	n.at = int32(len(n.all))
	n.last[n.network] = n.at
	d := diag.Diagnostic{Severity: diag.Note, Code: LeftOut, Span: r.Origin.Span}
	of := ""
	if r.Origin.Network != "" {
		of = " of network " + r.Origin.Network
	}
	switch why {
	case services:
		d.What = "nftables leaves out the rules that open the host's services to the guests" + of
		d.Why = "an accept in a table of its own opens nothing that another table closes"
		d.Fix = "where the host's own firewall closes ports, open DHCP (udp 67, 547), DNS (tcp and udp 53) and TFTP (udp 69) there"
	case checksum:
		d.What = "nftables leaves out the rule that fills in the checksum of DHCP answers" + of
		d.Why = "nf_tables has no statement for it"
		d.Fix = "for old guests that need it, choose --backend iptables"
	}
	l.diags = append(l.diags, d)
}

// maxComment is the longest comment in bytes that nft(8) takes (NFTNL_UDATA_COMMENT_MAXLEN).
const maxComment = 128

// comment returns the comment of r: its own, and its origin if that was asked for. Strings of nft
// have no escape for a double quote.
func (l *lowerer) comment(r *ir.Rule) string {
	return strings.ReplaceAll(backends.Comment(r, l.options.Comments, maxComment), `"`, "'")
}
