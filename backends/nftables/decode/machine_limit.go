package decode

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
	"github.com/vnetc/vnetc/ir"
)

// limit runs a limit of packets. One of bytes is kept as text.
func (m *machine) limit(e *wire.Expression) {
	rate, unit := e.Uint64(unix.NFTA_LIMIT_RATE), e.Uint64(unix.NFTA_LIMIT_UNIT)
	burst := e.Number(unix.NFTA_LIMIT_BURST)
	per := time.Duration(unit) * time.Second
	switch per {
	case time.Second, time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour:
	default:
		per = 0
	}
	if e.Number(unix.NFTA_LIMIT_TYPE) != unix.NFT_LIMIT_PKTS || per == 0 || unit > 604800 || rate == 0 ||
		rate>>32 != 0 || burst == 0 {
		m.opaque(e)
		return
	}
	if m.parted { // the rules would have one each
		m.opaque(e)
		return
	}
	over := e.Number(unix.NFTA_LIMIT_FLAGS)&unix.NFT_LIMIT_F_INV != 0
	m.match(ir.Limit{Rate: uint32(rate), Per: per, Burst: burst, Over: over})
}
