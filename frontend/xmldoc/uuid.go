package xmldoc

import (
	"encoding/hex"
	"strings"
)

// UUID accepts RFC 9562's text form. Libvirt takes it without dashes and between blanks too.
func UUID(v string) Problem {
	id, ok := ParseUUID(v)
	switch {
	case !ok:
		return Problem{"uuid-format", "not a UUID",
			"a UUID is 32 hexadecimal digits, with dashes between groups of 8, 4, 4, 4 and 12",
			"write the output of uuidgen, or leave it out"}
	case id == [16]byte{}:
		return Problem{"uuid-zero", "the UUID of nothing", "all zeros is RFC 9562's Nil UUID and identifies nothing",
			"write the output of uuidgen, or leave it out"}
	}
	return Problem{}
}

// ParseUUID reads what [UUID] accepts.
func ParseUUID(v string) (id [16]byte, ok bool) {
	v = strings.TrimSpace(v)
	if len(v) == 36 {
		if v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
			return id, false
		}
		v = v[:8] + v[9:13] + v[14:18] + v[19:23] + v[24:]
	}
	if len(v) != 32 {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(v))
	return id, err == nil
}

// UUIDText is the usual form of id, with dashes.
func UUIDText(id [16]byte) string {
	digits := hex.EncodeToString(id[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
