package nftables

import (
	"fmt"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables/decode"
	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
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

// longChain is up to how many rules of a base chain Hooks reads. Behind as many hardly any packet
// meets none that does something, and to read them twice takes longer than to ask.
const longChain = 500

// Hooks implements [backends.Surveyor]. Sets that base chains look up are not read, and long chains
// are told as hidden.
func (l Loader) Hooks() (backends.Survey, error) {
	stream, long, err := wire.DumpHooks(namesOf(backends.VnetcNames).table, longChain)
	if err != nil {
		return backends.Survey{}, fmt.Errorf("list the base chains of all tables: %w", explain(err))
	}
	p, hidden, err := decode.Survey(interfaces, []backends.Document{{File: "nf_tables", Text: stream}})
	for _, name := range long {
		hidden = append(hidden, ir.Hidden{Text: "a chain with many rules", Chain: name})
	}
	return backends.Survey{World: backends.NFTables, Program: p, Hidden: hidden}, err
}

// World implements [backends.Surveyor].
func (Loader) World() backends.World { return backends.NFTables }
