package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/frontend/netconf"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// hostFlags are the flags of the verbs that look at or change this host.
type hostFlags struct {
	backend, layout, names *choice
	config                 string
	stateDir               string
	wait                   time.Duration

	unused bool          // unused is true if there are notes that can't be trusted
	noted  state.Network // one of those in force, which are all in one place; zero if none is
}

func addHostFlags(cmd *cobra.Command) *hostFlags {
	f := &hostFlags{}
	f.backend = addChoice(cmd, "backend", "where rules go (auto: where they are; at first nftables if the kernel has it)", "auto", "nftables", "iptables")
	f.layout = addChoice(cmd, "layout", "nftables: how the rules are laid out", string(backends.Sets), string(backends.Chains))
	f.names = addChoice(cmd, "names", "whose table and chain names to use", string(backends.VnetcNames), string(backends.LibvirtNames))
	f.addStateFlags(cmd)
	cmd.Flags().StringVar(&f.config, "config", "", "take --backend from this file, in the syntax of libvirt's network.conf")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return f.readConfig(streams{err: cmd.ErrOrStderr(), color: cmd.ErrOrStderr() == os.Stderr && colorWanted(os.Stderr)})
	}
	return f
}

// readConfig takes the back end from --config, where one is named there and none by --backend.
func (f *hostFlags) readConfig(s streams) error {
	if f.config == "" {
		return nil
	}
	if _, err := os.Stat(f.config); errors.Is(err, os.ErrNotExist) {
		return usagef("%s: there is no such file", f.config)
	}
	text, err := readFile(f.config)
	if err != nil {
		return err
	}
	if len(text) > netxml.MaxSize {
		return exitError{exitNo, fmt.Sprintf("%s has more than %d bytes: it is no network.conf", f.config, netxml.MaxSize)}
	}
	src := &diag.Sources{}
	src.Add(f.config, text)
	conf, found := netconf.Parse(f.config, text)
	if backend, none := conf.Chosen(); !f.backend.set {
		found = append(found, none...)
		if backend != "" {
			f.backend.value, f.backend.set = backend, true
		}
	}
	return report(s, src, found, false)
}

// addStateFlags adds the flags that say where notes are.
func (f *hostFlags) addStateFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.stateDir, "state-dir", state.DefaultDir, "folder for notes about what is in force, and for the lock")
	cmd.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for another vnetc that holds the lock")
}

// networkFlags say which networks are meant, and how they are compiled.
type networkFlags struct{ prune, strict, lax bool }

func addNetworkFlags(cmd *cobra.Command, f *networkFlags, prune string) {
	cmd.Flags().BoolVar(&f.prune, "prune", false, prune)
	addStrictFlags(cmd, f)
}

// addStrictFlags is addNetworkFlags without --prune.
func addStrictFlags(cmd *cobra.Command, f *networkFlags) {
	cmd.Flags().BoolVar(&f.strict, "strict-isolation", false, "let no network's guests out past its own rules, as into a routed network (see vnetc verify)")
	cmd.Flags().BoolVar(&f.lax, "lax", false, "unknown elements and attributes are warnings, not errors")
}

// options returns how the front end is to take the networks.
func (f networkFlags) options() netxml.Options {
	return netxml.Options{Lax: f.lax, StrictIsolation: f.strict}
}

// loaders lists the back ends that this host may have, the preferred one first.
func loaders() []backends.Loader {
	return []backends.Loader{nftables.Loader{}, iptables.Loader{}}
}

// follow says which networks are in force: rules go where theirs are, and are laid out as theirs are, unless the user says
// otherwise.
func (f *hostFlags) follow(known []state.Network) {
	if len(known) == 0 {
		return
	}
	f.noted = known[0]
	keep := func(flag *choice, noted string) {
		if !flag.set && noted != "" {
			flag.value = noted
		}
	}
	keep(f.backend, f.noted.Backend)
	keep(f.names, f.noted.Names)
	if f.backend.value == f.noted.Backend {
		keep(f.layout, f.noted.Layout)
	}
}

