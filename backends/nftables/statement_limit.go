package nftables

import (
	"fmt"
	"time"

	"github.com/google/nftables/expr"

	"github.com/vnetc/vnetc/ir"
)

// limit is a bucket of tokens of the rule's own.
type limit ir.Limit

// usualBurst is the burst that nft takes where none is said, and does not list.
const usualBurst = 5

func (s limit) appendText(b []byte, _ form) []byte {
	b = append(b, "limit rate "...)
	if s.Over {
		b = append(b, "over "...)
	}
	b = fmt.Appendf(b, "%d/%s", s.Rate, map[time.Duration]string{
		time.Second: "second", time.Minute: "minute", time.Hour: "hour", 24 * time.Hour: "day",
		7 * 24 * time.Hour: "week",
	}[s.Per])
	if s.Burst != usualBurst {
		b = fmt.Appendf(b, " burst %d packets", s.Burst)
	}
	return b
}

func (s limit) exprs(x []expr.Any) []expr.Any {
	return append(x, &expr.Limit{
		Type: expr.LimitTypePkts, Rate: uint64(s.Rate), Over: s.Over,
		Unit: expr.LimitTime(s.Per / time.Second), Burst: s.Burst,
	})
}
