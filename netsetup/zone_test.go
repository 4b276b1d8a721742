package netsetup

import (
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/bus"
	"github.com/vnetc/vnetc/netsetup/link"
)

// TestNoZone: firewalld without libvirt's zones is no reason to refuse a network that names no
// zone; its plan says what is missing. A zone that the network names must be there.
func TestNoZone(t *testing.T) {
	for _, tt := range []struct {
		name, zone    string
		zones         []string
		step, fault   string
		refused       string
		withoutDaemon bool
	}{
		{name: "libvirt's zone", zones: []string{"public", "libvirt"}, step: "put vb1 into zone libvirt"},
		{name: "no zone of libvirt's", zones: []string{"public"},
			fault: "firewalld has no zone libvirt, so bridge vb1 stays in its default zone"},
		{name: "a zone of its own", zone: "trusted", zones: []string{"public", "trusted"},
			step: "put vb1 into zone trusted"},
		{name: "not the zone of its own", zone: "attic", zones: []string{"public"},
			refused: "firewalld has no zone attic"},
		{name: "no firewalld", withoutDaemon: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Host{Facts: &link.Facts{IPv6: true}, Bus: &bus.Bus{Firewalld: !tt.withoutDaemon, Zones: tt.zones},
				fresh: true}
			var p Plan
			err := h.zone(&p, &ir.Link{Name: "lab", Mode: ir.ModeNAT, Bridge: ir.Bridge{Name: "vb1", Zone: tt.zone}})
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v, want %q in it", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var steps []string
			for _, s := range p.Before {
				steps = append(steps, s.String())
			}
			for _, c := range []struct{ what, got, want string }{
				{"steps", strings.Join(steps, "\n"), tt.step},
				{"faults", strings.Join(p.Faults, "\n"), tt.fault},
			} {
				if (c.got == "") != (c.want == "") || !strings.Contains(c.got, c.want) {
					t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
				}
			}
		})
	}
}
