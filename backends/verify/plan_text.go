package verify

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/vnetc/vnetc/backends"
)

// Plan is what a load changes, or has changed, of the rules on a host: a dry run and a real one
// print the same.
type Plan struct {
	Drifts  []backends.Drift
	Verbose bool // Verbose is true if each rule is listed; else many that come are counted.
}

// few is how many rules of a network that come are listed one by one.
const few = 4

// planSigns are what stands before what a plan does.
var planSigns = map[backends.DriftKind]string{backends.Missing: "+", backends.Extra: "-", backends.Moved: "~"}

// Text writes the plan for people, by the networks that it is about: + what will be there, - what
// goes, ~ what moves. What goes is always named. What is of others and stays is left out.
func (p Plan) Text(out io.Writer) error {
	var b bytes.Buffer
	for _, g := range p.groups() {
		fmt.Fprintf(&b, "%s:\n", g.title)
		come := 0
		for _, d := range g.drifts {
			if d.Kind == backends.Missing {
				come++
			}
		}
		short := come > few && !p.Verbose
		if short {
			fmt.Fprintf(&b, "+ %d rules, chains and elements (-v lists them)\n", come)
		}
		for _, d := range g.drifts {
			if short && d.Kind == backends.Missing {
				continue
			}
			fmt.Fprintln(&b, planLine(d))
			if d.Of != nil {
				fmt.Fprintf(&b, "    %s: %s\n", d.Of.Origin.Span, d.Of.Origin.Reason)
			}
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

// Lines returns each change as a line, in the order of the drifts.
func (p Plan) Lines() []string {
	lines := []string{}
	for i := range p.Drifts {
		if planSigns[p.Drifts[i].Kind] != "" {
			lines = append(lines, planLine(&p.Drifts[i]))
		}
	}
	return lines
}

func planLine(d *backends.Drift) string {
	return fmt.Sprintf("%s %s: %s", planSigns[d.Kind], driftPlace(d), driftWords(d))
}

// planGroup is the changes that are about the same networks.
type planGroup struct {
	title  string
	drifts []*backends.Drift
}

// planTitle says about which networks a change is.
func planTitle(d *backends.Drift) string {
	switch {
	case len(d.Networks) > 0:
		return "network " + strings.Join(d.Networks, ", ")
	case d.Part == backends.DriftTarget:
		return "in another place"
	case d.Kind == backends.Extra:
		return "of none of these networks"
	}
	return "shared by all networks"
}

// groups returns the changes by their networks, in the order in which these come.
func (p Plan) groups() []*planGroup {
	var all []*planGroup
	known := make(map[string]*planGroup)
	for i := range p.Drifts {
		d := &p.Drifts[i]
		if planSigns[d.Kind] == "" {
			continue
		}
		title := planTitle(d)
		if known[title] == nil {
			known[title] = &planGroup{title: title}
			all = append(all, known[title])
		}
		known[title].drifts = append(known[title].drifts, d)
	}
	return all
}
