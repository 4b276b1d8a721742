package decode

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/nftables/wire"
)

// single returns the words for an expression that takes no value from a register.
func (m *machine) single(e *wire.Expression) (string, bool) {
	switch e.Name {
	case "limit":
		return limitWords(e)
	case "log":
		return logWords(e), true
	case "queue":
		return queueWords(e), true
	case "connlimit":
		const count, flags = 1, 2 // NFTA_CONNLIMIT_*
		if e.Number(flags) != 0 {
			return fmt.Sprintf("ct count over %d", e.Number(count)), true
		}
		return fmt.Sprintf("ct count %d", e.Number(count)), true
	case "match":
		return fmt.Sprintf("xt match %q rev %d info %#x", e.Text(unix.NFTA_MATCH_NAME), e.Number(unix.NFTA_MATCH_REV),
			e.Attrs[unix.NFTA_MATCH_INFO]), true
	case "target":
		return fmt.Sprintf("xt target %q rev %d info %#x", e.Text(unix.NFTA_TARGET_NAME),
			e.Number(unix.NFTA_TARGET_REV), e.Attrs[unix.NFTA_TARGET_INFO]), true
	case "last":
		return "last", true
	}
	return "", false
}

// limitWords returns a limit in words, without what nft takes where nothing is said.
func limitWords(e *wire.Expression) (string, bool) {
	units := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
	unit, ok := units[e.Uint64(unix.NFTA_LIMIT_UNIT)]
	text := "limit rate "
	if e.Number(unix.NFTA_LIMIT_FLAGS)&unix.NFT_LIMIT_F_INV != 0 {
		text += "over "
	}
	text += fmt.Sprint(e.Uint64(unix.NFTA_LIMIT_RATE))
	burst, usual, of := e.Number(unix.NFTA_LIMIT_BURST), uint32(5), "packets"
	if e.Number(unix.NFTA_LIMIT_TYPE) == unix.NFT_LIMIT_PKT_BYTES {
		usual, of = 0, "bytes"
		text += " bytes"
	}
	text += "/" + unit
	if burst != 0 && burst != usual {
		text += fmt.Sprintf(" burst %d %s", burst, of)
	}
	return text, ok
}

// logWords returns a log in words.
func logWords(e *wire.Expression) string {
	text := "log"
	if e.Attrs[unix.NFTA_LOG_PREFIX] != nil {
		text += fmt.Sprintf(" prefix %q", e.Text(unix.NFTA_LOG_PREFIX))
	}
	if group := e.Attrs[unix.NFTA_LOG_GROUP]; len(group) == 2 {
		text += fmt.Sprintf(" group %d", uint16(group[0])<<8|uint16(group[1]))
	}
	levels := []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}
	if n, said := e.Uint32(unix.NFTA_LOG_LEVEL); said && n != 4 && int(n) < len(levels) {
		text += " level " + levels[n]
	}
	if n := e.Number(unix.NFTA_LOG_FLAGS); n != 0 {
		text += fmt.Sprintf(" flags %#x", n)
	}
	return text
}

// queueWords returns a queue in words.
func queueWords(e *wire.Expression) string {
	number := func(attr int) int {
		if b := e.Attrs[attr]; len(b) == 2 {
			return int(b[0])<<8 | int(b[1])
		}
		return 0
	}
	text := "queue"
	if flags := number(unix.NFTA_QUEUE_FLAGS); flags != 0 {
		words := map[int]string{1: "bypass", 2: "fanout", 3: "bypass,fanout"}
		text += " flags " + words[flags&3]
	}
	first, total := number(unix.NFTA_QUEUE_NUM), number(unix.NFTA_QUEUE_TOTAL)
	if total > 1 {
		return fmt.Sprintf("%s to %d-%d", text, first, first+total-1)
	}
	return fmt.Sprintf("%s to %d", text, first)
}
