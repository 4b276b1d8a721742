package nftables

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/delta"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// Loader is the back end with a kernel: it implements [backends.Loader] for the network namespace
// of the calling thread. Everything it does to the rules is one transaction over both families.
type Loader struct{ Backend }

// tablesOf returns the tables of names in both families.
func tablesOf(names backends.Names) []wire.Table {
	table := namesOf(names).table
	return []wire.Table{{Family: familyNumber(ir.IPv4), Name: table}, {Family: familyNumber(ir.IPv6), Name: table}}
}

// Available returns nil if nf_tables answers here.
func (Loader) Available() error {
	r, err := wire.Dial()
	if err != nil {
		return explain(err)
	}
	defer r.Close()
	_, err = r.Generation()
	return explain(err)
}

// explain says what is missing where an errno alone would not. A message that nf_tables refuses is
// one that it has understood to be its own.
func explain(err error) error {
	var refused *wire.RefusedError
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("nf_tables: %w: CAP_NET_ADMIN over this network namespace is needed", err)
	case errors.As(err, &refused):
		return err
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("nf_tables: %w: this kernel has none (CONFIG_NF_TABLES)", err)
	}
	return err
}

// Dump returns the kernel's messages about the tables of names, as one document for Read.
func (Loader) Dump(names backends.Names) ([]backends.Document, error) {
	stream, _, err := wire.Dump(tablesOf(names))
	if err != nil || len(stream) == 0 {
		return nil, explain(err)
	}
	return []backends.Document{{File: "rules.netlink", Text: stream}}, nil
}

// Read is [Backend.Read] for what Dump returned: an interface that a rule matches by its index is
// read by the name that it has now, in the network namespace of the calling thread. Libvirt's rules
// ask so.
func (Loader) Read(images []backends.Document) (*ir.Program, error) {
	return readMarked(interfaces, images)
}

// Load makes the kernel hold rules, which must be of this back end. What is right already stays,
// with its counters. Tables that rules do not have are left alone.
func (Loader) Load(rules backends.Ruleset) (backends.Report, error) {
	set, err := backends.Of[*Ruleset](rules)
	if err != nil {
		return backends.Report{}, err
	}
	batch := set.Batch()
	want, err := delta.Take(batch.Bytes)
	if err != nil {
		return backends.Report{}, err
	}
	return transform(want.Where(), want, batch)
}

// Restore makes the kernel hold what a Dump of names returned; with no images, nothing under these
// names.
func (Loader) Restore(names backends.Names, images []backends.Document) error {
	var stream []byte
	for _, d := range images {
		stream = append(stream, d.Text...)
	}
	want, err := delta.Take(stream)
	if err != nil {
		return err
	}
	_, err = transform(tablesOf(names), want, &wire.Batch{})
	return err
}

// Unload deletes the tables of names.
func (l Loader) Unload(names backends.Names) error { return l.Restore(names, nil) }

// transform makes the kernel's tables into what is wanted. Somebody else's change of the ruleset in
// between makes it begin again.
func transform(tables []wire.Table, want *delta.Inventory, batch *wire.Batch) (backends.Report, error) {
	for range wire.Tries {
		stream, generation, err := wire.Dump(tables)
		if err != nil {
			return backends.Report{}, explain(err)
		}
		have, err := delta.Take(stream)
		if err != nil {
			return backends.Report{}, err
		}
		administer(have)
		change, report := delta.Between(have, want, generation, batch.Rule)
		if report.Changed == 0 {
			return report, nil
		}
		if err = change.Send(); !errors.Is(err, unix.ERESTART) {
			return report, explain(err)
		}
	}
	return backends.Report{}, fmt.Errorf("load rules: %w, %d times in a row", wire.ErrInterrupted, wire.Tries)
}
