package iptables

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// extensionOption reads an option of a match or target: its values, and what it means.
func (s *ruleReader) extensionOption(f found, value string, given bool) error {
	in, o := &s.loaded[f.in], f.opt
	if err := s.allowed(in, o); err != nil {
		return err
	}
	in.seen |= o.bit
	if s.not {
		in.nots |= o.bit
	}
	if o.optional && !given && s.hasMore() {
		value, given = s.tokens[s.next].text, true
		s.next++
	}
	if in.ext.target || in.ext.check != nil || in.ext.model != nil {
		s.args = append(s.args, argument{in: f.in, opt: o, value: value, not: s.not, at: s.at})
	}
	s.present = in
	for i := range o.values {
		if i == 0 && o.optional && !given {
			break
		}
		if i > 0 {
			if s.next == len(s.tokens) || strings.IndexAny(s.tokens[s.next].text, "-!") == 0 {
				return fmt.Errorf("option --%s needs two values", o.names[0])
			}
			value = s.tokens[s.next].text
			s.next++
		}
		if k := &o.values[i]; !k.check(s, value) {
			return fmt.Errorf("%q is no %s for option --%s", value, k.name, o.names[0])
		}
	}
	if n := len(o.values); n > 0 && o.values[n-1].read != nil && o.values[n-1].read(s, value) {
		return nil
	}
	if len(o.values) == 0 && in.ext.name == "tcp" && s.syn() { // --syn, its one option without a value
		return nil
	}
	s.keep(in, o)
	return nil
}

// allowed reports whether option o may stand here.
func (s *ruleReader) allowed(in *instance, o *option) error {
	name := o.names[0]
	switch {
	case in.done:
		return fmt.Errorf("option --%s belongs to the first of two matches %s", name, in.ext.name)
	case s.not && !o.not:
		return fmt.Errorf("a ! before --%s, which can't be negated", name)
	case in.seen&o.bit != 0 && !in.ext.often:
		return fmt.Errorf("option --%s appears twice", name)
	}
	for _, a := range in.ext.after {
		if o.bit == a[0] && in.seen&a[1] == 0 {
			return fmt.Errorf("option --%s needs %s before it", name, in.ext.list(a[1]))
		}
	}
	return nil
}

// keep adds the option at hand to the text of what is not modelled. Targets are put together at the
// end of the rule.
func (s *ruleReader) keep(in *instance, o *option) {
	if in.ext.target {
		s.args[len(s.args)-1].next = s.next
		return
	}
	s.add(in, s.written(o, s.not, s.at, s.next))
}

// written returns an option, and its values as they stand in the line between two tokens.
func (s *ruleReader) written(o *option, not bool, at, next int) string {
	text := " --" + o.names[0]
	if not {
		text = " ! --" + o.names[0]
	}
	if _, value, joined := strings.Cut(s.tokens[at].text, "="); joined {
		text += " " + string(appendQuoted(nil, value))
	}
	if at++; at < next {
		text += " " + s.line[s.tokens[at].from:s.tokens[next-1].to]
	}
	return text
}

// add adds text to the text of in.
func (s *ruleReader) add(in *instance, text string) {
	switch {
	case in.opaque < 0:
		in.opaque = len(s.matches)
		s.matches = append(s.matches, ir.Opaque{Text: "-m " + in.ext.name + text})
	default:
		s.matches[in.opaque] = ir.Opaque{Text: s.matches[in.opaque].(ir.Opaque).Text + text}
	}
}

// looseOption keeps an option of an extension that is not known, and the words behind it.
func (s *ruleReader) looseOption(name string) {
	for s.hasMore() {
		s.next++
	}
	o := &option{names: []string{name}}
	if s.loaded[s.loose].ext.target {
		s.args = append(s.args, argument{in: s.loose, opt: o, not: s.not, at: s.at, next: s.next})
	} else {
		s.add(&s.loaded[s.loose], s.written(o, s.not, s.at, s.next))
	}
	s.not = false
}
