package xmldoc

import "fmt"

// Misplaced says what [Place] does with a part that this document can't have, or has to no effect.
// What names the part, at is where it stands, and who are the documents for which it is.
type Misplaced struct {
	Forbidden func(what string, at Extent, who Who)
	Idle      func(what string, at Extent, who Who)
}

// Place finds the elements and attributes in and below n that a document of kind doc can't have, or
// has to no effect. Below an element that was found it looks no further.
func Place(n *Node, doc any, m Misplaced) {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		spec := n.Spec.attr(a.Name)
		if spec == nil || includes(spec.May, doc) && includes(spec.Works, doc) {
			continue
		}
		what := fmt.Sprintf("%s of <%s>", a.Name, n.Name)
		if includes(spec.May, doc) {
			m.Idle(what, a.NameAt, spec.Works)
			continue
		}
		a.Bad = true
		m.Forbidden(what, a.NameAt, spec.May)
	}
	for _, k := range n.Kids {
		switch {
		case k.Spec == nil:
			continue
		case !includes(k.Spec.May, doc):
			k.Bad = true
			m.Forbidden(fmt.Sprintf("<%s>", k.Name), k.Tag, k.Spec.May)
			continue
		case !includes(k.Spec.Works, doc):
			m.Idle(fmt.Sprintf("<%s>", k.Name), k.Tag, k.Spec.Works)
			continue
		}
		Place(k, doc, m)
	}
}

func includes(w Who, doc any) bool { return w == nil || w.Includes(doc) }
