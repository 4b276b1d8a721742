// Package wire is netlink as nf_tables speaks it: it writes and cuts messages, sends a batch, asks
// the kernel for what it holds, and prints expressions in the notation of `nft --debug=netlink`. It
// knows nothing of programs but the rule to blame for a message that the kernel refuses. Its
// reading half shares nothing with its writing half but the kernel's numbers.
package wire
