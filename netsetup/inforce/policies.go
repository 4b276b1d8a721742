package inforce

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/state"
)

// PolicyName returns the name by which the policy of a file is replaced and removed.
func PolicyName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".policy") }

// policiesOf returns the policies among sources: those named first, then the others.
func policiesOf(src *diag.Sources, files, first []string) (all []state.Policy) {
	for _, file := range files {
		all = append(all, state.Policy{Name: PolicyName(file), File: file, Text: string(src.Text(file)),
			First: slices.Contains(first, file)})
	}
	return all
}

// mergePolicies puts fresh policies in the places of known ones with their names, and the others
// behind those that decide as early; with prune known ones that are not replaced go.
func mergePolicies(known, fresh []state.Policy, prune bool) (all []state.Policy) {
	named := func(list []state.Policy, name string) int {
		return slices.IndexFunc(list, func(p state.Policy) bool { return p.Name == name })
	}
	for _, first := range []bool{true, false} {
		for _, old := range known {
			at := named(fresh, old.Name)
			switch {
			case at >= 0 && fresh[at].First == first && old.First == first:
				all = append(all, fresh[at])
			case at < 0 && old.First == first && !prune:
				all = append(all, old)
			}
		}
		for _, p := range fresh {
			if p.First == first && named(all, p.Name) < 0 {
				all = append(all, p)
			}
		}
	}
	return all
}

// readPolicies reads the state file of policies. Where it can't be used, or is not there though
// networks were applied with one, what it denied is not known: see [Host.knowsPolicies].
func (h *Host) readPolicies() {
	var err error
	h.lostPolicies = ""
	if h.policies, err = h.dir.Policies(); err != nil {
		h.lostPolicies = err.Error()
	} else if len(h.policies) == 0 &&
		slices.ContainsFunc(h.networks, func(n state.Network) bool { return n.Policies }) {
		h.lostPolicies = "state file " + h.dir.PoliciesPath() + " of policies is gone"
	}
	if h.lostPolicies != "" {
		h.unused = append(h.unused, state.Unused{Path: h.dir.PoliciesPath(), Why: "is not used: " + h.lostPolicies})
	}
}

// knowsPolicies refuses a change while it is not known which policies are in force: what they deny
// would be open after it. Policies that are given again, or are to go, are known.
func (h *Host) knowsPolicies(to []state.Network, policies []state.Policy) error {
	if h.lostPolicies == "" || len(to) == 0 || len(policies) > 0 || h.dropPolicies {
		return nil
	}
	return &Error{
		Kind: Failed, What: h.lostPolicies,
		Why: "the rules in the kernel have policies that no file tells any more; a change would drop what they deny",
		Fix: "give the policy files again, with the network, or drop the policies: vnetc remove --policies",
	}
}

// WithoutPolicies returns what is wanted without the policies named, without any if there are no
// names: the networks in force as they are.
func (h *Host) WithoutPolicies(names []string) (Wanted, error) {
	known := func(name string) bool {
		return slices.ContainsFunc(h.policies, func(p state.Policy) bool { return p.Name == name })
	}
	for _, name := range names {
		if !known(name) {
			return Wanted{}, refuse(Usage, "vnetc list shows those that are", "no policy %q is in force", name)
		}
	}
	if err := h.choose(); err != nil {
		return Wanted{}, err
	}
	h.dropPolicies = len(names) == 0
	rest := slices.DeleteFunc(slices.Clone(h.policies), func(p state.Policy) bool {
		return len(names) == 0 || slices.Contains(names, p.Name)
	})
	w := want(h.o.Compiler, &diag.Sources{}, h.networks, rest, ParseOptions{}, false)
	if err := h.refusedFile(w); err != nil {
		return w, err
	}
	if w.Found.HasErrors() {
		return w, failed(w.Found)
	}
	return w, nil
}
