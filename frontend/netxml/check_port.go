package netxml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// portOptions: what guests' ports get from the network, and from port groups.
func (c *checker) portOptions() {
	root := c.net.root
	c.bandwidth(root.Sound("bandwidth"))
	c.vlan(root.Sound("vlan"))
	c.virtualport(root.Sound("virtualport"), false)
	var standard *xmldoc.Node
	groups := root.All("portgroup")
	for _, g := range groups {
		c.bandwidth(g.Sound("bandwidth"))
		c.vlan(g.Sound("vlan"))
		c.virtualport(g.Sound("virtualport"), true)
		if !g.Yes("default") {
			continue
		}
		if standard != nil {
			c.Fault("portgroup-default", g.At("default"), "two port groups are the default",
				"a guest that names no group gets the default, so there is one at most",
				"remove default='yes' from one", c.Related(standard.At("default"), "the other"))
		}
		standard = g
	}
	c.twice(groups, "name", "portgroup-twice", "guests choose a port group by its name")
	c.vlanPlace(groups, standard != nil)
}

// bandwidth: a limit has an average.
func (c *checker) bandwidth(n *xmldoc.Node) {
	if n == nil {
		return
	}
	for _, direction := range [...]string{"inbound", "outbound"} {
		r := n.Sound(direction)
		if r == nil {
			continue
		}
		if !r.Has("average") {
			if !r.Has("floor") {
				c.Fault("bandwidth-average", r.Tag, fmt.Sprintf("<%s> has no average", direction),
					"peak and burst are how far traffic may exceed the average for a while",
					"write average='1000' or the like, in kilobytes a second")
			}
			continue
		}
		average, ok1 := r.Number("average")
		peak, ok2 := r.Number("peak")
		if ok1 && ok2 && peak != 0 && peak < average {
			c.Warn("bandwidth-peak", r.At("peak"),
				fmt.Sprintf("the peak rate (%d) is below the average (%d)", peak, average),
				"the peak is how fast a burst may go, above the average",
				"raise peak, or remove it")
		}
	}
}

// vlan: tags by themselves; [checker.vlanPlace] says where they may stand.
func (c *checker) vlan(n *xmldoc.Node) {
	if n == nil {
		return
	}
	tags := n.All("tag")
	var native *xmldoc.Node
	for _, tag := range tags {
		if !tag.Has("nativeMode") {
			continue
		}
		if native != nil {
			c.Fault("vlan-native", tag.At("nativeMode"), "two tags are the native VLAN",
				"frames without a tag belong to one VLAN", "remove nativeMode from one",
				c.Related(native.At("nativeMode"), "the other"))
		}
		native = tag
	}
	c.twice(tags, "id", "vlan-twice", "a port is in a VLAN or not")
	trunk := n.Attr("trunk")
	switch {
	case len(tags) == 0:
		c.Fault("vlan-tag-missing", n.Tag, "<vlan> has no tag", "it says which VLANs a port is in",
			"write <tag id='42'/> into it")
	case trunk != nil && strings.EqualFold(trunk.Value, "no") && len(tags) > 1:
		c.Fault("vlan-trunk", trunk.ValueAt, fmt.Sprintf("trunk is no, and there are %d tags", len(tags)),
			"a port in several VLANs is a trunk", "remove trunk, or all tags but one")
	case trunk != nil && strings.EqualFold(trunk.Value, "no") && native != nil:
		c.Fault("vlan-trunk", trunk.ValueAt, "trunk is no, and a tag has a nativeMode",
			"only a trunk has a native VLAN", "remove trunk or nativeMode",
			c.Related(native.At("nativeMode"), "the native VLAN"))
	case c.kind&(inHostdev|inPassthrough) != 0:
		c.vlanSingle(n, tags, native)
	}
}

