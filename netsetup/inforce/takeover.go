package inforce

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// TakeOver says that libvirt's rules of the networks are to be removed once ours are loaded.
type TakeOver struct {
	Root string // of the file system in which libvirt is looked for
}

// Taken is what happened to libvirt's rules in one place, or would happen.
type Taken struct {
	Place string
	firewall.Taken

	loader backends.Pruner
}

// takingOver is what is known of libvirt before its rules are touched.
type takingOver struct {
	claim  firewall.Claim
	active []string // networks taken over that libvirt's status files call active
	places []Taken  // what would go
}

// planTakeOver returns how the rules of w's networks are taken over, nil if they are not. It is
// refused while a daemon runs one of them, and where rules of libvirt's might be taken for those of
// another network.
func (h *Host) planTakeOver(o *TakeOver, w Wanted) (*takingOver, error) {
	if o == nil {
		return nil, nil
	}
	if h.target.Options.Names != backends.VnetcNames {
		return nil, refuse(Usage, "use --names vnetc",
			"--take-over with --names libvirt would remove what it has just loaded")
	}
	host := libvirt.Host{Proc: filepath.Join(o.Root, "proc"), Run: filepath.Join(o.Root, "run/libvirt")}
	daemon, err := host.Daemon()
	if err != nil {
		return nil, failed(err)
	}
	status, err := host.Networks()
	if err != nil {
		return nil, failed(err)
	}
	parsed, found := h.o.Compiler.Parse(w.Sources, ParseOptions{Lax: true, Bridges: bridgesOf(w.networks),
		Policies: w.first, Allow: allowed})
	if found.HasErrors() {
		return nil, failf("the networks don't compile: %v", found) // they did before
	}
	live := make([]*Document, len(status))
	for i, s := range status {
		if d, ok := h.o.Compiler.Live(s); ok {
			live[i] = &d
		}
	}
	t := &takingOver{}
	var claims []Document
	for i, d := range parsed.Networks {
		if !d.Mode.Filtered() || d.AutoBridge && w.networks[i].Up {
			continue // vnetc has no rules for it, or it has a bridge that only vnetc has had
		}
		of, err := t.claimsOf(d, status, live, daemon)
		if err != nil {
			return nil, err
		}
		claims = append(claims, of...)
	}
	t.claim = firewall.Claim{Program: h.o.Compiler.Claims(claims), Frame: daemon == nil}
	return t, h.lookForLibvirt(t)
}

// claimsOf returns the documents that libvirt may have made rules of for d: its own, and that of
// the network which its status files have in d's place. Live has the networks of status, nil for
// those that can't be read.
func (t *takingOver) claimsOf(
	d Document, status []libvirt.Status, live []*Document, daemon *libvirt.Daemon,
) ([]Document, error) {
	claims := []Document{d}
	known := !d.AutoBridge
	for i, s := range status {
		live, named := live[i], s.Name == d.Name
		bridge := live != nil && live.Bridge == d.Bridge
		known = known || named && bridge
		if !named && !bridge || live != nil && !live.Mode.Filtered() {
			continue
		}
		if daemon != nil {
			return nil, refuseTakeOver(daemon, s.Name, live)
		}
		if live != nil && !bridge && hasDevice(live.Bridge) {
			return nil, refuseMoved(d, live.Bridge)
		}
		t.active = append(t.active, s.Name)
		if live != nil {
			claims = append(claims, *live)
		}
	}
	if !known {
		return nil, refuseChosen(d)
	}
	return claims, nil
}

// lookForLibvirt finds out what would go. Where that is unknown nothing must be touched: an error
// would come too late then.
func (h *Host) lookForLibvirt(t *takingOver) error {
	dry := t.claim
	dry.DryRun = true
	for _, p := range h.o.Places {
		loader, ok := p.Loader.(backends.Pruner)
		if !ok {
			continue
		}
		taken, err := firewall.TakeOver(loader, dry)
		if err != nil && loader.Available() != nil {
			// libvirt can't have used what can't be used here. Where a tool is missing that is no
			// news.
			if !errors.Is(err, exec.ErrNotFound) {
				h.tell(Unreadable{p.Title, err})
			}
			continue
		}
		if err != nil {
			return failf("--take-over can't identify libvirt's rules in %s: %w; no rule was changed", p.Title, err)
		}
		if taken.Found || taken.Changed > 0 { // a table may have no chain
			t.places = append(t.places, Taken{p.Title, taken, loader})
		}
	}
	return nil
}

// takeOver takes the rules away wherever they stand, or says what would go. A nil t takes nothing.
// Where they can't be taken away the others still go: ours stand.
func (h *Host) takeOver(t *takingOver, dry bool) (all []Taken, err error) {
	if t == nil {
		return nil, nil
	}
	all = append([]Taken{}, t.places...)
	for i, p := range all {
		if dry {
			break
		}
		taken, failed := firewall.TakeOver(p.loader, t.claim)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("remove libvirt's rules from %s: %w", p.Place, failed))
		}
		all[i].Taken = taken
	}
	if err != nil {
		return nil, failf("vnetc's rules are loaded, and libvirt's are still there: %w", err)
	}
	for _, name := range t.active {
		h.tell(StillActive{name})
	}
	return all, nil
}

// hasDevice is true if this host has a network device called name.
func hasDevice(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// refuseTakeOver says that a daemon runs the network called name. Live may be nil, if its status
// file can't be read.
func refuseTakeOver(d *libvirt.Daemon, name string, live *Document) error {
	mode := ""
	if live != nil {
		mode = fmt.Sprintf(" (bridge %s, mode %s)", live.Bridge, live.Mode)
	}
	return &Error{
		Kind: No,
		What: fmt.Sprintf("--take-over is refused: %s runs network %q%s; no rule was changed", d, name, mode),
		Why:  "it adds its own rules again whenever it reloads or starts the network, and packets then meet both",
		Fix: fmt.Sprintf(`leave the network to libvirt in mode open (virsh net-edit %s, then virsh net-destroy and net-start), or stop
       the daemon for good (systemctl disable --now %s.service and its sockets), and take over then`, name, d.Name),
	}
}

// refuseChosen says that a document leaves open which bridge libvirt gave the network.
func refuseChosen(d Document) error {
	return &Error{
		Kind: No,
		What: fmt.Sprintf("--take-over is refused: the XML of network %q names no bridge, and vnetc chose %s; no "+
			"rule was changed", d.Name, d.Bridge),
		Why: fmt.Sprintf("libvirt's rules are found by the bridge, and %s may belong to another of libvirt's "+
			"networks", d.Bridge),
		Fix: fmt.Sprintf("name the bridge that libvirt gave it, <bridge name='...'/>, "+
			"as virsh net-dumpxml %s prints it while the network runs", d.Name),
	}
}

// refuseMoved says that a network's guests are on another bridge than its document names.
func refuseMoved(d Document, bridge string) error {
	return &Error{
		Kind: No,
		What: fmt.Sprintf("--take-over is refused: libvirt's network %q has bridge %s, which exists, and its XML "+
			"says %s; no rule was changed", d.Name, bridge, d.Bridge),
		Why: fmt.Sprintf("without libvirt's rules, and with vnetc's rules for %s, no rules would protect the guests on %s",
			d.Bridge, bridge),
		Fix: fmt.Sprintf("put <bridge name='%s'/> into the XML, or delete that bridge first", bridge),
	}
}
