package delta

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// Inventory is what a stream of messages about tables says, sorted out: of a batch, what the kernel
// would hold after it; of a dump, what it holds. Only what vnetc makes is distinguished; of all
// else (other objects, flowtables) it has the names.
type Inventory struct {
	Tables []*Table // in the order of the stream
}

// Table is a table with all that is in it.
type Table struct {
	Family  byte // NFPROTO_*
	Name    string
	Chains  []*Chain
	Sets    []*Set
	Others  []Object // of which vnetc makes none
	dormant bool     // dormant is true if none of its chains is met (nft(8), flag dormant).
	admin   []string // the names of the chains for the administrator's rules, there or not
}

// Chain is a chain with its rules in order.
type Chain struct {
	Name   string
	place  string // what it is attached to, in one text to compare by
	policy uint32
	raw    []byte // the message that makes it
	seq    uint32 // of that message
	Rules  []Rule
	kept   bool // kept is true for a chain of the administrator that stays as it is.
}

// Rule is a rule. Two rules with equal keys do the same; what their counters have counted is not in
// it.
type Rule struct {
	key    string
	handle uint64 // the kernel's number; 0 in a batch
	raw    []byte
	seq    uint32
}

// Set is a set with its elements.
type Set struct {
	Name     string
	kind     string // what its elements are and do, in one text
	userdata string // the comment, and what else nft keeps with it
	size     uint32 // for how many elements there is room; 0 if that was not said
	unnamed  bool   // unnamed is true if it comes and goes with the rule that looks it up.
	raw      []byte
	seq      uint32
	Order    []string           // keys of elements, in the order of the stream
	Elements map[string]Element // by key
}

// Element is the element's own attributes, as they stand in a list. What its counter has counted is
// among them, but not in the key: an element that stays is not sent again, so its figures live on.
type Element struct {
	raw []byte
	seq uint32 // of the message that held it
}

// Object is a counter or another object, or a flowtable.
type Object struct {
	flowtable bool
	name      string
	kind      uint32 // NFT_OBJECT_*
}

// Take sorts out a stream.
func Take(stream []byte) (*Inventory, error) {
	inv := &Inventory{}
	err := wire.Each(stream, func(m wire.Message, raw []byte) error { return inv.take(m, raw) })
	return inv, err
}

func (inv *Inventory) take(m wire.Message, raw []byte) error {
	switch m.Kind() {
	case unix.NFT_MSG_NEWTABLE:
		if name := m.Attrs.Text(unix.NFTA_TABLE_NAME); inv.Table(m.Family, name) == nil {
			inv.Tables = append(inv.Tables, &Table{Family: m.Family, Name: name, dormant: m.Dormant()})
		}
		return nil
	case unix.NFT_MSG_DELTABLE:
		if t := inv.Table(m.Family, m.Attrs.Text(unix.NFTA_TABLE_NAME)); t != nil {
			t.Chains, t.Sets = nil, nil
		}
		return nil
	}
	t := inv.Table(m.Family, m.Attrs.Text(1)) // each kind of object has its table there
	if t == nil {
		return fmt.Errorf("byte %d: an object of a table that is not there", m.At)
	}
	switch m.Kind() {
	case unix.NFT_MSG_NEWCHAIN:
		t.Chains = append(t.Chains, &Chain{Name: m.Attrs.Text(unix.NFTA_CHAIN_NAME), place: chainPlace(&m.Attrs),
			policy: m.Attrs.Number(unix.NFTA_CHAIN_POLICY), raw: raw, seq: m.Seq})
	case unix.NFT_MSG_NEWSET:
		t.Sets = append(t.Sets, &Set{
			Name: m.Attrs.Text(unix.NFTA_SET_NAME), kind: setKind(&m.Attrs),
			userdata: string(m.Attrs[unix.NFTA_SET_USERDATA]), size: setSize(&m.Attrs),
			unnamed: m.Attrs.Number(unix.NFTA_SET_FLAGS)&unix.NFT_SET_ANONYMOUS != 0,
			raw:     raw, seq: m.Seq, Elements: make(map[string]Element),
		})
	case unix.NFT_MSG_NEWOBJ:
		t.Others = append(t.Others, Object{name: m.Attrs.Text(unix.NFTA_OBJ_NAME),
			kind: m.Attrs.Number(unix.NFTA_OBJ_TYPE)})
	case unix.NFT_MSG_NEWFLOWTABLE:
		t.Others = append(t.Others, Object{flowtable: true, name: m.Attrs.Text(wire.AttrFlowtableName)})
	case unix.NFT_MSG_NEWSETELEM:
		return t.takeElements(m)
	case unix.NFT_MSG_NEWRULE:
		return t.takeRule(m, raw)
	}
	return nil
}

