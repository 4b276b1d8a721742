package inforce

import (
	"errors"
	"os"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// auto is the word for the back end that the networks in force are in; if none is, for the first
// that this host has and under which guests get what their networks promise, see [Host.prefer].
const auto = "auto"

// choose chooses where rules go: where those of the networks in force are, laid out as they are,
// unless the user says otherwise. It finds the other places where our rules may stand as well.
func (h *Host) choose() error {
	c := h.o.Rules.follow(h.inForce())
	all := loaders(h.o.Places)
	i, err := h.usable(all, c.Backend)
	if err != nil {
		return err
	}
	h.put(all[i], c)
	return nil
}

// put has rules go to chosen.
func (h *Host) put(chosen backends.Loader, c Choice) {
	h.target = target(chosen, c.options(chosen))
	h.others = nil
	for _, l := range h.elsewhere(chosen, c.Names) {
		h.others = append(h.others, target(l, c.options(l)))
	}
	for _, old := range h.oldNames(c.Names) {
		for _, l := range append(h.elsewhere(chosen, old), chosen) {
			options := c.options(l)
			options.Names = old
			h.others = append(h.others, target(l, options))
		}
	}
}

// target returns a place for rules that is read once as long as it doesn't change.
func target(l backends.Loader, o backends.Options) firewall.Target {
	return firewall.Target{Loader: l, Options: o, Last: &firewall.Reading{}}
}

// inForce returns one of the networks in force, which are all in one place; the zero value if none
// is.
func (h *Host) inForce() state.Network {
	if len(h.networks) == 0 {
		return state.Network{}
	}
	return h.networks[0]
}

// follow fills in what c leaves open.
func (c Choice) follow(n state.Network) Choice {
	if c.Backend == "" || c.Backend == auto && n.Backend != "" {
		c.Backend = n.Backend
	}
	if c.Names == "" {
		c.Names = backends.Names(n.Names)
	}
	if c.Layout == "" && c.Backend == n.Backend {
		c.Layout = backends.Layout(n.Layout)
	}
	if c.Backend == "" {
		c.Backend = auto
	}
	if c.Names == "" {
		c.Names = backends.VnetcNames
	}
	return c
}

// options returns how rules are laid out in l.
func (c Choice) options(l backends.Loader) backends.Options {
	layout := c.Layout
	if has := l.Layouts(); !slices.Contains(has, layout) {
		layout = has[0]
	}
	return backends.Options{Families: ir.Both, Names: c.Names, Layout: layout}
}

// usable returns the first of all that goes by the name and can be used on this host.
func (h *Host) usable(all []backends.Loader, name string) (int, error) {
	var why error
	for i, l := range all {
		if name != auto && name != l.Name() {
			continue
		}
		missing := l.Available()
		if missing == nil {
			return i, nil
		}
		why = errors.Join(why, missing)
	}
	noted := h.inForce().Backend
	switch {
	case why == nil && noted == "":
		return 0, failf("there is no such back end: %s", h.o.Rules.Backend)
	case why == nil:
		return 0, refuse(Failed, "choose another with --backend",
			"state files say the networks use back end %q, which this build does not have", noted)
	case h.o.Rules.Backend != "" || noted == "":
		return 0, failf("no back end can be used here: %w", why)
	case errors.Is(why, os.ErrPermission):
		return 0, failf("the networks in force are in %s: %w", noted, why)
	}
	return 0, failf("the networks in force are in %s, which can't be used here any more: %w; "+
		"--backend moves them", noted, why)
}

// oldNames returns the names, other than the wanted ones, that rules of the networks in force may
// have.
func (h *Host) oldNames(wanted backends.Names) []backends.Names {
	if old := leaving(h.networks[:min(1, len(h.networks))], string(wanted)); old != "" {
		return []backends.Names{backends.Names(old)}
	}
	return nil
}

// loaders lists the back ends of the places, each once: with the place that the host's own tools
// use where it has several.
func loaders(places []firewall.Place) []backends.Loader {
	var all []backends.Loader
	for _, p := range places {
		l := p.Loader
		if slices.ContainsFunc(all, func(o backends.Loader) bool { return o.Name() == l.Name() }) {
			continue
		}
		if several, ok := l.(backends.Sibling); ok {
			l = several.Usual()
		}
		all = append(all, l)
	}
	return all
}

// elsewhere lists the places beside l where our rules may stand: those of other back ends, and
// another one of l's own that holds some.
func (h *Host) elsewhere(l backends.Loader, names backends.Names) []backends.Loader {
	var all []backends.Loader
	for _, p := range h.o.Places {
		if p.Loader.Name() != l.Name() {
			all = append(all, p.Loader)
		}
	}
	if several, ok := l.(backends.Sibling); ok {
		if other, err := several.Elsewhere(names); err == nil && other != nil {
			all = append(all, other)
		}
	}
	return all
}
