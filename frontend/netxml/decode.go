package netxml

import (
	"encoding/xml"

	"libvirt.org/go/libvirtxml"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// decode fills c.net.Def. The tree is replayed as tokens, so the text is read once; what the schema
// doesn't know is left out. After a check without errors libvirtxml has nothing to refuse; if it
// does, that is reported all the same.
func (c *checker) decode() {
	var def libvirtxml.Network
	if err := xml.NewTokenDecoder(c.net.root.Tokens()).Decode(&def); err != nil {
		c.Fault("xml-syntax", c.net.root.Tag, "libvirtxml refuses the document: "+xmldoc.Quote(err.Error()),
			"every document is decoded by the library that libvirt's own tools share",
			"report this to the authors of vnetc, with the document")
		return
	}
	if meta := c.net.root.Kid("metadata"); meta != nil {
		def.Metadata = &libvirtxml.NetworkMetadata{XML: string(c.Source.Text[meta.Inner.Start:meta.Inner.End])}
	}
	c.net.Def = def
}
