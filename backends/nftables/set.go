package nftables

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// set is a named set of a table: a hash table of keys, each a concatenation of values of the types.
type set struct {
	name    string
	counted bool // counted is true if each element counts the packets that it is found for.
	types   []dataType
	stride  int    // bytes of a key
	keys    []byte // one after the other
	origins []*ir.Rule
	notes   []string // a comment for each element; nil if none has one
	uses    []string // what rules look up in it, in words
	place   int      // among the sets of the program
}

// dataType is a type of values that keys are made of, with nft's number for it (include/datatype.h
// of nftables).
type dataType uint8

const (
	ipv4Addr dataType = 7
	ipv6Addr dataType = 8
	ifName   dataType = 41
)

// size returns the bytes of a value, a multiple of four as the kernel's registers are.
func (t dataType) size() int {
	switch t {
	case ipv4Addr:
		return 4
	case ipv6Addr, ifName:
		return 16
	}
	panic(fmt.Sprintf("nftables: unknown data type %d", t))
}

// String returns nft(8)'s name of the type.
func (t dataType) String() string {
	switch t {
	case ipv4Addr:
		return "ipv4_addr"
	case ipv6Addr:
		return "ipv6_addr"
	case ifName:
		return "ifname"
	}
	panic(fmt.Sprintf("nftables: unknown data type %d", t))
}

// appendValue appends a value as nft prints it.
func (t dataType) appendValue(b, value []byte) []byte {
	if t == ifName {
		end := len(value)
		for value[end-1] == 0 {
			end--
		}
		return append(append(append(b, '"'), value[:end]...), '"')
	}
	a, _ := netip.AddrFromSlice(value)
	return appendAddr(b, a)
}

// len returns the number of elements.
func (s *set) len() int { return len(s.keys) / s.stride }

// key returns element i.
func (s *set) key(i int) []byte { return s.keys[i*s.stride : (i+1)*s.stride] }

// size returns for how many elements the kernel makes room: twice as many as there are, rounded up
// to a power of two, so that networks can be added without another table of buckets.
func (s *set) size() int {
	size := 64
	for size < 2*s.len() {
		size *= 2
	}
	return size
}

// firstOrigin returns the rule that the first element came from.
func (s *set) firstOrigin() *ir.Rule {
	if len(s.origins) == 0 {
		return nil
	}
	return s.origins[0]
}

// comment returns what the set is for, as far as it fits.
func (s *set) comment() string {
	text := ""
	for _, use := range s.uses {
		if longer := strings.TrimPrefix(text+"; "+use, "; "); len(longer) <= maxComment || text == "" {
			text = longer
		}
	}
	text = backends.Comment(&ir.Rule{Comment: text}, false, maxComment)
	return strings.ReplaceAll(text, `"`, "'")
}

// set returns the set of table t that s, a set of the program, becomes: one for all that are the
// same. From is the rule that looks it up, to blame if s doesn't know whom its elements are of.
func (l *lowerer) set(t *table, s *ir.Set, fields []field, from *ir.Rule) *set {
	main := s
	if s.Same != nil {
		main = s.Same
	}
	if made := t.fromProgram[main]; made != nil {
		return made
	}
	if s != main {
		s = main
		fields, _ = l.fieldsOf(main) // of the same types
	}
	made := &set{name: s.Name, counted: s.Counted, origins: s.From, notes: s.Comments, uses: s.Uses, place: l.places[s]}
	for _, f := range fields {
		made.types = append(made.types, f.dataType())
		made.stride += f.dataType().size()
	}
	if s.From == nil {
		made.once(s, fields, from)
	} else {
		made.keys = make([]byte, 0, len(s.Elements)*made.stride)
		for _, e := range s.Elements {
			made.keys = appendKey(made.keys, e, fields)
		}
	}
	if t.fromProgram == nil {
		t.fromProgram = make(map[*ir.Set]*set)
	}
	t.fromProgram[s] = made
	t.sets = append(t.sets, made)
	return made
}