// target chooses where rules go, and returns the other places where rules of ours may stand.
func (f *hostFlags) target() (chosen firewall.Target, others []firewall.Target, err error) {
	all := loaders()
	choice := -1
	var why error
	for i, l := range all {
		if f.backend.value != "auto" && f.backend.value != l.Name() {
			continue
		}
		if missing := l.Available(); missing != nil {
			why = errors.Join(why, missing)
			continue
		}
		choice = i
		break
	}
	switch {
	case choice >= 0:
	case why == nil:
		return chosen, nil, hostf("the networks in force are in %s by the notes, and there is no such back end; --backend moves them", f.noted.Backend)
	case f.backend.set || f.noted.Backend == "":
		return chosen, nil, hostf("no back end can be used here: %v", why)
	case errors.Is(why, os.ErrPermission):
		return chosen, nil, hostf("the networks in force are in %s: %v", f.noted.Backend, why)
	default:
		return chosen, nil, hostf("the networks in force are in %s, which can't be used here any more: %v; --backend moves them", f.noted.Backend, why)
	}
	chosen = firewall.Target{Loader: all[choice], Options: f.rules(all[choice])}
	for _, l := range elsewhere(all[choice], chosen.Options.Names) {
		others = append(others, firewall.Target{Loader: l, Options: f.rules(l)})
	}
	for _, old := range f.oldNames() {
		for _, l := range append(elsewhere(all[choice], old), all[choice]) {
			options := f.rules(l)
			options.Names = old
			others = append(others, firewall.Target{Loader: l, Options: options})
		}
	}
	return chosen, others, nil
}

// oldNames returns the names, other than the wanted ones, that rules of the networks in force may have.
func (f *hostFlags) oldNames() []backends.Names {
	if old := leaving([]state.Network{f.noted}, f.names.value); old != "" {
		return []backends.Names{backends.Names(old)}
	}
	return nil
}

// elsewhere lists the places beside l where rules of ours may stand: the other back end, and for iptables the other of its
// two worlds of rules.
func elsewhere(l backends.Loader, names backends.Names) []backends.Loader {
	ipt, ok := l.(iptables.Loader)
	if !ok {
		return []backends.Loader{iptables.Loader{Variant: iptables.NFTables}, iptables.Loader{Variant: iptables.Legacy}}
	}
	all := []backends.Loader{nftables.Loader{}}
	if other, err := ipt.Elsewhere(names); err == nil && other != nil {
		all = append(all, other)
	}
	return all
}

func (f *hostFlags) rules(l backends.Loader) backends.Options {
	layout := backends.Layout(f.layout.value)
	if has := l.Layouts(); !slices.Contains(has, layout) {
		layout = has[0]
	}
	return backends.Options{Families: ir.Both, Names: backends.Names(f.names.value), Layout: layout}
}

// open takes the lock on the state folder, for a verb that changes something: none does while a change waits for its
// confirmation, so that there is one way back.
func (f *hostFlags) open(s streams) (*state.Dir, []state.Network, error) {
	dir, p, left, err := f.settled(s)
	if err != nil {
		return nil, nil, err
	}
	if p != nil {
		dir.Close()
		return nil, nil, hostf("the last apply waits for its confirmation and is undone in %s: vnetc confirm keeps it, vnetc confirm --undo goes back now", seconds(left))
	}
	return f.notesIn(s, dir)
}

// look is open for a verb that changes nothing.
func (f *hostFlags) look(s streams) (*state.Dir, []state.Network, error) {
	dir, p, left, err := f.settled(s)
	if err != nil {
		return nil, nil, err
	}
	if p != nil {
		fmt.Fprintf(s.err, "vnetc: the last apply is undone in %s unless vnetc confirm comes\n", seconds(left))
	}
	return f.notesIn(s, dir)
}

// settled takes the lock on the state folder, undoes what was not confirmed in time, and returns the change that still
// waits.
func (f *hostFlags) settled(s streams) (*state.Dir, *state.Pending, time.Duration, error) {
	dir, err := state.Open(f.stateDir, f.wait)
	if errors.Is(err, os.ErrPermission) {
		return nil, nil, 0, hostf("%v; run as root, or choose a folder with --state-dir", err)
	}
	if err != nil {
		return nil, nil, 0, hostf("%v", err)
	}
	p, left, err := settle(s, dir)
	if err != nil {
		dir.Close()
		return nil, nil, 0, hostf("%v", err)
	}
	return dir, p, left, nil
}

