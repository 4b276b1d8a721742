package netxml

import (
	"fmt"

	"github.com/vnetc/vnetc/ir/diag"
)

// element is one line of the table of the schema: what an element may hold. The table is in elements.go.
type element struct {
	name  string
	space string // namespace, empty for libvirt's own elements
	many  bool   // many is true if the element may be given more than once.
	free  bool   // free is true if the content is nobody's business, as in <metadata>.
	attrs []attr
	kids  []*element
	text  check // of the character data; nil if there must be none
	modes modes // networks that may have it; 0 for all
	works modes // networks in which it has an effect, of those that may have it; 0 for all
}

// attr is one attribute of an element.
type attr struct {
	name  string
	check check
	need  bool // need is true if the element makes no sense without it.
	hex   bool // hex is true if hexadecimal numbers are taken, too.
	modes modes
	works modes
}

// check judges one value by itself. The zero problem says that nothing is wrong.
type check func(value string) problem

// problem is what is wrong with one value. what goes on a sentence that has named the value.
type problem struct {
	code           diag.Code
	what, why, fix string
}

// schema walks the tree beside the table, gives every node its line of the table, and reports what the table doesn't
// know or allow: elements, attributes, repetition, text, and values that are wrong by themselves.
func (c *checker) schema(n *node, spec *element) {
	n.spec = spec
	c.attributes(n)
	if spec.free {
		return
	}
	c.text(n)
	if len(n.kids) == 0 {
		return
	}
	seen := map[*element]*node{}
	for _, k := range n.kids {
		kid := spec.find(k)
		switch first := seen[kid]; {
		case kid == nil:
			c.unknownElement(k, spec)
			continue
		case first != nil && !kid.many:
			k.bad = true
			c.fault("element-twice", k.tag, fmt.Sprintf("<%s> stands twice in <%s>", k.name, n.name),
				"there is one at most, and libvirt takes one of them without a word", "remove one of the two",
				c.related(first.tag, "the first"))
			continue
		case first == nil:
			seen[kid] = k
		}
		c.schema(k, kid)
	}
}

func (e *element) find(n *node) *element {
	for _, k := range e.kids {
		if k.name == n.name && k.space == n.space {
			return k
		}
	}
	return nil
}

// attributes reports attributes that the table doesn't know, values that can't be, and what is missing.
func (c *checker) attributes(n *node) {
	for i := range n.attrs {
		a := &n.attrs[i]
		if isNamespace(a.name) {
			c.namespace(n, a)
			continue
		}
		spec := n.spec.attr(a.name)
		if spec == nil {
			c.unknownAttribute(n, a)
			continue
		}
		a.name = spec.name // let go of the copy
		if p := spec.check(a.value); p.code != "" {
			a.bad = true
			c.fault(p.code, n.at(a.name), fmt.Sprintf("%s of <%s> is %s, %s", a.name, n.name, quote(a.value), p.what),
				p.why, p.fix)
		}
	}
	for _, spec := range n.spec.attrs {
		if spec.need && !n.has(spec.name) {
			n.bad = true
			c.fault("attribute-missing", n.tag, fmt.Sprintf("<%s> has no attribute %s", n.name, spec.name),
				"the element means nothing without it", fmt.Sprintf("write <%s %s='...'>", n.name, spec.name))
		}
	}
}

func (e *element) attr(name string) *attr {
	for i := range e.attrs {
		if e.attrs[i].name == name {
			return &e.attrs[i]
		}
	}
	return nil
}

func (c *checker) text(n *node) {
	if n.spec.text == nil {
		if !blank(n.text) {
			c.unknown("text-unknown", n.textAt, fmt.Sprintf("%s stands in <%s>", quote(n.text), n.name),
				"the element holds attributes and elements, no text; libvirt would not see it", "remove the text")
		}
		return
	}
	p := n.spec.text(n.text)
	if p.code == "" {
		return
	}
	n.bad = true
	at := n.textAt
	if n.text == "" {
		at = n.tag
	}
	c.fault(p.code, at, fmt.Sprintf("<%s> is %s, %s", n.name, quote(n.text), p.what), p.why, p.fix)
}

// unknown reports what the schema has no place for: an error, or a warning if the user is lax.
func (c *checker) unknown(code diag.Code, at extent, what, why, fix string) {
	if c.opts.Lax {
		c.warn(code, at, what, why, fix)
		return
	}
	c.fault(code, at, what, why, fix)
}

func (c *checker) unknownElement(n *node, parent *element) {
	if len(n.space) > 0 && n.space[0] == '?' {
		c.unknown("xml-namespace", n.tag,
			fmt.Sprintf("prefix %s of <%s> is not declared", quote(n.space[1:]), short(n.name)),
			"a prefix stands for the namespace that an xmlns attribute names",
			fmt.Sprintf("if dnsmasq options are meant, write <network xmlns:%s='%s'>", short(n.space[1:]),
				dnsmasqNamespace))
		return
	}
	const why = "libvirt drops what it doesn't know without a word, so it would have no effect"
	what := fmt.Sprintf("<%s> has no place in <%s>", short(n.name), parent.name)
	names := make([]string, 0, len(parent.kids))
	for _, k := range parent.kids {
		names = append(names, k.name)
	}
	fix := "remove it"
	if home := network.home(n.name); home != "" && n.space == "" {
		fix = fmt.Sprintf("put it into <%s>, where it belongs", home)
	} else if near := nearest(n.name, names); near != "" && n.space == "" {
		fix = fmt.Sprintf("did you mean <%s>?", near)
	}
	c.unknown("element-unknown", n.tag, what, why, fix)
}

// home returns the name of an element below e that has a child of that name; empty if there is none.
func (e *element) home(name string) string {
	for _, k := range e.kids {
		if k.name == name {
			return e.name
		}
	}
	for _, k := range e.kids {
		if home := k.home(name); home != "" {
			return home
		}
	}
	return ""
}

func (c *checker) unknownAttribute(n *node, a *attribute) {
	a.bad = true
	names := make([]string, 0, len(n.spec.attrs))
	for _, spec := range n.spec.attrs {
		names = append(names, spec.name)
	}
	fix := fmt.Sprintf("<%s> has no attributes; remove it", n.name)
	if near := nearest(a.name, names); near != "" {
		fix = fmt.Sprintf("did you mean %s?", near)
	} else if len(names) > 0 {
		fix = fmt.Sprintf("remove it; <%s> has %s", n.name, words(names, "and"))
	}
	c.unknown("attribute-unknown", a.nameAt, fmt.Sprintf("<%s> has no attribute %s", n.name, short(a.name)),
		"libvirt drops what it doesn't know without a word, so it would have no effect", fix)
}

func isNamespace(name string) bool { return name == "xmlns" || len(name) > 6 && name[:6] == "xmlns:" }

// namespace refuses a default namespace: libvirt looks elements up without one, so it finds none.
func (c *checker) namespace(n *node, a *attribute) {
	if a.name == "xmlns" && a.value != "" {
		c.unknown("xml-namespace", a.nameAt, fmt.Sprintf("<%s> sets the default namespace %s", n.name, quote(a.value)),
			"the elements of a network are in no namespace; libvirt would find none of them", "remove the attribute")
	}
}
