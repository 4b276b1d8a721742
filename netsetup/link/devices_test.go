package link

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
)

func TestCheckDevices(t *testing.T) {
	f := &Facts{Devices: []Device{
		{Index: 1, Name: "br0", Kind: "bridge"},
		{Index: 2, Name: "eth0"},
		{Index: 3, Name: "ovs0", Kind: "openvswitch"},
		{Index: 4, Name: "pf0"}, {Index: 5, Name: "pf1"}, {Index: 6, Name: "pf2"},
	}}
	file := &fstest.MapFile{}
	sys := fstest.MapFS{ // as Documentation/ABI/testing/sysfs-bus-pci of the kernel has it
		"class/net/pf0/device/sriov_numvfs":          file,
		"class/net/pf0/device/virtfn0/net/pf0v0/mtu": file,
		"class/net/pf1/device/sriov_numvfs":          file,
		"class/net/pf2/device/sriov_numvfs":          file,
		"class/net/pf2/device/virtfn0/vendor":        file,
		"class/net/eth0/device/vendor":               file,
		"bus/pci/devices/0000:01:10.0/physfn/vendor": file,
		"bus/pci/devices/0000:01:00.0/vendor":        file,
	}
	ovs := ir.PortOptions{VirtualPort: &ir.VirtualPort{Type: "openvswitch"}}
	for _, c := range []struct {
		name string
		link ir.Link
		want []string
	}{
		{"bridge", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br0"}}, nil},
		{"no bridge", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br9"}},
			[]string{"network lab: this host has no device br9"}},
		{"card for a bridge", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "eth0"}},
			[]string{"network lab: eth0 is not a bridge but a network card"}},
		{"Open vSwitch", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "ovs0"}, Port: ovs}, nil},
		{"Open vSwitch without virtualport", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "ovs0"}},
			[]string{"network lab: ovs0 is not a bridge but a device of kind openvswitch"}},
		{"bridge for an Open vSwitch", ir.Link{Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br0"}, Port: ovs},
			[]string{"network lab: br0 is not an Open vSwitch bridge but a bridge that vnetc didn't create"}},
		{"macvtap", ir.Link{Mode: ir.ModePrivate, Uplink: ir.Uplink{Devices: []string{"eth0", "eth9"}}},
			[]string{"network lab: this host has no device eth9"}},
		{"virtual functions", ir.Link{Mode: ir.ModePassthrough, Uplink: ir.Uplink{PF: "pf0"}}, nil},
		{"no physical function", ir.Link{Mode: ir.ModeHostdev, Uplink: ir.Uplink{PF: "eth0"}},
			[]string{"network lab: eth0 is not an SR-IOV physical function"}},
		{"no virtual function", ir.Link{Mode: ir.ModeHostdev, Uplink: ir.Uplink{PF: "pf1"}},
			[]string{"network lab: pf1 has no virtual functions"}},
		{"for a guest only", ir.Link{Mode: ir.ModeHostdev, Uplink: ir.Uplink{PF: "pf2"}}, nil},
		{"without devices here", ir.Link{Mode: ir.ModeVEPA, Uplink: ir.Uplink{PF: "pf2"}},
			[]string{"network lab: pf2 has no virtual function with a network device on this host"}},
		{"PCI", ir.Link{Mode: ir.ModeHostdev, Uplink: ir.Uplink{PCI: []string{"0000:01:10.0", "0000:01:00.0",
			"0000:09:00.0"}}},
			[]string{"network lab: PCI device 0000:01:00.0 is not an SR-IOV virtual function",
				"network lab: this host has no PCI device 0000:09:00.0"}},
		{"managed", ir.Link{Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "br9"},
			Uplink: ir.Uplink{Devices: []string{"eth9"}}}, nil},
	} {
		c.link.Name = "lab"
		if diff := cmp.Diff(c.want, whats(CheckDevices(&c.link, f, sys))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func whats(found []Problem) (all []string) {
	for _, p := range found {
		all = append(all, p.What)
	}
	return all
}

// What makes a missing bridge is the command of the program whose bridge it is.
func TestMissingBridge(t *testing.T) {
	l := &ir.Link{Name: "lab", Mode: ir.ModeBridge, Bridge: ir.Bridge{Name: "br9"}}
	for want, port := range map[string]ir.PortOptions{
		"ip link add br9 type bridge": {},
		"ovs-vsctl add-br br9":        {VirtualPort: &ir.VirtualPort{Type: "openvswitch"}},
	} {
		l.Port = port
		found := CheckDevices(l, &Facts{}, fstest.MapFS{})
		if len(found) != 1 || !strings.Contains(found[0].Fix, want) ||
			strings.Contains(found[0].Fix, "ip link") != strings.Contains(want, "ip link") {
			t.Errorf("got %+v, want %q in the fix", found, want)
		}
	}
}