// notesIn returns dir with the notes about what is in force.
func (f *hostFlags) notesIn(s streams, dir *state.Dir) (*state.Dir, []state.Network, error) {
	known, unused, err := dir.Networks()
	if err != nil {
		dir.Close()
		return nil, nil, hostf("%v", err)
	}
	sayUnused(s, unused)
	f.unused = len(unused) > 0
	return dir, known, nil
}

// wanted is the networks that should be in force, with their program.
type wanted struct {
	notes   []state.Network // in order
	src     *diag.Sources
	program *ir.Program
	found   diag.List
}

// bridgesOf returns the bridges that networks have, for those whose documents leave them open.
func bridgesOf(known []state.Network) map[string]string {
	bridges := make(map[string]string)
	for _, n := range known {
		bridges[n.Name] = n.Bridge
	}
	return bridges
}

// want compiles the networks of given together with those of known that given does not replace, which stay in their
// places; with prune without them, but for those that are up.
func want(given *diag.Sources, known []state.Network, opts netxml.Options, prune bool) wanted {
	opts.Bridges = bridgesOf(known)
	nets, found := netxml.Parse(given, opts)
	if found.HasErrors() {
		return wanted{src: given, found: found}
	}
	fresh := make(map[string]state.Network)
	var order []string
	for i, n := range nets {
		file := given.Names()[i]
		fresh[n.Name()] = state.Network{Name: n.Name(), File: file, XML: string(given.Text(file)), Strict: opts.StrictIsolation}
		order = append(order, n.Name())
	}
	var w wanted
	for _, old := range known {
		if n, replaced := fresh[old.Name]; replaced {
			if n.File == old.File && n.XML == old.XML && n.Strict == old.Strict {
				n = old // applied then, and not since
			}
			n.Up, n.MAC, n.Order = old.Up, old.MAC, old.Order
			w.notes = append(w.notes, n)
			delete(fresh, old.Name)
		} else if !prune || old.Up {
			w.notes = append(w.notes, old)
		}
	}
	for _, name := range order {
		if n, left := fresh[name]; left {
			w.notes = append(w.notes, n)
			delete(fresh, name)
		}
	}
	for i := range w.notes {
		if i > 0 && w.notes[i].Order <= w.notes[i-1].Order {
			w.notes[i].Order = w.notes[i-1].Order + 1
		}
	}
	if slices.EqualFunc(w.notes, order, func(n state.Network, name string) bool { return n.Name == name }) {
		w.src, w.found = given, found // nothing but these, in this order: they are compiled already
		w.lower(nets)
		return w
	}
	w.src = &diag.Sources{}
	for i := range w.notes {
		name := w.notes[i].File
		if w.src.Has(name) {
			name = fmt.Sprintf("%s (%s, as applied)", name, w.notes[i].Name)
		}
		w.src.Add(name, []byte(w.notes[i].XML))
	}
	w.compile(netxml.Options{Lax: true, Taken: opts.Taken, Bridges: opts.Bridges})
	return w
}

// again compiles the networks of the notes as they are in force.
func again(known []state.Network) (wanted, error) {
	w := want(&diag.Sources{}, known, netxml.Options{}, false)
	if w.found.HasErrors() {
		return w, hostf("the notes about networks in force don't compile: %s", strings.TrimSpace(w.found.Error()))
	}
	return w, nil
}

// inForce returns an error for a name that no network of the notes has.
func inForce(known []state.Network, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(known, func(n state.Network) bool { return n.Name == name }) {
			return usagef("no network %q is in force; vnetc list shows those that are", name)
		}
	}
	return nil
}

// compile makes the program of all notes, each network as strict as it was applied. What is unknown in a network has been
// judged when it was given, so here it is no error.
func (w *wanted) compile(opts netxml.Options) {
	nets, found := netxml.Parse(w.src, opts)
	if w.found = found; !found.HasErrors() {
		w.lower(nets)
	}
}

// lower makes the program of the notes' networks.
func (w *wanted) lower(nets []*netxml.Network) {
	for i, n := range nets {
		n.Strict = w.notes[i].Strict
		w.notes[i].Bridge = n.Bridge
	}
	w.program = netxml.Lower(nets)
	w.found = append(w.found, ir.Verify(w.program)...)
}
