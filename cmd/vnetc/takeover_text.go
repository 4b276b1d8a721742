package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// refuseTakeOver says why not. Live may be nil, if its status file can't be read.
func refuseTakeOver(d *libvirt.Daemon, name string, live *netxml.Network) error {
	mode := ""
	if live != nil {
		mode = fmt.Sprintf(" (bridge %s, mode %s)", live.Bridge, live.Mode)
	}
	return exitError{exitNo, fmt.Sprintf(`--take-over is refused: %s runs network %q%s; no rule was touched
  why: it puts its own rules back whenever it reloads or starts the network, and packets then meet both
  fix: leave the network to libvirt in mode open (virsh net-edit %s, then virsh net-destroy and net-start), or stop
       the daemon for good (systemctl disable --now %s.service and its sockets), and take over then`, d, name, mode, name, d.Name)}
}

// refuseChosen says that a document leaves open which bridge libvirt gave the network.
func refuseChosen(n *netxml.Network) error {
	return exitError{exitNo, fmt.Sprintf(`--take-over is refused: the document of network %[1]q names no bridge, and %[2]s is vnetc's choice; no rule was touched
  why: rules are told to be this network's by its bridge, and %[2]s may be another network's of libvirt's
  fix: name the bridge that libvirt gave it, <bridge name='...'/>, as virsh net-dumpxml %[1]s prints it while the network runs`, n.Name(), n.Bridge)}
}

// refuseMoved says that a network's guests are on another bridge than its document names.
func refuseMoved(n *netxml.Network, bridge string) error {
	return exitError{exitNo, fmt.Sprintf(`--take-over is refused: by libvirt's notes network %q has bridge %s, which is there, and its document says %s; no rule was touched
  why: with libvirt's rules gone, and vnetc's for %[3]s, the guests on %[2]s would be under no rules
  fix: put <bridge name='%[2]s'/> into the document, or delete that bridge first`, n.Name(), bridge, n.Bridge)}
}

// goes is true if something of libvirt's goes.
func (p place) goes() bool { return p.Changed > 0 }

func printPlaces(w io.Writer, places []place, dryRun bool) error {
	did, gone := "taken away", "; nothing of libvirt's is left there"
	if dryRun {
		did, gone = "would go", "; nothing of libvirt's would be left there"
	}
	var b strings.Builder
	for _, p := range places {
		fmt.Fprintf(&b, "libvirt's rules in %s: %d %s, %d left", p.name, len(p.Removed), did, len(p.Left))
		if p.Gone {
			b.WriteString(gone)
		}
		b.WriteByte('\n')
		for _, h := range p.Removed {
			fmt.Fprintf(&b, "- %s: %s\n", h.Chain, h.Rule)
		}
		for _, h := range p.Left {
			fmt.Fprintf(&b, "  %s: %s\n", h.Chain, h.Rule)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// The JSON of what became of libvirt's rules.
type (
	jsonPlace struct {
		Where   string     `json:"where"`
		Removed []jsonHeld `json:"removed"`
		Left    []jsonHeld `json:"left"`
		Gone    bool       `json:"gone"`
	}
	jsonHeld struct {
		Chain string `json:"chain"`
		Rule  string `json:"rule"`
	}
)

func jsonPlaces(places []place) []jsonPlace {
	out := []jsonPlace{}
	for _, p := range places {
		j := jsonPlace{Where: p.name, Removed: []jsonHeld{}, Left: []jsonHeld{}, Gone: p.Gone}
		for _, h := range p.Removed {
			j.Removed = append(j.Removed, jsonHeld(h))
		}
		for _, h := range p.Left {
			j.Left = append(j.Left, jsonHeld(h))
		}
		out = append(out, j)
	}
	return out
}
