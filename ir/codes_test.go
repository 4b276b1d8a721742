package ir_test

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// TestCodes tries the examples of every code that is about the IR.
func TestCodes(t *testing.T) {
	check := func(text string) diag.List {
		p, list := ir.Parse("example", []byte(text))
		if p != nil {
			list = append(list, ir.Verify(p)...)
		}
		return list
	}
	n := 0
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "ir-") {
			continue
		}
		n++
		if bad := check(info.Bad); len(bad) != 1 || bad[0].Code != info.Code {
			t.Errorf("the bad example of %s draws %v", info.Code, bad)
		}
		if good := check(info.Good); len(good) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, good)
		}
		if p, _ := ir.Parse("example", []byte(info.Good)); p != nil && p.String() != info.Good {
			t.Errorf("the good example of %s is printed as\n%s", info.Code, p)
		}
	}
	if n == 0 {
		t.Skip("the table of codes has none about the IR yet")
	}
}
