package link

import "github.com/vnetc/vnetc/ir"

// PlanUp returns what is missing until the network's devices are as l says, or why they can't be. It is pure. l.Bridge.Name
// is the name to use: of a running network whose bridge was chosen, that of [Facts.BridgeOf]; else see [Facts.FreeBridge].
// For modes whose devices others make, the plan is empty: [CheckDevices] looks whether they are there.
func PlanUp(l *ir.Link, f *Facts, o Options) (Plan, []Problem) {
	return Plan{}, nil
}

// PlanDown returns the steps that take away the bridge of the network called name: the one with its mark, and one called
// bridge whose maker was killed before it could write the mark. Addresses, routes and traffic control go with it. These
// steps have no way back.
func PlanDown(name, bridge string, f *Facts) []Step {
	return nil
}
