package inforce

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/cure"
	"github.com/vnetc/vnetc/netsetup/state"
)

// downRun takes networks down: [netsetup.Firewall] for the rules of those that stay, and of those
// that can't be taken away.
type downRun struct {
	linkRun
	stay Wanted
	open map[string]bool // networks that have no rules
}

// Down takes the networks named away, or all that are up without names, and leaves no trace of
// them. With dry it says what it would do.
func (h *Host) Down(names []string, dry bool) (Run, error) {
	d := &downRun{linkRun: linkRun{Host: h, before: h.networks}}
	if err := h.choose(); err != nil {
		return Run{}, err
	}
	if err := h.read(); err != nil {
		return Run{}, err
	}
	if err := d.plan(names); err != nil {
		return Run{}, err
	}
	d.open = d.withoutRules()
	if dry {
		d.tellSteps()
		return Run{Networks: d.results}, nil
	}
	h.stamp(d.stay.networks, d.stay.policies)
	return d.run(d.stay.networks, d.stay.policies, d.takeDown)
}

// plan compiles the networks that stay, and plans those that go.
func (d *downRun) plan(names []string) error {
	up := d.up()
	if len(names) == 0 {
		names = up
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		if !slices.Contains(up, name) {
			return refuse(Usage, "vnetc status shows those that are", "no network %q is up", name)
		}
	}
	if err := d.refuseUnknown(names); err != nil {
		return err
	}
	var err error
	stay := without(d.before, names)
	if d.stay, err = d.compiled(stay); err != nil {
		return err
	}
	if err := d.keep(d.stay, d.bridgesOf(names)...); err != nil {
		return err
	}
	if err := d.links.FindServers(names); err != nil {
		return failed(err)
	}
	for _, name := range names {
		bridge := ""
		if n := find(d.before, name); n != nil {
			bridge = n.Bridge
		}
		r := &NetworkRun{}
		if r.plan, err = d.links.PlanDown(name, bridge); err != nil {
			return failed(err)
		}
		r.Name, r.Notes = name, r.plan.Notes
		d.results = append(d.results, r)
	}
	return nil
}

// up returns the names of the networks that are up, by their state files or by the marks on their
// bridges.
func (d *downRun) up() []string {
	names := d.links.Marked()
	for _, n := range d.before {
		if n.Up && !slices.Contains(names, n.Name) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return names
}

// bridgesOf returns the bridges that stand for the networks named: a state file may be lost.
func (d *downRun) bridgesOf(names []string) (bridges []string) {
	for _, name := range names {
		if bridge, ok := d.links.Bridge(name); ok {
			bridges = append(bridges, bridge)
		}
	}
	return bridges
}

// takeDown carries out the plans, and returns what is in force then: a network of which anything is
// left keeps its state file.
func (d *downRun) takeDown() ([]state.Network, error) {
	var plans []netsetup.Plan
	for _, r := range d.results {
		plans = append(plans, r.plan)
	}
	forwarding := &netsetup.Forwarding{Dir: d.writer}
	for i, n := range d.stay.networks {
		if n.Up {
			forwarding.Count(d.stay.Program.Links[i])
			forwarding.Others = append(forwarding.Others, netsetup.ForwardingOf(d.stay.Program.Links[i])...)
		}
	}
	end := d.watch(true, plans)
	outcomes := netsetup.Down(plans, d, forwarding)
	end()
	d.fill(outcomes)
	for _, r := range d.results {
		r.forget()
	}
	left := slices.DeleteFunc(slices.Clone(d.before), func(n state.Network) bool {
		return slices.ContainsFunc(d.results, func(r *NetworkRun) bool { return r.Name == n.Name && r.Err == nil })
	})
	if d.moved {
		d.stamp(left, d.stay.policies)
	}
	lacks := d.dir.Lacks()
	maps.DeleteFunc(lacks, func(name string, _ []state.Lack) bool { return find(left, name) == nil })
	return left, d.files.SaveLacks(lacks)
}

// Load takes the rules of the networks named away.
func (d *downRun) Load(gone []string) error {
	stay := without(d.before, gone)
	w := d.stay
	if len(stay) > len(w.networks) {
		if w = d.recompile(stay); w.Found.HasErrors() {
			return w.Found
		}
	}
	return d.apply(w)
}

// tellSteps says what would be done.
func (d *downRun) tellSteps() {
	cured, _ := d.dir.Cures() // a damaged file is reported when it matters
	for _, r := range d.results {
		r.Steps = r.plan.Lines(d.Loaded(r.Name), nil)
		for _, c := range undoing(cured[r.Name]) {
			if undo := cure.Step(c).Undoing(); undo != "" {
				r.Steps = append(r.Steps, "undo a cure of vnetc doctor: "+undo)
			}
		}
		r.forget()
	}
}

// Loaded says what is done to a network's rules.
func (d *downRun) Loaded(network string) string {
	if d.open[network] {
		return ""
	}
	return fmt.Sprintf("remove its rules (%s)", d.Backend())
}

// forget says what is done for a network of which there is nothing to take away.
func (r *NetworkRun) forget() {
	if len(r.Steps) == 0 && r.Err == nil {
		r.Steps = []string{"remove its state file: nothing else of it is on this host"}
	}
}

// withoutRules returns the networks in force that have no rules.
func (d *downRun) withoutRules() map[string]bool {
	names := make(map[string]bool)
	if w := d.recompile(d.before); !w.Found.HasErrors() { // else there may be rules
		for _, l := range w.Program.Links {
			names[l.Name] = !l.Mode.Filtered()
		}
	}
	return names
}
