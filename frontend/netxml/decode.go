package netxml

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"libvirt.org/go/libvirtxml"
)

// decode fills c.net.Def from the tree, so the text is read once; what the schema doesn't know is left out. After a check
// without errors libvirtxml has nothing to refuse; if it does, that is reported all the same.
func (c *checker) decode() {
	var def libvirtxml.Network
	if err := networkShape().fill(reflect.ValueOf(&def).Elem(), c.net.root); err != nil {
		c.fault("xml-syntax", c.net.root.tag, "libvirtxml refuses the document: "+quote(err.Error()),
			"every document is decoded by the library that libvirt's own tools share",
			"report this to the authors of vnetc, with the document")
		return
	}
	if meta := c.net.root.kid("metadata"); meta != nil {
		def.Metadata.XML = string(c.src.text[meta.inner.start:meta.inner.end])
	}
	c.net.Def = def
}

// shape is one of libvirtxml's structs, as its tags for encoding/xml describe it: which part of an element belongs into
// which field. It is read once; encoding/xml looks for each token anew where it belongs.
type shape struct {
	name    int // index of the field for the element's own name, -1 if there is none
	text    int // index of the field for its text, -1 if there is none
	attrs   []field
	kids    []field
	decodes bool // decodes is true if libvirtxml has code of its own to decode the struct.
}

// field is where an attribute or a child element goes.
type field struct {
	index int
	name  string
	shape *shape // of a child element; nil if it goes into a string
}

var networkShape = sync.OnceValue(func() *shape { return shapeOf(reflect.TypeFor[libvirtxml.Network]()) })

// shapeOf reads the tags of a struct, and of those in it.
func shapeOf(t reflect.Type) *shape {
	s := &shape{name: -1, text: -1, decodes: reflect.PointerTo(t).Implements(reflect.TypeFor[xml.Unmarshaler]())}
	if s.decodes {
		return s
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, kind, _ := strings.Cut(f.Tag.Get("xml"), ",")
		switch {
		case f.Name == "XMLName":
			s.name = i
		case strings.HasPrefix(kind, "attr"):
			s.attrs = append(s.attrs, field{index: i, name: name})
		case kind == "chardata":
			s.text = i
		case f.Type.Kind() == reflect.String:
			if kind != "innerxml" {
				s.kids = append(s.kids, field{index: i, name: name})
			}
		default:
			inner := f.Type.Elem() // of a pointer or a slice
			if own, ok := inner.FieldByName("XMLName"); ok {
				name = own.Tag.Get("xml")
			}
			name = name[strings.LastIndexByte(name, ' ')+1:] // behind the namespace, which the schema has checked
			s.kids = append(s.kids, field{index: i, name: name, shape: shapeOf(inner)})
		}
	}
	return s
}

// fill puts what n holds into v, a struct of shape s.
func (s *shape) fill(v reflect.Value, n *node) error {
	if s.decodes {
		return xml.NewTokenDecoder(&replay{stack: []frame{{node: n}}}).Decode(v.Addr().Interface())
	}
	if s.name >= 0 {
		*v.Field(s.name).Addr().Interface().(*xml.Name) = xml.Name{Space: n.space, Local: n.name}
	}
	if s.text >= 0 {
		v.Field(s.text).SetString(n.text)
	}
	for _, f := range s.attrs {
		if value, ok := n.value(f.name); ok {
			if err := setWord(v.Field(f.index), value); err != nil {
				return fmt.Errorf("%s of %s: %w", f.name, n.name, err)
			}
		}
	}
	for _, f := range s.kids {
		for _, k := range n.kids {
			if k.name == f.name && k.spec != nil {
				if err := f.fill(v.Field(f.index), k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// fill puts the child element k into v, the field that it belongs into; a slice takes it as one more.
func (f *field) fill(v reflect.Value, k *node) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(k.text)
		return nil
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return f.shape.fill(v.Elem(), k)
	case reflect.Slice:
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		return f.shape.fill(v.Index(n), k)
	}
	panic(fmt.Sprintf("netxml: no element goes into a %s", v.Type()))
}

// setWord puts the value of an attribute into v.
func setWord(v reflect.Value, value string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
		return nil
	case reflect.Uint:
		number, err := strconv.ParseUint(value, 10, v.Type().Bits())
		v.SetUint(number)
		return err
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setWord(v.Elem(), value)
	}
	panic(fmt.Sprintf("netxml: no attribute goes into a %s", v.Type()))
}
