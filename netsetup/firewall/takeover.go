package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Claim says which rules of libvirt's belong to the networks that are taken over.
type Claim struct {
	// Program has what libvirt may have made for these networks: of their documents as they are
	// now, and as they were when libvirt started them. A rule may be in it more than once.
	Program *ir.Program
	// Frame is true if libvirt's jumps, chains and tables go with its last network. They stay while
	// a libvirt daemon runs: it makes them once, and a network that it starts later needs them.
	Frame bool
	// DryRun is true to say what would go, and to take nothing.
	DryRun bool
}

// Taken is what a take-over did in one place, or would do.
type Taken struct {
	Removed []ChainRule // rules of the networks that were taken over
	Left    []ChainRule // what stays in libvirt's chains: rules of its other networks, and what others put there
	Found   bool        // Found is true if there was anything of libvirt's, be it chains without rules.
	backends.Pruned
}

// ChainRule is a rule that a chain held, in the words of the IR.
type ChainRule struct{ Chain, Rule string }

// TakeOver takes the rules of networks that vnetc manages away from where libvirt put them, once
// vnetc's own stand: so no packet meets neither. Everything else stays, in libvirt's chains too.
//
// A rule belongs to a network if it is one that libvirt makes for it, as a value: its matches in
// any order, an interface by index or by name. That it speaks of a network's bridge is not enough,
// since an administrator may have put it there, such as the accept of a forwarded port; it would be
// lost without a word. What libvirt made of a document that has changed since is found by the XML
// that libvirt keeps of a running network, and by the rules that it makes for any network on that
// bridge (see Claim.Program). NAT names no bridge: such a rule stays as often as libvirt has other
// bridges with that subnet.
func TakeOver(l backends.Pruner, c Claim) (Taken, error) {
	claimed, err := newClaimed(l, c.Program)
	if err != nil {
		return Taken{}, err
	}
	var t Taken
	done, err := l.Prune(backends.LibvirtNames, c.DryRun, func(held *ir.Program) ([]*ir.Rule, bool) {
		rules := claimed.choose(held)
		t = taken(held, rules)
		return rules, c.Frame && !runsNetworks(held, rules)
	})
	t.Pruned = done
	return t, err
}

// claimed is the rules that libvirt may have made, by chain.
type claimed struct {
	rules   map[chainAt]map[string]bool
	bridges map[string]bool // of the networks that are taken over
}

// chainAt is a chain's place.
type chainAt struct {
	family      ir.Family
	table, name string
}

func placeOf(c *ir.Chain) chainAt { return chainAt{c.Family, c.Table, c.Name} }

// newClaimed compiles p under libvirt's names and reads that back, so that claims have the form of
// what is held.
func newClaimed(l backends.Loader, p *ir.Program) (*claimed, error) {
	rules, found := l.Lower(p, backends.Options{Families: ir.Both, Names: backends.LibvirtNames,
		Layout: backends.Chains})
	if found.HasErrors() {
		return nil, fmt.Errorf("libvirt's rules for these networks: %w", found)
	}
	made, err := l.Read(rules.Images())
	if err != nil {
		return nil, err
	}
	out := &claimed{rules: make(map[chainAt]map[string]bool), bridges: make(map[string]bool)}
	for _, c := range made.Chains {
		values := make(map[string]bool)
		for i := range c.Rules {
			if !isJump(&c.Rules[i]) {
				values[value(&c.Rules[i])] = true
			}
		}
		out.rules[placeOf(c)] = values
	}
	for _, link := range p.Links {
		if link.Mode.Filtered() {
			out.bridges[link.Bridge.Name] = true
		}
	}
	return out, nil
}

// value returns r as a text that is the same for rules that are the same but for the order of their
// matches.
func value(r *ir.Rule) string {
	parts := []string{r.Family.String()}
	for _, m := range r.Matches {
		parts = append(parts, ir.MatchText(m))
	}
	slices.Sort(parts[1:])
	for _, a := range r.Actions {
		parts = append(parts, ir.ActionText(a))
	}
	return strings.Join(append(parts, ir.VerdictText(r.Verdict), r.Comment), "\n")
}

