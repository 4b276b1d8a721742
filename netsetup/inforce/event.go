package inforce

import (
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/netsetup/conntrack"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Event is something that happens during a verb and that is not in its result.
type Event interface{ isEvent() }

type (
	// Untrusted lists state files that are not believed.
	Untrusted struct{ Files []state.Unused }
	// Said is what a back end has to say about rules, without errors.
	Said struct {
		Sources *diag.Sources
		Found   diag.List
	}
	// Waits reports a change that is undone in Left unless it is confirmed. If it is overdue
	// already Left is not more than 0.
	Waits struct{ Left time.Duration }
	// Overdue reports that a change was not confirmed in time: what was in force before is in force
	// again.
	Overdue struct{}
	// Unexplained lists bridges of which the kernel has our rules though no state file says of
	// which networks; the rules stay.
	Unexplained struct{ Bridges []string }
	// Unread reports that the kernel's rules can't be read: there may be rules without a state
	// file.
	Unread struct{ Err error }
	// Pruned lists what was taken away because it was not named: networks, bridges of which there
	// were rules and no state file, and policies.
	Pruned struct{ Networks, Bridges, Policies []string }
	// Left lists rules of the administrator that stay, and are in force, where ours are gone.
	Left struct{ Rules []backends.AdminRules }
	// ConnectionsCut says which connections were ended because policies forbid them now.
	ConnectionsCut struct{ Report conntrack.Report }
	// NotCut reports that connections which policies forbid now go on until they end by themselves.
	NotCut struct{ Err error }
	// BadPending reports that the file about a change that waits can't be read.
	BadPending struct{ Err error }
	// Changing reports that another process was changing the host meanwhile, or was killed while it
	// did: what was read may be half of a change.
	Changing struct{}
	// Unreadable names a place that can't be looked at for libvirt's rules.
	Unreadable struct {
		Place string
		Err   error
	}
	// StillActive names a network that libvirt's status files call active though its rules were
	// taken over.
	StillActive struct{ Network string }
	// Preferred tells that rules go to a back end that is not the first of this host, and what
	// guests could not do under that one.
	Preferred struct {
		Backend, Over string
		Lost          []expect.Answer
		Later         []string // what starts at boot and was taken to be there
	}
	// Begun reports that the steps of an Up or a Down begin, and how many there are. A [Stepped]
	// follows for each of them that is done, and one [Ended].
	Begun struct {
		Down  bool
		Steps int
	}
	// Stepped reports that one step is over.
	Stepped struct{}
	// Ended reports that the steps are over.
	Ended struct{}
)

func (Untrusted) isEvent()      {}
func (Said) isEvent()           {}
func (Waits) isEvent()          {}
func (Overdue) isEvent()        {}
func (Unexplained) isEvent()    {}
func (Unread) isEvent()         {}
func (ConnectionsCut) isEvent() {}
func (NotCut) isEvent()         {}
func (Pruned) isEvent()         {}
func (Left) isEvent()           {}
func (BadPending) isEvent()     {}
func (Changing) isEvent()       {}
func (Unreadable) isEvent()     {}
func (StillActive) isEvent()    {}
func (Preferred) isEvent()      {}
func (Begun) isEvent()          {}
func (Stepped) isEvent()        {}
func (Ended) isEvent()          {}
