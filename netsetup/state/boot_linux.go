package state

import "golang.org/x/sys/unix"

// bootID is where rules live and die: a network namespace of one boot. State files that a folder
// brings along from another, since it outlived a boot or is shared, say nothing about the kernel's
// rules here.
type bootID struct {
	Boot  string `json:"boot"`  // as [Since] names it; empty if it has no name
	NetNS uint64 `json:"netns"` // number of the namespace's file, as in ls -i (namespaces(7)); 0 if it can't be had
}

// here returns the boot and network namespace of the calling thread.
func here() bootID {
	var b bootID
	b.Boot, _, _ = Since()
	var file unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &file) == nil {
		b.NetNS = file.Ino
	}
	return b
}

// sameBoot and sameNetNS are true unless both know where they are and differ: a state file that was
// written where /proc is not mounted is about this host until something else is known, since to
// forget it could open its network.
func (b bootID) sameBoot(o bootID) bool { return b.Boot == o.Boot || b.Boot == "" || o.Boot == "" }

func (b bootID) sameNetNS(o bootID) bool { return b.NetNS == o.NetNS || b.NetNS == 0 || o.NetNS == 0 }

func (b bootID) same(o bootID) bool { return b.sameBoot(o) && b.sameNetNS(o) }
