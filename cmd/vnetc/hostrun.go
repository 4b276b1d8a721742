package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// hostRun is a host on which networks are brought up and taken down: netsetup's [netsetup.Firewall] over the notes, the
// front end and the back ends.
type hostRun struct {
	streams
	dir    *state.Dir
	known  []state.Network // the notes before
	noted  []state.Network // the notes as they stand in dir
	host   *netsetup.Host
	wanted wanted // all networks, as they are to be
	dryRun bool   // dryRun is true if nothing is to be done

	target  firewall.Target
	others  []firewall.Target
	refused []string // networks that keep the rules they have, whatever becomes of the others
	rules   firewall.Result
}

// newHostRun reads the host. Networks go where those are that are in force already, unless the user says otherwise.
func newHostRun(s streams, f *hostFlags, dir *state.Dir, known []state.Network) (*hostRun, error) {
	f.follow(known)
	u := &hostRun{streams: s, dir: dir, known: known, noted: known}
	var err error
	if u.target, u.others, err = f.target(); err != nil {
		return nil, err
	}
	if u.host, err = netsetup.ReadHost(dir.Path()); err != nil {
		return nil, hostf("%v", err)
	}
	u.host.Lacks = dir.Lacks()
	u.host.Checksum = !u.target.Loader.FillsChecksums()
	return u, nil
}

// openHostRun takes the lock on the state folder and reads the host. The caller has to close the run.
func openHostRun(s streams, f *hostFlags) (*hostRun, error) {
	dir, known, err := f.open(s)
	if err != nil {
		return nil, err
	}
	u, err := newHostRun(s, f, dir, known)
	if err != nil {
		dir.Close()
	}
	return u, err
}

// close gives the lock back.
func (u *hostRun) close() {
	u.host.Close()
	u.dir.Close()
}

// namesOf returns the networks' names.
func namesOf(networks []state.Network) []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.Name)
	}
	return names
}

// all returns the names of the wanted networks.
func (u *hostRun) all() []string { return namesOf(u.wanted.notes) }

// unnoted returns an error if bridges of networks stand that no note tells of, save those named: whoever loads the rules of the
// others would take theirs away, and leave them open.
func unnoted(marked []string, dir *state.Dir, known []state.Network, named []string) error {
	lost := slices.DeleteFunc(marked, func(name string) bool {
		return slices.Contains(named, name) || slices.ContainsFunc(known, func(n state.Network) bool { return n.Name == name })
	})
	if len(lost) == 0 {
		return nil
	}
	var words []string
	for i := range lost {
		words = append(words, shellWord(lost[i]))
		lost[i] = fmt.Sprintf("%q", lost[i])
	}
	return hostf(`the bridges of networks stand that no note in %s tells of: %s
  why: the rules of these networks would go with this change, and their bridges would be open
  fix: name them as well: their XML for vnetc up, or vnetc down %s; if their notes are in another folder, --state-dir`, dir.Path(), strings.Join(lost, " "), strings.Join(words, " "))
}

// readUnnoted is unnoted for a verb that looks at nothing else of the host than rules.
func readUnnoted(dir *state.Dir, known []state.Network, named []string) error {
	marked, err := link.ReadMarked()
	if err != nil {
		return hostf("%v", err)
	}
	return unnoted(marked, dir, known, named)
}

// noteOf returns the note about the wanted network called name.
func (u *hostRun) noteOf(name string) *state.Network {
	i := slices.IndexFunc(u.wanted.notes, func(n state.Network) bool { return n.Name == name })
	return &u.wanted.notes[i]
}

// Load puts the rules of the wanted networks in force; those of without have the rules they had before, or none.
func (u *hostRun) Load(without []string) error {
	w, err := u.except(append(slices.Clone(u.refused), without...))
	if err != nil {
		return err
	}
	result, found, err := firewall.Apply(w.program, u.target, u.others)
	if err != nil {
		return err
	}
	if found.HasErrors() {
		return found
	}
	u.rules = result
	return nil
}

// except returns what is wanted without the networks named, which are as they were before.
func (u *hostRun) except(names []string) (wanted, error) {
	if len(names) == 0 {
		return u.wanted, nil
	}
	var notes []state.Network
	for _, n := range u.wanted.notes {
		if !slices.Contains(names, n.Name) {
			notes = append(notes, n)
			continue
		}
		if i := slices.IndexFunc(u.known, func(old state.Network) bool { return old.Name == n.Name }); i >= 0 {
			notes = append(notes, u.known[i])
		}
	}
	w := want(&diag.Sources{}, notes, netxml.Options{}, false)
	if w.found.HasErrors() {
		return w, w.found
	}
	return w, nil
}

// note writes the notes about all wanted networks but the failed ones, which have the notes they had.
func (u *hostRun) note(failed []string) error {
	w, err := u.except(failed)
	if err != nil {
		return hostf("%v", err)
	}
	stamp(w.notes, u.target)
	if err := rewrite(u.dir, u.noted, w.notes); err != nil {
		return hostf("%v", errors.Join(err, rewrite(u.dir, w.notes, u.noted)))
	}
	u.noted = w.notes
	return nil
}

// forwarding returns the sysctls that networks share, with what networks that are up and not among names need. Those that
// were refused need what they needed before.
func (u *hostRun) forwarding(names []string) *netsetup.Forwarding {
	f := &netsetup.Forwarding{Dir: u.dir}
	for i, n := range u.wanted.notes {
		switch {
		case slices.Contains(names, n.Name):
		case slices.Contains(u.refused, n.Name):
			f.Others = append(f.Others, u.held(n.Name)...)
		case n.Up:
			f.Others = append(f.Others, netsetup.ForwardingOf(u.link(i))...)
		}
	}
	return f
}

// held returns the sysctls that the network called name needs as it was before this run; none if it was not up.
func (u *hostRun) held(name string) []string {
	i := slices.IndexFunc(u.known, func(n state.Network) bool { return n.Name == name })
	if i < 0 || !u.known[i].Up {
		return nil
	}
	before := want(&diag.Sources{}, u.known[i:i+1], netxml.Options{}, false)
	if before.found.HasErrors() {
		return nil
	}
	return netsetup.ForwardingOf(before.program.Links[0])
}

// link returns the link of the i-th wanted network.
func (u *hostRun) link(i int) *ir.Link { return u.wanted.program.Links[i] }
