package iptables

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// action appends the target that does a. A rule has one target.
func (l *lowering) action(at *tableChain, r *ir.Rule) *refusal {
	_, counts := r.Verdict.(ir.Counter)
	if len(r.Actions) > 1 || !counts {
		return refusalf("a rule of iptables has one target", "make a rule for each action, and one for the verdict",
			"%s in one rule", r)
	}
	switch a := r.Actions[0].(type) {
	case ir.Log:
		if len(a.Prefix) > maxLogPrefix {
			return refusalf(fmt.Sprintf("target LOG takes a prefix of at most %d bytes", maxLogPrefix),
				"choose a shorter one", "log with prefix %q", a.Prefix)
		}
		l.text = append(l.text, " -j LOG"...)
		if a.Prefix != "" {
			l.text = appendQuoted(append(l.text, " --log-prefix "...), a.Prefix)
		}
	case ir.SetMark:
		l.text = fmt.Appendf(l.text, " -j MARK --set-xmark %#x/%#x", a.Value, a.Mask)
	case ir.NoTrack:
		if at.table != "raw" {
			return refusalf("target CT works in table raw only", "put the rule into a chain of priority raw",
				"notrack in table %s", at.table)
		}
		l.text = append(l.text, " -j CT --notrack"...)
	case ir.OpaqueAction:
		return refusalf("it was read from a foreign rule set and is not modelled", "keep this rule where it is", "%q",
			a.Text)
	default:
		panic(fmt.Sprintf("iptables: unknown action %T", a))
	}
	return nil
}

// maxLogPrefix is the longest prefix of target LOG (struct xt_log_info).
const maxLogPrefix = 29

// onward are the targets of iptables-extensions(8) and ip6tables-extensions(8) that let a packet go
// on, and what they touch of what matches look at. The others end its walk, or may.
var onward = map[string]ir.Fields{
	"AUDIT": 0, "CHECKSUM": 0, "CLASSIFY": 0, "CONNMARK": 0, "CONNSECMARK": 0, "CT": 0, "DSCP": 0,
	"ECN": ir.FieldTCPFlags, "HL": 0,
	"IDLETIMER": 0,
	"LED":       0, "LOG": 0, "NFLOG": 0, "NOTRACK": 0, "RATEEST": 0, "SECMARK": 0, "SET": 0, "TCPMSS": 0,
	"TCPOPTSTRIP": 0,
	"TEE":         0,
	"TOS":         0, "TRACE": 0, "TTL": 0, "ULOG": 0,
	"DNPT": ir.FieldDAddr, "SNPT": ir.FieldSAddr,
	"HMARK": ir.FieldMark, "MARK": ir.FieldMark,
}

// asAction returns what a target does that is known by its text only, if it lets packets go on: an
// action and the verdict of a rule that has no other. For any other verdict it returns the verdict.
func asAction(v ir.Verdict) ([]ir.Action, ir.Verdict) {
	target, ok := v.(ir.Opaque)
	if !ok {
		return nil, v
	}
	words, err := split(nil, target.Text, 0)
	if err != nil || len(words) < 2 || !words[0].is("-j") && !words[0].is("--jump") {
		return nil, v
	}
	touches, goesOn := onward[words[1].text]
	if !goesOn {
		return nil, v
	}
	options := words[2:]
	if a := modelledAction(words[1].text, options); a != nil {
		return []ir.Action{a}, ir.Counter{}
	}
	for _, o := range options {
		switch {
		case o.is("--restore-mark"), o.is("--map-mark"):
			touches |= ir.FieldMark
		case o.is("--zone"), o.is("--zone-orig"), o.is("--zone-reply"), o.is("--notrack"):
			touches |= ir.FieldState
		}
	}
	return []ir.Action{ir.OpaqueAction{Text: target.Text, Touches: touches}}, ir.Counter{}
}

// modelledAction returns the action of a target with its options, nil if the IR has none for it.
func modelledAction(name string, options []token) ir.Action {
	switch {
	case name == "NOTRACK" && len(options) == 0, name == "CT" && len(options) == 1 && options[0].is("--notrack"):
		return ir.NoTrack{}
	case name == "LOG":
		var log ir.Log
		for len(options) >= 2 {
			switch {
			case options[0].is("--log-prefix"):
				log.Prefix = options[1].text
			case options[0].is("--log-level") && (options[1].text == "4" || options[1].text == "warning" ||
				options[1].text == "warn"):
			default:
				return nil
			}
			options = options[2:]
		}
		if len(options) == 0 {
			return log
		}
	case name == "MARK" && len(options) == 2:
		if a, ok := setMark(options[0], options[1].text); ok {
			return a
		}
	}
	return nil
}

// setMark reads an option of MARK that sets bits to fixed values: not one that turns them over, or
// does nothing.
func setMark(option token, text string) (a ir.SetMark, ok bool) {
	valueText, maskText, masked := strings.Cut(text, "/")
	value, err := strconv.ParseUint(valueText, 0, 32)
	mask := uint64(^uint32(0))
	if masked && err == nil {
		mask, err = strconv.ParseUint(maskText, 0, 32)
	}
	if err != nil || strings.ContainsRune(text, '_') {
		return a, false
	}
	a = ir.SetMark{Value: uint32(value), Mask: uint32(mask)}
	switch {
	case option.is("--set-xmark"):
	case option.is("--set-mark"):
		a.Mask |= a.Value
	case masked:
		return a, false
	case option.is("--or-mark"):
		a.Mask = a.Value
	case option.is("--and-mark"):
		a.Value, a.Mask = 0, ^a.Value
	default:
		return a, false
	}
	return a, a.Mask != 0 && a.Value&^a.Mask == 0
}
