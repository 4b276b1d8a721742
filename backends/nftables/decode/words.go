package decode

import "github.com/vnetc/vnetc/backends/nftables/wire"

// words returns what the steps say.
func (m *machine) words(steps ...*wire.Expression) string { return debugText(steps...) }
