package netxml

import (
	"fmt"
	"slices"
	"strings"
)

// portOptions: what guests' ports get from the network, and from port groups.
func (c *checker) portOptions() {
	root := c.net.root
	c.bandwidth(root.sound("bandwidth"))
	c.vlan(root.sound("vlan"))
	c.virtualport(root.sound("virtualport"), false)
	var standard *node
	groups := root.all("portgroup")
	for _, g := range groups {
		c.bandwidth(g.sound("bandwidth"))
		c.vlan(g.sound("vlan"))
		c.virtualport(g.sound("virtualport"), true)
		if !g.yes("default") {
			continue
		}
		if standard != nil {
			c.fault("portgroup-default", g.at("default"), "two port groups are the default",
				"a guest that names no group gets the default, so there is one at most",
				"remove default='yes' from one", c.related(standard.at("default"), "the other"))
		}
		standard = g
	}
	c.twice(groups, "name", "portgroup-twice", "guests choose a port group by its name")
	c.vlanPlace(groups, standard != nil)
}

// bandwidth: a limit has an average.
func (c *checker) bandwidth(n *node) {
	if n == nil {
		return
	}
	for _, direction := range [...]string{"inbound", "outbound"} {
		r := n.sound(direction)
		if r == nil {
			continue
		}
		if !r.has("average") {
			if !r.has("floor") {
				c.fault("bandwidth-average", r.tag, fmt.Sprintf("<%s> has no average", direction),
					"peak and burst are how far traffic may exceed the average for a while",
					"write average='1000' or the like, in kilobytes a second")
			}
			continue
		}
		average, ok1 := r.number("average")
		peak, ok2 := r.number("peak")
		if ok1 && ok2 && peak != 0 && peak < average {
			c.warn("bandwidth-peak", r.at("peak"),
				fmt.Sprintf("the peak rate (%d) is below the average (%d)", peak, average),
				"the peak is how fast a burst may go, above the average",
				"raise peak, or remove it")
		}
	}
}

// vlan: tags by themselves; [checker.vlanPlace] says where they may stand.
func (c *checker) vlan(n *node) {
	if n == nil {
		return
	}
	tags := n.all("tag")
	var native *node
	for _, tag := range tags {
		if !tag.has("nativeMode") {
			continue
		}
		if native != nil {
			c.fault("vlan-native", tag.at("nativeMode"), "two tags are the native VLAN",
				"frames without a tag belong to one VLAN", "remove nativeMode from one",
				c.related(native.at("nativeMode"), "the other"))
		}
		native = tag
	}
	c.twice(tags, "id", "vlan-twice", "a port is in a VLAN or not")
	trunk := n.attr("trunk")
	switch {
	case len(tags) == 0:
		c.fault("vlan-tag-missing", n.tag, "<vlan> has no tag", "it says which VLANs a port is in",
			"write <tag id='42'/> into it")
	case trunk != nil && strings.EqualFold(trunk.value, "no") && len(tags) > 1:
		c.fault("vlan-trunk", trunk.valueAt, fmt.Sprintf("trunk is no and there are %d tags", len(tags)),
			"a port in several VLANs is a trunk", "remove trunk, or all tags but one")
	case trunk != nil && strings.EqualFold(trunk.value, "no") && native != nil:
		c.fault("vlan-trunk", trunk.valueAt, "trunk is no and a tag has a nativeMode",
			"only a trunk tells a native VLAN from others", "remove trunk or nativeMode",
			c.related(native.at("nativeMode"), "the native VLAN"))
	case c.kind&(inHostdev|inPassthrough) != 0:
		c.vlanSingle(n, tags, native)
	}
}

// vlanSingle: a function of a network card has one VLAN, whose tag the guest doesn't see.
func (c *checker) vlanSingle(n *node, tags []*node, native *node) {
	at, what, fix := n.at("trunk"), "the port is a trunk", "remove trunk"
	switch {
	case len(tags) > 1:
		at, what, fix = tags[1].tag, fmt.Sprintf("there are %d tags", len(tags)), "keep one tag"
	case native != nil:
		at, what, fix = native.at("nativeMode"), "a VLAN is native", "remove nativeMode"
	case !strings.EqualFold(n.valueOr("trunk"), "yes"):
		return
	}
	c.fault("vlan-single", at, fmt.Sprintf("%s in a network of mode %s", what, c.net.Mode),
		"a function of a network card has one VLAN set by its host", fix)
}

