package netxml

import "net/netip"

// node is one element of a document: what was written and where.
type node struct {
	parent *node
	spec   *element // its line in the table of the schema; nil for an element that is unknown or of free content
	space  string   // namespace, as a URL; "?" and the prefix where the prefix is not declared
	name   string   // without prefix
	tag    extent   // the name in the start tag
	inner  extent   // from behind the start tag up to the end tag
	attrs  []attribute
	kids   []*node
	text   string // character data; blank pieces between children are left out
	textAt extent
	bad    bool // an error was reported for the text, or for the element as such
}

// attribute is one attribute of a node.
type attribute struct {
	name    string // with its prefix, as in xmlns:dnsmasq
	value   string
	nameAt  extent
	valueAt extent // without the quotes
	bad     bool   // an error was reported for it: rules that need the value keep quiet
}

// kid returns the first child of that name; nil if there is none, or no n.
func (n *node) kid(name string) *node {
	if n != nil {
		for _, k := range n.kids {
			if k.spec != nil && k.name == name {
				return k
			}
		}
	}
	return nil
}

// sound is kid, but nil if an error was reported for the child as such.
func (n *node) sound(name string) *node {
	if k := n.kid(name); k != nil && !k.bad {
		return k
	}
	return nil
}

// all returns the children of that name that the schema knows.
func (n *node) all(name string) []*node {
	var found []*node
	if n != nil {
		for _, k := range n.kids {
			if k.spec != nil && k.name == name {
				found = append(found, k)
			}
		}
	}
	return found
}

// attr returns the attribute of that name; nil if there is none, or no n.
func (n *node) attr(name string) *attribute {
	if n != nil {
		for i := range n.attrs {
			if n.attrs[i].name == name {
				return &n.attrs[i]
			}
		}
	}
	return nil
}

// has is true if n has that attribute, good or bad.
func (n *node) has(name string) bool { return n.attr(name) != nil }

// value returns the attribute's value, if it is there and nothing is wrong with it.
func (n *node) value(name string) (string, bool) {
	if a := n.attr(name); a != nil && !a.bad {
		return a.value, true
	}
	return "", false
}

// yes is true if the attribute says so.
func (n *node) yes(name string) bool {
	v, _ := n.value(name)
	return v == "yes"
}

// at returns where the attribute's value stands, or the element's name if it has no such attribute or an empty one.
func (n *node) at(name string) extent {
	if a := n.attr(name); a != nil {
		if a.valueAt.start < a.valueAt.end {
			return a.valueAt
		}
		return a.nameAt
	}
	return n.tag
}

// addr returns the address in an attribute that the schema accepted.
func (n *node) addr(name string) (a netip.Addr, ok bool) {
	v, ok := n.value(name)
	if !ok {
		return a, false
	}
	return netip.MustParseAddr(v), true
}

// number returns the number in an attribute that the schema accepted.
func (n *node) number(name string) (number uint64, ok bool) {
	v, ok := n.value(name)
	if !ok {
		return 0, false
	}
	return parseNumber(v)
}

// textOr returns the text of n, or other if there is no n.
func (n *node) textOr(other string) string {
	if n == nil {
		return other
	}
	return n.text
}

// valueOr is value, or the empty text.
func (n *node) valueOr(name string) string {
	v, _ := n.value(name)
	return v
}
