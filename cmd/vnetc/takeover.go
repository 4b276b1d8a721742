package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

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
}

// place is what became of libvirt's rules in one place.
type place struct {
	name string
	firewall.Taken
}

// planTakeOver returns how the rules of w's networks are taken over, nil if they are not. It is refused while a daemon runs
// one of them.
func planTakeOver(f *takeOverFlags, names backends.Names, w wanted) (*takeOver, error) {
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
	nets, found := netxml.Parse(w.src, netxml.Options{Lax: true})
	if found.HasErrors() {
		return nil, hostf("the networks don't compile: %v", found) // they did before
	}
	t := &takeOver{claim: firewall.Claim{Frame: daemon == nil}}
	var claims []*netxml.Network
	for _, n := range nets {
		if !n.Mode.Filtered() {
			continue // vnetc has no rules for it
		}
		claims = append(claims, n, everythingOn(n.Bridge))
		for _, s := range status {
			live := liveNetwork(s)
			bridge := live != nil && live.Bridge == n.Bridge
			if s.Name != n.Name() && !bridge || live != nil && !live.Mode.Filtered() {
				continue
			}
			if daemon != nil {
				return nil, refuseTakeOver(daemon, s.Name, live)
			}
			t.active = append(t.active, s.Name)
			if live != nil {
				claims = append(claims, live, everythingOn(live.Bridge))
			}
		}
	}
	t.claim.Program = netxml.Lower(claims)
	return t, nil
}

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

// liveNetwork reads the network in a status file; nil if that can't be read, or not without errors.
func liveNetwork(s libvirt.Status) *netxml.Network {
	var src diag.Sources
	src.Add(s.Path, netxml.Live(s.Text))
	nets, found := netxml.Parse(&src, netxml.Options{Lax: true})
	if found.HasErrors() || len(nets) != 1 {
		return nil
	}
	return nets[0]
}

// everythingOn returns the isolated network on a bridge that has all rules libvirt makes by the bridge alone: for both
// families, DHCP and TFTP. (Rules of a subnet it has none.)
func everythingOn(bridge string) *netxml.Network {
	var name bytes.Buffer
	if err := xml.EscapeText(&name, []byte(bridge)); err != nil {
		panic(err) // a buffer takes everything
	}
	var src diag.Sources
	src.Add("", fmt.Appendf(nil, `<network ipv6='yes'><name>any</name><bridge name='%s'/>
<ip address='192.0.2.1' prefix='24'><tftp root='/srv'/><dhcp><range start='192.0.2.2' end='192.0.2.3'/></dhcp></ip>
<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>`, name.Bytes()))
	nets, found := netxml.Parse(&src, netxml.Options{})
	if found.HasErrors() {
		panic(fmt.Sprintf("a bridge %q that passed its checks: %v", bridge, found))
	}
	return nets[0]
}

// run takes the rules away wherever they stand, or says what would go. What has nothing of libvirt's is left out. A nil t
// takes nothing.
func (t *takeOver) run(s streams, dryRun bool) ([]place, error) {
	if t == nil {
		return nil, nil
	}
	t.claim.DryRun = dryRun
	places := []place{}
	for _, p := range libvirtPlaces {
		if _, err := p.loader.Dump(backends.LibvirtNames); err != nil {
			// libvirt can't have used what can't be used here. Where a tool is missing that is no news.
			if !errors.Is(err, exec.ErrNotFound) {
				fmt.Fprintf(s.err, "vnetc: %s can't be looked at for rules of libvirt's: %v\n", p.name, err)
			}
			continue
		}
		taken, err := firewall.TakeOver(p.loader, t.claim)
		if err != nil {
			return places, hostf("vnetc's rules are in force, and so are libvirt's: take them out of %s: %v", p.name, err)
		}
		if taken.Found {
			places = append(places, place{p.name, taken})
		}
	}
	for _, name := range t.active {
		fmt.Fprintf(s.err, "vnetc: libvirt's notes call network %q active: its daemon, when it starts, makes rules for it again, unless the network is in mode open there\n", name)
	}
	return places, nil
}

// goes is true if something of libvirt's goes.
func (p place) goes() bool { return len(p.Removed) > 0 || p.Gone }

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
