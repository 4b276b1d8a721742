package inforce

import (
	"slices"
	"strings"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup/state"
)

// policyNamespace begins the namespaces of policies in documents; a document without it has none.
const policyNamespace = "urn:vnetc:policy"

// ruledBefore returns the program in force, to compare with what comes, where either has policies;
// else nil, as then no connection is cut.
func (h *Host) ruledBefore(after *ir.Program) *ir.Program {
	inDocument := func(n state.Network) bool { return strings.Contains(n.XML, policyNamespace) }
	if (after == nil || !after.HasPolicies()) && len(h.policies) == 0 && !slices.ContainsFunc(h.networks, inDocument) {
		return nil
	}
	if before := h.recompile(h.networks).Program; before != nil {
		return before
	}
	return &ir.Program{}
}

// cutConnections ends the connections that policies forbid since they were changed, once the rules
// of after stand. Before is from ruledBefore.
func (h *Host) cutConnections(before, after *ir.Program) {
	if before == nil || after == nil {
		return
	}
	report, err := h.o.Machine.CutConnections(before, after)
	if err != nil {
		h.tell(NotCut{err})
	}
	if report.Cut > 0 {
		h.tell(ConnectionsCut{report})
	}
}
