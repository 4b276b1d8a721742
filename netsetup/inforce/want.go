package inforce

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Wanted is the networks that should be in force, with their program.
type Wanted struct {
	Sources *diag.Sources
	Program *ir.Program // nil if Found has errors
	Found   diag.List

	networks []state.Network // in order
	policies []state.Policy  // in the order in which their statements decide
	fresh    []state.Policy  // those that were given
	first    []string        // sources of those that decide before others
	given    map[string]bool // names of those that were given, and not only in force
	prune    bool            // prune is true if what is in force and not wanted goes.
}

// Names returns the names of the networks, in order.
func (w Wanted) Names() []string { return namesOf(w.networks) }

// Change says how documents become what is wanted.
type Change struct {
	Strict bool // Strict is true if no guests get out past their network's own rules; for the documents given.
	Lax    bool // Lax is true if what is unknown in the documents given draws warnings, not errors.
	// Prune is true if networks that are in force and not given go, but for those that are up; and
	// rules that no state file explains.
	Prune bool
	// Policies are as in [ParseOptions], among the documents given.
	Policies []string
	// Expected is as in [ParseOptions].
	Expected func(network string) bool
	// Allow is as in [ParseOptions], for the documents given.
	Allow func(name, option string) bool
	Whole bool // Whole is true for Up: a bridge must not have the name of another device.
}

// Want chooses where rules go and compiles the documents given together with the networks in force
// that they don't replace, which stay in their places. Without documents it is what is in force.
func (h *Host) Want(given *diag.Sources, c Change) (Wanted, error) {
	if err := h.choose(); err != nil {
		return Wanted{}, err
	}
	o := ParseOptions{Lax: c.Lax, Strict: c.Strict, Policies: c.Policies, Expected: c.Expected, Allow: c.Allow}
	if c.Whole {
		if err := h.read(); err != nil {
			return Wanted{}, err
		}
		o.Taken = h.links.Devices()
	}
	w := want(h.o.Compiler, given, h.networks, h.policies, o, c.Prune)
	if a, b, ok := sameName(w.fresh); ok {
		return w, refuse(Usage, "rename one of them", "%s and %s are policies of one name, so one would replace the other",
			diag.Visible(a), diag.Visible(b))
	}
	if err := h.refusedFile(w); err != nil {
		return w, err
	}
	if w.Program != nil && w.Program.HasPolicies() && h.target.Options.Names == backends.LibvirtNames {
		return w, refuse(Usage, "leave out --names libvirt",
			"policies with --names libvirt: libvirt has no chains for them")
	}
	return w, h.prefer(w)
}

// recompile compiles networks as they are in force.
func (h *Host) recompile(known []state.Network) Wanted {
	return want(h.o.Compiler, &diag.Sources{}, known, h.policies, ParseOptions{}, false)
}

// compiled is [Host.recompile] for networks that must compile.
func (h *Host) compiled(known []state.Network) (Wanted, error) {
	w := h.recompile(known)
	if err := h.refusedFile(w); err != nil {
		return w, err
	}
	if w.Found.HasErrors() {
		return w, failf("the networks of the state files in %s are in conflict: %s", h.dir.Path(),
			strings.TrimSpace(w.Found.Error()))
	}
	return w, nil
}

// refusedFile returns an error if w has errors because of a state file whose XML the front end
// refuses, as that of another version may: it looks like an error in the user's file, which is
// another by now.
func (h *Host) refusedFile(w Wanted) error {
	if !w.Found.HasErrors() {
		return nil
	}
	for _, n := range w.networks {
		if w.given[n.Name] {
			continue
		}
		src := &diag.Sources{}
		src.Add(n.File, []byte(n.XML))
		_, found := h.o.Compiler.Parse(src, ParseOptions{Lax: true, Bridges: bridgesOf(w.networks), Allow: allowed})
		if !found.HasErrors() {
			continue
		}
		verb := "remove "
		if n.Up {
			verb = "down "
		}
		first := found[slices.IndexFunc(found, func(d diag.Diagnostic) bool { return d.Severity == diag.Error })]
		return &Error{
			Kind: Failed,
			What: fmt.Sprintf("state file %s has XML that this vnetc refuses: %s", h.dir.NetworkPath(n.Name), first),
			Why:  "another version of vnetc wrote it, or it was edited",
			Fix: fmt.Sprintf("apply the XML of network %s again in a form that is accepted, or remove the network: vnetc %s",
				n.Name, verb+diag.ShellWord(n.Name)),
		}
	}
	return nil
}

