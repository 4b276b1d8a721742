package decode

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// Links returns the names of a host's interfaces by index.
type Links func() (map[uint32]string, error)

// Read turns netlink messages into a program, on a host whose interfaces are links, for rules that
// match one by its index; nil is for no host: a batch, or what a kernel's dumps of tables, chains,
// sets, elements and rules hold, in this order or any in which rules come after their chain and
// elements after their set. A set of which the dump is missing is not modelled. One that is looked
// up for several things, such as @bridges for the interface in and the interface out, comes back as
// several sets. The chains of the groups come back as the chains they became. Tables of other
// families than ip, ip6 and inet, and chains at hooks that the IR doesn't have, are not about the
// packets that a program is about: their base chains are listed as unseen, and so are flowtables,
// whose packets pass by the rules. The chains of a table that is dormant are attached to no hook.
// What a rule says beyond the IR is kept as [ir.Opaque] in the notation of [wire.Debug].
//
// An error means that the bytes are damaged, or that a message changes what was there before the
// batch.
func Read(links Links, images []backends.Document) (*ir.Program, error) {
	r, err := readAll(links, images)
	if err != nil {
		return nil, err
	}
	p := r.program()
	for _, h := range r.hidden {
		p.Unseen = append(p.Unseen, h.Text)
	}
	return p, nil
}

// program returns what was read, without what was not.
func (r *reader) program() *ir.Program { return &ir.Program{Chains: r.list, Sets: r.used} }

// readAll reads images to their end.
func readAll(links Links, images []backends.Document) (*reader, error) {
	r := &reader{ask: links, chains: map[chainKey]*ir.Chain{}, keys: map[*ir.Chain]chainKey{},
		skipped: map[chainKey]bool{},
		dormant: map[chainKey]bool{},
		sets:    map[chainKey]*readSet{}}
	for _, image := range images {
		r.file = image.File
		if err := r.stream(image.Text); err != nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
	}
	for i := range r.rules { // now that all elements of the sets are known
		if err := r.rule(&r.rules[i].Message); err != nil {
			return nil, fmt.Errorf("%s: byte %d: %w", r.rules[i].file, r.rules[i].At, err)
		}
	}
	if r.failed != nil {
		return nil, r.failed
	}
	r.settleNoTrack()
	r.settleJumps()
	r.nameSets()
	return r, nil
}

// reader is the state of one Read.
type reader struct {
	list    []*ir.Chain
	chains  map[chainKey]*ir.Chain
	keys    map[*ir.Chain]chainKey
	skipped map[chainKey]bool
	dormant map[chainKey]bool // tables whose chains no packet meets
	sets    map[chainKey]*readSet
	hidden  []hidden
	used    []*ir.Set // those that rules look packets up in
	rules   []ruleMessage
	file    string // the image at hand
	failed  error  // of links
	ask     Links
	links   map[uint32]string // what was asked; nil before

	expressions []wire.Expression // of the rule at hand
}

// link returns the name of the interface of that index, "" if there is none.
func (r *reader) link(index uint32) string {
	if r.links == nil && r.ask != nil && r.failed == nil {
		r.links, r.failed = r.ask()
	}
	return r.links[index]
}

// ruleMessage is a rule that waits for the end of the input.
type ruleMessage struct {
	wire.Message
	file string
}

type chainKey struct {
	family      byte
	table, name string
}

func (r *reader) stream(b []byte) error {
	for at := 0; at < len(b); {
		m, rest, err := wire.Next(b[at:], at)
		if err != nil {
			return err
		}
		at = len(b) - len(rest)
		if m.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
			continue
		}
		if err := r.message(&m); err != nil {
			return fmt.Errorf("byte %d: %w", m.At, err)
		}
	}
	return nil
}

func (r *reader) message(m *wire.Message) error {
	switch m.Kind() {
	case unix.NFT_MSG_NEWTABLE:
		if m.Dormant() {
			r.dormant[chainKey{family: m.Family, table: m.Attrs.Text(unix.NFTA_TABLE_NAME)}] = true
		}
		return nil
	case unix.NFT_MSG_NEWGEN, unix.NFT_MSG_NEWOBJ:
		return nil // nothing in it, or seen only through the rules that use it
	case unix.NFT_MSG_NEWFLOWTABLE:
		r.hide(hiddenFlowtable(m))
		return nil
	case unix.NFT_MSG_NEWSET:
		return r.set(m)
	case unix.NFT_MSG_NEWSETELEM:
		return r.elements(m)
	case unix.NFT_MSG_DELTABLE:
		r.deleteTable(m)
		return nil
	case unix.NFT_MSG_NEWCHAIN:
		return r.chain(m)
	case unix.NFT_MSG_NEWRULE:
		r.rules = append(r.rules, ruleMessage{*m, r.file})
		return nil
	}
	return fmt.Errorf("message %d of nf_tables is neither part of a dump nor of a batch that creates tables",
		m.Type&0xff)
}

