package xmldoc

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
)

// Problem is what is wrong with one value. What goes on a sentence that has named the value; Why
// and Fix are as in [diag.Diagnostic].
type Problem struct {
	Code           diag.Code
	What, Why, Fix string
}

// Wrong returns a [Problem].
func Wrong(code diag.Code, what, why, fix string) Problem { return Problem{code, what, why, fix} }

// Check compares root and what is below it with the table of the language, gives every node its
// line of the table, and reports what the table doesn't know or allow: elements, attributes,
// repetition, text, and values that are wrong by themselves. It is false, and nothing below root
// was looked at, if a document of the language doesn't begin with root.
func (l *Language) Check(r *Report, root *Node) (ok bool) {
	for _, e := range l.Roots {
		if e.is(root) {
			walker{r, l, e}.walk(root, e)
			return true
		}
	}
	root.Bad = true
	var names []string
	for _, e := range l.Roots {
		names = append(names, "<"+e.Name+">")
	}
	r.Fault("xml-root", root.Tag, fmt.Sprintf("the document is a <%s>", Short(root.Name)),
		fmt.Sprintf("a %s is described by %s", l.Noun, Words(names, "or")), l.Begin)
	return false
}

// walker compares one document with the table of its language.
type walker struct {
	*Report
	lang *Language
	root *Element
}

// is true if n is such an element. An element without a prefix is in no namespace, whatever the
// default.
func (e *Element) is(n *Node) bool {
	return e.Name == n.Name && (e.Space == n.Space || n.Space == "" && e.Space == n.inherited)
}

// walk gives n and the nodes below it their lines of the table.
func (w walker) walk(n *Node, spec *Element) {
	n.Spec, n.Space = spec, spec.Space
	w.attributes(n)
	if !spec.Free {
		w.text(n)
	}
	if len(n.Kids) == 0 || spec.Free && len(spec.Kids) == 0 {
		return
	}
	seen := map[*Element]*Node{}
	for _, k := range n.Kids {
		kid := spec.find(k)
		switch first := seen[kid]; {
		case kid == nil && spec.Free:
			continue
		case kid == nil:
			w.unknownElement(k, spec)
			continue
		case first != nil && !kid.Many:
			k.Bad = true
			w.Fault("element-twice", k.Tag, fmt.Sprintf("<%s> appears twice in <%s>", k.Name, n.Name),
				"there is at most one; libvirt silently takes one, or mixes the two, or refuses both",
				"remove one of the two",
				w.Related(first.Tag, "the first"))
			continue
		case first == nil:
			seen[kid] = k
		}
		w.walk(k, kid)
	}
}

func (e *Element) find(n *Node) *Element {
	for _, k := range e.Kids {
		if k.is(n) {
			return k
		}
	}
	return nil
}

// attributes reports attributes that the table doesn't know, values that can't be, and what is
// missing.
func (w walker) attributes(n *Node) {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if a.IsNamespace() {
			w.namespace(n, a)
			continue
		}
		spec := n.Spec.attr(a.Name)
		if spec == nil {
			if !n.Spec.FreeAttrs {
				w.unknownAttribute(n, a)
			}
			continue
		}
		a.Name = spec.Name // let go of the copy
		if p := spec.Check(a.Value); p.Code != "" {
			a.Bad = true
			w.Fault(p.Code, n.At(a.Name), fmt.Sprintf("%s of <%s> is %s, %s", a.Name, n.Name, Quote(a.Value), p.What),
				p.Why, p.Fix)
		}
	}
	for _, spec := range n.Spec.Attrs {
		if spec.Need && !n.Has(spec.Name) {
			n.Bad = true
			w.Fault("attribute-missing", n.Tag, fmt.Sprintf("<%s> has no attribute %s", n.Name, spec.Name),
				"the element means nothing without it", fmt.Sprintf("write <%s %s='...'>", n.Name, spec.Name))
		}
	}
}

func (e *Element) attr(name string) *Attr {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			return &e.Attrs[i]
		}
	}
	return nil
}

