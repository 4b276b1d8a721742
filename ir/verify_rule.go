package ir

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

// ruleVerifier checks one rule.
type ruleVerifier struct {
	*verifier
	chain *Chain
	rule  *Rule
}

// ruleIn checks r, a rule of c.
func (v *verifier) ruleIn(c *Chain, r *Rule) {
	rv := &ruleVerifier{verifier: v, chain: c, rule: r}
	if r.Family == 0 || r.Family > Both || c.Family&r.Family != r.Family {
		rv.wrong("ir-family", fmt.Sprintf("rule for %s in chain %s", r.Family, c.Label()),
			"the chain is met by packets of its own families only", "put the rule into a chain of its family")
	}
	at := r.Origin.Span
	v.text("ir-text", at, "comment", r.Comment)
	v.text("ir-text", at, "file name", at.File)
	v.text("ir-text", at, "network", r.Origin.Network)
	v.text("ir-text", at, "element", r.Origin.Element)
	v.text("ir-text", at, "reason", r.Origin.Reason)
	for _, m := range r.Matches {
		rv.match(m)
	}
	for _, a := range r.Actions {
		rv.action(a)
	}
	rv.verdict()
}

func (v *ruleVerifier) wrong(code diag.Code, what, why, fix string) {
	v.errorf(code, v.rule.Origin.Span, what, why, fix)
}

func (v *ruleVerifier) match(m Match) {
	switch m := m.(type) {
	case nil:
		v.wrong("ir-match", fmt.Sprintf("rule in %s with an empty match", v.chain.Label()), "each match is a condition",
			"remove the match")
	case IIfName:
		v.name(m.Name, m.Wildcard)
	case OIfName:
		v.name(m.Name, m.Wildcard)
	case SAddr:
		v.prefix(m.Prefix)
	case DAddr:
		v.prefix(m.Prefix)
	case SAddrRange:
		v.addrs(AddrRange{m.From, m.To})
	case DAddrRange:
		v.addrs(AddrRange{m.From, m.To})
	case L4Proto: // every number is a protocol
	case SPort:
		v.ports(PortRange{m.From, m.To})
	case DPort:
		v.ports(PortRange{m.From, m.To})
	case ICMPType:
		v.icmp()
	case TCPFlags:
		if m.Mask == 0 || m.Flags&^m.Mask != 0 {
			v.wrong("ir-match", fmt.Sprintf("TCP flags %s under mask %s", m.Flags, m.Mask),
				"what the mask takes away is never set", "use flags within the mask")
		}
		if !v.matchesProto(func(p uint8) bool { return p == TCP }) {
			v.wrong("ir-match", "TCP flags in a rule for any protocol", "only TCP has them",
				"add a match on protocol tcp")
		}
	case CTState:
		if m.States == 0 || m.States >= StateUntracked<<1 {
			v.wrong("ir-match", fmt.Sprintf("match on connection states %#x", uint8(m.States)),
				"a packet has one of five states, and the match names some of them",
				"name the states that are meant")
		}
	case CTStatus:
		if m.Status == 0 || m.Status >= StatusDNAT<<1 {
			v.wrong("ir-match", fmt.Sprintf("match on connection status %#x", uint8(m.Status)),
				"NAT rewrites a connection's source, its destination or both, and the match names some of these",
				"name what is meant: snat, dnat")
		}
	case Mark:
		if m.Mask == 0 || m.Value&^m.Mask != 0 {
			v.wrong("ir-match", fmt.Sprintf("mark %#x under mask %#x", m.Value, m.Mask),
				"bits outside the mask never match", "use a value within the mask")
		}
	case Lookup:
		v.lookup(m)
	case Limit:
		per := slices.ContainsFunc(limitUnits[:], func(u limitUnit) bool { return u.per == m.Per })
		if m.Rate == 0 || m.Burst == 0 || !per {
			v.wrong("ir-match", "limit "+limitWords(m), "it lets nothing through, or nobody can tell how much",
				"use a rate and a burst from 1, by the second, minute, hour, day or week")
		}
	case Field:
		v.field(m)
	case AddrType:
		v.addrType(m)
	case Unknown:
		v.unknownSort(m)
	case Opaque:
		v.text("ir-text", v.rule.Origin.Span, "opaque match", m.Text)
	default:
		panic(fmt.Sprintf("ir: unknown match %T", m))
	}
}

