// Package link makes the devices of networks: bridges with their addresses, routes, sysctls, port
// options and traffic control. State is what the host holds, not a log: [ReadFacts] reads it,
// [PlanUp] compares it with what a network wants and returns the steps that are missing, and none
// when nothing is. So a process that was killed half-way leaves nothing that the next plan doesn't
// know of.
//
// It touches no device that it didn't make. Each of our bridges carries a mark from the moment it
// exists (see [Mark]); one without it is never changed or deleted, whatever its name.
//
// All calls work in the network namespace of the calling thread, and start no goroutines.
package link

import (
	"fmt"
	"net"
	"strings"
)

// Step is one change of the host, and its way back.
type Step interface {
	// String is the step's line in a dry run, such as "add address 192.168.122.1/24 to virbr0".
	String() string
	// Do makes the change. Its error doesn't repeat the step's line. One that is a *[Warning] says
	// that the network works without the change: report it and go on.
	Do() error
	// Undo takes back what Do did, wholly or half-way. That there is nothing to take back is no
	// error.
	Undo() error
}

// WaitStep is a Step whose Do only begins the work, for the sake of others of its kind: their Do
// comes first, then Wait ends the work of all.
type WaitStep interface {
	Step
	Wait() error
}

// Plan is what is missing until a network's devices are as wanted. The firewall comes between its
// two parts, so that rules are before a packet can pass. Both parts are empty if nothing is
// missing.
type Plan struct {
	Before []Step   // bridge, MAC, MTU, delay, STP, IPv6 sysctls; what goes away comes first
	After  []Step   // addresses, link up, routes, traffic control, options of ports
	Notes  []string // what the network's XML wants and no step does, and why
}

// Options is what a plan needs beside the network.
type Options struct {
	// MAC is the bridge's address if the network names none: chosen once for a network by
	// [RandomMAC] and kept. Nil leaves that of a bridge which exists, and the choice for a new one
	// to the kernel.
	MAC net.HardwareAddr
	// Checksum is true if DHCP answers need their checksum filled in by a filter of the bridge,
	// because no rule of the firewall does it.
	Checksum bool
}

// Problem is a reason why a network can't come up on this host. Nothing has been changed.
type Problem struct {
	What string // what is there, with names and addresses
	Why  string // what it would lead to
	Fix  string // what to do
}

// Error says it in one line.
func (p Problem) Error() string {
	text := p.What
	if p.Why != "" {
		text += ": " + p.Why
	}
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Warning is the error of a step that is done where the kernel can: the network works without it.
type Warning struct {
	Step    string   // the step's line
	Modules []string // the kernel modules that are missing, as modprobe(8) names them; none if it is another fault
	Err     error    // the kernel's error
}

// Error says what is missing and how to get it.
func (w *Warning) Error() string {
	text := w.Step + ": " + strings.ReplaceAll(w.Err.Error(), "\n", "; ")
	if len(w.Modules) == 0 {
		return text
	}
	names := strings.Join(w.Modules, " ")
	return fmt.Sprintf("%s: missing in the kernel: %s (where they are installed, modprobe -a %s loads them)", text,
		names, names)
}

// Unwrap returns the kernel's error.
func (w *Warning) Unwrap() error { return w.Err }