func (w walker) text(n *Node) {
	if n.Spec.Text == nil {
		if !Blank(n.Text) {
			text := strings.TrimSpace(n.Text)
			from := strings.Index(n.Text, text)
			w.Warn("text-unknown", w.Source.Within(n.TextAt, from, from+len(text)),
				fmt.Sprintf("%s is in <%s>", Quote(text), n.Name),
				"the element holds attributes and elements; libvirt ignores text between them, and so does vnetc",
				"remove the text")
		}
		return
	}
	p := n.Spec.Text(n.Text)
	if p.Code == "" {
		return
	}
	n.Bad = true
	at := n.TextAt
	if n.Text == "" {
		at = n.Tag
	}
	w.Fault(p.Code, at, fmt.Sprintf("<%s> is %s, %s", n.Name, Quote(n.Text), p.What), p.Why, p.Fix)
}

func (w walker) unknownElement(n *Node, parent *Element) {
	if len(n.Space) > 0 && n.Space[0] == '?' {
		fix := "declare the prefix, or remove it"
		if w.lang.Undeclared != nil {
			fix = w.lang.Undeclared(Short(n.Space[1:]))
		}
		w.Unknown("xml-namespace", n.Tag,
			fmt.Sprintf("prefix %s of <%s> is not declared", Quote(n.Space[1:]), Short(n.Name)),
			"a prefix means the namespace that an xmlns attribute names", fix)
		return
	}
	const why = "libvirt silently drops what it doesn't know, so it would have no effect"
	what := fmt.Sprintf("<%s> is not allowed in <%s>", Short(n.Name), parent.Name)
	names := make([]string, 0, len(parent.Kids))
	for _, k := range parent.Kids {
		names = append(names, k.Name)
	}
	fix := "remove it"
	if home := w.root.home(n.Name); home != "" && n.Space == "" {
		fix = fmt.Sprintf("put it into <%s>, where it belongs", home)
	} else if near := meant(n.Name, names); near != "" && n.Space == "" {
		fix = fmt.Sprintf("did you mean <%s>?", near)
	}
	w.Unknown("element-unknown", n.Tag, what, why, fix)
}

// meant returns the one of names that was probably meant by word: one that is spelled nearly so, or
// of which word makes a longer one, as forwardDelay does of delay.
func meant(word string, names []string) string {
	if near := Nearest(word, names); near != "" {
		return near
	}
	found, lower := "", strings.ToLower(word)
	for _, name := range names {
		part := strings.ToLower(name)
		if len(part) > 2 && (strings.HasPrefix(lower, part) || strings.HasSuffix(lower, part)) {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// home returns the name of an element below e that has a child of that name; empty if there is
// none.
func (e *Element) home(name string) string {
	for _, k := range e.Kids {
		if k.Name == name {
			return e.Name
		}
	}
	for _, k := range e.Kids {
		if home := k.home(name); home != "" {
			return home
		}
	}
	return ""
}

func (w walker) unknownAttribute(n *Node, a *Attribute) {
	a.Bad = true
	names := make([]string, 0, len(n.Spec.Attrs))
	for _, spec := range n.Spec.Attrs {
		names = append(names, spec.Name)
	}
	fix := fmt.Sprintf("<%s> has no attributes; remove it", n.Name)
	if near := meant(a.Name, names); near != "" {
		fix = fmt.Sprintf("did you mean %s?", near)
	} else if len(names) > 0 {
		fix = fmt.Sprintf("remove it; <%s> has %s", n.Name, Words(names, "and"))
	}
	w.Unknown("attribute-unknown", a.NameAt, fmt.Sprintf("<%s> has no attribute %s", n.Name, Short(a.Name)),
		"libvirt silently drops what it doesn't know, so it would have no effect", fix)
}

// namespace refuses a default namespace: libvirt looks elements up without one, so it finds none.
func (w walker) namespace(n *Node, a *Attribute) {
	if a.Name == "xmlns" && a.Value != "" && a.Value != n.Spec.Space {
		w.Unknown("xml-namespace", a.NameAt, fmt.Sprintf("<%s> sets the default namespace %s", n.Name, Quote(a.Value)),
			fmt.Sprintf("the elements of a %s are in no namespace; libvirt would find none of them", w.lang.Noun),
			"remove the attribute")
	}
}