func (v *ruleVerifier) action(a Action) {
	switch a := a.(type) {
	case nil:
		v.wrong("ir-action", fmt.Sprintf("rule in %s with an empty action", v.chain.Label()),
			"each action does something", "remove the action")
	case Log:
		v.text("ir-text", v.rule.Origin.Span, "prefix", a.Prefix)
		if _, ok := LogLevel(a.Level); !ok || a.Grouped && a.Level != "" || !a.Grouped && a != (Log{Prefix: a.Prefix,
			Level: a.Level, Flags: a.Flags}) {
			v.wrong("ir-action", logWords(a), "a log goes to the kernel's, with a level, or to a group",
				"choose one of them")
		}
	case SetMark:
		if a.Mask|a.Value == 0 {
			v.wrong("ir-action", "a mark set to what it is", "an action does something", "remove it")
		}
	case CopyMark:
		if a.Clear|a.Take == 0 {
			v.wrong("ir-action", "no bit of a mark copied", "an action does something", "remove it")
		}
	case ClampMSS:
		if !v.matchesProto(func(p uint8) bool { return p == TCP }) {
			v.wrong("ir-action", "a segment size in a rule for any protocol", "only TCP has one",
				"add a match on protocol tcp")
		}
		if a.Size == 0 {
			routed := func(p hookPoint) bool { return p.hook != Prerouting && p.hook != Input }
			v.everywhere(routed, "ir-action", "a segment size by the route",
				"which route a packet takes is known behind routing only", "clamp at forward, output or postrouting")
		}
	case Effect:
		v.text("ir-text", v.rule.Origin.Span, "effect", a.Text)
		if a.Touches&^AllFields != 0 {
			v.wrong("ir-action", fmt.Sprintf("effect %q touches unknown fields", a.Text),
				"matches look at "+AllFields.String(), "name some of these")
		}
	case NoTrack:
		early := func(p hookPoint) bool {
			return (p.hook == Prerouting || p.hook == Output) && p.priority < PriorityConntrack
		}
		v.everywhere(early, "ir-action", "a notrack",
			"connection tracking comes at priority -200 of prerouting and output, and is not undone",
			"put the rule into a chain of priority raw (-300)")
	case OpaqueAction:
		v.text("ir-text", v.rule.Origin.Span, "opaque action", a.Text)
		if a.Touches&^AllFields != 0 {
			v.wrong("ir-action", fmt.Sprintf("opaque action %q touches unknown fields", a.Text),
				"matches look at "+AllFields.String(), "name some of these")
		}
	default:
		panic(fmt.Sprintf("ir: unknown action %T", a))
	}
}

// maxIfName is the longest name of an interface in bytes, IFNAMSIZ without its NUL.
const maxIfName = 15

// kernelName is true if the kernel takes name, of at most longest bytes, for an interface:
// dev_valid_name (net/core/dev.c).
func kernelName(name string, longest int) bool {
	if name == "" || len(name) > longest || name == "." || name == ".." {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || c == '/' || c == ':' {
			return false
		}
	}
	return true
}

// name checks the name of an interface, or the beginning of one: the kernel must take it; at its
// end iptables(8) takes + for a wildcard, nft(8) takes *, and nft(8) has no form for a quote within
// a string.
func (v *ruleVerifier) name(name string, wildcard bool) {
	longest := maxIfName
	if wildcard {
		longest-- // room for one character more, as iptables(8) wants it
	}
	quoted := strings.IndexByte(name, '"') >= 0 || strings.IndexByte(name, '\\') >= 0
	if quoted || !kernelName(name, longest) || strings.HasSuffix(name, "+") || strings.HasSuffix(name, "*") {
		v.wrong("ir-interface", fmt.Sprintf("interface name %q", name),
			fmt.Sprintf("a name has 1 to %d bytes, without blanks, control characters, / : \" and \\, and without + or * at its end", longest),
			"use a name that an interface can have")
	}
}

