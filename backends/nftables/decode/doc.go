// Package decode turns netlink messages of nf_tables back into an ir.Program: a machine runs each
// rule's expressions on symbols. It shares nothing with what lowers programs, so that reading back
// what was emitted proves something.
package decode
