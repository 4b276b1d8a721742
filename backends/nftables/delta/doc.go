// Package delta tells what must change so that tables of the kernel become others, and builds the
// batch that does it. It compares netlink messages, those of a dump and those of a wanted batch,
// and knows nothing of what they mean to packets.
package delta
