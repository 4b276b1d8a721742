package inforce

import (
	"time"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/state"
)

// Event is something that happens while a verb goes on, and that its result doesn't tell.
type Event interface{ isEvent() }

type (
	// Untrusted lists state files that are not believed.
	Untrusted struct{ Files []state.Unused }
	// Said is what a back end has to say about rules, without errors.
	Said struct {
		Sources *diag.Sources
		Found   diag.List
	}
	// Waits tells of a change that is undone in Left unless it is confirmed.
	Waits struct{ Left time.Duration }
	// Overdue tells that a change was not confirmed in time: what was in force before is in force
	// again.
	Overdue struct{}
	// Lost lists interfaces that our rules in the kernel name though no state file says of which
	// networks; the rules go.
	Lost struct{ Interfaces []string }
	// Unlisted is Lost where there is no state file at all, and the rules stay.
	Unlisted struct{ Interfaces []string }
	// Unreadable names a place that can't be looked at for libvirt's rules.
	Unreadable struct {
		Place string
		Err   error
	}
	// StillActive names a network that libvirt's status files call active though its rules were
	// taken over.
	StillActive struct{ Network string }
	// Begun tells that the steps of an Up or a Down begin, and how many there are. A
	// [Stepped] follows for each of them that is done, and one [Ended].
	Begun struct {
		Down  bool
		Steps int
	}
	// Stepped tells that one step is over.
	Stepped struct{}
	// Ended tells that the steps are over.
	Ended struct{}
)

func (Untrusted) isEvent()   {}
func (Said) isEvent()        {}
func (Waits) isEvent()       {}
func (Overdue) isEvent()     {}
func (Lost) isEvent()        {}
func (Unlisted) isEvent()    {}
func (Unreadable) isEvent()  {}
func (StillActive) isEvent() {}
func (Begun) isEvent()       {}
func (Stepped) isEvent()     {}
func (Ended) isEvent()       {}