// Where returns what the tables are.
func (inv *Inventory) Where() []wire.Table {
	tables := make([]wire.Table, len(inv.Tables))
	for i, t := range inv.Tables {
		tables[i] = wire.Table{Family: t.Family, Name: t.Name}
	}
	return tables
}

// Table returns the table of a family and name, nil if it is not there.
func (inv *Inventory) Table(family byte, name string) *Table {
	for _, t := range inv.Tables {
		if t.Family == family && t.Name == name {
			return t
		}
	}
	return nil
}

// Chain returns the chain of a name, nil if it is not there.
func (t *Table) Chain(name string) *Chain {
	for _, c := range t.Chains {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Set returns the set of a name, nil if it is not there.
func (t *Table) Set(name string) *Set {
	for _, s := range t.Sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// String says what the object is, in nft(8)'s words, and its name.
func (o Object) String() string {
	if o.flowtable {
		return "flowtable " + o.name
	}
	kinds := map[uint32]string{
		unix.NFT_OBJECT_COUNTER: "counter", unix.NFT_OBJECT_QUOTA: "quota", unix.NFT_OBJECT_CT_HELPER: "ct helper",
		unix.NFT_OBJECT_LIMIT: "limit", unix.NFT_OBJECT_CONNLIMIT: "ct count", unix.NFT_OBJECT_TUNNEL: "tunnel",
		unix.NFT_OBJECT_CT_TIMEOUT: "ct timeout", unix.NFT_OBJECT_SECMARK: "secmark",
		unix.NFT_OBJECT_CT_EXPECT: "ct expectation",
		unix.NFT_OBJECT_SYNPROXY:  "synproxy",
	}
	kind := kinds[o.kind]
	if kind == "" {
		kind = "object"
	}
	return kind + " " + o.name
}

// chainPlace puts type, hook and priority into one text; it is empty for a chain that is attached
// to no hook.
func chainPlace(a *wire.Attrs) string {
	if a[unix.NFTA_CHAIN_HOOK] == nil {
		return ""
	}
	hook, err := wire.ParseAttrs(a[unix.NFTA_CHAIN_HOOK])
	if err != nil {
		return "damaged"
	}
	return fmt.Sprintf("%s hook %d priority %d", a.Text(unix.NFTA_CHAIN_TYPE),
		hook.Number(unix.NFTA_HOOK_HOOKNUM), int32(hook.Number(unix.NFTA_HOOK_PRIORITY)))
}

// setKind puts into one text what the elements of a set are and do. Those of two sets of a kind can
// take each other's place.
func setKind(a *wire.Attrs) string {
	each := "nothing"
	if all, err := wire.Actions(a[wire.AttrSetExpr], a[wire.AttrSetExpressions]); err != nil {
		each = "damaged"
	} else if len(all) > 0 {
		each = all[0].Name
		for _, e := range all[1:] {
			each += " " + e.Name
		}
	}
	return fmt.Sprintf("flags %d key %d of %d each %s", a.Number(unix.NFTA_SET_FLAGS), a.Number(unix.NFTA_SET_KEY_TYPE),
		a.Number(unix.NFTA_SET_KEY_LEN), each)
}

// setSize returns for how many elements the kernel makes room, 0 if the message doesn't say.
func setSize(a *wire.Attrs) uint32 {
	desc, err := wire.ParseAttrs(a[unix.NFTA_SET_DESC])
	if err != nil {
		return 0
	}
	return desc.Number(unix.NFTA_SET_DESC_SIZE)
}

func (t *Table) takeRule(m wire.Message, raw []byte) error {
	c := t.Chain(m.Attrs.Text(unix.NFTA_RULE_CHAIN))
	if c == nil {
		return fmt.Errorf("byte %d: a rule of a chain that is not there", m.At)
	}
	list, err := wire.Expressions(nil, m.Attrs[unix.NFTA_RULE_EXPRESSIONS])
	if err != nil {
		return fmt.Errorf("byte %d: %w", m.At, err)
	}
	var key []byte
	for i := range list {
		if list[i].Name == "counter" {
			key = append(key, "[ counter ]\n"...)
			continue
		}
		key = append(list[i].AppendDebug(key), '\n')
	}
	rule := Rule{key: string(wire.AppendUserdata(key, m.Attrs[unix.NFTA_RULE_USERDATA])), raw: raw, seq: m.Seq}
	if h := m.Attrs[unix.NFTA_RULE_HANDLE]; len(h) == 8 {
		rule.handle = binary.BigEndian.Uint64(h)
	}
	c.Rules = append(c.Rules, rule)
	return nil
}

// uses is what a rule looks up or names, and where it jumps to.
type uses struct{ sets, chains, objects []string }

func (r *Rule) uses() (u uses) {
	m, _, err := wire.Next(r.raw, 0)
	if err != nil {
		panic(err) // it was read before
	}
	list, _ := wire.Expressions(nil, m.Attrs[unix.NFTA_RULE_EXPRESSIONS])
	for _, e := range list {
		switch e.Name {
		case "lookup":
			u.sets = append(u.sets, e.Text(unix.NFTA_LOOKUP_SET))
		case "dynset":
			u.sets = append(u.sets, e.Text(unix.NFTA_DYNSET_SET_NAME))
		case "objref":
			if name := e.Text(unix.NFTA_OBJREF_IMM_NAME); name != "" {
				u.objects = append(u.objects, name)
			}
			if name := e.Text(unix.NFTA_OBJREF_SET_NAME); name != "" {
				u.sets = append(u.sets, name)
			}
		case "flow_offload":
			u.objects = append(u.objects, e.Text(wire.AttrFlowTableName))
		case "immediate":
			if _, chain, _ := e.Verdict(unix.NFTA_IMMEDIATE_DATA); chain != "" {
				u.chains = append(u.chains, chain)
			}
		}
	}
	return u
}

// uses returns what the elements of s, a map, lead to: chains and objects.
func (s *Set) uses() (u uses) {
	for _, key := range s.Order {
		a, err := wire.ParseAttrs(s.Elements[key].raw)
		if err != nil {
			continue
		}
		if name := a.Text(unix.NFTA_SET_ELEM_OBJREF); name != "" {
			u.objects = append(u.objects, name)
		}
		data, _ := wire.ParseAttrs(a[unix.NFTA_SET_ELEM_DATA])
		verdict, _ := wire.ParseAttrs(data[unix.NFTA_DATA_VERDICT])
		if name := verdict.Text(unix.NFTA_VERDICT_CHAIN); name != "" {
			u.chains = append(u.chains, name)
		}
	}
	return u
}

func (t *Table) takeElements(m wire.Message) error {
	s := t.Set(m.Attrs.Text(unix.NFTA_SET_ELEM_LIST_SET))
	if s == nil {
		return fmt.Errorf("byte %d: elements of a set that is not there", m.At)
	}
	var bad error
	err := wire.EachAttr(m.Attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS], func(_ uint16, data []byte) {
		a, err := wire.ParseAttrs(data)
		if err != nil {
			bad = err
			return
		}
		parts := []string{string(a.Value(unix.NFTA_SET_ELEM_KEY)), string(a.Value(wire.AttrElemKeyEnd)),
			string(a[unix.NFTA_SET_ELEM_FLAGS])}
		key := strings.Join(parts, "|")
		if _, twice := s.Elements[key]; !twice {
			s.Order = append(s.Order, key)
		}
		s.Elements[key] = Element{raw: data, seq: m.Seq}
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return fmt.Errorf("byte %d: %w", m.At, err)
	}
	return nil
}
