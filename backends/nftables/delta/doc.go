// Package delta computes the difference between the kernel's tables and the wanted ones, and builds
// the batch that makes it. It compares netlink messages, those of a dump and those of a wanted
// batch, and knows nothing of what they mean to packets.
package delta
