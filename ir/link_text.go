package ir

import (
	"encoding"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir/diag"
)

// The text form of a Link follows its Go type, so that a new field needs no code here: a key is the
// field's name in lower case, fields of the zero value are left out, a struct is a block, a slice
// is its key again for each element. A value is a word: a number, true, a duration as Go prints it,
// a MAC, or what the type's MarshalText says.

// printLink writes l. A block of plain values stands on one line.
func printLink(b *strings.Builder, l *Link) {
	fmt.Fprintf(b, "link %s {\n", strconv.Quote(l.Name))
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Name != "Name" {
			printEntry(b, "    ", strings.ToLower(f.Name), v.Field(i))
		}
	}
	b.WriteString("}\n")
}

// printEntry writes the lines of one field.
func printEntry(b *strings.Builder, indent, key string, v reflect.Value) {
	if isList(v.Type()) {
		for i := range v.Len() {
			printValue(b, indent, key, v.Index(i))
		}
	} else if !v.IsZero() {
		printValue(b, indent, key, v)
	}
}

func printValue(b *strings.Builder, indent, key string, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !isBlock(v.Type()) {
		fmt.Fprintf(b, "%s%s %s\n", indent, key, leafText(v))
		return
	}
	var inner strings.Builder
	flat := isFlat(v.Type())
	for i := range v.NumField() {
		name := strings.ToLower(v.Type().Field(i).Name)
		if flat {
			printEntry(&inner, " ", name, v.Field(i))
		} else {
			printEntry(&inner, indent+"    ", name, v.Field(i))
		}
	}
	if flat {
		fmt.Fprintf(b, "%s%s {%s }\n", indent, key, strings.ReplaceAll(inner.String(), "\n", ""))
		return
	}
	fmt.Fprintf(b, "%s%s {\n%s%s}\n", indent, key, inner.String(), indent)
}

var (
	marshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	macType     = reflect.TypeFor[net.HardwareAddr]()
	elapsedType = reflect.TypeFor[time.Duration]()
)

// isLeaf is true if a value of type t is one word, though its kind may be a struct or a slice.
func isLeaf(t reflect.Type) bool {
	return t == macType || t.NumMethod() > 0 && t.Implements(marshaler) // the first is told sooner
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice && !isLeaf(t) }

// isBlock is true if a value of type t is written in braces.
func isBlock(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isLeaf(t) }

// isFlat is true if all fields of t are words.
func isFlat(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i).Type; isBlock(f) || isList(f) || f.Kind() == reflect.Pointer {
			return false
		}
	}
	return true
}

// leafText returns the word of a value.
func leafText(v reflect.Value) string {
	switch {
	case v.Type() == macType || v.Type() == elapsedType:
		return word(v.Interface().(fmt.Stringer).String())
	case isLeaf(v.Type()):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic(fmt.Sprintf("ir: no text for %T: %v", v.Interface(), err))
		}
		return word(string(text))
	}
	switch v.Kind() {
	case reflect.String:
		return word(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	panic(fmt.Sprintf("ir: a link's text has no form for %s", v.Type()))
}

func (t *textReader) link(l *textLink) *Link {
	link := &Link{Name: t.text(l.Name)}
	t.fields(reflect.ValueOf(link).Elem(), l.Entries, "Name")
	return link
}

// fields sets the fields of struct v from entries, but for the one called except.
func (t *textReader) fields(v reflect.Value, entries []*textEntry, except string) {
	seen := make(map[string]bool)
	for _, e := range entries {
		key := t.text(e.Key)
		field, ok := fieldOf(v, key, except)
		switch {
		case !ok:
			t.unknownKey(e.Key, v.Type())
		case isList(field.Type()):
			element := reflect.New(field.Type().Elem()).Elem()
			t.set(element, e)
			field.Set(reflect.Append(field, element))
		case seen[key]:
			t.errorf("ir-key", e.Key.Pos.Offset, len(e.Key.Text), fmt.Sprintf("%s is given twice", shown(key)),
				"it has one value, and it is unclear which one is meant", "remove one of the two")
		default:
			t.set(field, e)
		}
		seen[key] = true
	}
}

func fieldOf(v reflect.Value, key, except string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != except && strings.ToLower(name) == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func (t *textReader) unknownKey(w textWord, in reflect.Type) {
	var keys []string
	for i := range in.NumField() {
		keys = append(keys, strings.ToLower(in.Field(i).Name))
	}
	fix := "write one of " + strings.Join(keys, ", ")
	if near, ok := diag.Near(t.text(w), keys); ok {
		fix = fmt.Sprintf("did you mean %s?", near)
	}
	t.errorf("ir-key", w.Pos.Offset, len(w.Text), fmt.Sprintf("%s is not a key here", shown(w.Text)),
		"each block of a link has keys of its own", fix)
}

// set sets v from what stands after the key of e.
func (t *textReader) set(v reflect.Value, e *textEntry) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case isBlock(v.Type()) && e.Block:
		t.fields(v, e.Entries, "")
	case isBlock(v.Type()):
		t.value(*e.Value, "a block", "write { after the key, then keys and values, then }")
	case e.Block:
		t.errorf("ir-value", e.Key.Pos.Offset, len(e.Key.Text), fmt.Sprintf("%s has a block", shown(e.Key.Text)),
			"this key has one word as its value", "write the value instead of the block")
	default:
		t.setLeaf(v, *e.Value)
	}
}

// setLeaf sets v from one word.
func (t *textReader) setLeaf(v reflect.Value, w textWord) {
	text := t.text(w)
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if u.UnmarshalText([]byte(text)) != nil {
			t.value(w, "a value of this key", "write it as vnetc prints it")
		}
		return
	}
	switch {
	case v.Type() == macType:
		mac, err := net.ParseMAC(text)
		if err != nil {
			t.value(w, "a MAC address", "write six bytes in hexadecimal, such as 52:54:00:12:34:56")
		}
		v.SetBytes(mac)
	case v.Type() == elapsedType:
		d, err := time.ParseDuration(text)
		if err != nil {
			t.value(w, "a duration", "write a number and a unit, such as 2s")
		}
		v.SetInt(int64(d))
	default:
		t.setPlain(v, w, text)
	}
}

func (t *textReader) setPlain(v reflect.Value, w textWord, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			t.value(w, "true or false", "write true, or remove the key")
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.value(w, "a number", "write a decimal number")
		}
		v.SetInt(n)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(t.number(w, v.Type().Bits()))
	default:
		panic(fmt.Sprintf("ir: a link's text has no form for %s", v.Type()))
	}
}
