package xmldoc

import (
	"fmt"

	"github.com/vnetc/vnetc/ir/diag"
)

// MaxDevice is the length of the longest name of an interface: IFNAMSIZ without the zero byte at
// the end (linux/if.h).
const MaxDevice = 15

// Device accepts the name of a network interface.
func Device(v string) Problem { return DeviceName("device-name", v) }

// DeviceName is [Device], with a code of the caller's.
func DeviceName(code diag.Code, v string) Problem {
	switch {
	case v == "":
		return Problem{code, "an empty name", "an interface has a name of 1 to 15 bytes",
			"write the name of an interface, or remove the attribute"}
	case len(v) > MaxDevice:
		return Problem{code, fmt.Sprintf("%d bytes long", len(v)),
			"the kernel's names of interfaces have 15 bytes at most", "shorten it"}
	case v == "." || v == "..":
		return Problem{code, "a directory", "the kernel keeps a directory of that name for each interface",
			"write a name such as virbr0"}
	case v == "all" || v == "default": // devinet_sysctl_register of net/ipv4/devinet.c
		return Problem{code, "a name that the kernel reserves",
			"settings of that name, such as net.ipv6.conf.all, are about all interfaces, so no interface can have it",
			"write a name such as virbr0"}
	case v[0] == '-':
		return Problem{code, "with a dash at its beginning", "programs take such a name for an option",
			"begin it with a letter"}
	}
	if r, bad := Find(v, UnsafeInDevice); bad {
		return Named(code, r, "rules, dnsmasq's configuration and paths")
	}
	return Problem{}
}
