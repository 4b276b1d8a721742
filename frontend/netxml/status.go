package netxml

import (
	"bytes"
	"encoding/xml"
)

// Live cuts the live <network> out of a status file of libvirt's, whose root is <networkstatus>;
// nil if there is none. What it returns is for [Parse] to check.
func Live(status []byte) []byte {
	dec := xml.NewDecoder(bytes.NewReader(status))
	depth, begin := 0, int64(-1)
	for {
		at := dec.InputOffset()
		token, err := dec.RawToken()
		if err != nil {
			return nil
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 2 && t.Name.Local == "network" && t.Name.Space == "" {
				begin = at
			}
		case xml.EndElement:
			depth--
			if depth == 1 && begin >= 0 {
				return status[begin:dec.InputOffset()]
			}
		}
	}
}
