package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// deleter deletes entries, many at once.
type deleter struct {
	*conn
	deleted func(Verdict) // called for each entry that is deleted

	requests []byte
	pending  []Verdict // of requests, in their order
	first    uint32    // the sequence number of the first
	failed   int       // entries that the kernel would not delete
	why      error     // what it said of the first of them
}

const batch = 128 // deletions that are sent at once: their answers fit the socket's buffer

// add has an entry deleted. The kernel finds it by what its first packets have in common and its
// zone, and by its number: a newer one with the same ends stays.
func (d *deleter) add(family byte, k keys, v Verdict) error {
	if len(d.pending) == 0 {
		d.requests, d.first = d.requests[:0], d.seq+1
	}
	d.requests = d.request(d.requests, subsystem, ctDelete, unix.NLM_F_ACK, family, k.tuple, k.zone, k.id)
	if d.pending = append(d.pending, v); len(d.pending) < batch {
		return nil
	}
	return d.flush()
}

// flush deletes what waits.
func (d *deleter) flush() error {
	if len(d.pending) == 0 {
		return nil
	}
	if err := d.send(d.requests); err != nil {
		return fmt.Errorf("delete connections: %w", err)
	}
	for answered := 0; answered < len(d.pending); {
		err := d.receive(func(typ uint16, body []byte) error {
			answered++
			return d.answer(typ, body)
		})
		if err != nil {
			return fmt.Errorf("delete connections: %w", err)
		}
	}
	d.pending = d.pending[:0]
	return nil
}

// answer reads the answer to one request. An entry that is gone by itself is no failure, nor a
// deletion.
func (d *deleter) answer(typ uint16, body []byte) error {
	if typ != unix.NLMSG_ERROR || len(body) < 4+unix.NLMSG_HDRLEN {
		return fmt.Errorf("an answer of type %d and %d bytes", typ, len(body))
	}
	i := binary.NativeEndian.Uint32(body[4+8:]) - d.first // of the header of the request
	if i >= uint32(len(d.pending)) {
		return fmt.Errorf("an answer to request %d of %d", i+1, len(d.pending))
	}
	switch err := errno(body); {
	case err == nil:
		d.deleted(d.pending[i])
	case errors.Is(err, unix.EPERM): // one answer for all
		return err
	case !errors.Is(err, unix.ENOENT):
		if d.failed++; d.why == nil {
			d.why = err
		}
	}
	return nil
}

// err returns why entries that should be deleted are not.
func (d *deleter) err() error {
	if d.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d connections that a policy forbids go on: the kernel does not delete them: %w",
		d.failed, d.why)
}
