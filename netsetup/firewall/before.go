package firewall

import (
	"errors"
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

// Place is where rules can stand on a host.
type Place struct {
	Name   string // by which other processes know it
	Title  string // for people
	Loader backends.Loader
}

// Before is what this host held under our names before a change: the exact way back. It can be kept
// as JSON.
type Before []Image

// Image is what one place held under names.
type Image struct {
	Place string              `json:"place"`
	Names backends.Names      `json:"names"`
	Dump  []backends.Document `json:"dump"` // as the loader returned it
}

// Keep returns what the places hold under each of names. Places that can't be used here hold
// nothing, and are left out.
func Keep(places []Place, names []backends.Names) (Before, error) {
	var b Before
	for _, p := range places {
		for _, n := range names {
			dump, err := p.Loader.Dump(n)
			if err != nil &&
				p.Loader.Available() != nil { // asked only then: the asking makes tables of iptables-legacy
				break
			}
			if err != nil {
				return nil, fmt.Errorf("keep the rules of %s: %w", p.Name, err)
			}
			b = append(b, Image{p.Name, n, dump})
		}
	}
	return b, nil
}

// Restore makes the places hold what they held then, and proves it from what it reads back. Places
// that had rules come first, so that there are rules at every moment.
func (b Before) Restore(places []Place) error {
	var failed error
	for _, full := range []bool{true, false} {
		for _, i := range b {
			if (len(i.Dump) > 0) != full {
				continue
			}
			if err := i.restore(places); err != nil {
				failed = errors.Join(failed, fmt.Errorf("restore the rules of %s: %w", i.Place, err))
			}
		}
		if failed != nil {
			return failed // what stands now is better than nothing
		}
	}
	return nil
}

func (i Image) restore(places []Place) error {
	for _, p := range places {
		if p.Name == i.Place {
			if err := p.Loader.Restore(i.Names, i.Dump); err != nil {
				return err
			}
			return i.prove(p.Loader)
		}
	}
	return errors.New("this build of vnetc does not have that back end")
}

// prove returns nil if l does the same to every packet as when i was kept.
func (i Image) prove(l backends.Loader) error {
	then := &ir.Program{}
	if len(i.Dump) > 0 {
		var err error
		if then, err = l.Read(i.Dump); err != nil {
			return err
		}
	}
	now, err := Target{Loader: l, Options: backends.Options{Names: i.Names}}.Loaded()
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if r := prove.Equal(then.WithoutAdmin(), now.WithoutAdmin(), ir.Both); r.Answer == prove.Refuted {
		return fmt.Errorf("read back: %s is %s and was %s", r.Packet, r.B, r.A)
	}
	return nil
}
