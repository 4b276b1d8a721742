package inforce

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/conntrack"
	"github.com/vnetc/vnetc/netsetup/host"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Machine is the host beside its rules, as it can be asked at any time.
type Machine interface {
	// Marked returns the names of networks whose bridges stand, by the marks on them. It looks at
	// nothing else.
	Marked() ([]string, error)
	// Read looks at everything. The state folder is at dir; lacks has what the kernel couldn't do
	// before, by network; checksum is true if no rule fills in the checksums of DHCP answers.
	Read(dir string, lacks map[string][]state.Lack, checksum bool) (Links, error)
	// CutConnections ends connections that policies forbid since rules went from before to after.
	CutConnections(before, after *ir.Program) (conntrack.Report, error)
}

// Links is a [Machine] as it was when it was read: a [netsetup.Host], or what stands for one in
// tests.
type Links interface {
	Devices() map[string]bool
	Marked() []string
	BridgeMAC(network string) (mac net.HardwareAddr, ok bool)
	Bridge(network string) (name string, ok bool) // by its mark
	FindServers(networks []string) error
	PlanUp(l *ir.Link, mac net.HardwareAddr) (netsetup.Plan, []link.Problem)
	PlanDown(network, bridge string) (netsetup.Plan, error)
	Status(l *ir.Link, mac net.HardwareAddr, now time.Time) (netsetup.Status, error)
	Close() error
}

// ThisMachine returns the host in the network namespace of the calling thread.
func ThisMachine() Machine { return thisMachine{} }

// thisMachine is the host in the network namespace of the calling thread.
type thisMachine struct{}

func (thisMachine) Marked() ([]string, error) { return link.ReadMarked() }

func (thisMachine) Read(dir string, lacks map[string][]state.Lack, checksum bool) (Links, error) {
	all, err := netsetup.ReadHost(dir)
	if err != nil {
		return nil, err
	}
	all.Lacks, all.Checksum = lacks, checksum
	return all, nil
}

func (thisMachine) CutConnections(before, after *ir.Program) (conntrack.Report, error) {
	facts, err := host.Read()
	if err != nil {
		return conntrack.Report{}, err
	}
	return conntrack.Cut(before, after, facts)
}

// read reads the machine. Where rules go must have been chosen.
func (h *Host) read() (err error) {
	h.lacks = h.dir.Lacks()
	h.links, err = h.o.Machine.Read(h.dir.Path(), h.lacks, !h.target.Loader.FillsChecksums())
	return failed(err)
}

// refuseUnknown returns an error if there are bridges of networks that have no state file, except
// those named: what they share with the others, such as forwarding, could be taken from them.
func (h *Host) refuseUnknown(named []string) error {
	var marked []string
	var err error
	if h.links != nil {
		marked = h.links.Marked()
	} else if marked, err = h.o.Machine.Marked(); err != nil {
		return failed(err)
	}
	var lost, words []string
	for _, name := range marked {
		if !slices.Contains(named, name) && find(h.networks, name) == nil {
			lost = append(lost, fmt.Sprintf("%q", name))
			words = append(words, diag.ShellWord(name))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return &Error{
		Kind: Failed,
		What: fmt.Sprintf("found bridges of vnetc networks that have no state file in %s: %s",
			h.dir.Path(), strings.Join(lost, " ")),
		Why: "it is not known what these networks need, and this change could cut them off",
		Fix: fmt.Sprintf("name them as well: their XML for vnetc up, or vnetc down %s; "+
			"if their state files are in another folder, --state-dir", strings.Join(words, " ")),
	}
}
