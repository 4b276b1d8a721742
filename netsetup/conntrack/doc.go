// Package conntrack deletes the kernel's connection tracking entries that policies no longer let
// through. Rules look at the first packet of a connection; what is established passes whatever they
// say since. So after a policy has changed, [Cut] reads the entries of the network namespace of the
// calling thread and deletes those of which the first packet would now be refused, and those that a
// published port would now send elsewhere.
//
// The decision is pure, and is made by [Judge]; only what is certain is cut. An entry without an
// end in a network of ours, and not to a published port, is left alone.
//
// A deleted connection is not reset. Its next packet opens a new one as far as the kernel is
// concerned (net.netfilter.nf_conntrack_tcp_loose), and meets the rules. So a TCP connection that
// is denied one way only can be taken up again by a packet that goes the other way.
package conntrack
