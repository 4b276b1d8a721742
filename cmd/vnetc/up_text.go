package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/inforce"
	"github.com/vnetc/vnetc/netsetup/link"
)

// The JSON of up and down.
type (
	jsonRun struct {
		Networks []jsonNetworkRun `json:"networks"`
		Rules    *jsonRulesRun    `json:"rules,omitempty"`
	}
	jsonNetworkRun struct {
		Name     string   `json:"name"`
		Bridge   string   `json:"bridge,omitempty"`
		Done     bool     `json:"done"` // up, or down; with --dry-run false if there is anything to do
		Steps    []string `json:"steps"`
		Warnings []string `json:"warnings"`
		Notes    []string `json:"notes"`
		Errors   []string `json:"errors"`
		CutOff   []string `json:"cut_off,omitempty"` // what guests can't do, with the cause
	}
	jsonRulesRun struct {
		Backend string `json:"backend"`
		Changed int    `json:"changed"`
		Kept    int    `json:"kept"`
		// RemovedFrom lists the places where our rules are gone.
		RemovedFrom []string `json:"removed_from"`
		Steps       []string `json:"steps"` // what changes: + what comes, - what goes, ~ what moves
		// Admin is the administrator's own rules, without which all is proved; Left those in places
		// where our rules are gone.
		Admin []verify.JSONAdmin `json:"admin_rules,omitempty"`
		Left  []verify.JSONAdmin `json:"admin_rules_left,omitempty"`
	}
)

// errorsOf returns why the network is not as asked for.
func errorsOf(r *inforce.NetworkRun) []string {
	texts := []string{}
	for _, p := range r.Problems {
		texts = append(texts, p.Error())
	}
	if r.Err != nil {
		texts = append(texts, r.Err.Error())
	}
	return texts
}

func networkJSON(r *inforce.NetworkRun) jsonNetworkRun {
	j := jsonNetworkRun{Name: r.Name, Steps: r.Steps, Warnings: []string{}, Notes: append([]string{}, r.Notes...),
		Errors: errorsOf(r)}
	j.Done = len(j.Errors) == 0
	if r.Link != nil {
		j.Bridge = r.Link.Bridge.Name
	}
	if j.Steps == nil {
		j.Steps = []string{}
	}
	for _, w := range r.Warnings {
		j.Warnings = append(j.Warnings, w.Error())
	}
	return j
}

// complain writes what went wrong with a network, and what of it is not done.
func complain(w io.Writer, r *inforce.NetworkRun, is string) {
	for _, p := range r.Problems {
		if p.Why == "" {
			fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n", r.Name, is, p.What)
			continue
		}
		fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n  why: %s\n  fix: %s\n", r.Name, is, p.What, p.Why, p.Fix)
	}
	if r.Err != nil {
		fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n", r.Name, is, strings.ReplaceAll(r.Err.Error(), "\n", "\n  "))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "vnetc: network %s: note: %s\n", r.Name, note)
	}
}

// warn writes what networks that are up work without. If the kernel lacks one thing for many
// networks, that is printed once.
func warn(w io.Writer, results []*inforce.NetworkRun) {
	lacking := map[string]int{} // how many networks, by what the kernel lacks
	for _, r := range results {
		for _, err := range r.Warnings {
			lacking[lack(err)]++
		}
	}
	for _, r := range results {
		for _, err := range r.Warnings {
			what := lack(err)
			n := lacking[what]
			if r.Err != nil || n == 0 {
				continue
			}
			fmt.Fprintf(w, "vnetc: network %s: warning: %v\n", r.Name, err)
			if what != "" && n > 1 {
				fmt.Fprintf(w, "vnetc: warning: and so for %s more\n", plural(n-1, "network"))
				lacking[what] = 0
			}
		}
	}
}

// lack returns the kernel modules whose lack a warning is about; empty for another warning.
func lack(err error) string {
	var w *link.Warning
	if !errors.As(err, &w) {
		return ""
	}
	return strings.Join(w.Modules, " ")
}

