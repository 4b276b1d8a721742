// Package firewall puts programs into the kernel of this host through the back ends' contract,
// compares what is there with what was meant, and takes it away again. Every change is read back
// and proved; what can't be proved is undone. It knows no rule syntax and no concrete back end.
package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/prove"
)

// Target is a place for rules: a back end of this host, and how rules are laid out there.
type Target struct {
	Loader  backends.Loader
	Options backends.Options
	Last    *Reading // what was read there last; nil reads it again each time
}

// Reading is what a target held when it was read last. Where a dump says the same again the program
// is not recreated: one verb reads several times. The program must not be changed. The zero value
// has read nothing.
type Reading struct {
	images  []backends.Document
	program *ir.Program
}

// String returns the name of the target's back end, and under which names rules stand there if they
// aren't vnetc's.
func (t Target) String() string {
	if t.Options.Names != backends.LibvirtNames {
		return t.Loader.Name()
	}
	return fmt.Sprintf("%s (names of %s)", t.Loader.Name(), t.Options.Names)
}

// Result is what an Apply did.
type Result struct {
	backends.Report
	Removed []string // other targets whose our rules were taken away afterwards
	// Drifts is what was fixed: the result of an audit of the same targets just before. It is empty
	// where nothing changed, and where what was there could not be understood.
	Drifts []backends.Drift
	// Admin is the administrator's own rules in the target: they are in force, and what is proved
	// is proved without them.
	Admin     []backends.AdminRules
	AdminLeft []backends.AdminRules // such rules in places from which ours were taken away; they are in force too
}

// UnprovenError says that the rules in the kernel after a load were not the intended ones, or could
// not be read. The old rules are in force again, unless Undo says otherwise.
type UnprovenError struct {
	Result prove.Result
	Read   error // why the kernel's rules could not be read back; Result is zero then
	Undo   error // nil if the old rules are back
}

func (e *UnprovenError) Error() string {
	text := "the loaded rules are not the intended ones"
	switch {
	case e.Read != nil:
		text = fmt.Sprintf("read back: %v", e.Read)
	case e.Result.Answer == prove.Refuted:
		text += fmt.Sprintf(": %s is %s and should be %s", e.Result.Packet, e.Result.B, e.Result.A)
	case e.Result.Answer == prove.TooLarge:
		text = "whether the loaded rules are the intended ones is too large for the budget"
	case e.Result.Answer == prove.Unknown:
		text += fmt.Sprintf(": it depends on a foreign rule: %s", e.Result.Because.Rule)
	}
	if e.Undo != nil {
		return text + fmt.Sprintf("; and the old rules could not be restored: %v", e.Undo)
	}
	return text + "; the old rules are restored"
}

// Unwrap returns the errors of the reading and of the undoing.
func (e *UnprovenError) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Read, e.Undo}, func(err error) bool { return err == nil })
}

// LeftError says that our rules could not be taken away from Target. The new ones are in force by
// then.
type LeftError struct {
	Target Target
	Err    error
}

func (e *LeftError) Error() string { return fmt.Sprintf("remove the rules in %s: %v", e.Target, e.Err) }

// Unwrap returns the loader's error.
func (e *LeftError) Unwrap() error { return e.Err }

// Apply makes the target hold p, and proves it from what it reads back. Our rules that the others
// hold are taken away after that: packets meet the old rules, or both, or the new ones. After an
// error the old rules are in force, and no others; but after a [LeftError] the new ones are, beside
// what is left of the old. A program that the back end can't say is returned as the list of why;
// nothing is touched then. For networks that have no rules not even empty tables are made, and
// those that are there go.
func Apply(p *ir.Program, t Target, others []Target) (Result, diag.List, error) {
	rules, found := t.Loader.Lower(p, t.Options)
	if found.HasErrors() {
		return Result{}, found, nil
	}
	if wantsNothing(p) {
		images, err := t.Loader.Dump(t.Options.Names)
		if err != nil && t.Loader.Available() == nil {
			return Result{}, found, err
		}
		before, err := t.earlier(rules, images, others)
		if err != nil {
			return Result{}, found, err
		}
		result, err := clearAll(append([]Target{t}, others...))
		result.Drifts = t.mended(p, rules, before)
		return result, found, err
	}
	if err := t.Loader.Available(); err != nil {
		return Result{}, found, err
	}
	before, err := t.Loader.Dump(t.Options.Names)
	if err != nil {
		return Result{}, found, err
	}
	then, err := t.earlier(rules, before, others)
	if err != nil {
		return Result{}, found, err
	}
	report, mended, held, err := t.load(rules, p, then)
	if err != nil {
		var unproven *UnprovenError
		if errors.As(err, &unproven) {
			unproven.Undo = t.Loader.Restore(t.Options.Names, before)
		}
		return Result{}, found, err
	}
	result, err := clearAll(others)
	result.Report, result.Drifts, result.Admin = report, mended, t.adminIn(held)
	return result, found, err
}

// earlier is what stood before an Apply, as far as is needed to say later what it fixed.
type earlier struct {
	held       *ir.Program // nil if it could not be understood
	unexpected backends.Unexpected
	left       []backends.Drift // of other targets
}

