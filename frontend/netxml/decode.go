package netxml

import (
	"encoding/xml"
	"io"
	"strconv"

	"libvirt.org/go/libvirtxml"
)

// decode fills c.net.Def. The tree is replayed as tokens, so the text is read once; what the schema doesn't know is left
// out. After a check without errors libvirtxml has nothing to refuse; if it does, that is reported all the same.
func (c *checker) decode() {
	var def libvirtxml.Network
	if err := xml.NewTokenDecoder(&replay{stack: []frame{{node: c.net.root}}}).Decode(&def); err != nil {
		c.fault("xml-syntax", c.net.root.tag, "libvirtxml refuses the document: "+quote(err.Error()),
			"every document is decoded by the library that libvirt's own tools share",
			"report this to the authors of vnetc, with the document")
		return
	}
	if meta := c.net.root.kid("metadata"); meta != nil {
		def.Metadata = &libvirtxml.NetworkMetadata{XML: string(c.src.text[meta.inner.start:meta.inner.end])}
	}
	c.net.Def = def
}

// replay yields the tokens of a tree, as an xml.TokenReader.
type replay struct {
	stack []frame
	attrs []xml.Attr // of the last start tag; the decoder is done with it when it asks for the next token
}

// frame is a node whose tokens are being yielded: next counts start, text, children, end.
type frame struct {
	node *node
	next int
}

// Token implements xml.TokenReader.
func (r *replay) Token() (xml.Token, error) {
	for len(r.stack) > 0 {
		f := &r.stack[len(r.stack)-1]
		step := f.next
		f.next++
		switch n := f.node; {
		case step == 0:
			return r.start(n), nil
		case step == 1:
			if n.spec.text != nil && n.text != "" {
				return xml.CharData(n.text), nil
			}
		case step-2 < len(n.kids) && !n.spec.free:
			if k := n.kids[step-2]; k.spec != nil {
				r.stack = append(r.stack, frame{node: k})
			}
		default:
			r.stack = r.stack[:len(r.stack)-1]
			return xml.EndElement{Name: xml.Name{Space: n.space, Local: n.name}}, nil
		}
	}
	return nil, io.EOF
}

// start makes the start tag of n. Hexadecimal numbers become decimal ones, which libvirtxml reads everywhere.
func (r *replay) start(n *node) xml.StartElement {
	r.attrs = r.attrs[:0]
	for _, a := range n.attrs {
		spec := n.spec.attr(a.name)
		if isNamespace(a.name) || spec == nil {
			continue
		}
		value := a.value
		if spec.hex {
			if number, ok := parseNumber(value); ok {
				value = strconv.FormatUint(number, 10)
			}
		}
		r.attrs = append(r.attrs, xml.Attr{Name: xml.Name{Local: a.name}, Value: value})
	}
	return xml.StartElement{Name: xml.Name{Space: n.space, Local: n.name}, Attr: r.attrs}
}