// deleteTable forgets what is in a table that the batch recreates.
func (r *reader) deleteTable(m *wire.Message) {
	name := m.Attrs.Text(unix.NFTA_TABLE_NAME)
	kept := r.list[:0]
	for _, c := range r.list {
		if c.Family != Family(m.Family) || c.Table != name {
			kept = append(kept, c)
		}
	}
	r.list = kept
	for k := range r.chains {
		if k.family == m.Family && k.table == name {
			delete(r.chains, k)
		}
	}
	for k := range r.sets {
		if k.family == m.Family && k.table == name {
			delete(r.sets, k)
		}
	}
	r.rules = slices.DeleteFunc(r.rules, func(old ruleMessage) bool {
		return old.Family == m.Family && old.Attrs.Text(unix.NFTA_RULE_TABLE) == name
	})
}

// Family returns the family of an NFPROTO number, 0 for one that the IR doesn't have.
func Family(n byte) ir.Family {
	switch n {
	case unix.NFPROTO_IPV4:
		return ir.IPv4
	case unix.NFPROTO_IPV6:
		return ir.IPv6
	case unix.NFPROTO_INET:
		return ir.Both
	}
	return 0
}

func (r *reader) chain(m *wire.Message) error {
	key := chainKey{m.Family, m.Attrs.Text(unix.NFTA_CHAIN_TABLE), m.Attrs.Text(unix.NFTA_CHAIN_NAME)}
	if key.table == "" || key.name == "" {
		return fmt.Errorf("a chain without a name or a table")
	}
	if r.chains[key] != nil || r.skipped[key] {
		return fmt.Errorf("chain %s %s is there twice", key.table, key.name)
	}
	c := &ir.Chain{Family: Family(m.Family), Table: key.table, Name: key.name}
	known := c.Family != 0
	dormant := r.dormant[chainKey{family: key.family, table: key.table}]
	hook := m.Attrs[unix.NFTA_CHAIN_HOOK]
	if hook != nil {
		var err error
		if c.Base, err = Base(m, hook); err != nil {
			return fmt.Errorf("chain %s %s: %w", key.table, key.name, err)
		}
		known = known && c.Base != nil
	}
	if dormant {
		c.Base = nil
	}
	if !known {
		r.skipped[key] = true
		if hook != nil && !dormant {
			r.hide(hiddenChain(key, m, hook))
		}
		return nil
	}
	r.chains[key] = c
	r.keys[c] = key
	r.list = append(r.list, c)
	return nil
}

// hookWord returns nft(8)'s word for a hook of a family.
func hookWord(family byte, number uint32) string {
	words := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	switch family {
	case unix.NFPROTO_NETDEV:
		words = []string{"ingress", "egress"}
	case unix.NFPROTO_ARP:
		words = []string{"input", "output"}
	}
	if int(number) < len(words) {
		return words[number]
	}
	return fmt.Sprint(number)
}

// Base reads where a chain is attached, from its message and the attribute NFTA_CHAIN_HOOK in it;
// nil if the IR has no such place.
func Base(m *wire.Message, hook []byte) (*ir.Base, error) {
	h, err := wire.ParseAttrs(hook)
	if err != nil {
		return nil, err
	}
	number, ok := h.Uint32(unix.NFTA_HOOK_HOOKNUM)
	priority, ok2 := h.Uint32(unix.NFTA_HOOK_PRIORITY)
	if !ok || !ok2 {
		return nil, fmt.Errorf("a hook without number or priority")
	}
	b := &ir.Base{Priority: int(int32(priority))}
	switch number {
	case unix.NF_INET_PRE_ROUTING:
		b.Hook = ir.Prerouting
	case unix.NF_INET_LOCAL_IN:
		b.Hook = ir.Input
	case unix.NF_INET_FORWARD:
		b.Hook = ir.Forward
	case unix.NF_INET_LOCAL_OUT:
		b.Hook = ir.Output
	case unix.NF_INET_POST_ROUTING:
		b.Hook = ir.Postrouting
	default:
		return nil, nil
	}
	switch m.Attrs.Text(unix.NFTA_CHAIN_TYPE) {
	case "filter":
		b.Type = ir.FilterType
	case "nat":
		b.Type = ir.NATType
	case "route":
		b.Type = ir.RouteType
	default:
		return nil, nil
	}
	if policy, ok := m.Attrs.Uint32(unix.NFTA_CHAIN_POLICY); ok {
		b.Drop = policy == wire.VerdictDrop
	}
	return b, nil
}

func (r *reader) rule(m *wire.Message) (err error) {
	key := chainKey{m.Family, m.Attrs.Text(unix.NFTA_RULE_TABLE), m.Attrs.Text(unix.NFTA_RULE_CHAIN)}
	if r.skipped[key] || Family(m.Family) == 0 {
		return nil
	}
	c := r.chains[key]
	if c == nil {
		return fmt.Errorf("a rule of chain %s %s, which is not there", key.table, key.name)
	}
	r.expressions, err = wire.Expressions(r.expressions[:0], m.Attrs[unix.NFTA_RULE_EXPRESSIONS])
	if err != nil {
		return err
	}
	run := machine{table: c.Family, reader: r, chain: key}
	out := run.rule(r.expressions)
	for i := range out {
		out[i].Comment = wire.Comment(m.Attrs[unix.NFTA_RULE_USERDATA])
	}
	if m.Flags&unix.NLM_F_APPEND == 0 { // as the kernel has it: a rule not appended goes on top
		c.Rules = append(out, c.Rules...)
		return nil
	}
	c.Rules = append(c.Rules, out...)
	return nil
}