// vlanSingle: a function of a network card has one VLAN, whose tag the guest doesn't see.
func (c *checker) vlanSingle(n *xmldoc.Node, tags []*xmldoc.Node, native *xmldoc.Node) {
	at, what, fix := n.At("trunk"), "the port is a trunk", "remove trunk"
	switch {
	case len(tags) > 1:
		at, what, fix = tags[1].Tag, fmt.Sprintf("there are %d tags", len(tags)), "keep one tag"
	case native != nil:
		at, what, fix = native.At("nativeMode"), "a VLAN is native", "remove nativeMode"
	case !strings.EqualFold(n.ValueOr("trunk"), "yes"):
		return
	}
	c.Fault("vlan-single", at, fmt.Sprintf("%s in a network of mode %s", what, c.net.Mode),
		"a function of a network card has one VLAN set by its host", fix)
}

// vlanPlace: who may have VLANs. Libvirt asks the port groups first, and the network itself only if
// none is the default.
func (c *checker) vlanPlace(groups []*xmldoc.Node, standard bool) {
	if c.kind == 0 {
		return
	}
	root := c.net.root
	own := root.Sound("vlan")
	refuse := func(n *xmldoc.Node) {
		c.Fault("vlan-mode", n.Tag, fmt.Sprintf("VLAN tags are in a network of %s", c.kind),
			"ports are tagged by Open vSwitch, by a Linux bridge of the host (mode bridge), or by the card (hostdev, "+
				"passthrough)",
			"remove <vlan>, or choose another forward mode")
	}
	refused := false
	for _, g := range groups {
		vlan := g.Sound("vlan")
		if vlan == nil && own == nil {
			continue
		}
		allowed := c.vlanAllowed()
		if vp := g.Kid("virtualport"); vp != nil {
			allowed = c.kind&(inBridge|inDirect) != 0 && vp.ValueOr("type") == "openvswitch"
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
	vp := c.net.root.Kid("virtualport")
	return c.kind&(inHostdev|inPassthrough) != 0 ||
		c.kind&(inBridge|inDirect) != 0 && (vp == nil || vp.ValueOr("type") == "openvswitch")
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

// virtualport: it fits the mode, and has the parameters of its type. A port group's is of the
// network's type if it has none of its own.
func (c *checker) virtualport(n *xmldoc.Node, group bool) {
	if n == nil {
		return
	}
	kind, ok := n.Value("type")
	network, _ := c.net.root.Kid("virtualport").Value("type")
	switch port := virtualPorts[kind]; {
	case n.Has("type") && !ok:
		return
	case !ok && c.managed():
		c.Fault("virtualport-mode", n.Tag, fmt.Sprintf("a virtual port is in a network of %s", c.kind),
			"it describes a port of a switch other than the host's own bridges",
			"remove it, or choose another forward mode")
		return
	case !ok:
		kind = network
	case ok && c.kind != 0 && c.kind&port.modes == 0:
		c.Fault("virtualport-mode", n.At("type"),
			fmt.Sprintf("a virtual port of type %s is in a network of %s", kind, c.kind),
			fmt.Sprintf("that type is for %s only", port.modes),
			"remove it, or choose another forward mode")
		return
	case group && kind == "openvswitch" && c.kind == inBridge && network != kind:
		c.Fault("virtualport-mode", n.At("type"), "a port group is of Open vSwitch and the network is not",
			"all ports of a bridge are on the same switch",
			"write <virtualport type='openvswitch'/> into <network> too")
	}
	if kind != "" {
		c.portParameters(n.Kid("parameters"), kind)
	}
}

func (c *checker) portParameters(n *xmldoc.Node, kind string) {
	if n == nil {
		return
	}
	known := virtualPorts[kind].parameters
	for i := range n.Attrs {
		if a := &n.Attrs[i]; !a.Bad && !a.IsNamespace() && !slices.Contains(known, a.Name) {
			c.Fault("virtualport-parameter", a.NameAt, fmt.Sprintf("%s is not a parameter of type %s", a.Name, kind),
				"each kind of switch has parameters of its own",
				fmt.Sprintf("remove it; %s has %s", kind, xmldoc.Words(known, "and")))
		}
	}
}
