package golden

import _ "embed"

//go:embed networks/default.xml
var defaultXML string

// DefaultNetwork returns the XML of the network that libvirt calls default: NAT on virbr0, 192.168.122.0/24.
func DefaultNetwork() []byte { return []byte(defaultXML) }