// once adds the elements of from's set, each once.
func (s *set) once(of *ir.Set, fields []field, from *ir.Rule) {
	seen := make(map[string]bool, len(of.Elements))
	for _, e := range of.Elements {
		begin := len(s.keys)
		s.keys = appendKey(s.keys, e, fields)
		if key := string(s.keys[begin:]); seen[key] {
			s.keys = s.keys[:begin]
		} else {
			seen[key] = true
			s.origins = append(s.origins, from)
		}
	}
}

// appendKey appends the values of an element.
func appendKey(b []byte, e []ir.Match, fields []field) []byte {
	for k, f := range fields {
		b = f.appendKey(b, valueOf(e, fields, k))
	}
	return b
}

// appendType appends the types of a key: ifname . ipv4_addr.
func (s *set) appendType(b []byte) []byte {
	for i, t := range s.types {
		if i > 0 {
			b = append(b, " . "...)
		}
		b = append(b, t.String()...)
	}
	return b
}

// appendText appends the set as nft lists it, but that elements stand in the order of the rules
// that they came from, and that those of a counted set don't say so: the kernel gives each new one
// a counter.
func (s *set) appendText(b []byte) []byte {
	b = append(append(append(b, "\tset "...), s.name...), " {\n\t\ttype "...)
	b = append(s.appendType(b), "\n\t\tsize "...)
	b = append(strconv.AppendInt(b, int64(s.size()), 10), '\n')
	if s.counted {
		b = append(b, "\t\tcounter\n"...)
	}
	if c := s.comment(); c != "" {
		b = append(append(append(b, "\t\tcomment \""...), c...), "\"\n"...)
	}
	if s.len() == 0 {
		return append(b, "\t}\n"...)
	}
	b = append(b, "\t\telements = { "...)
	for i := range s.len() {
		if i > 0 {
			b = append(b, ",\n\t\t\t     "...)
		}
		b = s.appendElement(b, i)
	}
	return append(b, " }\n\t}\n"...)
}

// appendElement appends element i: "virbr0" . 10.0.0.0.
func (s *set) appendElement(b []byte, i int) []byte {
	key := s.key(i)
	for j, t := range s.types {
		if j > 0 {
			b = append(b, " . "...)
		}
		b = t.appendValue(b, key[:t.size()])
		key = key[t.size():]
	}
	if s.notes != nil && s.notes[i] != "" {
		b = append(append(append(b, " comment \""...), s.notes[i]...), '"')
	}
	return b
}

// lookup asks whether the packet's fields are a key of a set.
type lookup struct {
	set    *set
	fields []field
	not    bool
}

func (s lookup) appendText(b []byte, _ form) []byte {
	for i, f := range s.fields {
		if i > 0 {
			b = append(b, " . "...)
		}
		b = f.appendText(b)
	}
	switch {
	case s.not:
		b = append(b, " != @"...)
	case len(s.fields) == 1 && s.fields[0].masked():
		b = append(b, " == @"...) // as nft 1.0.6 lists it
	default:
		b = append(b, " @"...)
	}
	return append(b, s.set.name...)
}

func (s lookup) exprs(x []expr.Any) []expr.Any {
	word := 0
	for _, f := range s.fields {
		x = f.load(x, register(word))
		word += f.dataType().size() / 4
	}
	return append(x, &expr.Lookup{SourceRegister: reg, SetName: s.set.name, Invert: s.not})
}

// register returns the number of the register that begins at a word: nft names those of 16 bytes
// where it can.
func register(word int) uint32 {
	if word%4 == 0 {
		return unix.NFT_REG_1 + uint32(word/4)
	}
	return unix.NFT_REG32_00 + uint32(word)
}

// maxKey is the longest key in bytes: all registers (NFT_DATA_VALUE_MAXLEN).
const maxKey = 64
