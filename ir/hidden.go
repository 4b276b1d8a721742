package ir

// Hidden is something on a host that packets may pass and whose rules are not read, as no program
// can have them: a chain of bridges, of ARP or of one device, a flowtable.
type Hidden struct {
	Family string // nft(8)'s word: bridge, netdev, arp, inet
	Table  string
	Chain  string // empty for a flowtable
	Hook   string // nft(8)'s word
	Device string // of hooks that belong to a device; empty if it is not told
	Text   string // all of this in words
}
