package nftables

import (
	"encoding/binary"
	"sort"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// delta builds the batch that turns what the kernel holds into what is wanted, leaving alone what is right already.
type delta struct {
	Batch
	report backends.Report
	origin func(seq uint32) *ir.Rule // of a message of the wanted stream
}

// difference returns the batch that makes have into want. Generation, if not 0, is that of have: the kernel then refuses
// the batch if anybody has changed the ruleset since. Tables that want lacks are deleted; one that is asleep, or has objects
// that vnetc makes none of, is made anew. The report tells whether there is
// anything to send.
func difference(have, want *inventory, generation uint32, origin func(seq uint32) *ir.Rule) (*Batch, backends.Report) {
	d := &delta{origin: origin}
	d.open(generation)
	for _, t := range want.tables {
		old := have.table(t.family, t.name)
		if old != nil && !old.asleep && len(old.others) == 0 && sameFrame(old, t) {
			d.update(old, t)
			continue
		}
		d.rebuild(old, t)
	}
	for _, t := range have.tables {
		if want.table(t.family, t.name) == nil {
			d.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
			d.report.Changed++
		}
	}
	d.edge(unix.NFNL_MSG_BATCH_END)
	return &d.Batch, d.report
}

// open begins the batch.
func (d *delta) open(generation uint32) {
	d.edge(unix.NFNL_MSG_BATCH_BEGIN)
	if generation != 0 {
		d.Batch.uint32(1, generation) // NFNL_BATCH_GENID
		d.end(0)
	}
}

// sameFrame is true if both tables have the same chains and sets, whatever is in them.
func sameFrame(a, b *heldTable) bool {
	if len(a.chains) != len(b.chains) || len(a.sets) != len(b.sets) {
		return false
	}
	for _, c := range b.chains {
		if old := a.chain(c.name); old == nil || old.kind != c.kind {
			return false
		}
	}
	for _, s := range b.sets {
		if old := a.set(s.name); old == nil || old.kind != s.kind {
			return false
		}
	}
	return true
}

// rebuild makes table t anew in place of old, which is nil if there is none. Both happen in the one transaction, under the one
// name, and packets under way meet no gap: in the kernel (nf_tables_commit_chain_prepare) a chain that a transaction deletes
// keeps its rules until no packet is in it, plain sets keep their elements as long, and the new chains, which hang before the
// old ones, are empty until all of the transaction holds. So such a packet is judged by the old rules, or by both. It is not
// so for maps, whose elements go at once (nft_map_deactivate): a packet in the old chain finds nothing in them. No layout may
// use maps for what decides; TestFloodRebuild in netsetup/firewall watches; on an overloaded host
// it has seen about one packet in 15 million get through, by a way that is not found yet. A second table beside the first needs three
// transactions, and a process killed between them leaves both in force.
func (d *delta) rebuild(old, t *heldTable) {
	d.report.Rebuilt = d.report.Rebuilt || old != nil
	if old != nil {
		d.tableMessage(unix.NFT_MSG_DELTABLE, 0, t)
	}
	d.tableMessage(unix.NFT_MSG_NEWTABLE, netlink.Create, t)
	d.report.Changed++
	for _, c := range t.chains {
		d.copy(c.raw, c.seq, netlink.Create)
	}
	for i, s := range t.sets {
		at := d.copy(s.raw, s.seq, netlink.Create)
		d.uint32(unix.NFTA_SET_ID, uint32(i+1)) // which the kernel wants and does not tell
		d.end(at)
		d.addElements(t, s, s.order)
	}
	for _, c := range t.chains {
		for _, r := range c.rules {
			d.addRule(r, 0, true)
		}
	}
}

func (d *delta) tableMessage(typ uint16, flags netlink.HeaderFlags, t *heldTable) {
	at := d.begin(messageType(typ), flags, t.family, nil)
	d.text(unix.NFTA_TABLE_NAME, t.name)
	d.end(at)
}

// update changes only what differs between two tables of one frame.
func (d *delta) update(old, t *heldTable) {
	for _, s := range t.sets {
		d.updateSet(t, old.set(s.name), s)
	}
	for _, c := range t.chains {
		d.updateChain(t, old.chain(c.name), c)
	}
}

func (d *delta) updateSet(t *heldTable, old, s *heldSet) {
	var gone, come []string
	for _, key := range old.order {
		if _, ok := s.elements[key]; !ok {
			gone = append(gone, key)
		}
	}
	for _, key := range s.order {
		if _, ok := old.elements[key]; !ok {
			come = append(come, key)
		} else {
			d.report.Kept++
		}
	}
	d.listElements(unix.NFT_MSG_DELSETELEM, 0, t, old, gone)
	d.addElements(t, s, come)
}

func (d *delta) addElements(t *heldTable, s *heldSet, keys []string) {
	d.listElements(unix.NFT_MSG_NEWSETELEM, netlink.Create, t, s, keys)
}

// listElements adds messages about elements of a set, as many as their number asks for.
func (d *delta) listElements(typ uint16, flags netlink.HeaderFlags, t *heldTable, s *heldSet, keys []string) {
	d.report.Changed += len(keys)
	for len(keys) > 0 {
		at := d.begin(messageType(typ), flags, t.family, d.from(s.elements[keys[0]].seq))
		d.text(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
		d.text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
		list := d.attr(unix.NFTA_SET_ELEM_LIST_ELEMENTS | unix.NLA_F_NESTED)
		for n := 0; n < maxElements && len(keys) > 0 && len(d.Bytes)-list < maxElementBytes; n++ {
			elem := d.attr(unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED)
			d.Bytes = append(d.Bytes, s.elements[keys[0]].raw...)
			d.endAttr(elem)
			keys = keys[1:]
		}
		d.endAttr(list)
		d.end(at)
	}
}

// updateChain deletes rules that are not wanted, and puts new ones in their places among those that stay.
func (d *delta) updateChain(t *heldTable, old, c *heldChain) {
	stays := keptRules(old.rules, c.rules) // by place in c: place in old, or -1
	kept := make([]bool, len(old.rules))
	for _, at := range stays {
		if at >= 0 {
			kept[at] = true
			d.report.Kept++
		}
	}
	for i, r := range old.rules {
		if !kept[i] {
			d.deleteRule(t, c, r)
		}
	}
	// Each new rule is put directly behind the last one that stays before it; so of several the last goes first.
	for end := len(c.rules); end > 0; {
		if stays[end-1] >= 0 {
			end--
			continue
		}
		begin := end - 1
		for begin > 0 && stays[begin-1] < 0 {
			begin--
		}
		handle := uint64(0)
		if begin > 0 {
			handle = old.rules[stays[begin-1]].handle
		}
		for i := end - 1; i >= begin; i-- {
			d.addRule(c.rules[i], handle, handle != 0)
		}
		end = begin
	}
}

func (d *delta) deleteRule(t *heldTable, c *heldChain, r heldRule) {
	at := d.begin(messageType(unix.NFT_MSG_DELRULE), 0, t.family, nil)
	d.text(unix.NFTA_RULE_TABLE, t.name)
	d.text(unix.NFTA_RULE_CHAIN, c.name)
	d.handle(unix.NFTA_RULE_HANDLE, r.handle)
	d.end(at)
	d.report.Changed++
}

// addRule adds a rule behind the one with the handle; with handle 0 at the end of its chain if last, else at the head.
func (d *delta) addRule(r heldRule, handle uint64, last bool) {
	flags := netlink.Create
	if last {
		flags |= netlink.Append
	}
	at := d.copy(r.raw, r.seq, flags)
	if handle != 0 {
		d.handle(unix.NFTA_RULE_POSITION, handle)
		d.end(at)
	}
	d.report.Changed++
}

func (d *delta) handle(typ uint16, n uint64) {
	at := d.attr(typ)
	d.Bytes = binary.BigEndian.AppendUint64(d.Bytes, n)
	d.endAttr(at)
}

// copy adds a message of the wanted stream with other flags, and without the numbers that the kernel gave it if it came
// from a dump.
func (d *delta) copy(raw []byte, seq uint32, flags netlink.HeaderFlags) int {
	m, _, err := nextMessage(raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	at := d.begin(netlink.HeaderType(m.typ), flags, m.family, d.from(seq))
	size := int(binary.NativeEndian.Uint32(raw))
	for body := raw[unix.NLMSG_HDRLEN+nfgenLen : size]; len(body) >= unix.NLA_HDRLEN; {
		length := int(binary.NativeEndian.Uint16(body))
		typ := binary.NativeEndian.Uint16(body[2:]) & nlaTypeMask
		padded := min(len(body), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1))
		if !numbered(m.typ&0xff, typ) {
			d.Bytes = append(d.Bytes, body[:padded]...)
		}
		body = body[padded:]
	}
	d.end(at)
	return at
}

// nftaSetHandle is NFTA_SET_HANDLE (include/uapi/linux/netfilter/nf_tables.h), which package unix has not.
const nftaSetHandle = 16

// numbered is true for attributes that hold in their own stream only, or that only a dump has, and the kernel refuses: handles,
// positions, counts. Of a set newer kernels tell more behind NFTA_SET_EXPRESSIONS.
func numbered(kind, attr uint16) bool {
	switch kind {
	case unix.NFT_MSG_NEWRULE:
		return attr == unix.NFTA_RULE_HANDLE || attr == unix.NFTA_RULE_POSITION
	case unix.NFT_MSG_NEWCHAIN:
		return attr == unix.NFTA_CHAIN_HANDLE || attr == unix.NFTA_CHAIN_USE || attr == unix.NFTA_CHAIN_COUNTERS
	case unix.NFT_MSG_NEWSET:
		return attr == unix.NFTA_SET_ID || attr == nftaSetHandle || attr > nftaSetExpressions
	}
	return false
}

func (d *delta) from(seq uint32) *ir.Rule {
	if d.origin == nil {
		return nil
	}
	return d.origin(seq)
}

// keptRules chooses the rules that stay: for each of want the place in have of an equal rule, or -1, the places rising.
// It is a longest such choice if no rule occurs twice; of equal rules the first is paired with the first.
func keptRules(have, want []heldRule) []int {
	places := make(map[string][]int)
	for i, r := range have {
		places[r.key] = append(places[r.key], i)
	}
	out := make([]int, len(want))
	for i, r := range want {
		out[i] = -1
		if p := places[r.key]; len(p) > 0 {
			out[i], places[r.key] = p[0], p[1:]
		}
	}
	return rising(out)
}

// rising keeps a longest rising run of the places in list, in their order, and sets the others to -1.
func rising(list []int) []int {
	var tops []int // index in list of the smallest end of a rising run of each length
	before := make([]int, len(list))
	for i, v := range list {
		if v < 0 {
			continue
		}
		n := sort.Search(len(tops), func(k int) bool { return list[tops[k]] >= v })
		before[i] = -1
		if n > 0 {
			before[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	out := make([]int, len(list))
	for i := range out {
		out[i] = -1
	}
	if len(tops) > 0 {
		for i := tops[len(tops)-1]; i >= 0; i = before[i] {
			out[i] = list[i]
		}
	}
	return out
}
