package iptables

import (
	"fmt"
	"slices"
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
		if !a.Grouped && len(a.Prefix) > maxLogPrefix || len(a.Prefix) > maxGroupPrefix {
			return refusalf(fmt.Sprintf("target LOG takes a prefix of at most %d bytes", maxLogPrefix),
				"choose a shorter one", "log with prefix %q", a.Prefix)
		}
		return l.log(a)
	case ir.SetMark:
		target := "MARK"
		if a.CT {
			target = "CONNMARK"
		}
		l.text = fmt.Appendf(l.text, " -j %s --set-xmark %#x/%#x", target, a.Value, a.Mask)
	case ir.CopyMark:
		if a.Save {
			l.text = fmt.Appendf(l.text, " -j CONNMARK --save-mark --nfmask %#x --ctmask %#x", a.Take, a.Clear)
		} else {
			l.text = fmt.Appendf(l.text, " -j CONNMARK --restore-mark --nfmask %#x --ctmask %#x", a.Clear, a.Take)
		}
	case ir.ClampMSS:
		syn := func(m ir.Match) bool {
			f, is := m.(ir.TCPFlags)
			return is && !f.Not && f.Flags&ir.FlagSYN != 0
		}
		if !slices.Contains(r.Matches, ir.Match(ir.L4Proto{Proto: ir.TCP})) || !slices.ContainsFunc(r.Matches, syn) {
			return refusalf("packets that begin a connection of TCP have one, and iptables-legacy wants the rule to match them",
				"match protocol tcp and flag syn", "a segment size in a rule for other packets")
		}
		if a.Size == 0 {
			if !at.hooks.within(ir.Forward, ir.Output, ir.Postrouting) {
				return refusalf("the size of a route is known behind routing only", "put the rule into a chain of another hook",
					"a segment size clamped in chain %s", at.name)
			}
			l.text = append(l.text, " -j TCPMSS --clamp-mss-to-pmtu"...)
			return nil
		}
		l.text = fmt.Appendf(l.text, " -j TCPMSS --set-mss %d", a.Size)
	case ir.Effect:
		return refusalf("it was read from a foreign rule set, and vnetc knows only its words", "keep this rule where it is", "%q",
			a.Text)
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

// log appends LOG, or NFLOG for a group.
func (l *lowering) log(a ir.Log) *refusal {
	if a.Grouped {
		l.text = append(l.text, " -j NFLOG"...)
		if a.Prefix != "" {
			l.text = appendQuoted(append(l.text, " --nflog-prefix "...), a.Prefix)
		}
		for _, o := range [...]struct {
			name  string
			value uint32
		}{{"group", uint32(a.Group)}, {"size", a.Snap}, {"threshold", uint32(a.Threshold)}} {
			if o.value != 0 {
				l.text = fmt.Appendf(l.text, " --nflog-%s %d", o.name, o.value)
			}
		}
		return nil
	}
	level, ok := ir.LogLevel(a.Level)
	if !ok || level > 7 {
		return refusalf("target LOG has the levels of syslog(3)", "choose one of them", "log with level %q", a.Level)
	}
	l.text = append(l.text, " -j LOG"...)
	if a.Prefix != "" {
		l.text = appendQuoted(append(l.text, " --log-prefix "...), a.Prefix)
	}
	if a.Level != "" {
		l.text = fmt.Appendf(l.text, " --log-level %d", level)
	}
	left := a.Flags
	for _, f := range [...]struct {
		bit    uint8
		option string
	}{{1, "tcp-sequence"}, {2, "tcp-options"}, {4, "ip-options"}, {8, "uid"}, {0x20, "macdecode"}} {
		if a.Flags&f.bit != 0 {
			l.text = append(append(l.text, " --log-"...), f.option...)
			left &^= f.bit
		}
	}
	if left != 0 {
		return refusalf("target LOG has no option for them", "leave them out", "log with flags %#x", a.Flags)
	}
	return nil
}

// maxGroupPrefix is the longest prefix of target NFLOG (struct xt_nflog_info).
const maxGroupPrefix = 63

// maxLogPrefix is the longest prefix of target LOG (struct xt_log_info).
const maxLogPrefix = 29

// onward are the targets of iptables-extensions(8) and ip6tables-extensions(8) that let a packet go
// on, and what they touch of what matches look at. The others end its walk, or may.
var onward = map[string]ir.Fields{
	"AUDIT": 0, "CHECKSUM": 0, "CLASSIFY": 0, "CONNMARK": ir.FieldCTMark, "CONNSECMARK": 0, "CT": 0,
	"DSCP": ir.FieldHeader,
	"ECN":  ir.FieldTCPFlags | ir.FieldHeader, "HL": ir.FieldHeader,
	"IDLETIMER": 0,
	"LED":       0, "LOG": 0, "NFLOG": 0, "NOTRACK": 0, "RATEEST": 0, "SECMARK": 0, "SET": 0, "TCPMSS": 0,
	"TCPOPTSTRIP": 0,
	"TEE":         0,
	"TOS":         ir.FieldHeader, "TRACE": 0, "TTL": ir.FieldHeader, "ULOG": 0,
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
	return []ir.Action{ir.Effect{Text: target.Text, Touches: touches}}, ir.Counter{}
}

// modelledAction returns the action of a target with its options, nil if the IR has none for it.
func modelledAction(name string, options []token) ir.Action {
	switch {
	case name == "NOTRACK" && len(options) == 0, name == "CT" && len(options) == 1 && options[0].is("--notrack"):
		return ir.NoTrack{}
	case name == "LOG":
		return readLog(options)
	case name == "NFLOG":
		return readGroupLog(options)
	case name == "MARK" && len(options) == 2:
		if a, ok := setMark(options[0], options[1].text); ok {
			return a
		}
	case name == "CONNMARK":
		return connMark(options)
	case name == "TCPMSS" && len(options) == 1:
		return ir.ClampMSS{}
	case name == "TCPMSS" && len(options) == 2:
		if n, ok := parseUint(options[1].text, 65515); ok && n > 0 {
			return ir.ClampMSS{Size: uint16(n)}
		}
	}
	return nil
}

// logFlags are the options of LOG that write more (linux/netfilter/nf_log.h).
var logFlags = map[string]uint8{"--log-tcp-sequence": 1, "--log-tcp-options": 2, "--log-ip-options": 4, "--log-uid": 8,
	"--log-macdecode": 0x20}

// logLevels are the words of --log-level that nft(8) has others for.
var logLevels = map[string]string{"panic": "emerg", "error": "err", "warning": "warn"}

// readLog returns the action of LOG, nil if an option is not understood.
func readLog(options []token) ir.Action {
	var log ir.Log
	for len(options) > 0 {
		o := options[0]
		if flag, is := logFlags[o.text]; is {
			log.Flags, options = log.Flags|flag, options[1:]
			continue
		}
		if len(options) < 2 {
			return nil
		}
		switch value := options[1].text; {
		case o.is("--log-prefix"):
			log.Prefix = value[:min(len(value), maxLogPrefix)] // the kernel has no room for more
		case o.is("--log-level"):
			if word, is := logLevels[value]; is {
				value = word
			}
			number, ok := ir.LogLevel(value)
			if n, isNumber := parseUint(value, 7); isNumber {
				number, ok = int(n), true
			}
			if !ok || value == "" {
				return nil
			}
			log.Level = ir.LevelWord(number)
		default:
			return nil
		}
		options = options[2:]
	}
	return log
}

// readGroupLog returns the action of NFLOG.
func readGroupLog(options []token) ir.Action {
	log := ir.Log{Grouped: true}
	for ; len(options) >= 2; options = options[2:] {
		n, ok := parseUint(options[1].text, 1<<32-1)
		switch o := options[0]; {
		case o.is("--nflog-prefix"):
			log.Prefix = options[1].text
			ok = len(log.Prefix) <= maxGroupPrefix // else it depends on the tool how much is kept
		case o.is("--nflog-group"):
			log.Group = uint16(n)
		case o.is("--nflog-threshold"):
			log.Threshold = uint16(n)
		case o.is("--nflog-size"):
			log.Snap = uint32(n)
		default:
			return nil
		}
		if !ok {
			return nil
		}
	}
	if len(options) > 0 {
		return nil
	}
	return log
}

// connMark returns the action of CONNMARK; nil for one that shifts.
func connMark(options []token) ir.Action {
	if len(options) == 2 {
		if o := options[0]; !o.is("--save-mark") && !o.is("--restore-mark") {
			a, ok := setMark(o, options[1].text)
			if a.CT = true; ok {
				return a
			}
			return nil
		}
	}
	save, restore := false, false
	ctmask, nfmask := ^uint32(0), ^uint32(0)
	for len(options) > 0 {
		o := options[0]
		options = options[1:]
		switch {
		case o.is("--save-mark"):
			save = true
			continue
		case o.is("--restore-mark"):
			restore = true
			continue
		case len(options) == 0:
			return nil
		}
		n, ok := parseUint(options[0].text, 1<<32-1)
		options = options[1:]
		switch {
		case !ok:
			return nil
		case o.is("--mask"):
			ctmask, nfmask = uint32(n), uint32(n)
		case o.is("--ctmask"):
			ctmask = uint32(n)
		case o.is("--nfmask"):
			nfmask = uint32(n)
		default:
			return nil
		}
	}
	switch { // connmark_tg_shift in net/netfilter/xt_connmark.c
	case save == restore || ctmask|nfmask == 0:
		return nil
	case save:
		return ir.CopyMark{Save: true, Clear: ctmask, Take: nfmask}
	}
	return ir.CopyMark{Clear: nfmask, Take: ctmask}
}

// setMark reads an option of MARK that sets bits, or turns them over: not one that does nothing.
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
	case option.is("--xor-mark"):
		a.Mask = 0
	default:
		return a, false
	}
	return a, a.Mask|a.Value != 0
}