// vlanPlace: who may have VLANs. Libvirt asks the port groups first, and the network itself only if none is the default.
func (c *checker) vlanPlace(groups []*node, standard bool) {
	if c.kind == 0 {
		return
	}
	root := c.net.root
	own := root.sound("vlan")
	refuse := func(n *node) {
		c.fault("vlan-mode", n.tag, fmt.Sprintf("VLAN tags stand in a network of %s", c.kind),
			"ports are tagged by Open vSwitch, by a Linux bridge of the host (mode bridge), or by the card (hostdev, "+
				"passthrough)",
			"remove <vlan>, or choose another forward mode")
	}
	refused := false
	for _, g := range groups {
		vlan := g.sound("vlan")
		if vlan == nil && own == nil {
			continue
		}
		allowed := c.vlanAllowed()
		if vp := g.kid("virtualport"); vp != nil {
			allowed = c.kind&(inBridge|inDirect) != 0 && vp.valueOr("type") == "openvswitch"
		}
		switch {
		case allowed:
		case vlan != nil:
			refuse(vlan)
		case !refused:
			refuse(own)
			refused = true
		}
	}
	if own != nil && !refused && !standard && !c.vlanAllowed() {
		refuse(own)
	}
}

func (c *checker) vlanAllowed() bool {
	vp := c.net.root.kid("virtualport")
	return c.kind&(inHostdev|inPassthrough) != 0 ||
		c.kind&(inBridge|inDirect) != 0 && (vp == nil || vp.valueOr("type") == "openvswitch")
}

// virtualPorts lists, by type, the networks that may have a virtual port and the parameters of it.
var virtualPorts = map[string]struct {
	modes      modes
	parameters []string
}{
	"802.1Qbg":    {inMacvtap | inHostdev, []string{"managerid", "typeid", "typeidversion", "instanceid"}},
	"802.1Qbh":    {inMacvtap | inHostdev, []string{"profileid"}},
	"openvswitch": {inBridge, []string{"interfaceid", "profileid"}},
	"midonet":     {inBridge, []string{"interfaceid"}},
}

// virtualport: it fits the mode, and has the parameters of its type. A port group's is of the network's type if it has none
// of its own.
func (c *checker) virtualport(n *node, group bool) {
	if n == nil {
		return
	}
	kind, ok := n.value("type")
	network, _ := c.net.root.kid("virtualport").value("type")
	switch port := virtualPorts[kind]; {
	case n.has("type") && !ok:
		return
	case !ok && c.managed():
		c.fault("virtualport-mode", n.tag, fmt.Sprintf("a virtual port stands in a network of %s", c.kind),
			"it is what a switch beside the host's own bridges is told of a port", "remove it, or choose another forward mode")
		return
	case !ok:
		kind = network
	case ok && c.kind != 0 && c.kind&port.modes == 0:
		c.fault("virtualport-mode", n.at("type"),
			fmt.Sprintf("a virtual port of type %s stands in a network of %s", kind, c.kind),
			fmt.Sprintf("that type is for %s only", port.modes),
			"remove it, or choose another forward mode")
		return
	case group && kind == "openvswitch" && c.kind == inBridge && network != kind:
		c.fault("virtualport-mode", n.at("type"), "a port group is of Open vSwitch and the network is not",
			"all ports of a bridge are on the same switch",
			"write <virtualport type='openvswitch'/> into <network> too")
	}
	if kind != "" {
		c.portParameters(n.kid("parameters"), kind)
	}
}

func (c *checker) portParameters(n *node, kind string) {
	if n == nil {
		return
	}
	known := virtualPorts[kind].parameters
	for i := range n.attrs {
		if a := &n.attrs[i]; !a.bad && !isNamespace(a.name) && !slices.Contains(known, a.name) {
			c.fault("virtualport-parameter", a.nameAt, fmt.Sprintf("%s is no parameter of type %s", a.name, kind),
				"each kind of switch has parameters of its own",
				fmt.Sprintf("remove it; %s has %s", kind, words(known, "and")))
		}
	}
}
