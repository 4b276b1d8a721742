// Package policy is the front end for policies: statements about who may open connections to whom,
// which ports of the host lead to which guest, and what must hold of a compiled firewall.
//
// [Parse] reads the text of one policy and says all there is to say about it, each at its place;
// [ParseAll] reads all policies of one compilation, which are one list: the first statement that
// matches a new connection decides. First come the files that are given as policies, in the order
// given, then other *.policy files in the order of the PATHs, those of a directory by name, then
// the policies in documents, in the order of the networks. [Check] judges the list by the networks;
// [Lower] adds the rules of statements to the program that a network front end made. Both are pure:
// they know neither back ends nor the host.
package policy

import (
	"net/netip"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// Kind is what a statement does.
type Kind string

const (
	Allow    Kind = "allow"    // new connections are accepted
	Deny     Kind = "deny"     // all but established and related packets are refused
	Publish  Kind = "publish"  // a port of the host leads to a guest
	Isolated Kind = "isolated" // an assertion: no new connection to another network or outside, either way
	Clamp    Kind = "clamp"    // TCP connections into and out of a network get a smaller segment size
)

// Statement is one line of a policy.
type Statement struct {
	Kind   Kind
	Family ir.Family // ir.Both unless a word or an address narrows it

	// Which packets, for Allow, Deny and Publish.
	Proto    uint8          // IANA number; 0 for any
	ICMP     []ir.ICMPType  // types of Proto ICMP or ICMPv6; nil for any
	Ports    []ir.PortRange // destination ports; nil for any. Of Publish: one range, of the host
	From, To End            // of Clamp and Isolated From is the network; of Publish From has addresses only, or none

	// For Publish.
	Guest      netip.Addr
	GuestPorts ir.PortRange // as long as Ports
	On         string       // interface by which connections must come in; empty for any
	At         netip.Addr   // the address that they must go to; zero for any of the host

	MSS uint16 // for Clamp: octets; 0 for what the path takes (rt mtu in nft(8), --clamp-mss-to-pmtu)

	// Network is the network whose document has the statement; empty for one of a file of its own.
	Network string
	Span    diag.Span
}

// EndKind is a kind of end that a statement names.
type EndKind uint8

const (
	Anywhere EndKind = iota // no end is named: each of the others
	Network                 // the guests of one network
	Host                    // the host itself
	Outside                 // whatever is behind the host's other interfaces
)

// End is one end of the connections that a statement speaks of.
type End struct {
	Kind  EndKind
	Name  string         // of the network
	Addrs []netip.Prefix // that the end is narrowed to, of both families if a named set has both; nil for all
	By    string         // interface of Outside; empty for any
	Span  diag.Span      // of the words that name it
}
