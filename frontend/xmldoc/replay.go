package xmldoc

import (
	"encoding/xml"
	"io"
	"strconv"
)

// Tokens plays n, which [Language.Check] has accepted, as the tokens it was made of, for
// [xml.NewTokenDecoder]: so a text is read once. What the table doesn't know is left out.
func (n *Node) Tokens() xml.TokenReader { return &replay{stack: []frame{{node: n}}} }

// replay yields the tokens of a tree, as an xml.TokenReader.
type replay struct {
	stack []frame
	attrs []xml.Attr // of the last start tag; the decoder is done with it when it asks for the next token
}

// frame is a node whose tokens are being yielded: next counts start, text, children, end.
type frame struct {
	node *Node
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
			if n.Spec.Text != nil && n.Text != "" {
				return xml.CharData(n.Text), nil
			}
		case step-2 < len(n.Kids):
			if k := n.Kids[step-2]; k.Spec != nil {
				r.stack = append(r.stack, frame{node: k})
			}
		default:
			r.stack = r.stack[:len(r.stack)-1]
			return xml.EndElement{Name: xml.Name{Space: n.Space, Local: n.Name}}, nil
		}
	}
	return nil, io.EOF
}

// start makes the start tag of n. Hexadecimal numbers become decimal ones, which not every decoder
// reads as such.
func (r *replay) start(n *Node) xml.StartElement {
	r.attrs = r.attrs[:0]
	for _, a := range n.Attrs {
		spec := n.Spec.attr(a.Name)
		if a.IsNamespace() || spec == nil {
			continue
		}
		value := a.Value
		if spec.Hex {
			if number, ok := ParseNumber(value); ok {
				value = strconv.FormatUint(number, 10)
			}
		}
		r.attrs = append(r.attrs, xml.Attr{Name: xml.Name{Local: a.Name}, Value: value})
	}
	return xml.StartElement{Name: xml.Name{Space: n.Space, Local: n.Name}, Attr: r.attrs}
}
