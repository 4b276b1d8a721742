package ir_test

import (
	"slices"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// TestGroupTable holds the rows to what those who range over them rely on.
func TestGroupTable(t *testing.T) {
	seen := make(map[ir.Base]bool)
	names := make(map[string]ir.Group)
	way := []ir.Hook{ir.Prerouting, ir.Input, ir.Output, ir.Forward, ir.Postrouting}
	for i, row := range ir.GroupTable {
		if other, ok := names[row.Name]; len(row.Name) != 3 || row.About == "" || row.Group == 0 || ok &&
			other != row.Group {
			t.Errorf("row %d: a group, a name of three letters that no other group has, and words about it: %+v", i,
				row)
		}
		names[row.Name] = row.Group
		if first := row.Group.Rows()[0]; row.Hook != row.Group.Hook() || row.Name != first.Name ||
			row.About != first.About {
			t.Errorf("row %d: %s has another hook, name or words in another row", i, row.Name)
		}
		chain := &ir.Chain{Family: ir.Both, Table: "t", Name: "c", Base: &row.Base}
		if list := ir.Verify(&ir.Program{Chains: []*ir.Chain{chain}}); len(list) > 0 || row.Drop {
			t.Errorf("row %d: %s hangs where no group can: %v", i, row.Name, list)
		}
		if (row.Accepts != ir.NotForwarded) != (row.Hook == ir.Forward) {
			t.Errorf("row %d: %s is at %s, and Accepts is %d", i, row.Name, row.Hook, row.Accepts)
		}
		if i == 0 {
			continue
		}
		before := ir.GroupTable[i-1]
		switch {
		case before.Base == row.Base:
			if row.Of != nil || before.Of != nil {
				t.Errorf("row %d: %s shares its base, so all its rules are met there", i, row.Name)
			}
		case seen[row.Base]:
			t.Errorf("row %d: %s does not stand beside the others of its base", i, row.Name)
		case before.Hook == row.Hook && before.Priority >= row.Priority,
			slices.Index(way, before.Hook) > slices.Index(way, row.Hook):
			t.Errorf("row %d: packets meet %s before %s", i, row.Name, before.Name)
		}
		seen[before.Base] = true
	}
}

// TestGroupRows: each rule of a group is met at one of its rows.
func TestGroupRows(t *testing.T) {
	for _, g := range ir.Groups {
		for _, v := range ir.SampleVerdicts() {
			met := 0
			for _, row := range g.Rows() {
				if row.Of == nil || row.Of(&ir.Rule{Verdict: v}) {
					met++
				}
			}
			if met != 1 {
				t.Errorf("%s: a rule with %q is met at %d rows", g, ir.VerdictText(v), met)
			}
		}
	}
}

// TestGroupBases: what is attached to the hooks is what the table says, in its order.
func TestGroupBases(t *testing.T) {
	p := &ir.Program{}
	for _, g := range slices.Backward(ir.Groups) {
		p.Add(g)
	}
	var got []string
	for _, h := range []ir.Hook{ir.Prerouting, ir.Input, ir.Output, ir.Forward, ir.Postrouting} {
		for _, b := range p.Bases(h) {
			for _, c := range b.Chains {
				got = append(got, c.Label())
			}
		}
	}
	var want []string
	for _, row := range ir.GroupTable {
		want = append(want, row.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("packets meet %v, the table lists %v", got, want)
	}
}
