package iptables

import (
	"fmt"
	"strings"
)

// instance is a match or target that the rule has loaded, with what was given to it.
type instance struct {
	ext    *extension
	seen   uint64 // options
	nots   uint64 // of these the negated ones
	done   bool   // a later match of the same name was loaded, and gets all options from there
	opaque int    // which of the rule's matches stands for what is not modelled; -1 if none does
}

// argument is an option of a match or target as it was given.
type argument struct {
	in       int // which instance
	opt      *option
	value    string
	not      bool
	at, next int // its tokens
}

// base is an option of iptables itself.
type base struct {
	letter byte
	value  need
}

// need is how an option takes its value.
type need uint8

const (
	noValue need = iota
	oneValue
	maybeValue
)

// shortOption returns what iptables takes for a letter.
func shortOption(letter byte) (base, bool) {
	switch letter {
	case 'A', 'C', 'D', 'R', 'I', 'N', 'E', 'P', 'M', 'o', 'p', 's', 'd', 'j', 'i', 'm', 'g', 'c', 't':
		return base{letter, oneValue}, true
	case 'L', 'S', 'F', 'Z', 'X', 'w', 'W':
		return base{letter, maybeValue}, true
	case 'V', 'h', 'f', 'v', 'n', 'x', '4', '6':
		return base{letter, noValue}, true
	}
	return base{}, false
}

type longOption struct {
	name string
	base base
}

// longOptions are iptables' own options. Two of one letter are the same.
var longOptions = [...]longOption{
	{"append", base{'A', oneValue}}, {"delete", base{'D', oneValue}}, {"check", base{'C', oneValue}},
	{"insert", base{'I', oneValue}},
	{"replace", base{'R', oneValue}}, {"list", base{'L', maybeValue}}, {"list-rules", base{'S', maybeValue}},
	{"flush", base{'F', maybeValue}},
	{"zero", base{'Z', maybeValue}}, {"new-chain", base{'N', oneValue}}, {"delete-chain", base{'X', maybeValue}},
	{"rename-chain", base{'E', oneValue}},
	{"policy", base{'P', oneValue}}, {"source", base{'s', oneValue}}, {"destination", base{'d', oneValue}},
	{"src", base{'s', oneValue}},
	{"dst", base{'d', oneValue}}, {"protocol", base{'p', oneValue}}, {"in-interface", base{'i', oneValue}},
	{"jump", base{'j', oneValue}},
	{"table", base{'t', oneValue}}, {"match", base{'m', oneValue}}, {"numeric", base{'n', noValue}},
	{"out-interface", base{'o', oneValue}},
	{"verbose", base{'v', noValue}}, {"wait", base{'w', maybeValue}}, {"wait-interval", base{'W', maybeValue}},
	{"exact", base{'x', noValue}},
	{"fragments", base{'f', noValue}}, {"version", base{'V', noValue}}, {"help", base{'h', maybeValue}},
	{"line-numbers", base{'l', noValue}},
	{"modprobe", base{'M', oneValue}}, {"set-counters", base{'c', oneValue}}, {"goto", base{'g', oneValue}},
	{"ipv4", base{'4', noValue}},
	{"ipv6", base{'6', noValue}},
}

// found is what a long option turned out to be.
type found struct {
	base base // letter 0 for an option of an extension
	in   int
	opt  *option
}

// long finds an option by its name or by a beginning that is of no other, as getopt_long(3) does.
// Of extensions with an option of one name the last that was loaded has it; iptables' own names are
// no extension's.
func (s *ruleReader) long(name string) (found, error) {
	for i := len(s.loaded) - 1; i >= 0; i-- {
		if o := s.loaded[i].ext.named(name); o != nil {
			return found{in: i, opt: o}, nil
		}
	}
	for i := range longOptions {
		if longOptions[i].name == name {
			return found{base: longOptions[i].base}, nil
		}
	}
	var hit found
	hits := 0
	add := func(f found) {
		if hits == 0 || f != hit {
			hits++
			hit = f
		}
	}
	for i := range longOptions {
		if strings.HasPrefix(longOptions[i].name, name) {
			add(found{base: longOptions[i].base})
		}
	}
	for i := range s.loaded {
		e := s.loaded[i].ext
		for j := range e.opts {
			for _, n := range e.opts[j].names {
				if strings.HasPrefix(n, name) {
					add(found{in: i, opt: &e.opts[j]})
				}
			}
		}
	}
	switch hits {
	case 0:
		return found{}, fmt.Errorf("option --%s is not understood", name)
	case 1:
		return hit, nil
	}
	return found{}, fmt.Errorf("option --%s is short for several", name)
}

// named returns the option of this name, nil if e has none.
func (e *extension) named(name string) *option {
	for i := range e.opts {
		for _, n := range e.opts[i].names {
			if n == name {
				return &e.opts[i]
			}
		}
	}
	return nil
}

// option reads the next option of the line.
func (s *ruleReader) option() error {
	s.at = s.next
	s.next++
	word := s.tokens[s.at].text
	switch {
	case word == "--":
		if s.next < len(s.tokens) {
			return fmt.Errorf("%q behind --", s.tokens[s.next].text)
		}
		return nil
	case word == "!":
		if s.not {
			return fmt.Errorf("two ! in a row")
		}
		s.not = true
		return nil
	case len(word) < 2 || word[0] != '-':
		return fmt.Errorf("%q is not an option", word)
	case word[1] == '-':
		return s.longOption(word[2:])
	}
	for i := 1; i < len(word); i++ {
		b, ok := shortOption(word[i])
		if !ok {
			return fmt.Errorf("option -%s is not understood", word[i:i+1])
		}
		value, given := word[i+1:], i+1 < len(word)
		if b.value == noValue {
			value, given = "", false
		}
		if b.value == oneValue && !given {
			if s.next == len(s.tokens) {
				return fmt.Errorf("option -%c needs a value", b.letter)
			}
			value = s.tokens[s.next].text
			s.next++
		}
		if err := s.own(b.letter, value, given); err != nil || s.skip {
			return err
		}
		if b.value != noValue {
			break
		}
	}
	s.not = false
	return nil
}

// longOption reads an option with two dashes, and its value.
func (s *ruleReader) longOption(word string) error {
	name, value, given := strings.Cut(word, "=")
	f, err := s.long(name)
	if err != nil && s.implied() {
		f, err = s.long(name)
	}
	if err != nil {
		if s.loose >= 0 {
			s.looseOption(name)
			return nil
		}
		return err
	}
	wants := f.base.value
	if f.opt != nil && len(f.opt.values) > 0 {
		wants = oneValue
		if f.opt.optional {
			wants = maybeValue
		}
	}
	switch {
	case given && wants == noValue:
		return fmt.Errorf("option --%s takes no value", name)
	case !given && wants == oneValue:
		if s.next == len(s.tokens) {
			return fmt.Errorf("option --%s needs a value", name)
		}
		value = s.tokens[s.next].text
		s.next++
	}
	if f.opt != nil {
		err = s.extensionOption(f, value, given)
	} else {
		err = s.own(f.base.letter, value, given)
	}
	s.not = false
	return err
}

// hasMore is true if the next word is a value, and no option.
func (s *ruleReader) hasMore() bool {
	if s.next == len(s.tokens) {
		return false
	}
	word := s.tokens[s.next].text
	return word != "" && word[0] != '-' && word[0] != '!'
}
