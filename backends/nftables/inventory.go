package nftables

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// inventory is what a stream of messages about tables says, sorted out: of a batch, what the kernel would hold after it; of
// a dump, what it holds. Only what vnetc makes is told apart; of all else (other objects, flowtables) it has the names.
type inventory struct {
	tables []*heldTable // in the order of the stream
}

type heldTable struct {
	family byte
	name   string
	chains []*heldChain
	sets   []*heldSet
	asleep bool         // asleep is true if none of its chains is met (nft(8), flag dormant).
	others []heldObject // of which vnetc makes none
}

// heldChain is a chain with its rules in order.
type heldChain struct {
	name   string
	place  string // what it hangs at, in one text to compare by
	policy uint32
	raw    []byte // the message that makes it
	seq    uint32 // of that message
	rules  []heldRule
}

// heldRule is a rule. Two rules with equal keys do the same; what their counters have counted is not in it.
type heldRule struct {
	key    string
	handle uint64 // the kernel's number; 0 in a batch
	raw    []byte
	seq    uint32
}

type heldSet struct {
	name     string
	kind     string // what its elements are and do, in one text
	userdata string // the comment, and what else nft keeps with it
	size     uint32 // for how many elements there is room; 0 if that was not said
	unnamed  bool   // unnamed is true if it comes and goes with the rule that looks it up.
	raw      []byte
	seq      uint32
	order    []string           // keys of elements, in the order of the stream
	elements map[string]element // by key
}

// element is the element's own attributes, as they stand in a list. What its counter has counted is among them, but not in
// the key: an element that stays is not sent again, so its figures live on.
type element struct {
	raw []byte
	seq uint32 // of the message that held it
}

// heldObject is a counter or another object, or a flowtable.
type heldObject struct {
	flowtable bool
	name      string
	kind      uint32 // NFT_OBJECT_*
}

