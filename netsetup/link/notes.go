package link

import (
	"fmt"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// notesOf names what a network's XML wants and no step does: options of guests' ports, which are
// attached later and by others, and changes of a bridge that vnetc only uses.
func notesOf(l *ir.Link) (notes []string) {
	if l.Mode.Managed() {
		notes = append(notes, laterPorts(l)...)
	} else {
		notes = append(notes, leftAlone(l)...)
	}
	notes = append(notes, leftToOthers("", l.Port, nil, nil)...)
	for _, g := range l.Groups {
		notes = append(notes, leftToOthers(" of port group "+g.Name, g.Port, g.Inbound, g.Outbound)...)
	}
	return notes
}

// laterPorts names the options that vnetc sets on the ports which the bridge has, and that one
// attached later lacks.
func laterPorts(l *ir.Link) []string {
	var options []string
	if l.Port.Isolated {
		options = append(options, "isolated on")
	}
	if l.Bridge.LibvirtFDB {
		options = append(options, "learning off", "flood off")
	}
	if len(options) == 0 {
		return nil
	}
	set := strings.Join(options, " ")
	return []string{fmt.Sprintf("vnetc up sets %s on ports that %s has by then; "+
		"for one that is attached later run it again, or bridge link set dev PORT %s", set, l.Bridge.Name, set)}
}

// leftAlone names settings of a bridge that vnetc only uses.
func leftAlone(l *ir.Link) (notes []string) {
	if l.Mode != ir.ModeBridge || l.Bridge.Name == "" {
		return nil
	}
	var asked []string
	if l.Inbound != nil || l.Outbound != nil {
		asked = append(asked, "the bandwidth")
	}
	if l.Bridge.LibvirtFDB {
		asked = append(asked, "the MAC table")
	}
	if l.Port.Isolated {
		asked = append(asked, "isolation of ports")
	}
	for _, what := range asked {
		notes = append(notes, fmt.Sprintf("%s of %s is left as it is: vnetc changes no bridge that it didn't create",
			what, l.Bridge.Name))
	}
	return notes
}

// leftToOthers names the options of guests' ports that only the program that attaches a guest can
// set; whose names a port group.
func leftToOthers(whose string, o ir.PortOptions, in, out *ir.Rate) (notes []string) {
	var asked []string
	if len(o.VLANs) > 0 {
		tags := "VLAN"
		for _, v := range o.VLANs {
			tags += fmt.Sprintf(" %d", v.ID)
		}
		asked = append(asked, tags)
	}
	if in != nil || out != nil {
		asked = append(asked, "the bandwidth")
	}
	for _, what := range asked {
		notes = append(notes,
			fmt.Sprintf("%s%s is set by whoever attaches a guest's port, such as libvirt; vnetc sets none",
				what, whose))
	}
	return notes
}