func (v *ruleVerifier) prefix(p netip.Prefix) {
	if !p.IsValid() || p != p.Masked() {
		v.wrong("ir-address", fmt.Sprintf("prefix %s", p),
			"a prefix is a whole network: no bits are set after its length", "clear the bits after the length")
		return
	}
	v.addrFamily(p.Addr())
}

// addrs checks a range of addresses.
func (v *ruleVerifier) addrs(r AddrRange) {
	ok := r.From.IsValid() && r.To.IsValid() && addrFamily(r.From) == addrFamily(r.To) && r.From.Compare(r.To) <= 0 &&
		r.From.Zone()+r.To.Zone() == ""
	if !ok {
		v.wrong("ir-address", fmt.Sprintf("address range %s", fromTo(r.From, r.To)),
			"both ends are of one family, without a zone, and the first is not above the last",
			"put the lower address first")
		return
	}
	v.addrFamily(r.From)
}

func (v *ruleVerifier) addrFamily(a netip.Addr) {
	if addrFamily(a) != v.rule.Family {
		v.wrong("ir-family", fmt.Sprintf("address %s in a rule for %s", a, v.rule.Family),
			"only packets of the address's own family have such an address",
			fmt.Sprintf("make it a rule for %s", addrFamily(a)))
	}
}

func (v *ruleVerifier) ports(r PortRange) {
	if r.From > r.To {
		v.wrong("ir-port", fmt.Sprintf("ports %s", r), "the range ends before it begins, so no port is in it",
			"put the lower port first")
	}
	if !v.matchesProto(HasPorts) {
		v.wrong("ir-port", fmt.Sprintf("ports %s in a rule for any protocol", r),
			"only packets of tcp, udp, sctp, dccp and udplite have ports, and the rule does not match one of these",
			"add a match on the protocol")
	}
}

func (v *ruleVerifier) icmp() {
	if !v.matchesProto(func(p uint8) bool { return p == ICMP || p == ICMPv6 }) {
		v.wrong("ir-icmp", "ICMP type in a rule for any protocol",
			"IPv4 has ICMP and IPv6 has ICMPv6, with types of their own",
			"add a match on protocol icmp, or on icmpv6")
	}
}

// matchesProto is true if the rule matches a protocol for which is holds.
func (v *ruleVerifier) matchesProto(is func(uint8) bool) bool {
	for _, m := range v.rule.Matches {
		if p, ok := m.(L4Proto); ok && !p.Not && is(p.Proto) {
			return true
		}
	}
	return false
}

func (v *ruleVerifier) verdict() {
	switch verdict := v.rule.Verdict.(type) {
	case nil:
		v.wrong("ir-verdict", fmt.Sprintf("rule in %s without a verdict", v.chain.Label()),
			"a rule says what happens to a packet", "use Counter for a rule that only counts")
	case Accept, Drop, Return, Counter:
	case Reject:
		v.reject(verdict)
	case Jump:
		v.jump(verdict.Chain)
	case Goto:
		v.jump(verdict.Chain)
	case Masquerade:
		v.nat(NAT{Kind: KindMasquerade, Ports: verdict.Ports, Flags: verdict.Flags}, Postrouting)
	case SNAT:
		v.nat(NAT{Kind: KindSNAT, Addrs: verdict.Addrs, Ports: verdict.Ports, Flags: verdict.Flags}, Postrouting, Input)
	case DNAT:
		v.nat(NAT{Kind: KindDNAT, Addrs: verdict.Addrs, Ports: verdict.Ports, Flags: verdict.Flags}, Prerouting, Output)
	case Redirect:
		v.nat(NAT{Kind: KindRedirect, Ports: verdict.Ports, Flags: verdict.Flags}, Prerouting, Output)
	case ChecksumFill:
		v.checksum()
	case Handed:
		v.text("ir-text", v.rule.Origin.Span, "handed verdict", verdict.Text)
	case Opaque:
		v.text("ir-text", v.rule.Origin.Span, "opaque verdict", verdict.Text)
	default:
		panic(fmt.Sprintf("ir: unknown verdict %T", verdict))
	}
}

