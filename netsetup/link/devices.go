package link

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// CheckDevices says what is missing of the devices that a network of an unmanaged mode takes as
// they are: the bridge, the forward devices, the physical function with its virtual functions, the
// PCI functions. sys is /sys of the host.
func CheckDevices(l *ir.Link, f *Facts, sys fs.FS) (found []Problem) {
	if l.Mode.Managed() {
		return nil
	}
	c := checker{l, f, sys, &found}
	if l.Bridge.Name != "" {
		c.bridge(l.Bridge.Name)
	}
	for _, name := range l.Uplink.Devices {
		c.device(name)
	}
	if l.Uplink.PF != "" && c.device(l.Uplink.PF) {
		c.functions(l.Uplink.PF)
	}
	for _, address := range l.Uplink.PCI {
		c.pci(address)
	}
	return found
}

type checker struct {
	link  *ir.Link
	facts *Facts
	sys   fs.FS
	found *[]Problem
}

func (c checker) problem(fix, why, format string, args ...any) {
	*c.found = append(*c.found, Problem{What: fmt.Sprintf(format, args...), Why: why, Fix: fix})
}

// bridge wants a Linux bridge, or an Open vSwitch where the network's ports say so.
func (c checker) bridge(name string) {
	why := fmt.Sprintf("in mode %s guests are attached to an existing bridge", c.link.Mode)
	d, ok := c.facts.Device(name)
	switch {
	case !ok && c.openVSwitch():
		c.problem(fmt.Sprintf("make the bridge first (ovs-vsctl add-br %s), or give the name of another", name), why,
			"network %s: this host has no device %s", c.link.Name, name)
	case !ok:
		c.problem(fmt.Sprintf("make the bridge first (ip link add %s type bridge), or give the name of another", name),
			why,
			"network %s: this host has no device %s", c.link.Name, name)
	case c.openVSwitch() && d.Kind != "openvswitch":
		c.problem("give the name of an Open vSwitch bridge, or remove the <virtualport>", why,
			"network %s: %s is not an Open vSwitch bridge but %s", c.link.Name, name, c.facts.describe(d))
	case !c.openVSwitch() && d.Kind != "bridge":
		c.problem("give the name of a bridge, or take the device as <forward mode='bridge'><interface dev=.../>", why,
			"network %s: %s is not a bridge but %s", c.link.Name, name, c.facts.describe(d))
	}
}

func (c checker) openVSwitch() bool {
	return c.link.Port.VirtualPort != nil && c.link.Port.VirtualPort.Type == "openvswitch"
}

func (c checker) device(name string) bool {
	_, ok := c.facts.Device(name)
	if !ok {
		c.problem("give the name of a device that this host has (ip link shows them)",
			"the network's guests reach the outside through it", "network %s: this host has no device %s", c.link.Name,
			name)
	}
	return ok
}

// functions wants a physical function with virtual functions that guests can have: as PCI devices,
// or by their own network devices.
func (c checker) functions(pf string) {
	dir := path.Join("class/net", pf, "device")
	if _, err := fs.Stat(c.sys, path.Join(dir, "sriov_numvfs")); err != nil {
		c.problem("give the device of an SR-IOV card as <pf dev=...>",
			"the network's devices are its virtual functions",
			"network %s: %s is not an SR-IOV physical function", c.link.Name, pf)
		return
	}
	wanted, what := path.Join(dir, "virtfn*"), "has no virtual functions"
	if c.link.Mode != ir.ModeHostdev {
		wanted, what = path.Join(wanted, "net/*"), "has no virtual function with a network device on this host"
	}
	if functions, _ := fs.Glob(c.sys, wanted); len(functions) == 0 {
		c.problem(fmt.Sprintf("make some: echo 4 > /sys/%s/sriov_numvfs", dir),
			"the network's devices are its virtual functions",
			"network %s: %s %s", c.link.Name, pf, what)
	}
}

// pci wants a virtual function, by its address as lspci -D prints it.
func (c checker) pci(address string) {
	dir := path.Join("bus/pci/devices", address)
	if strings.Contains(address, "/") || !exists(c.sys, dir) {
		c.problem("give the address of a virtual function (lspci -D shows them)", "a guest would get it",
			"network %s: this host has no PCI device %s", c.link.Name, address)
		return
	}
	if !exists(c.sys, path.Join(dir, "physfn")) {
		c.problem("give the address of a virtual function (lspci -D shows them)",
			"a whole card would keep settings of the guest before, such as its MAC",
			"network %s: PCI device %s is not an SR-IOV virtual function", c.link.Name, address)
	}
}

func exists(sys fs.FS, name string) bool {
	_, err := fs.Stat(sys, name)
	return err == nil
}
