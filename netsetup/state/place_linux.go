package state

import "golang.org/x/sys/unix"

// place is where rules live and die: a network namespace of one boot. Notes that a folder brings along from another, since it
// outlived a boot or is shared, tell nothing about the kernel's rules here.
type place struct {
	Boot  string `json:"boot"`  // as [Since] names it; empty if it has no name
	NetNS uint64 `json:"netns"` // number of the namespace's file, as in ls -i (namespaces(7)); 0 if it can't be had
}

// note is the file about a network.
type note struct {
	Network
	place
}

// here returns the place of the calling thread.
func here() place {
	var p place
	p.Boot, _, _ = Since()
	var file unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &file) == nil {
		p.NetNS = file.Ino
	}
	return p
}