// earlier looks at what is about to be fixed. What can't be understood is fixed all the same,
// unlisted.
func (t Target) earlier(rules backends.Ruleset, images []backends.Document, others []Target) (earlier, error) {
	var e earlier
	if held, err := t.heldIn(images); err == nil {
		e.held = held
	}
	if len(images) > 0 {
		e.unexpected, _ = t.unexpectedIn(rules)
	}
	for _, o := range others {
		images, err := o.Loader.Dump(o.Options.Names)
		if err != nil && o.Loader.Available() != nil {
			continue
		}
		if err != nil {
			return e, fmt.Errorf("read the rules in %s: %w", o, err)
		}
		if held, err := o.heldIn(images); err == nil {
			e.left = append(e.left, o.leftover(held)...)
		}
	}
	return e, nil
}

// fixed returns what an Apply of p fixes in the target, and in others. It looks at no host.
func (t Target) mended(p *ir.Program, rules backends.Ruleset, e earlier) []backends.Drift {
	if e.held == nil {
		return e.left
	}
	a, err := t.compare(p, rules, e.held, e.unexpected)
	if err != nil {
		return e.left
	}
	return append(a.Drifts, e.left...)
}

// clearAll takes the rules of all targets away, and names those that had any.
func clearAll(targets []Target) (result Result, err error) {
	for _, t := range targets {
		gone, left, err := t.clear()
		if err != nil {
			return result, &LeftError{t, err}
		}
		result.AdminLeft = append(result.AdminLeft, left...)
		if gone {
			result.Removed = append(result.Removed, t.String())
		}
	}
	return result, nil
}

// load loads rules and proves that the target holds p; meanwhile it lists what that has fixed. What
// can't be proved is loaded once more: somebody else may have written while the back end did, and
// moved the place that a jump was meant for.
func (t Target) load(rules backends.Ruleset, p *ir.Program, e earlier) (backends.Report, []backends.Drift, *ir.Program,
	error) {
	report, err := t.Loader.Load(rules)
	if err != nil {
		return report, nil, nil, err
	}
	mended := make(chan []backends.Drift, 1)
	changed := report.Changed > 0
	if changed {
		go func() { mended <- t.mended(p, rules, e) }()
	}
	var unproven *UnprovenError
	held, err := t.prove(p)
	if errors.As(err, &unproven) && unproven.Read == nil {
		again, failed := t.Loader.Load(rules)
		if failed != nil {
			err = errors.Join(unproven, failed)
		} else {
			report.Changed += again.Changed
			report.Rebuilt = report.Rebuilt || again.Rebuilt
			held, err = t.prove(p)
		}
	}
	switch {
	case changed:
		return report, <-mended, held, err
	case report.Changed > 0:
		return report, t.mended(p, rules, e), held, err
	}
	return report, e.left, held, err
}

// Remove removes everything of vnetc from the target, and does not touch a target that has nothing
// of vnetc: the mere look of a tool at a table can make it. It returns the administrator's own
// rules, which stay.
func Remove(t Target) ([]backends.AdminRules, error) {
	_, left, err := t.clear()
	return left, err
}

// clear takes the target's rules away, gone is true if there were any, but for those left, which
// are the administrator's. A back end that can't be used here holds none. It is asked only if it
// can't be read: the asking makes tables of iptables-legacy.
func (t Target) clear() (gone bool, left []backends.AdminRules, err error) {
	images, err := t.Loader.Dump(t.Options.Names)
	if err != nil && t.Loader.Available() != nil {
		return false, nil, nil
	}
	if err != nil || len(images) == 0 {
		return false, nil, err
	}
	if held, err := t.heldIn(images); err == nil && held.AdminRules() > 0 {
		if left = t.adminIn(held); len(ours(held).Chains) == 0 {
			return false, left, nil // an Unload would leave them
		}
	}
	return true, left, t.Loader.Unload(t.Options.Names)
}

// Loaded returns the program that the target holds under our names; without chains if it holds
// nothing.
func (t Target) Loaded() (*ir.Program, error) {
	images, err := t.Loader.Dump(t.Options.Names)
	if err != nil {
		return nil, err
	}
	return t.heldIn(images)
}

// heldIn returns the program that images of the target contain.
func (t Target) heldIn(images []backends.Document) (*ir.Program, error) {
	if len(images) == 0 {
		return &ir.Program{}, nil
	}
	if t.Last == nil {
		return t.Loader.Read(images)
	}
	same := func(a, b backends.Document) bool {
		return a.File == b.File && a.Family == b.Family && bytes.Equal(a.Text, b.Text)
	}
	if !slices.EqualFunc(images, t.Last.images, same) {
		held, err := t.Loader.Read(images)
		if err != nil {
			return nil, err
		}
		*t.Last = Reading{images, held}
	}
	return t.Last.program, nil
}

// prove returns what the target holds, and no error if that does the same to every packet as p but
// for what the administrator's own rules do.
func (t Target) prove(p *ir.Program) (held *ir.Program, err error) {
	if held, err = t.Loaded(); err != nil {
		return nil, &UnprovenError{Read: err}
	}
	if r := prove.Equal(p, held.WithoutAdmin(), t.Options.Families); r.Answer != prove.Proved {
		return nil, &UnprovenError{Result: r}
	}
	return held, nil
}
