package iptables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vnetc/vnetc/ir"
)

// extension is what iptables knows of one match or target: how it is written, and which rules may
// have it.
type extension struct {
	name    string
	target  bool
	family  ir.Family // that has it; 0 for both
	proto   string    // protocols of which a rule must match one
	where   string    // "tables/hooks" in which it may stand
	options string
	rules   string
	often   bool                                    // options may be given again
	check   func(s *ruleReader, in *instance) error // what rules can't say
	model   func(s *ruleReader, in *instance) ([]ir.Match, bool)

	opts   []option
	all    uint64
	any    []uint64
	one    []uint64
	need   [][2]uint64
	after  [][2]uint64
	at     []optionHooks
	protos []uint8
	tables []string
	hooks  hookMask // 0 for all
	loose  bool     // its options are not known
}

// option is one option of an extension.
type option struct {
	names    []string
	bit      uint64
	not      bool // it can be negated
	values   []kind
	optional bool // its value can be left out
}

// optionHooks are the hooks at which a rule with an option may stand.
type optionHooks struct {
	option uint64
	hooks  hookMask
}

// hookMask is a set of hooks.
type hookMask uint8

// hookNames are the names of built-in chains in the order of the bits of a hookMask.
var hookNames = [...]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// hookOf returns the hook of the built-in chain of this name, 0 for another chain.
func hookOf(chain string) hookMask {
	for i, n := range hookNames {
		if n == chain {
			return 1 << i
		}
	}
	return 0
}

// extensions returns all that the tables have, ready for use.
func extensions() (all []*extension) {
	for i, table := range [...][]extension{matchTable[:], targetTable[:]} {
		for _, e := range table {
			if e.target = i == 1; !e.target {
				e.model = models[e.name]
			}
			e.prepare()
			all = append(all, &e)
		}
	}
	return all
}

// library has the extensions of one family by their names.
type library struct{ matches, targets map[string]*extension }

// libraries returns the extensions of IPv4 and IPv6.
var libraries = sync.OnceValue(func() (both [2]library) {
	for i := range both {
		both[i] = library{make(map[string]*extension), make(map[string]*extension)}
	}
	add := func(e *extension) {
		for i, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
			switch {
			case e.family != 0 && e.family != f:
			case e.target:
				both[i].targets[e.name] = e
			default:
				both[i].matches[e.name] = e
			}
		}
	}
	for _, e := range extensions() {
		add(e)
	}
	for name := range strings.FieldsSeq(foreignExtensions) {
		add(&extension{name: name, target: name[0] <= 'Z', loose: true})
	}
	six := both[1].matches
	six["icmpv6"], six["ipv6-icmp"] = six["icmp6"], six["icmp6"]
	return both
})

// known returns the extensions of family f.
func known(f ir.Family) library {
	if f == ir.IPv4 {
		return libraries()[0]
	}
	return libraries()[1]
}

// lately has the extensions that a reader looked for last, at places that follow from their names.
type lately [16]*extension

// find returns the extension of this name in all, nil if there is none.
func (*reader) find(last *lately, all map[string]*extension, name string) *extension {
	if name == "" {
		return nil
	}
	at := &last[(name[0]+uint8(len(name)))%uint8(len(last))]
	if *at == nil || (*at).name != name {
		e := all[name]
		if e == nil {
			return nil
		}
		*at = e
	}
	return *at
}

// prepare reads the strings of e.
func (e *extension) prepare() {
	for text := range strings.FieldsSeq(e.options) {
		o := option{bit: 1 << len(e.opts)}
		text, o.not = strings.CutPrefix(text, "!")
		names, values, valued := strings.Cut(text, "=")
		o.names = strings.Split(names, "/")
		for _, n := range o.names {
			if slices.ContainsFunc(longOptions[:], func(l longOption) bool { return l.name == n }) {
				panic("iptables: extension " + e.name + " has an option of iptables itself: " + n)
			}
		}
		values, o.optional = strings.CutPrefix(values, "?")
		if valued {
			for k := range strings.SplitSeq(values, "+") {
				o.values = append(o.values, kindOf(k))
			}
		}
		e.opts = append(e.opts, o)
	}
	for text := range strings.FieldsSeq(e.rules) {
		word, names, _ := strings.Cut(text, ":")
		list := strings.Split(names, ",")
		switch word {
		case "all":
			e.all |= e.bits(list...)
		case "any":
			e.any = append(e.any, e.bits(list...))
		case "one":
			e.one = append(e.one, e.bits(list...))
		case "need":
			e.need = append(e.need, [2]uint64{e.bits(list[0]), e.bits(list[1])})
		case "after":
			e.after = append(e.after, [2]uint64{e.bits(list[0]), e.bits(list[1])})
		case "at":
			e.at = append(e.at, optionHooks{e.bits(list[0]), hooksOf(list[1:])})
		default:
			panic("iptables: no rule " + text)
		}
	}
	if e.proto != "" {
		for name := range strings.SplitSeq(e.proto, ",") {
			n, ok := parseProtocol(name)
			if !ok {
				panic("iptables: no protocol " + name)
			}
			e.protos = append(e.protos, n)
		}
	}
	tables, hooks, _ := strings.Cut(e.where, "/")
	if tables != "" {
		e.tables = strings.Split(tables, ",")
	}
	if hooks != "" {
		e.hooks = hooksOf(strings.Split(hooks, ","))
	}
}

// hooksOf returns the hooks of these names.
func hooksOf(names []string) (m hookMask) {
	for _, n := range names {
		h := hookOf(n)
		if h == 0 {
			panic("iptables: no hook " + n)
		}
		m |= h
	}
	return m
}

// bits returns the bits of the options of these names, of all for "*".
func (e *extension) bits(names ...string) (m uint64) {
	for _, n := range names {
		if n == "*" {
			return 1<<len(e.opts) - 1
		}
		m |= e.option(n).bit
	}
	return m
}

// option returns the option of this name.
func (e *extension) option(name string) *option {
	for i := range e.opts {
		if e.opts[i].names[0] == name {
			return &e.opts[i]
		}
	}
	panic("iptables: extension " + e.name + " has no option " + name)
}

// list names the options of mask.
func (e *extension) list(mask uint64) string {
	var names []string
	for i := range e.opts {
		if e.opts[i].bit&mask != 0 {
			names = append(names, "--"+e.opts[i].names[0])
		}
	}
	return strings.Join(names, ", ")
}

// kind is a kind of value. check reports whether iptables takes the text; read, where there is one,
// gives the rule its match, and false if the rule keeps the option's text instead.
type kind struct {
	name  string
	check func(s *ruleReader, text string) bool
	read  func(s *ruleReader, text string) bool
}

// kindOf returns the kind of this name; see kinds, and n(LOW-HIGH), word(...), iword(...),
// list(...), ilist(...), starts(...) with what they allow.
func kindOf(name string) kind {
	word, args, parametric := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	if !parametric {
		k, ok := kinds()[name]
		if !ok {
			panic("iptables: no kind " + name)
		}
		return k
	}
	if word == "n" {
		low, high, _ := strings.Cut(args, "-")
		lo, err := strconv.ParseUint(low, 10, 64)
		hi, err2 := strconv.ParseUint(high, 10, 64)
		if err != nil || err2 != nil {
			panic("iptables: no range " + args)
		}
		return kind{name: fmt.Sprintf("number from %d to %d", lo, hi), check: number(lo, hi)}
	}
	words := strings.Split(args, ",")
	return kind{name: "word of " + args, check: oneOf(word, words)}
}
