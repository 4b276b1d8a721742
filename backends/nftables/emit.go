package nftables

import (
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
)

// Emit returns the script for nft(8), one document for both families. It can be loaded again and
// again, all in the one transaction of `nft -f`: each table is declared, so that there is one to
// delete, deleted and recreated. But for a table with chains for the administrator's rules: see
// [table.appendEmptying].
func (r *Ruleset) Emit() []backends.Document {
	b := make([]byte, 0, r.sizeHint())
	b = append(b, "# Rules for nft(8). Load with: nft -f rules.nft\n"...)
	b = append(b, "# Loading replaces, in one transaction, the tables"...)
	admin := false
	for i, t := range r.tables {
		if i > 0 {
			b = append(b, ',')
		}
		b = t.appendName(append(b, ' '))
		admin = admin || t.admin
	}
	b = append(b, ".\n"...)
	if admin {
		b = append(b, "# What the chains admin_... hold stays: they are for rules of your own. So do sets of an earlier load\n"+
			"# that these rules don't use: nothing looks packets up in them, and vnetc apply deletes them.\n"...)
	}
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
		if t.admin {
			b = t.appendEmptying(b)
		} else {
			b = append(t.appendName(append(b, "table "...)), '\n')
			b = append(t.appendName(append(b, "delete table "...)), '\n')
		}
		b = t.appendText(b, script)
	}
	return []backends.Document{{File: "rules.nft", Family: r.families, Load: "nft -f rules.nft", Text: b}}
}

// appendEmptying appends what takes from the table what earlier loads, of a script or by a Loader,
// have put there, but for the administrator's rules and what they use. A table can't be deleted
// without them. So everything is declared, for a command that finds nothing to empty or delete
// fails; then the chains are flushed, and the sets deleted, which no rule uses by then: the
// elements may be others, and the kernel keeps what else a set was made with. A name says what the
// keys of a set are, so that a set which is there is one of these keys.
func (t *table) appendEmptying(b []byte) []byte {
	b = append(t.appendName(append(b, "table "...)), " {\n"...)
	for _, s := range t.sets {
		b = append(append(append(b, "\tset "...), s.name...), " { type "...)
		b = append(s.appendType(b), ';')
		if s.counted {
			b = append(b, " counter;"...)
		}
		b = append(b, " }\n"...)
	}
	all := slices.Concat(t.chains, t.absent)
	for _, c := range all {
		b = append(append(append(b, "\tchain "...), c.name...), " {"...)
		if c.base != nil {
			b = append(c.appendBase(append(b, ' ')), ' ')
		}
		b = append(b, "}\n"...)
	}
	b = append(b, "}\n"...)
	command := func(words, name string) {
		b = append(append(t.appendName(append(append(b, words...), ' ')), ' '), name...)
		b = append(b, '\n')
	}
	for _, c := range all {
		if !isAdminName(c.name) {
			command("flush chain", c.name)
		}
	}
	for _, c := range t.absent {
		command("delete chain", c.name)
	}
	for _, s := range t.sets {
		command("delete set", s.name)
	}
	return b
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
		b = append(c.appendBase(append(b, "\t\t"...)), '\n')
	}
	for i := range c.rules {
		b = append(c.rules[i].appendText(append(b, "\t\t"...), f), '\n')
	}
	return append(b, "\t}\n"...)
}

// appendBase appends where the chain is attached, and its policy.
func (c *chain) appendBase(b []byte) []byte {
	b = append(append(b, "type "...), c.base.Type.String()...)
	b = append(append(b, " hook "...), c.base.Hook.String()...)
	b = appendPriority(append(b, " priority "...), c.base)
	if c.base.Drop {
		return append(b, "; policy drop;"...)
	}
	return append(b, "; policy accept;"...)
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
