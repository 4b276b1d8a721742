package netxml

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
	"github.com/vnetc/vnetc/ir/diag"
)

// policyNamespace is that of <policy> in <metadata>; it ends in the version of the language. All
// namespaces that begin with vnetcNamespaces are vnetc's.
const (
	policyNamespace = "urn:vnetc:policy:1"
	vnetcNamespaces = "urn:vnetc"
)

// Policy returns the text of the policy that the network's document has in its <metadata>, and
// where in the document a part of the text stands, from one byte up to and without another; ok is
// false if it has none. What the text says is not looked at here.
func (n *Network) Policy() (text string, span func(from, to int) diag.Span, ok bool) {
	p := n.policyNode()
	if p == nil {
		return "", nil, false
	}
	if p.Text == "" {
		return "", func(int, int) diag.Span { return n.src.Span(p.Inner) }, true
	}
	return p.Text, n.src.Writing(p.TextAt).Span, true
}

// policyNode returns the element with the policy, nil if there is none.
func (n *Network) policyNode() *xmldoc.Node {
	if meta := n.root.Kid("metadata"); meta != nil {
		for _, k := range meta.Kids {
			if k.Name == "policy" && k.Namespace() == policyNamespace {
				return k
			}
		}
	}
	return nil
}

// policies judges what <metadata> has of vnetc's namespace. Metadata of others is theirs, but what
// looks like a policy and is none would be a firewall with a hole.
func (c *checker) policies() {
	meta := c.net.root.Kid("metadata")
	if meta == nil {
		return
	}
	first := c.net.policyNode()
	for _, k := range meta.Kids {
		switch {
		case k == first:
			c.policyContent(k)
		case k.Name == "policy" && k.Namespace() == policyNamespace:
			c.Fault("metadata-policy-twice", k.Tag, "there is a second <policy> in <metadata>",
				"libvirt keeps one element of each namespace there, and a network has one policy",
				"move its lines into the first", c.Related(first.Tag, "the first"))
		default:
			c.noPolicy(k)
		}
	}
}

// noPolicy reports n, and what is below it, where it is of vnetc's namespaces.
func (c *checker) noPolicy(n *xmldoc.Node) {
	space := n.Namespace()
	switch {
	case space == policyNamespace && n.Name != "policy":
		c.Fault("metadata-policy-element", n.Tag, fmt.Sprintf("<%s> is no element of vnetc", xmldoc.Short(n.Name)),
			"the namespace has one element, <policy>, and nothing of it may go unread", "name it policy, or remove it")
	case space == policyNamespace:
		c.Fault("metadata-policy-element", n.Tag, fmt.Sprintf("<policy> is in <%s>", xmldoc.Short(n.Parent.Name)),
			"a policy is directly in <metadata>, where libvirt keeps it", "move it into <metadata>")
	case strings.HasPrefix(space, vnetcNamespaces):
		c.Fault("metadata-policy-version", n.Tag,
			fmt.Sprintf("<%s> is of namespace %s", xmldoc.Short(n.Name), xmldoc.Quote(space)),
			fmt.Sprintf("this vnetc reads %s, and does not guess what another version means", policyNamespace),
			fmt.Sprintf("write xmlns:vnetc='%s'", policyNamespace))
	case n.Name == "policy" && space == "":
		c.Warn("metadata-policy-version", n.Tag, "<policy> is of no namespace, so it is not read",
			"metadata of many programs is together, each in a namespace of its own",
			fmt.Sprintf("write <vnetc:policy xmlns:vnetc='%s'> if it is for vnetc", policyNamespace))
	case n.Name == "policy" && space == "?vnetc":
		c.Fault("metadata-policy-version", n.Tag, "prefix vnetc of <policy> is not declared",
			"a prefix means the namespace that an xmlns attribute names, which has the version of the language",
			fmt.Sprintf("write <vnetc:policy xmlns:vnetc='%s'>", policyNamespace))
	default:
		for _, k := range n.Kids {
			c.noPolicy(k)
		}
	}
}

// policyContent reports what a policy has beside text.
func (c *checker) policyContent(n *xmldoc.Node) {
	for _, k := range n.Kids {
		c.Fault("metadata-policy-element", k.Tag, fmt.Sprintf("<%s> is in <policy>", xmldoc.Short(k.Name)),
			"a policy is text, one statement on each line", "remove the element")
	}
	for i := range n.Attrs {
		if a := &n.Attrs[i]; !a.IsNamespace() {
			c.Fault("metadata-policy-element", a.NameAt,
				fmt.Sprintf("<policy> has an attribute %s", xmldoc.Short(a.Name)),
				"a policy is text, and has no attributes", "remove the attribute")
		}
	}
}
