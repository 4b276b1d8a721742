package inforce

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/state"
)

// PolicyName returns the name by which the policy of a file is replaced and removed.
func PolicyName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".policy") }

// sameName returns two files of which both have a policy of one name, if there are any: one would
// replace the other.
func sameName(all []state.Policy) (a, b string, ok bool) {
	for i, p := range all {
		for _, o := range all[:i] {
			if p.Name == o.Name {
				return o.File, p.File, true
			}
		}
	}
	return "", "", false
}

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

// policyNames returns the names of policies as state files of networks have them.
func policyNames(all []state.Policy) string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return strings.Join(names, "/")
}

// readPolicies reads the state file of policies. Where it can't be used, or lacks one that a
// network was applied with, what that denied is not known: see [Host.knowsPolicies].
func (h *Host) readPolicies() {
	var err error
	if h.policies, err = h.dir.Policies(); err != nil {
		h.unused = append(h.unused, state.Unused{Path: h.dir.PoliciesPath(), Why: "can't be used: " + err.Error(),
			Give: "policies"})
	}
	h.lostPolicies = nil
	for _, n := range h.networks {
		for name := range strings.SplitSeq(n.Policies, "/") {
			if name != "" && !hasPolicy(h.policies, name) && !slices.Contains(h.lostPolicies, name) {
				h.lostPolicies = append(h.lostPolicies, name)
			}
		}
	}
	if err == nil && len(h.lostPolicies) > 0 {
		h.unused = append(h.unused, state.Unused{Path: h.dir.PoliciesPath(),
			Why: "does not have " + strings.Join(h.lostPolicies, ", "), Give: "policies"})
	}
}

func hasPolicy(all []state.Policy, name string) bool {
	return slices.ContainsFunc(all, func(p state.Policy) bool { return p.Name == name })
}

// knowsPolicies refuses a change to policies that lacks one whose text is lost: what it denies
// would be open after it. One that is given again, or is to go, is known.
func (h *Host) knowsPolicies(to []state.Policy) error {
	left := slices.DeleteFunc(slices.Clone(h.lostPolicies), func(name string) bool {
		return hasPolicy(to, name) || slices.Contains(h.dropPolicies, name)
	})
	if len(left) == 0 {
		return nil
	}
	return &Error{
		Kind: Failed,
		What: fmt.Sprintf("the text of policy %s is lost: %s does not have it", strings.Join(left, ", "),
			h.dir.PoliciesPath()),
		Why: "its rules are in force, and this change would drop what they deny",
		Fix: "apply the policy file again, or remove it: vnetc remove --policy " + diag.ShellWord(left[0]),
	}
}

// WithoutPolicies returns what is wanted without the policies named, without any if there are no
// names: the networks in force as they are.
func (h *Host) WithoutPolicies(names []string) (Wanted, error) {
	for _, name := range names {
		if !hasPolicy(h.policies, name) && !slices.Contains(h.lostPolicies, name) {
			return Wanted{}, refuse(Usage, "vnetc list shows those that are", "no policy %q is in force", name)
		}
	}
	if err := h.choose(); err != nil {
		return Wanted{}, err
	}
	if h.dropPolicies = names; len(names) == 0 {
		h.dropPolicies = h.lostPolicies
	}
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
