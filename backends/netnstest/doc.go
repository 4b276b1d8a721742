// Package netnstest is the ground that kernel tests stand on: network namespaces made by the tests
// themselves, a small host with bridges, guests and an uplink in them, and real packets to send
// through it. It never touches the machine's own network, rules, /sys or /run.
//
// A package with kernel tests calls [Main] from its TestMain, so that they run for any user where
// the kernel lets users make namespaces. What a machine lacks makes a test skip and say so; with
// VNETC_NETNS=require in the environment it fails.
//
// The package knows no rules: a test loads what it likes with [NS.Exec], and compares the [Result]
// of a packet with what it expects.
package netnstest
