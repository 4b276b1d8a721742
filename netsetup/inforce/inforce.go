// Package inforce knows which networks are in force on this host, and is the one place that changes
// that. It joins four things: documents, which say what is wanted; state files, which say what was
// done; the rules in the kernel; and bridges with their addresses and servers.
//
//	Open    takes the lock on the state folder and reads the state files, for what changes something
//	Look    reads them without the lock, for what changes nothing
//	Want    compiles documents together with the networks in force
//	Apply, Up, Down, Remove    change the host, and Audit, Status, Leases look at it
//	Confirm, Undo, Watch       end a change that waits for its confirmation
//
// Every change goes through [Host.change], which writes state files, rules, links and state files
// again in the one order that is safe to be interrupted anywhere.
//
// The front end comes in as a [Compiler], back ends come as a list of places. The package prints
// nothing: what there is to say on the way is an [Event], why something was not done is an [Error].
// All calls work on the network namespace of the calling thread.
package inforce

import (
	"errors"
	"os"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// DefaultDir is the state folder unless the user names another.
const DefaultDir = state.DefaultDir

// Options are what the engine gets from its caller. Compiler and Places must be set.
type Options struct {
	Compiler Compiler
	Places   []firewall.Place // where rules can stand on a host, those of the preferred back end first
	Rules    Choice           // where rules are to go
	Wait     time.Duration    // how long to wait for another process that holds the lock
	Tell     func(Event)      // gets events, in the calling goroutine; nil for none
	Machine  Machine          // nil for this host

	// Guard starts what calls [Watch] on the state folder dir and outlives this process. It returns
	// when that has begun. Only an Apply that waits for its confirmation needs it.
	Guard func(dir string) error

	files func(*state.Dir) files // for tests: what state files are written by; nil for the folder itself
}

// Choice says where rules are to go. What is left empty is as the networks in force have it; where
// none is, the first back end that this host has, its default layout, and vnetc's names.
type Choice struct {
	Backend string // name of a back end, or "auto", see [Host.prefer]
	Layout  backends.Layout
	Names   backends.Names
}

// Host is this host: locked against every other process of vnetc until Close, or as it was seen by
// [Look].
type Host struct {
	o      Options
	dir    folder
	writer *state.Dir // dir with its lock; nil for those who look
	files  files      // of writer

	networks []state.Network // what the state files say
	policies []state.Policy  // likewise
	unused   []state.Unused  // state files that say nothing

	lostPolicies []string // names of policies in force of which no state file has the text
	dropPolicies []string // those that are to go

	// Set by choose.
	target firewall.Target
	others []firewall.Target // other places where our rules may stand

	// Set by findUnexplained and keep.
	unexplained firewall.Unexplained // rules that stay though no state file explains them
	pruned      []string             // bridges of such rules that go

	// Set by read.
	links Links
	lacks map[string][]state.Lack
}

// folder is what is read from the state folder, with its lock or without.
type folder interface {
	Path() string
	Networks() ([]state.Network, []state.Unused, error)
	Policies() ([]state.Policy, error)
	PoliciesPath() string
	NetworkPath(name string) string
	Lacks() map[string][]state.Lack
	Cures() (map[string][]state.Cure, error)
	Pending() (*state.Pending, error)
	PendingPath() string
	LastUndone() (time.Time, bool)
}

// files is what is written into the state folder: by [state.Dir], or by what fails in tests.
type files interface {
	Save(state.Network) error
	Remove(name string) error
	SavePolicies([]state.Policy) error
	SaveLacks(map[string][]state.Lack) error
	SavePending(*state.Pending) error
	Confirmed(id string) error
	Undone(id string, at time.Time) error
}

// Open takes the lock on the state folder, for a verb that changes something, and undoes what was
// not confirmed in time. While a change waits for its confirmation it refuses, so that there is one
// way back.
func Open(dir string, o Options) (*Host, error) {
	h, p, left, err := settled(dir, o)
	if err != nil {
		return nil, err
	}
	if p != nil {
		h.Close()
		return nil, failf("the last apply waits for confirmation and is undone in %s: vnetc confirm keeps it, "+
			"vnetc confirm --undo undoes it now", seconds(left))
	}
	if err := h.readFiles(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// settled takes the lock on the state folder, undoes what was not confirmed in time, and returns
// the change that still waits, and for how long.
func settled(path string, o Options) (*Host, *state.Pending, time.Duration, error) {
	h, err := locked(path, o)
	if err != nil {
		return nil, nil, 0, err
	}
	p, left, err := h.settle()
	if err != nil {
		h.Close()
		return nil, nil, 0, failed(err)
	}
	return h, p, left, nil
}

// locked takes the lock on the state folder.
func locked(path string, o Options) (*Host, error) {
	if o.Machine == nil {
		o.Machine = thisMachine{}
	}
	dir, err := state.Open(path, o.Wait)
	if errors.Is(err, os.ErrPermission) {
		return nil, failf("%w; run as root, or choose a folder with --state-dir", err)
	}
	if err != nil {
		return nil, failed(err)
	}
	h := &Host{o: o, dir: dir, writer: dir, files: dir}
	if o.files != nil {
		h.files = o.files(dir)
	}
	return h, nil
}

// readFiles reads the state files, and removes those that an earlier boot has left.
func (h *Host) readFiles() (err error) {
	if h.networks, h.unused, err = h.dir.Networks(); err != nil {
		return failed(err)
	}
	h.readPolicies()
	if len(h.unused) > 0 {
		h.tell(Untrusted{h.unused})
	}
	if h.writer == nil {
		return nil
	}
	return h.forgetStale()
}

// Close gives the lock back. Closed again it does nothing.
func (h *Host) Close() {
	if h.links != nil {
		h.links.Close()
		h.links = nil
	}
	if h.writer != nil {
		h.writer.Close()
		h.writer = nil
	}
}

// Networks returns the networks in force, in their order, as the state files have them.
func (h *Host) Networks() []state.Network { return h.networks }

// Policies returns the policy files in force, in the order in which their statements decide.
func (h *Host) Policies() []state.Policy { return h.policies }

// Backend returns the name of the back end that rules go to, once it is chosen.
func (h *Host) Backend() string { return h.target.Loader.Name() }

// Layout returns how rules are laid out there.
func (h *Host) Layout() backends.Layout { return h.target.Options.Layout }

func (h *Host) tell(e Event) {
	if h.o.Tell != nil {
		h.o.Tell(e)
	}
}
