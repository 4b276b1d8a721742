package ir

// Set is a named list of elements that rules look packets up in: nft(8)'s named sets, and its
// anonymous ones under the name that the kernel gives them. An element is a conjunction of plain
// matches; so a set of the elements
//
//	iifname "virbr0" saddr 10.0.0.0/24
//	iifname "virbr1" saddr 10.0.1.0/24
//
// holds the packets that the first matches, and those that the second does.
type Set struct {
	Family   Family // of the table the set is in
	Table    string // empty for a set that rules of every chain may look up
	Name     string // unique in its family and table
	Elements [][]Match

	// Same is a set with the same values, element by element, for other fields; nil if there is
	// none. Who keeps sets as lists of values needs one list for both. Same has no Same itself.
	Same *Set
	// Counted is true if each element counts the packets that it is found for.
	Counted bool
	// From has for each element the rule of another program that it stands for; nil if it is not
	// known.
	From []*Rule
	// Comments has a comment for each element; nil if none has one.
	Comments []string
	// Uses says in words what rules look up in the set, and in those whose Same it is.
	Uses []string
	// Admin is true in a program that was read from a host for a set that only the administrator's
	// rules look up.
	Admin bool
}

// Lookup holds if the packet is in Set: all matches of some element hold.
type Lookup struct {
	Set *Set
	Not bool // Not is true if the packet must be in no element.
}

func (Lookup) isMatch() {}

// SetFor returns the set that a look-up by name from a rule of chain c for packets of family finds:
// that of c's family and table; else one that has no table, of that very family if there is one;
// nil if there is none.
func (p *Program) SetFor(c *Chain, family Family, name string) *Set {
	var open *Set
	for _, s := range p.Sets {
		switch {
		case s.Name != name:
		case s.Table == "":
			if open == nil || s.Family == family {
				open = s
			}
		case c.Group == 0 && s.Family == c.Family && s.Table == c.Table:
			return s
		}
	}
	return open
}

// AddSets lists the sets that rules of p look up and that are not listed yet.
func (p *Program) AddSets() {
	listed := make(map[*Set]bool, len(p.Sets))
	for _, s := range p.Sets {
		listed[s] = true
	}
	for _, c := range p.Chains {
		for i := range c.Rules {
			for _, m := range c.Rules[i].Matches {
				if l, ok := m.(Lookup); ok && l.Set != nil && !listed[l.Set] {
					listed[l.Set] = true
					p.Sets = append(p.Sets, l.Set)
				}
			}
		}
	}
}

// Plain is true for a match that an element of a set can have.
func Plain(m Match) bool { return plainMatch(m) }

// plainMatch is true for what an element can be made of: every kind of match that says by itself
// what it means.
func plainMatch(m Match) bool {
	switch m.(type) {
	case nil, Lookup, Limit, Unknown, Field, AddrType, Opaque:
		return false
	}
	return true
}

// Label returns family, table and name of s.
func (s *Set) Label() string {
	if s.Table == "" {
		return s.Family.String() + " " + s.Name
	}
	return s.Family.String() + " " + s.Table + " " + s.Name
}
