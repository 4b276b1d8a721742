package iptables

import (
	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// words are what differs between the families in a document.
type words struct{ file, command, family string }

func wordsOf(f ir.Family) words {
	if f == ir.IPv4 {
		return words{"rules.v4", "iptables-restore", "IPv4"}
	}
	return words{"rules.v6", "ip6tables-restore", "IPv6"}
}

// Emit returns one document for each family, IPv4 first.
func (s *Ruleset) Emit() []backends.Document {
	var docs []backends.Document
	for i := range s.families {
		docs = append(docs, s.document(&s.families[i]))
	}
	return docs
}

// Images returns the documents: what iptables-save prints is of the same form.
func (s *Ruleset) Images() []backends.Document { return s.Emit() }

// Lines returns the rules in the order of the documents.
func (s *Ruleset) Lines() []backends.Line { return s.lines }

// document writes f: a header with the commands that load it, then its tables. Lines with -I make
// jumps, those with -N the chains for the administrator's rules: what stands by the first time.
func (s *Ruleset) document(f *family) backends.Document {
	w := wordsOf(f.family)
	restore := w.command + " --wait" // takes the next word for seconds, if it can
	if f.beside {
		restore = w.command + " --noflush --wait"
	}
	load := restore + " < " + w.file
	b := make([]byte, 0, f.size+4096)
	b = append(b, "# vnetc: "+w.family+" rules\n# load:       "+load+"\n"...)
	if f.beside {
		once := "-I"
		if s.prefix == prefixOf(backends.VnetcNames) {
			once = "-[IN]"
		}
		b = append(b, "# load again: grep -v '^"+once+" ' "+w.file+" | "+restore+"\n"...)
	}
	for i := range f.tables {
		b = s.table(b, &f.tables[i])
	}
	return backends.Document{File: w.file, Family: f.family, Load: load, Text: b}
}

// table appends t: its chains, the jumps to them, its rules. Chains for the administrator's rules
// come last, for iptables-restore takes no declaration behind a command.
func (s *Ruleset) table(b []byte, t *table) []byte {
	b = append(append(append(b, '*'), t.name...), '\n')
	for i := range t.chains {
		c := &t.chains[i]
		if c.admin { // to declare it would empty one that is there
			b = append(append(append(b, "-N "...), c.name...), '\n')
			continue
		}
		b = append(append(append(append(append(b, ':'), c.name...), ' '), c.policy...), " [0:0]\n"...)
	}
	for _, j := range t.jumps {
		b = append(append(append(append(append(b, "-I "...), j.from...), " -j "...), j.to...), '\n')
	}
	for i := t.from; i < t.to; i++ {
		b = append(append(b, s.lines[i].Text...), '\n')
	}
	return append(b, "COMMIT\n"...)
}
