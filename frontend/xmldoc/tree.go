package xmldoc

import "net/netip"

// Node is one element of a document: what was written and where.
type Node struct {
	Parent *Node
	// its line in the language's table; nil before Check, and for an element that the table doesn't
	// know
	Spec   *Element
	Space  string // namespace, as a URL; "?" and the prefix where the prefix is not declared
	Name   string // without prefix
	Tag    Extent // the name in the start tag
	Inner  Extent // from behind the start tag up to the end tag
	Attrs  []Attribute
	Kids   []*Node
	Text   string // character data; blank pieces between children are left out
	TextAt Extent // of the text as it is written; see [Source.Within] for a part of it
	Bad    bool   // Bad is true if an error was reported for the text, or for the element as such.

	// the default namespace where it stands, of which an element without prefix is if the table has
	// it there
	inherited string
}

// Attribute is one attribute of a [Node].
type Attribute struct {
	Name    string // with its prefix, as in xmlns:dnsmasq
	Value   string
	NameAt  Extent
	ValueAt Extent // without the quotes
	Bad     bool   // Bad is true if an error was reported for it: rules that need the value keep quiet.
}

// IsNamespace is true if the attribute declares a namespace.
func (a *Attribute) IsNamespace() bool {
	return a.Name == "xmlns" || len(a.Name) > 6 && a.Name[:6] == "xmlns:"
}

// Namespace returns the namespace of n, also where a default one is all that it has: for elements
// that the table of the language does not know. It is "?" and the prefix where that is not
// declared.
func (n *Node) Namespace() string {
	if n.Space == "" && n.Spec == nil {
		return n.inherited
	}
	return n.Space
}

// Kid returns the first child of that name; nil if there is none, or no n.
func (n *Node) Kid(name string) *Node {
	if n != nil {
		for _, k := range n.Kids {
			if k.Spec != nil && k.Name == name {
				return k
			}
		}
	}
	return nil
}

// Sound is Kid, but nil if an error was reported for the child as such.
func (n *Node) Sound(name string) *Node {
	if k := n.Kid(name); k != nil && !k.Bad {
		return k
	}
	return nil
}

// All returns the children of that name that the schema knows.
func (n *Node) All(name string) []*Node {
	var found []*Node
	if n != nil {
		for _, k := range n.Kids {
			if k.Spec != nil && k.Name == name {
				found = append(found, k)
			}
		}
	}
	return found
}

// Attr returns the attribute of that name; nil if there is none, or no n.
func (n *Node) Attr(name string) *Attribute {
	if n != nil {
		for i := range n.Attrs {
			if n.Attrs[i].Name == name {
				return &n.Attrs[i]
			}
		}
	}
	return nil
}

// Has is true if n has that attribute, good or bad.
func (n *Node) Has(name string) bool { return n.Attr(name) != nil }

// Value returns the attribute's value, if it is there and nothing is wrong with it.
func (n *Node) Value(name string) (string, bool) {
	if a := n.Attr(name); a != nil && !a.Bad {
		return a.Value, true
	}
	return "", false
}

// Yes is true if the attribute says so.
func (n *Node) Yes(name string) bool {
	v, _ := n.Value(name)
	return v == "yes"
}

// At returns where the attribute's value stands, or the element's name if it has no such attribute
// or an empty one.
func (n *Node) At(name string) Extent {
	if a := n.Attr(name); a != nil {
		if a.ValueAt.Start < a.ValueAt.End {
			return a.ValueAt
		}
		return a.NameAt
	}
	return n.Tag
}

// Addr returns the address in an attribute that the schema accepted.
func (n *Node) Addr(name string) (a netip.Addr, ok bool) {
	v, ok := n.Value(name)
	if !ok {
		return a, false
	}
	a, err := netip.ParseAddr(v)
	return a, err == nil
}

// Number returns the number in an attribute that the schema accepted.
func (n *Node) Number(name string) (number uint64, ok bool) {
	v, ok := n.Value(name)
	if !ok {
		return 0, false
	}
	return ParseNumber(v)
}

// TextOr returns the text of n, or other if there is no n.
func (n *Node) TextOr(other string) string {
	if n == nil {
		return other
	}
	return n.Text
}

// ValueOr is Value, or the empty text.
func (n *Node) ValueOr(name string) string {
	v, _ := n.Value(name)
	return v
}
