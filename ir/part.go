package ir

import (
	"fmt"
	"strings"
)

// A rule with a map stands for several rules of the IR. Their origins have an element that says
// which one each is.
const part = "rule/part[%d]"

// PartElement returns the element of the origin of the n-th rule that one stands for, from 1.
func PartElement(n int) string { return fmt.Sprintf(part, n) }

// Continues is true if r is part of the same rule as the one before it in its chain.
func (r *Rule) Continues() bool {
	return strings.HasPrefix(r.Origin.Element, "rule/part[") && r.Origin.Element != PartElement(1)
}