func isJump(r *ir.Rule) bool {
	switch r.Verdict.(type) {
	case ir.Jump, ir.Goto:
		return true
	}
	return false
}

// choose returns the rules of held that are claimed.
func (c *claimed) choose(held *ir.Program) []*ir.Rule {
	others := c.otherSubnets(held)
	var out []*ir.Rule
	for _, chain := range held.Chains {
		spared := make(map[string]int)
		for i := range chain.Rules {
			r := &chain.Rules[i]
			key := value(r)
			if !c.rules[placeOf(chain)][key] {
				continue
			}
			if !c.namesBridge(r) && spared[key] < others[chain.Family][sourceOf(r)] {
				spared[key]++
				continue
			}
			out = append(out, r)
		}
	}
	return out
}

// namesBridge is true if r is about packets of one of the bridges that are taken over.
func (c *claimed) namesBridge(r *ir.Rule) bool {
	for _, m := range r.Matches {
		switch m := m.(type) {
		case ir.IIfName:
			if !m.Not && !m.Wildcard && c.bridges[m.Name] {
				return true
			}
		case ir.OIfName:
			if !m.Not && !m.Wildcard && c.bridges[m.Name] {
				return true
			}
		}
	}
	return false
}

// otherSubnets counts, for each subnet, the bridges of other networks from which libvirt lets its
// packets out.
func (c *claimed) otherSubnets(held *ir.Program) map[ir.Family]map[string]int {
	out := map[ir.Family]map[string]int{ir.IPv4: {}, ir.IPv6: {}}
	for _, chain := range held.Chains {
		for i := range chain.Rules {
			r := &chain.Rules[i]
			source := sourceOf(r)
			_, accepts := r.Verdict.(ir.Accept)
			in := slices.ContainsFunc(r.Matches, func(m ir.Match) bool { i, ok := m.(ir.IIfName); return ok && !i.Not })
			if accepts && in && source != "" && !c.namesBridge(r) && out[chain.Family] != nil {
				out[chain.Family][source]++
			}
		}
	}
	return out
}

// sourceOf returns the subnet that r's packets come from, "" if it names none.
func sourceOf(r *ir.Rule) string {
	for _, m := range r.Matches {
		if s, ok := m.(ir.SAddr); ok && !s.Not {
			return s.Prefix.String()
		}
	}
	return ""
}

// taken returns what goes and what stays. Jumps are no network's.
func taken(held *ir.Program, rules []*ir.Rule) Taken {
	t := Taken{Found: len(held.Chains) > 0}
	goes := setOf(rules)
	for _, c := range held.Chains {
		for i := range c.Rules {
			h := ChainRule{c.Label(), c.Rules[i].String()}
			switch {
			case goes[&c.Rules[i]]:
				t.Removed = append(t.Removed, h)
			case !isJump(&c.Rules[i]):
				t.Left = append(t.Left, h)
			}
		}
	}
	return t
}

func setOf(rules []*ir.Rule) map[*ir.Rule]bool {
	set := make(map[*ir.Rule]bool, len(rules))
	for _, r := range rules {
		set[r] = true
	}
	return set
}

// runsNetworks is true if a network of libvirt's is left without rules: each has one that lets its
// guests talk to each other.
func runsNetworks(held *ir.Program, rules []*ir.Rule) bool {
	goes := setOf(rules)
	for _, c := range held.Chains {
		for i := range c.Rules {
			if r := &c.Rules[i]; !goes[r] && staysInside(r) {
				return true
			}
		}
	}
	return false
}

// staysInside is true if r accepts what goes from a bridge to itself, and is about nothing else;
// libvirt comments no rule.
func staysInside(r *ir.Rule) bool {
	if _, ok := r.Verdict.(ir.Accept); !ok || len(r.Matches) != 2 || len(r.Actions) > 0 || r.Comment != "" {
		return false
	}
	in, ok := r.Matches[0].(ir.IIfName)
	out, ok2 := r.Matches[1].(ir.OIfName)
	return ok && ok2 && in.Name == out.Name && !in.Not && !out.Not
}