// printUp says what became of the networks, and returns the error that ends the verb.
func printUp(s streams, f *upFlags, backend string, run inforce.Run, guests reach) error {
	format := f.format.value
	rules := run.Rules
	doc := jsonRun{Networks: []jsonNetworkRun{}, Rules: &jsonRulesRun{
		backend, rules.Changed, rules.Kept, append([]string{}, rules.Removed...),
		verify.Plan{Drifts: rules.Drifts}.Lines(), verify.AdminJSON(rules.Admin), verify.AdminJSON(rules.AdminLeft),
	}}
	bad := 0
	for _, r := range run.Networks {
		cut := guests.of(r.Name)
		j := networkJSON(r)
		j.CutOff = cut
		doc.Networks = append(doc.Networks, j)
		complain(s.err, r, "up")
		if len(errorsOf(r)) > 0 {
			bad++
		} else if format == "text" {
			did := "nothing to change"
			own := ownSteps(r, run.Loading)
			if len(own) > 0 {
				did = plural(len(own), "step")
			}
			but := ""
			if len(cut) > 0 {
				but = ", but guests are cut off"
			}
			fmt.Fprintf(s.out, "%s is up%s: %s; %s\n", r.Name, but, summary(r.Link), did)
			printSteps(s.out, cut)
			printSteps(s.out, own)
		}
	}
	warn(s.err, run.Networks)
	if format == "json" {
		if err := diag.WriteJSON(s.out, doc); err != nil {
			return orHost(err)
		}
	} else {
		printShared(s.out, run, f.verbose)
		printRules(s.out, backend, rules)
		guests.more(s.err)
	}
	return runEnd(bad, len(run.Networks), "up")
}

// printRules says what became of the rules.
func printRules(w io.Writer, backend string, rules firewall.Result) {
	if rules.Changed > 0 {
		fmt.Fprintf(w, "rules (%s): %d changed, %d left alone; read back and proved%s\n", backend, rules.Changed,
			rules.Kept, verify.ButAdmin(rules.Admin))
	} else if len(rules.Admin) > 0 {
		fmt.Fprintf(w, "rules (%s): read back and proved%s\n", backend, verify.ButAdmin(rules.Admin))
	}
	if len(rules.Removed) > 0 {
		fmt.Fprintf(w, "our rules in %s are removed\n", strings.Join(rules.Removed, " and "))
	}
}

// runEnd returns the error that ends the verb when networks are not as asked for.
func runEnd(bad, all int, is string) error {
	if bad == 0 {
		return nil
	}
	if all == 1 {
		return exitError{code: exitHost}
	}
	return hostf("%d of %s not %s", bad, plural(all, "network"), is)
}

// printUpPlans prints what would be done. The answer is no if there is anything.
func printUpPlans(s streams, f *upFlags, backend string, run inforce.Run) error {
	format := f.format.value
	doc := jsonRun{Networks: []jsonNetworkRun{}, Rules: &jsonRulesRun{
		Backend: backend, RemovedFrom: []string{}, Steps: verify.Plan{Drifts: run.Rules.Drifts}.Lines(),
	}}
	todo, bad := run.Loading != "", 0
	for _, r := range run.Networks {
		todo = todo || len(r.Steps) > 0
		if len(r.Problems) > 0 {
			bad++
		}
		j := networkJSON(r)
		j.Done = j.Done && len(r.Steps) == 0
		doc.Networks = append(doc.Networks, j)
		complain(s.err, r, "to be brought up")
		if format == "text" && len(r.Problems) == 0 {
			printPlan(s.out, r, run.Loading)
		}
	}
	if format == "json" {
		if err := diag.WriteJSON(s.out, doc); err != nil {
			return orHost(err)
		}
	} else {
		printShared(s.out, run, f.verbose)
	}
	switch {
	case bad > 0:
		return runEnd(bad, len(run.Networks), "to be brought up")
	case todo:
		return exitError{code: exitNo}
	}
	return nil
}

func printPlan(w io.Writer, r *inforce.NetworkRun, loading string) {
	own := ownSteps(r, loading)
	if len(own) == 0 {
		fmt.Fprintf(w, "%s is up: nothing to change\n", r.Name)
		return
	}
	fmt.Fprintf(w, "%s: %s\n", r.Name, summary(r.Link))
	printSteps(w, own)
}

// ownSteps returns a network's steps without the one that loads the rules of all.
func ownSteps(r *inforce.NetworkRun, loading string) []string {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(step string) bool { return step == loading })
}

func printSteps(w io.Writer, steps []string) {
	for _, step := range steps {
		fmt.Fprintf(w, "  %s\n", step)
	}
}

// printShared prints, once, what is done to the rules of all networks.
func printShared(w io.Writer, run inforce.Run, verbose bool) {
	if run.Loading == "" {
		return
	}
	fmt.Fprintln(w, run.Loading)
	_ = verify.Plan{Drifts: run.Rules.Drifts,
		Verbose: verbose}.Text(w) // as of the other lines, nobody misses what can't be written
}
