package conntrack

import (
	"cmp"
	"slices"
)

// Reason says why a connection is cut.
type Reason string

const (
	Denied      Reason = "denied"      // a policy refuses its first packet now
	Withdrawn   Reason = "withdrawn"   // a policy let it through before, and nothing does now
	Published   Reason = "published"   // a published port leads elsewhere than the connection does
	Unpublished Reason = "unpublished" // the port by which it came is not published any more
)

// Cause is why a connection is cut, and by which statement: the one that refuses it or publishes
// its port, or the one that is gone.
type Cause struct {
	Reason    Reason `json:"reason"`
	Statement string `json:"statement"`
	Network   string `json:"network,omitempty"`
	Source    string `json:"source,omitempty"` // where the statement stands
}

// Count is how many connections were cut for one cause.
type Count struct {
	Cause
	Connections int `json:"connections"`
}

// Report is what [Cut] did.
type Report struct {
	Listed int `json:"listed"` // entries that the kernel has
	Judged int `json:"judged"` // those with an end in one of the networks, or to a published port
	Cut    int `json:"cut"`
	// Unsure are those that were judged and stay because the rules don't say for certain that they
	// are refused: one that is not modelled decides, or it depends on an interface that is not
	// known.
	Unsure int     `json:"unsure"`
	Counts []Count `json:"counts"` // of those cut, in the order of their causes
}

// add counts a connection that was cut.
func (r *Report) add(c Cause) {
	r.Cut++
	i, found := slices.BinarySearchFunc(r.Counts, c, func(n Count, c Cause) int { return n.Cause.compare(c) })
	if !found {
		r.Counts = slices.Insert(r.Counts, i, Count{Cause: c})
	}
	r.Counts[i].Connections++
}

func (c Cause) compare(o Cause) int {
	return cmp.Or(cmp.Compare(c.Reason, o.Reason), cmp.Compare(c.Statement, o.Statement),
		cmp.Compare(c.Network, o.Network), cmp.Compare(c.Source, o.Source))
}
