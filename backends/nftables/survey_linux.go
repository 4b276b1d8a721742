package nftables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/decode"
	"github.com/vnetc/vnetc/backends/nftables/wire"
)

var _ backends.Surveyor = Loader{}

// Survey implements [backends.Surveyor]: all tables of nf_tables, those of iptables-nft among them,
// by netlink. The kernel lists tables in the order in which they were made, and the chains of each
// so. That order is taken for the order in which the chains were registered at their hooks; of two
// tables the kernel doesn't tell it. Interfaces that rules name by index have the name they have
// now.
func (l Loader) Survey() (backends.Survey, error) {
	stream, _, err := wire.DumpAll()
	if err != nil {
		return backends.Survey{}, fmt.Errorf("list the rules of all tables: %w", explain(err))
	}
	images := []backends.Document{{File: "nf_tables", Text: stream}}
	p, hidden, err := decode.Survey(interfaces, images)
	if err == nil {
		err = markAdmin(p, images)
	}
	return backends.Survey{World: backends.NFTables, Program: p, Hidden: hidden}, err
}

// Hooks implements [backends.Surveyor]. Sets that base chains look up are not read.
func (l Loader) Hooks() (backends.Survey, error) {
	stream, _, err := wire.DumpHooks(namesOf(backends.VnetcNames).table)
	if err != nil {
		return backends.Survey{}, fmt.Errorf("list the base chains of all tables: %w", explain(err))
	}
	p, hidden, err := decode.Survey(interfaces, []backends.Document{{File: "nf_tables", Text: stream}})
	return backends.Survey{World: backends.NFTables, Program: p, Hidden: hidden}, err
}

// World implements [backends.Surveyor].
func (Loader) World() backends.World { return backends.NFTables }
