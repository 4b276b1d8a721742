// Package xmldoc reads XML documents that people write for a program: it keeps the place of every
// name and value, compares a document with a table of what may stand in it, and reports all faults,
// each at its place.
//
// A front end describes its documents by a [Language]. [Language.Read] turns bytes into a tree of
// [Node], [Language.Check] compares the tree with the table, [Place] says which documents may have
// which part, and [Node.Tokens] plays the tree to a decoder of encoding/xml. Everything is reported
// to a [Report]. The input may be hostile: its size, depth and characters are limited, and nothing
// in it makes the reader open another file.
//
// The package does not know what any element means, and imports neither the IR nor any language.
package xmldoc

// Language is what must be known of a kind of document.
type Language struct {
	// Noun is what a document describes, in messages: "network".
	Noun string
	// Roots are the elements that a document may be; the first is what most documents are.
	Roots []*Element
	// Begin is the advice for a document that is none: "write <network> with a <name> in it".
	Begin string
	// Undeclared returns the advice for a prefix that no xmlns attribute declares; nil for no
	// special one.
	Undeclared func(prefix string) string
}

// Element is one line of a language's table: what an element may hold.
type Element struct {
	Name  string
	Space string // namespace; empty for none
	Many  bool   // Many is true if the element may be given more than once.
	// Free is true if only those of the content that the table has are of interest, as in
	// <metadata>: other elements, and text, are not looked at.
	Free bool
	// FreeAttrs is true if only those attributes that the table has are of interest.
	FreeAttrs bool
	Attrs     []Attr
	Kids      []*Element
	Text      Check // of the character data; nil if there must be none
	May       Who   // documents that may have the element
	Works     Who   // documents in which it has an effect, of those that may have it
}

// Attr is one attribute of an [Element].
type Attr struct {
	Name  string
	Check Check
	Need  bool // Need is true if the element makes no sense without it.
	Hex   bool // Hex is true if hexadecimal numbers are taken, too; [Node.Tokens] makes decimal ones of them.
	May   Who
	Works Who
}

// Who is a set of documents, as a language tells its documents apart. A nil Who stands for all.
type Who interface {
	// Includes is true if a document is in the set; doc is what the language gave to [Place].
	Includes(doc any) bool
}

// Check judges one value by itself. The zero [Problem] says that nothing is wrong.
type Check func(value string) Problem