// bridgesOf returns the bridges that networks have, for those whose documents leave them open.
func bridgesOf(known []state.Network) map[string]string {
	bridges := make(map[string]string)
	for _, n := range known {
		bridges[n.Name] = n.Bridge
	}
	return bridges
}

// want compiles the networks of given together with those of known that given does not replace,
// which stay in their places; with prune without them, but for those that are up.
func want(c Compiler, given *diag.Sources, known []state.Network, ruled []state.Policy, o ParseOptions,
	prune bool) Wanted {
	o.Bridges = bridgesOf(known)
	parsed, found := c.Parse(given, o)
	if found.HasErrors() {
		return Wanted{Sources: given, Found: found}
	}
	w := Wanted{given: make(map[string]bool), prune: prune}
	var order []string
	var fresh []state.Network
	for _, d := range parsed.Networks {
		xml := string(given.Text(d.File))
		fresh = append(fresh, state.Network{Name: d.Name, File: d.File, XML: xml, Strict: o.Strict})
		order = append(order, d.Name)
		w.given[d.Name] = true
	}
	w.networks = merge(known, fresh, prune)
	w.fresh = policiesOf(given, parsed.Policies, o.Policies)
	w.policies = mergePolicies(ruled, w.fresh, prune)
	if slices.Equal(w.Names(), order) && slices.Equal(w.policies, w.fresh) {
		w.Sources, w.Found = given, found // nothing but these, in this order: they are compiled already
		w.first = o.Policies
		w.lower(c, parsed)
		return w
	}
	w.Sources = &diag.Sources{}
	judged := make(map[string]bool) // sources that were not given now
	add := func(file, renamed, text string, isGiven bool) (name string) {
		name = file
		if w.Sources.Has(name) || given.Has(name) && !isGiven { // the file holds something else by now
			name = renamed
		}
		w.Sources.Add(name, []byte(text))
		if isGiven && given.Hidden(file) {
			w.Sources.Hide(name)
		}
		judged[name] = !isGiven
		return name
	}
	for _, n := range w.networks {
		add(n.File, fmt.Sprintf("%s (%s, as applied)", n.File, n.Name), n.XML, w.given[n.Name])
	}
	for _, p := range w.policies {
		name := add(p.File, fmt.Sprintf("%s (as applied).policy", p.Name), p.Text, slices.Contains(w.fresh, p))
		if p.First {
			w.first = append(w.first, name)
		}
	}
	// Each network is as strict as it was applied; what is unknown in it, and what needs
	// permission, was judged when it was given.
	parsed, w.Found = c.Parse(w.Sources, ParseOptions{Lax: true, Taken: o.Taken, Bridges: o.Bridges,
		Policies: w.first, Expected: o.Expected, Allow: allowed})
	if !w.Found.HasErrors() {
		parsed.Judged = func(source string) bool { return judged[source] }
		w.lower(c, parsed)
	}
	return w
}

// allowed allows everything, to networks that were judged before.
func allowed(string, string) bool { return true }

// merge puts fresh networks in the places of known ones with their names, and the others behind
// all; with prune known ones that are not replaced go, but for those that are up.
func merge(known, fresh []state.Network, prune bool) []state.Network {
	var all []state.Network
	left := byName(fresh)
	for _, old := range known {
		if n := left[old.Name]; n != nil {
			all = append(all, replaced(old, *n))
			delete(left, old.Name)
		} else if !prune || old.Up {
			all = append(all, old)
		}
	}
	for _, n := range fresh {
		if left[n.Name] != nil {
			all = append(all, n)
		}
	}
	for i := range all {
		if i > 0 && all[i].Order <= all[i-1].Order {
			all[i].Order = all[i-1].Order + 1
		}
	}
	return all
}

// replaced returns the network n in the place of old: what was applied then and not since is what
// it was.
func replaced(old, n state.Network) state.Network {
	if n.File == old.File && n.XML == old.XML && n.Strict == old.Strict {
		return old
	}
	n.Up, n.MAC, n.Order = old.Up, old.MAC, old.Order
	return n
}

// lower makes the program of the networks.
func (w *Wanted) lower(c Compiler, p Parsed) {
	for i := range p.Networks {
		p.Networks[i].Strict = w.networks[i].Strict
		w.networks[i].Bridge = p.Networks[i].Bridge
	}
	p.Sources = w.Sources
	var found diag.List
	w.Program, found = c.Lower(p)
	w.Found = append(w.Found, found...)
	if w.Program != nil {
		w.Found = append(w.Found, ir.Verify(w.Program)...)
	}
}
