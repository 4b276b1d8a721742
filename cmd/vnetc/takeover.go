package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// takeOverFlags say whether libvirt's rules go once ours stand.
type takeOverFlags struct {
	on   bool
	root string // of the file system in which libvirt is looked for
}

func addTakeOverFlags(cmd *cobra.Command, f *takeOverFlags) {
	cmd.Flags().BoolVar(&f.on, "take-over", false, "then take away the rules that libvirt made for these networks")
	cmd.Flags().StringVar(&f.root, "libvirt-root", "/", "where proc and run/libvirt are looked for")
	if err := cmd.Flags().MarkHidden("libvirt-root"); err != nil { // for tests
		panic(err)
	}
}

// libvirtPlaces are where libvirt's rules may stand: it writes with nft, or with whatever iptables was on the host then.
var libvirtPlaces = [...]struct {
	name   string
	loader backends.Pruner
}{
	{"nftables", nftables.Loader{}},
	{"iptables (nf_tables)", iptables.Loader{Variant: iptables.NFTables}},
	{"iptables (legacy)", iptables.Loader{Variant: iptables.Legacy}},
}

// takeOver is what is known of libvirt before its rules are touched.
type takeOver struct {
	claim  firewall.Claim
	active []string // networks taken over that libvirt's status files call active
	places []place  // what would go
}

// place is what becomes of libvirt's rules in one place.
type place struct {
	name   string
	loader backends.Pruner
	firewall.Taken
}

// planTakeOver returns how the rules of w's networks are taken over, nil if they are not. It is refused while a daemon runs
// one of them, and where rules of libvirt's might be taken for those of another network.
func planTakeOver(s streams, f *takeOverFlags, names backends.Names, w wanted) (*takeOver, error) {
	if !f.on {
		return nil, nil
	}
	if names != backends.VnetcNames {
		return nil, usagef("--take-over with --names libvirt would take away what it has just loaded; use --names vnetc")
	}
	host := libvirt.Host{Proc: filepath.Join(f.root, "proc"), Run: filepath.Join(f.root, "run/libvirt")}
	daemon, err := host.Daemon()
	if err != nil {
		return nil, hostf("%v", err)
	}
	status, err := host.Networks()
	if err != nil {
		return nil, hostf("%v", err)
	}
	nets, found := netxml.Parse(w.src, netxml.Options{Lax: true, Bridges: bridgesOf(w.notes)})
	if found.HasErrors() {
		return nil, hostf("the networks don't compile: %v", found) // they did before
	}
	live := make([]*netxml.Network, len(status))
	for i, s := range status {
		live[i] = liveNetwork(s)
	}
	t := &takeOver{}
	var claims []*netxml.Network
	for i, n := range nets {
		if !n.Mode.Filtered() || n.AutoBridge && w.notes[i].Up {
			continue // vnetc has no rules for it, or it has a bridge that only vnetc has had
		}
		of, err := t.claimsOf(n, status, live, daemon)
		if err != nil {
			return nil, err
		}
		claims = append(claims, of...)
	}
	t.claim = firewall.Claim{Program: netxml.Claims(claims), Frame: daemon == nil}
	return t, t.look(s)
}

// claimsOf returns what libvirt may have made rules of for n: its document, and the network that its status files have in n's
// place. Live has the networks of status, nil for those that can't be read.
func (t *takeOver) claimsOf(n *netxml.Network, status []libvirt.Status, live []*netxml.Network, daemon *libvirt.Daemon) ([]*netxml.Network, error) {
	claims := []*netxml.Network{n}
	known := !n.AutoBridge
	for i, s := range status {
		live, named := live[i], s.Name == n.Name()
		bridge := live != nil && live.Bridge == n.Bridge
		known = known || named && bridge
		if !named && !bridge || live != nil && !live.Mode.Filtered() {
			continue
		}
		if daemon != nil {
			return nil, refuseTakeOver(daemon, s.Name, live)
		}
		if live != nil && !bridge && hasDevice(live.Bridge) {
			return nil, refuseMoved(n, live.Bridge)
		}
		t.active = append(t.active, s.Name)
		if live != nil {
			claims = append(claims, live)
		}
	}
	if !known {
		return nil, refuseChosen(n)
	}
	return claims, nil
}

// look finds out what would go. Where that can't be told nothing must be touched: an error would come too late then.
func (t *takeOver) look(s streams) error {
	dry := t.claim
	dry.DryRun = true
	for _, p := range libvirtPlaces {
		taken, err := firewall.TakeOver(p.loader, dry)
		if err != nil && p.loader.Available() != nil {
			// libvirt can't have used what can't be used here. Where a tool is missing that is no news.
			if !errors.Is(err, exec.ErrNotFound) {
				fmt.Fprintf(s.err, "vnetc: %s can't be looked at for rules of libvirt's: %v\n", p.name, err)
			}
			continue
		}
		if err != nil {
			return hostf("--take-over can't tell libvirt's rules in %s: %v; no rule was touched", p.name, err)
		}
		if taken.Found || taken.Changed > 0 { // a table may have no chain
			t.places = append(t.places, place{p.name, p.loader, taken})
		}
	}
	return nil
}

// run takes the rules away wherever they stand, or says what would go. A nil t takes nothing. Where they can't be taken away
// the others still go: ours stand.
func (t *takeOver) run(s streams, dryRun bool) (places []place, err error) {
	if t == nil {
		return nil, nil
	}
	places = append([]place{}, t.places...)
	for i, p := range places {
		if dryRun {
			break
		}
		taken, failed := firewall.TakeOver(p.loader, t.claim)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("take libvirt's rules out of %s: %w", p.name, failed))
		}
		places[i].Taken = taken
	}
	if err != nil {
		return nil, hostf("vnetc's rules are in force, and beside them libvirt's: %v", err)
	}
	for _, name := range t.active {
		fmt.Fprintf(s.err, "vnetc: libvirt's notes call network %q active: its daemon, when it starts, makes rules for it again, unless the network is in mode open there\n", name)
	}
	return places, nil
}

// hasDevice is true if this host has a network device called name.
func hasDevice(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// liveNetwork reads the network in a status file; nil if that can't be read, or not without errors, or
// names no bridge.
func liveNetwork(s libvirt.Status) *netxml.Network {
	var src diag.Sources
	src.Add(s.Path, netxml.Live(s.Text))
	nets, found := netxml.Parse(&src, netxml.Options{Lax: true})
	if found.HasErrors() || len(nets) != 1 || nets[0].AutoBridge {
		return nil
	}
	return nets[0]
}
