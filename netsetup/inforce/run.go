package inforce

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Run is what an Up or a Down did, or would do, with each of its networks.
type Run struct {
	Networks []*NetworkRun
	Rules    firewall.Result
	Loading  string // the step, among those of networks, that loads the rules of all; empty if there is nothing to load
	Unnoted  error  // what is done is done, and the state files don't say so
}

// Done returns the names of the networks with which all went well.
func (r Run) Done() []string {
	names := []string{}
	for _, n := range r.Networks {
		if len(n.Problems) == 0 && n.Err == nil {
			names = append(names, n.Name)
		}
	}
	return names
}

// NetworkRun is one network that is brought up or taken down, and what became of it. Of a dry run,
// Steps is what would be done.
type NetworkRun struct {
	netsetup.Outcome
	Link     *ir.Link       // nil if the network is taken down
	Notes    []string       // what the network's XML wants and no step does
	Problems []link.Problem // why it can't be brought up

	plan netsetup.Plan
}

// linkRun brings networks up or takes them down.
type linkRun struct {
	*Host
	before  []state.Network // in force before
	results []*NetworkRun
	loaded  firewall.Result // of the last Load that worked
	moved   bool            // moved is true if the rules in force are where they are to go: a Load worked.
}

// run takes the host to the networks of to by work, which fills in the results.
func (r *linkRun) run(to []state.Network, policies []state.Policy, work func() ([]state.Network, error)) (Run, error) {
	began := false
	err := r.change(to, policies, func() ([]state.Network, bool, error) {
		began = true
		inForce, err := work()
		return inForce, r.moved, err
	})
	if err != nil && !began {
		return Run{}, err
	}
	return Run{Networks: r.results, Rules: r.loaded, Loading: r.loading(r.loaded.Drifts), Unnoted: err}, nil
}

// apply puts the rules of w in force.
func (r *linkRun) apply(w Wanted) error {
	result, found, err := firewall.Apply(r.whole(w.Program), r.target, r.others)
	if err == nil && found.HasErrors() {
		err = found
	}
	if err == nil {
		result.Drifts = together(r.loaded.Drifts, result.Drifts, slices.Contains(result.Removed, r.target.String()))
		r.loaded = result
	}
	r.tellLeft(result.AdminLeft)
	var left *firewall.LeftError
	r.moved = r.moved || err == nil || errors.As(err, &left)
	return err
}

// watch has the steps of plans told. What it returns ends that.
func (r *linkRun) watch(down bool, plans []netsetup.Plan) (end func()) {
	steps := 0
	for i := range plans {
		steps += len(plans[i].Before) + len(plans[i].After)
		plans[i].Stepped = func() { r.tell(Stepped{}) }
	}
	r.tell(Begun{Down: down, Steps: steps})
	return func() { r.tell(Ended{}) }
}

// together returns what two loads of one run changed, without what the second took back; of one
// that emptied the place, that is all that the first added.
func together(first, second []backends.Drift, emptied bool) []backends.Drift {
	undone := func(d backends.Drift) bool {
		if d.Kind != backends.Missing {
			return false
		}
		return emptied || slices.ContainsFunc(second, func(o backends.Drift) bool {
			return o.Kind == backends.Extra && sameThing(d, o)
		})
	}
	added := func(d backends.Drift) bool {
		return d.Kind == backends.Extra && slices.ContainsFunc(first, func(o backends.Drift) bool {
			return o.Kind == backends.Missing && sameThing(d, o)
		})
	}
	return append(slices.DeleteFunc(slices.Clone(first), undone), slices.DeleteFunc(slices.Clone(second), added)...)
}

// sameThing is true if both drifts are about one rule of one chain, or one element of one set.
func sameThing(a, b backends.Drift) bool {
	rule := func(d backends.Drift) *ir.Rule {
		if d.Want != nil {
			return d.Want
		}
		return d.Have
	}
	if a.Part != b.Part {
		return false
	}
	switch a.Part {
	case backends.DriftRule:
		return a.Chain.Label() == b.Chain.Label() && rule(a).String() == rule(b).String()
	case backends.DriftElement:
		return a.Set.Family == b.Set.Family && a.Set.Table == b.Set.Table && a.Set.Name == b.Set.Name &&
			slices.EqualFunc(a.Element, b.Element, func(a, b ir.Match) bool {
				return ir.MatchText(a) == ir.MatchText(b)
			})
	case backends.DriftChain:
		return a.Chain.Label() == b.Chain.Label()
	}
	return false
}

// loading returns the step that fixes drifts in rules; empty if there is nothing to fix.
func (r *linkRun) loading(drifts []backends.Drift) string {
	n := backends.Mendable(drifts)
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("load rules of all networks (%s): 1 difference", r.Backend())
	}
	return fmt.Sprintf("load rules of all networks (%s): %d differences", r.Backend(), n)
}

// fill puts the outcomes into the results of the same networks.
func (r *linkRun) fill(outcomes []netsetup.Outcome) {
	for _, o := range outcomes {
		i := slices.IndexFunc(r.results, func(n *NetworkRun) bool { return n.Name == o.Name })
		r.results[i].Outcome = o
	}
}
