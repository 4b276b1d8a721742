package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
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
	}
	jsonRulesRun struct {
		Backend string `json:"backend"`
		Changed int    `json:"changed"`
		Kept    int    `json:"kept"`
		// RemovedFrom lists the places where rules of ours are gone.
		RemovedFrom []string `json:"removed_from"`
	}
)

// errors returns why the network is not as asked for.
func (r *result) errors() []string {
	texts := []string{}
	for _, p := range r.problems {
		texts = append(texts, p.Error())
	}
	if r.Err != nil {
		texts = append(texts, r.Err.Error())
	}
	return texts
}

func (r *result) json() jsonNetworkRun {
	j := jsonNetworkRun{Name: r.Name, Steps: r.Steps, Warnings: []string{}, Notes: append([]string{}, r.plan.Notes...), Errors: r.errors()}
	j.Done = len(j.Errors) == 0
	if r.link != nil {
		j.Bridge = r.link.Bridge.Name
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
func (r *result) complain(w io.Writer, is string) {
	for _, p := range r.problems {
		if p.Why == "" {
			fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n", r.Name, is, p.What)
			continue
		}
		fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n  why: %s\n  fix: %s\n", r.Name, is, p.What, p.Why, p.Fix)
	}
	if r.Err != nil {
		fmt.Fprintf(w, "vnetc: network %s is not %s: %s\n", r.Name, is, strings.ReplaceAll(r.Err.Error(), "\n", "\n  "))
	}
	for _, note := range r.plan.Notes {
		fmt.Fprintf(w, "vnetc: network %s: note: %s\n", r.Name, note)
	}
}

// warn writes what networks that are up work without. What the kernel lacks for many is said once.
func warn(w io.Writer, results []*result) {
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
func (u *hostRun) printUp(format string, results []*result) error {
	doc := jsonRun{Networks: []jsonNetworkRun{}, Rules: &jsonRulesRun{u.target.Loader.Name(), u.rules.Changed, u.rules.Kept, append([]string{}, u.rules.Removed...)}}
	bad := 0
	for _, r := range results {
		doc.Networks = append(doc.Networks, r.json())
		r.complain(u.err, "up")
		if len(r.errors()) > 0 {
			bad++
		} else if format == "text" {
			did := "nothing to change"
			if len(r.Steps) > 0 {
				did = plural(len(r.Steps), "step")
			}
			fmt.Fprintf(u.out, "%s is up: %s; %s\n", r.Name, summary(r.link), did)
		}
	}
	warn(u.err, results)
	if format == "json" {
		if err := diag.WriteJSON(u.out, doc); err != nil {
			return orHost(err)
		}
	} else {
		u.printRules()
	}
	return u.end(bad, len(results), "up")
}

// printRules says what became of the rules.
func (u *hostRun) printRules() {
	if u.rules.Changed > 0 {
		fmt.Fprintf(u.out, "rules (%s): %d changed, %d left alone; read back and proved\n", u.target.Loader.Name(), u.rules.Changed, u.rules.Kept)
	}
	if len(u.rules.Removed) > 0 {
		fmt.Fprintf(u.out, "our rules in %s are gone\n", strings.Join(u.rules.Removed, " and "))
	}
}

// end returns the error that ends the verb when networks are not as asked for.
func (u *hostRun) end(bad, all int, is string) error {
	if bad == 0 {
		return nil
	}
	if all == 1 {
		return exitError{code: exitHost}
	}
	return hostf("%d of %s not %s", bad, plural(all, "network"), is)
}

// printPlans prints what would be done. The answer is no if there is anything.
func (u *hostRun) printPlans(format string, results []*result) error {
	rules, found, err := firewall.Drifts(u.wanted.program, u.target)
	if err != nil {
		return hostf("%v", err)
	}
	if err := report(u.streams, u.wanted.src, found, false); err != nil {
		return err
	}
	doc := jsonRun{Networks: []jsonNetworkRun{}}
	todo, bad := !rules.InStep(), 0
	for _, r := range results {
		load := ""
		if !rules.InStep() {
			load = fmt.Sprintf("load rules of all networks (%s): %s", u.target.Loader.Name(), plural(len(rules.Drifts), "difference"))
		}
		r.Steps = r.plan.Lines(load, u.forwarding(names(results)).Missing(r.plan.Forwarding))
		todo = todo || len(r.Steps) > 0
		if len(r.problems) > 0 {
			bad++
		}
		j := r.json()
		j.Done = j.Done && len(r.Steps) == 0
		doc.Networks = append(doc.Networks, j)
		r.complain(u.err, "to be brought up")
		if format == "text" && len(r.problems) == 0 {
			r.printPlan(u.out)
		}
	}
	if format == "json" {
		if err := diag.WriteJSON(u.out, doc); err != nil {
			return orHost(err)
		}
	}
	switch {
	case bad > 0:
		return u.end(bad, len(results), "to be brought up")
	case todo:
		return exitError{code: exitNo}
	}
	return nil
}

func (r *result) printPlan(w io.Writer) {
	if len(r.Steps) == 0 {
		fmt.Fprintf(w, "%s is up: nothing to change\n", r.Name)
		return
	}
	fmt.Fprintf(w, "%s: %s\n", r.Name, summary(r.link))
	for _, s := range r.Steps {
		fmt.Fprintf(w, "  %s\n", s)
	}
}