func (v *ruleVerifier) reject(r Reject) {
	families := r.With.Families()
	switch {
	case families == 0 || v.rule.Family&families != v.rule.Family:
		v.wrong("ir-verdict", fmt.Sprintf("reject with %q in a rule for %s", string(r.With), v.rule.Family),
			"the code is not in the ICMP of that family",
			"use port-unreachable or admin-prohibited, which both families have")
	case r.With == TCPReset && !v.matchesProto(func(p uint8) bool { return p == TCP }):
		v.wrong("ir-verdict", "reject with tcp-reset in a rule for any protocol", "only TCP has resets",
			"add a match on protocol tcp")
	}
	v.everywhere(func(p hookPoint) bool { return p.typ != NATType && p.hook != Postrouting }, "ir-verdict", "a reject",
		"the kernel rejects no packet that is on its way out, and none while it chooses NAT",
		"reject at input, forward or output, in a filter chain")
}

func (v *ruleVerifier) jump(name string) {
	if t := v.target(v.chain, v.rule); t == nil || t.Base != nil {
		v.wrong("ir-jump", fmt.Sprintf("%q leads to no chain of the same table, or to a base chain",
			VerdictText(v.rule.Verdict)),
			"a jump leads to a chain without a hook, in the family and table of the rule",
			fmt.Sprintf("make a chain %q there", name))
	}
}

func (v *ruleVerifier) nat(n NAT, hooks ...Hook) {
	at := func(p hookPoint) bool {
		for _, h := range hooks {
			if p.hook == h {
				return p.typ == NATType
			}
		}
		return false
	}
	v.everywhere(at, "ir-nat", "a "+string(n.Kind),
		"the kernel rewrites sources at postrouting, destinations at prerouting and output, each in nat chains",
		"put the rule where that is done")
	if n.Flags&^allNATFlags != 0 {
		v.wrong("ir-nat", fmt.Sprintf("%s with flags %#x", n.Kind, uint8(n.Flags)), "there are random, fully-random and persistent",
			"use these")
	}
	switch {
	case !n.Addrs.IsZero() || n.Addrs.To.IsValid():
		v.addrs(n.Addrs)
	case n.Kind == KindSNAT || n.Kind == KindDNAT:
		v.wrong("ir-nat", fmt.Sprintf("%s to no address", n.Kind), "it replaces one address by another",
			"give the address, or use masquerade or redirect")
	}
	if n.Ports.IsZero() {
		return
	}
	v.ports(n.Ports)
	if n.Ports.From == 0 {
		v.wrong("ir-port", fmt.Sprintf("%s to ports %s", n.Kind, n.Ports), "no connection can have port 0",
			"begin the range at 1 or above")
	}
}

func (v *ruleVerifier) checksum() {
	mangles := func(p hookPoint) bool { return p.typ == FilterType && p.priority == PriorityMangle }
	v.everywhere(mangles, "ir-checksum", "a checksum fill",
		"packets are altered at priority mangle, before NAT is chosen", "put the rule into PRT")
}

// everywhere checks that ok holds wherever the rule is met. What is met nowhere does no harm.
func (v *ruleVerifier) everywhere(ok func(hookPoint) bool, code diag.Code, what, why, fix string) {
	for _, p := range v.met[v.chain] {
		if v.metHere(p) && !ok(p) {
			v.wrong(code, fmt.Sprintf("%s in %s, which is met in %s", what, v.chain.Label(), p), why, fix)
			return
		}
	}
}

// metHere is true if the rule is one of those that packets meet at p, a point at which they meet
// its chain.
func (v *ruleVerifier) metHere(p hookPoint) bool {
	for i := range GroupTable {
		row := &GroupTable[i]
		if row.Group == v.chain.Group && row.Of != nil && !row.Of(v.rule) &&
			(hookPoint{row.Hook, row.Type, row.Priority}) == p {
			return false
		}
	}
	return true
}
