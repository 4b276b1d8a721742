package inforce

import (
	"net"
	"reflect"
	"slices"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// upRun brings networks up: [netsetup.Firewall] over state files, front end and back ends.
type upRun struct {
	linkRun
	wanted  Wanted
	refused []string // networks that keep the rules they have, whatever happens to the others
	dryRun  bool
}

// Up brings the networks up that were given to [Host.Want], with Change.Whole set: those without
// problems, each whole or not at all. With dry it says what it would do.
func (h *Host) Up(w Wanted, dry bool) (Run, error) {
	if h.links == nil {
		if err := h.read(); err != nil {
			return Run{}, err
		}
	}
	u := &upRun{linkRun: linkRun{Host: h, before: h.networks}, wanted: w, dryRun: dry}
	if err := h.refuseUnknown(w.Names()); err != nil {
		return Run{}, err
	}
	if err := h.keep(w); err != nil {
		return Run{}, err
	}
	if err := h.links.FindServers(w.Names()); err != nil {
		return Run{}, failed(err)
	}
	u.plan()
	if dry {
		return u.tellSteps()
	}
	if len(u.refused) == len(u.results) {
		return Run{Networks: u.results}, nil
	}
	to, err := u.except(u.refused)
	if err != nil {
		return Run{}, failed(err)
	}
	h.stamp(to.networks, w.policies)
	ruled := h.ruledBefore(w.Program)
	done, err := u.run(to.networks, w.policies, u.bringUp)
	if u.moved {
		h.cutConnections(ruled, h.recompile(h.networks).Program)
	}
	return done, err
}

// plan plans the networks that were given, and notes that they are to be up.
func (u *upRun) plan() {
	for i, l := range u.wanted.Program.Links {
		n := &u.wanted.networks[i]
		if !u.wanted.given[n.Name] {
			continue
		}
		if l.Mode.Managed() {
			n.MAC = u.macOf(l, *n).String()
		}
		mac, _ := net.ParseMAC(n.MAC)
		r := &NetworkRun{Link: l}
		r.plan, r.Problems = u.links.PlanUp(l, mac)
		r.Name, r.plan.Name, r.Notes = l.Name, l.Name, r.plan.Notes
		n.Up = true
		if u.results = append(u.results, r); len(r.Problems) > 0 {
			u.refused = append(u.refused, r.Name)
		}
	}
}

// macOf returns the MAC of a network's bridge: of its document, else as it was noted, else as the
// bridge has it, else a new one, which a dry run leaves open.
func (u *upRun) macOf(l *ir.Link, n state.Network) net.HardwareAddr {
	if l.MAC != nil {
		return l.MAC
	}
	if mac, err := net.ParseMAC(n.MAC); err == nil {
		return mac
	}
	if mac, ok := u.links.BridgeMAC(l.Name); ok {
		return mac
	}
	if u.dryRun {
		return nil
	}
	return link.RandomMAC()
}

// bringUp carries out the plans of the networks without problems, and returns what is in force
// then: a network that failed is as it was before.
func (u *upRun) bringUp() ([]state.Network, error) {
	var plans []netsetup.Plan
	for _, r := range u.results {
		if len(r.Problems) == 0 {
			r.plan.ForwardingBefore = u.forwardingBefore(r.Name)
			plans = append(plans, r.plan)
		}
	}
	end := u.watch(false, plans)
	outcomes := netsetup.Up(plans, u, u.forwarding(u.names(false)))
	end()
	u.fill(outcomes)
	failed := slices.Clone(u.refused)
	for _, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, o.Name)
		}
	}
	if !u.moved {
		return u.before, u.noteLacks() // no network is up that wasn't
	}
	there, err := u.except(failed)
	if err != nil {
		return u.networks, err
	}
	u.stamp(there.networks, u.wanted.policies)
	return there.networks, u.noteLacks()
}

// Load puts the rules of the wanted networks in force; those of without have the rules they had
// before, or none.
func (u *upRun) Load(without []string) error {
	w, err := u.except(append(slices.Clone(u.refused), without...))
	if err != nil {
		return err
	}
	return u.apply(w)
}

// Loaded says what was done to the rules.
func (u *upRun) Loaded(string) string { return u.loading(u.loaded.Drifts) }

// except returns what is wanted without the networks named, which are as they were before.
func (u *upRun) except(names []string) (Wanted, error) {
	if len(names) == 0 {
		return u.wanted, nil
	}
	var networks []state.Network
	for _, n := range u.wanted.networks {
		if !slices.Contains(names, n.Name) {
			networks = append(networks, n)
		} else if old := find(u.before, n.Name); old != nil {
			networks = append(networks, *old)
		}
	}
	w := u.recompile(networks)
	if w.Found.HasErrors() {
		return w, w.Found
	}
	return w, nil
}

// forwarding returns the sysctls that networks share, with what networks that are up and not among
// names need. Those that were refused need what they needed before.
func (u *upRun) forwarding(names []string) *netsetup.Forwarding {
	f := &netsetup.Forwarding{Dir: u.writer}
	for i, n := range u.wanted.networks {
		if n.Up {
			f.Count(u.wanted.Program.Links[i])
		}
		switch {
		case slices.Contains(names, n.Name):
		case slices.Contains(u.refused, n.Name):
			f.Others = append(f.Others, u.forwardingBefore(n.Name)...)
		case n.Up:
			f.Others = append(f.Others, netsetup.ForwardingOf(u.wanted.Program.Links[i])...)
		}
	}
	return f
}

// forwardingBefore returns the sysctls that the network called name needs as it was before this
// run; none if it was not up.
func (u *upRun) forwardingBefore(name string) []string {
	old := find(u.before, name)
	if old == nil || !old.Up {
		return nil
	}
	w := u.recompile([]state.Network{*old})
	if w.Found.HasErrors() {
		return nil
	}
	return netsetup.ForwardingOf(w.Program.Links[0])
}

// names returns the networks at hand, of all or of those without problems.
func (u *upRun) names(all bool) []string {
	var names []string
	for _, r := range u.results {
		if all || len(r.Problems) == 0 {
			names = append(names, r.Name)
		}
	}
	return names
}

// noteLacks notes what the kernel lacks for the networks that are up now.
func (u *upRun) noteLacks() error {
	lacks := u.dir.Lacks()
	for _, r := range u.results {
		if len(r.Problems) > 0 || r.Err != nil {
			continue
		}
		delete(lacks, r.Name)
		if found := netsetup.LacksOf(r.plan, r.Outcome); len(found) > 0 {
			lacks[r.Name] = found
		}
	}
	if reflect.DeepEqual(lacks, u.lacks) {
		return nil
	}
	return u.files.SaveLacks(lacks)
}

// tellSteps says what would be done.
func (u *upRun) tellSteps() (Run, error) {
	rules, err := u.drift(u.wanted)
	if err != nil {
		return Run{}, err
	}
	run := Run{Networks: u.results, Loading: u.loading(rules.Drifts)}
	run.Rules.Drifts = rules.Drifts
	forwarding := u.forwarding(u.names(true))
	for _, r := range u.results {
		r.Steps = r.plan.Lines(run.Loading, forwarding.Missing(r.plan.Forwarding))
	}
	return run, nil
}

// say reports the diagnostics of a back end about rules; with errors among it the verb ends.
func (h *Host) say(w Wanted, found diag.List) error {
	if found.HasErrors() {
		return &InputError{w.Sources, found}
	}
	if len(found) > 0 {
		h.tell(Said{w.Sources, found})
	}
	return nil
}