// eachMessage calls f for each message of nf_tables in stream, with its bytes.
func eachMessage(stream []byte, f func(m message, raw []byte) error) error {
	for at := 0; at < len(stream); {
		m, rest, err := nextMessage(stream[at:], at)
		if err != nil {
			return err
		}
		end := len(stream) - len(rest)
		if m.typ>>8 == unix.NFNL_SUBSYS_NFTABLES {
			if err := f(m, stream[at:end:end]); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// takeInventory sorts out a stream.
func takeInventory(stream []byte) (*inventory, error) {
	inv := &inventory{}
	err := eachMessage(stream, func(m message, raw []byte) error { return inv.take(m, raw) })
	return inv, err
}

func (inv *inventory) take(m message, raw []byte) error {
	switch m.typ & 0xff {
	case unix.NFT_MSG_NEWTABLE:
		if name := m.attrs.text(unix.NFTA_TABLE_NAME); inv.table(m.family, name) == nil {
			inv.tables = append(inv.tables, &heldTable{family: m.family, name: name, asleep: asleep(&m)})
		}
		return nil
	case unix.NFT_MSG_DELTABLE:
		if t := inv.table(m.family, m.attrs.text(unix.NFTA_TABLE_NAME)); t != nil {
			t.chains, t.sets = nil, nil
		}
		return nil
	}
	t := inv.table(m.family, m.attrs.text(1)) // each kind of object has its table there
	if t == nil {
		return fmt.Errorf("byte %d: an object of a table that is not there", m.at)
	}
	switch m.typ & 0xff {
	case unix.NFT_MSG_NEWCHAIN:
		t.chains = append(t.chains, &heldChain{name: m.attrs.text(unix.NFTA_CHAIN_NAME), place: chainPlace(&m.attrs), policy: m.attrs.number(unix.NFTA_CHAIN_POLICY), raw: raw, seq: m.seq})
	case unix.NFT_MSG_NEWSET:
		t.sets = append(t.sets, &heldSet{
			name: m.attrs.text(unix.NFTA_SET_NAME), kind: setKind(&m.attrs), userdata: string(m.attrs[unix.NFTA_SET_USERDATA]), size: setSize(&m.attrs),
			unnamed: m.attrs.number(unix.NFTA_SET_FLAGS)&unix.NFT_SET_ANONYMOUS != 0,
			raw:     raw, seq: m.seq, elements: make(map[string]element),
		})
	case unix.NFT_MSG_NEWOBJ:
		t.others = append(t.others, heldObject{name: m.attrs.text(unix.NFTA_OBJ_NAME), kind: m.attrs.number(unix.NFTA_OBJ_TYPE)})
	case unix.NFT_MSG_NEWFLOWTABLE:
		t.others = append(t.others, heldObject{flowtable: true, name: m.attrs.text(nftaFlowtableName)})
	case unix.NFT_MSG_NEWSETELEM:
		return t.takeElements(m)
	case unix.NFT_MSG_NEWRULE:
		return t.takeRule(m, raw)
	}
	return nil
}

func (inv *inventory) table(family byte, name string) *heldTable {
	for _, t := range inv.tables {
		if t.family == family && t.name == name {
			return t
		}
	}
	return nil
}

func (t *heldTable) chain(name string) *heldChain {
	for _, c := range t.chains {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (t *heldTable) set(name string) *heldSet {
	for _, s := range t.sets {
		if s.name == name {
			return s
		}
	}
	return nil
}

// asleep is true for a table whose flag dormant is set (NFT_TABLE_F_DORMANT in include/uapi/linux/netfilter/nf_tables.h).
func asleep(m *message) bool {
	return m.attrs.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0
}

// NFTA_FLOWTABLE_TABLE and NFTA_FLOWTABLE_NAME (include/uapi/linux/netfilter/nf_tables.h), which package unix has not.
const (
	nftaFlowtableTable = 1
	nftaFlowtableName  = 2
)

// String says what the object is, in nft(8)'s words, and its name.
func (o heldObject) String() string {
	if o.flowtable {
		return "flowtable " + o.name
	}
	kinds := map[uint32]string{
		unix.NFT_OBJECT_COUNTER: "counter", unix.NFT_OBJECT_QUOTA: "quota", unix.NFT_OBJECT_CT_HELPER: "ct helper",
		unix.NFT_OBJECT_LIMIT: "limit", unix.NFT_OBJECT_CONNLIMIT: "ct count", unix.NFT_OBJECT_TUNNEL: "tunnel",
		unix.NFT_OBJECT_CT_TIMEOUT: "ct timeout", unix.NFT_OBJECT_SECMARK: "secmark", unix.NFT_OBJECT_CT_EXPECT: "ct expectation",
		unix.NFT_OBJECT_SYNPROXY: "synproxy",
	}
	kind := kinds[o.kind]
	if kind == "" {
		kind = "object"
	}
	return kind + " " + o.name
}

// chainPlace puts type, hook and priority into one text; it is empty for a chain that hangs nowhere.
func chainPlace(a *attrs) string {
	if a[unix.NFTA_CHAIN_HOOK] == nil {
		return ""
	}
	hook, err := parseAttrs(a[unix.NFTA_CHAIN_HOOK])
	if err != nil {
		return "damaged"
	}
	return fmt.Sprintf("%s hook %d priority %d", a.text(unix.NFTA_CHAIN_TYPE),
		hook.number(unix.NFTA_HOOK_HOOKNUM), int32(hook.number(unix.NFTA_HOOK_PRIORITY)))
}

// setKind puts into one text what the elements of a set are and do. Those of two sets of a kind can take each other's place.
func setKind(a *attrs) string {
	each := "nothing"
	if all, err := actions(a[nftaSetExpr], a[nftaSetExpressions]); err != nil {
		each = "damaged"
	} else if len(all) > 0 {
		each = all[0].name
		for _, e := range all[1:] {
			each += " " + e.name
		}
	}
	return fmt.Sprintf("flags %d key %d of %d each %s", a.number(unix.NFTA_SET_FLAGS), a.number(unix.NFTA_SET_KEY_TYPE),
		a.number(unix.NFTA_SET_KEY_LEN), each)
}

// setSize returns for how many elements the kernel makes room, 0 if the message doesn't say.
func setSize(a *attrs) uint32 {
	desc, err := parseAttrs(a[unix.NFTA_SET_DESC])
	if err != nil {
		return 0
	}
	return desc.number(unix.NFTA_SET_DESC_SIZE)
}

func (t *heldTable) takeRule(m message, raw []byte) error {
	c := t.chain(m.attrs.text(unix.NFTA_RULE_CHAIN))
	if c == nil {
		return fmt.Errorf("byte %d: a rule of a chain that is not there", m.at)
	}
	list, err := expressions(nil, m.attrs[unix.NFTA_RULE_EXPRESSIONS])
	if err != nil {
		return fmt.Errorf("byte %d: %w", m.at, err)
	}
	var key []byte
	for i := range list {
		if list[i].name == "counter" {
			key = append(key, "[ counter ]\n"...)
			continue
		}
		key = append(list[i].appendDebug(key), '\n')
	}
	rule := heldRule{key: string(appendUserdata(key, m.attrs[unix.NFTA_RULE_USERDATA])), raw: raw, seq: m.seq}
	if h := m.attrs[unix.NFTA_RULE_HANDLE]; len(h) == 8 {
		rule.handle = binary.BigEndian.Uint64(h)
	}
	c.rules = append(c.rules, rule)
	return nil
}

// uses is what a rule looks up, and where it jumps to.
type uses struct{ sets, chains []string }

func (r *heldRule) uses() (u uses) {
	m, _, err := nextMessage(r.raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	list, _ := expressions(nil, m.attrs[unix.NFTA_RULE_EXPRESSIONS])
	for _, e := range list {
		switch _, chain, _ := e.verdict(unix.NFTA_IMMEDIATE_DATA); {
		case e.name == "lookup":
			u.sets = append(u.sets, e.text(unix.NFTA_LOOKUP_SET))
		case e.name == "immediate" && chain != "":
			u.chains = append(u.chains, chain)
		}
	}
	return u
}

func (t *heldTable) takeElements(m message) error {
	s := t.set(m.attrs.text(unix.NFTA_SET_ELEM_LIST_SET))
	if s == nil {
		return fmt.Errorf("byte %d: elements of a set that is not there", m.at)
	}
	var bad error
	err := eachAttr(m.attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS], func(_ uint16, data []byte) {
		a, err := parseAttrs(data)
		if err != nil {
			bad = err
			return
		}
		parts := []string{string(a.value(unix.NFTA_SET_ELEM_KEY)), string(a.value(nftaSetElemKeyEnd)), string(a[unix.NFTA_SET_ELEM_FLAGS])}
		key := strings.Join(parts, "|")
		if _, twice := s.elements[key]; !twice {
			s.order = append(s.order, key)
		}
		s.elements[key] = element{raw: data, seq: m.seq}
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return fmt.Errorf("byte %d: %w", m.at, err)
	}
	return nil
}
