package iptables

import (
	"strconv"
	"time"

	"github.com/vnetc/vnetc/ir"
)

// A limit of iptables has a period between two tokens, in steps of 1/limitScale of a second, and
// a burst up to maxBurst (libxt_limit.c).
const (
	limitScale = 10000
	maxBurst   = 10000
	usualBurst = 5
)

// limitUnits are the units of --limit as iptables-save prints them.
var limitUnits = [...]struct {
	per  time.Duration
	word string
}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "min"}, {time.Second, "sec"}}

// limit appends -m limit, if the kernel gets the very rate.
func (l *lowering) limit(m ir.Limit) *refusal {
	m = m.Normal() // as iptables-save prints it
	per := uint64(m.Per / time.Second)
	switch {
	case m.Over:
		return refusalf("--limit can't be negated", nftablesCan, "a limit for what is over it")
	case m.Burst > maxBurst:
		return refusalf("a burst has at most 10000 packets", nftablesCan, "a burst of %d packets", m.Burst)
	case per*limitScale%uint64(m.Rate) != 0 || uint64(m.Rate) > per*limitScale:
		return refusalf("the time between two packets is rounded to steps of 1/10000 s", nftablesCan,
			"%d packets in %s", m.Rate, m.Per)
	}
	return l.limitWords(m)
}

func (l *lowering) limitWords(m ir.Limit) *refusal {
	for _, u := range limitUnits {
		if u.per == m.Per {
			l.text = append(l.text, " -m limit --limit "...)
			l.text = append(append(strconv.AppendUint(l.text, uint64(m.Rate), 10), '/'), u.word...)
			if m.Burst != usualBurst {
				l.text = strconv.AppendUint(append(l.text, " --limit-burst "...), uint64(m.Burst), 10)
			}
			return nil
		}
	}
	return refusalf("--limit counts by the second, minute, hour or day", nftablesCan, "a limit by the %s", m.Per)
}

// readLimit makes the limit of a rule that was read.
func readLimit(s *ruleReader, in *instance) error {
	m := ir.Limit{Rate: 3, Per: time.Hour, Burst: usualBurst} // as libxt_limit.c begins
	if in.has("limit") {
		rate, per, ok := limitRate(s.value(in, "limit"))
		if !ok {
			return nil // stays text
		}
		m.Rate, m.Per = rate, per
	}
	if in.has("limit-burst") {
		n, _ := parseUint(s.value(in, "limit-burst"), maxBurst)
		if n > 0 { // of the two kinds iptables-nft takes 0, for the usual burst
			m.Burst = uint32(n)
		}
	}
	s.matches[in.opaque] = m.Normal()
	return nil
}

// limitRate reads what isRate takes, if the kernel gets the very rate.
func limitRate(text string) (rate uint32, per time.Duration, ok bool) {
	n, perSecond, ok := parseRate(text)
	if !ok || n > 1<<31 {
		return 0, 0, false
	}
	for _, u := range limitUnits {
		if float64(n)/u.per.Seconds() == perSecond {
			per = u.per
		}
	}
	exact := per != 0 && uint64(per/time.Second)*limitScale%n == 0
	return uint32(n), per, exact
}
