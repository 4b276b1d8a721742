// Package prove answers questions about whole programs: it turns an [ir.Program] into sets of
// packets, one set for each fate that a packet can have, and compares sets instead of trying
// packets. An answer is a proof, or a packet that shows the opposite, or the rule that is not
// modelled and on which the answer hangs.
//
// Sets are binary decision diagrams (package bdd) over the bits of a packet's properties (see
// space). Chains become partitions of the packets that enter them (see part), joined two and two;
// ways through the hooks become partitions by fate (see fates). It mirrors [ir.Eval], the plain
// meaning of a program, and is tested against it.
//
// It knows neither XML nor netfilter syntax nor the host.
package prove
