package nftables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
)

// Emit returns the script for nft(8), one document for both families. It can be loaded again and
// again: each table is declared, so that there is one to delete, deleted and recreated, all in the
// one transaction of `nft -f`.
func (r *Ruleset) Emit() []backends.Document {
	b := make([]byte, 0, r.sizeHint())
	b = append(b, "# Rules for nft(8). Load with: nft -f rules.nft\n"...)
	b = append(b, "# Loading replaces, in one transaction, the tables"...)
	for i, t := range r.tables {
		if i > 0 {
			b = append(b, ',')
		}
		b = t.appendName(append(b, ' '))
	}
	b = append(b, ".\n"...)
	if r.groups {
		services := ""
		if !r.guards {
			services = " that open the host's DHCP, DNS and TFTP to the guests (an accept in a table opens nothing\n" +
				"# that another table closes), and those"
		}
		b = fmt.Appendf(b, "# Left out: rules%s that fill in DHCP checksums (nf_tables has no statement for it).\n",
			services)
	}
	for _, t := range r.tables {
		b = append(b, '\n')
		b = append(t.appendName(append(b, "table "...)), '\n')
		b = append(t.appendName(append(b, "delete table "...)), '\n')
		b = t.appendText(b, script)
	}
	return []backends.Document{{File: "rules.nft", Family: r.families, Load: "nft -f rules.nft", Text: b}}
}

// sizeHint returns about how many bytes the script has.
func (r *Ruleset) sizeHint() int {
	const perRule = 100
	n := 1 << 12
	for _, t := range r.tables {
		for _, c := range t.chains {
			n += len(c.rules) * perRule
		}
		for _, s := range t.sets {
			n += s.len() * perRule
		}
	}
	return n
}

func (t *table) appendName(b []byte) []byte {
	return append(append(append(b, t.family.String()...), ' '), t.name...)
}

// appendText appends the table as `nft -s list table` prints it, but where form says otherwise.
func (t *table) appendText(b []byte, f form) []byte {
	b = append(t.appendName(append(b, "table "...)), " {\n"...)
	for i, s := range t.sets {
		if i > 0 {
			b = append(b, '\n')
		}
		b = s.appendText(b)
	}
	for i, c := range t.chains {
		if i+len(t.sets) > 0 {
			b = append(b, '\n')
		}
		b = c.appendText(b, f)
	}
	return append(b, "}\n"...)
}

func (c *chain) appendText(b []byte, f form) []byte {
	b = append(append(append(b, "\tchain "...), c.name...), " {\n"...)
	if c.base != nil {
		b = append(append(b, "\t\ttype "...), c.base.Type.String()...)
		b = append(append(b, " hook "...), c.base.Hook.String()...)
		b = appendPriority(append(b, " priority "...), c.base)
		if c.base.Drop {
			b = append(b, "; policy drop;\n"...)
		} else {
			b = append(b, "; policy accept;\n"...)
		}
	}
	for i := range c.rules {
		b = append(c.rules[i].appendText(append(b, "\t\t"...), f), '\n')
	}
	return append(b, "\t}\n"...)
}

// appendText appends the rule on one line. A statement without text leaves no blank.
func (r *rule) appendText(b []byte, f form) []byte {
	start := len(b)
	for _, s := range r.statements {
		if len(b) > start {
			b = append(b, ' ')
		}
		before := len(b)
		if b = s.appendText(b, f); len(b) == before && before > start {
			b = b[:before-1]
		}
	}
	if r.comment != "" {
		b = append(append(append(b, ` comment "`...), r.comment...), '"')
	}
	return b
}
