package dnsmasq

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Lease is an address that was given to a guest.
type Lease struct {
	Expires time.Time // zero if never
	Addr    netip.Addr
	MAC     net.HardwareAddr // nil for an IPv6 guest whose DUID holds none
	Host    string           // the name that the guest or its <host> has; empty for none
	// IPv4: the client identifier, empty for none; IPv6: the DUID; octets in hexadecimal with
	// colons
	ClientID string
	IAID     uint32 // IPv6: which of the guest's addresses it is (RFC 8415 section 4.2)
}

// ReadLeases returns the leases in a file that dnsmasq keeps; none if there is no file. Leases that
// have expired stay in it until dnsmasq looks. Lines that are no leases are left out, and all of
// them named in the error.
func ReadLeases(path string) ([]Lease, error) {
	const tries, pause = 10, 5 * time.Millisecond // for as long as dnsmasq takes to write
	var before []byte                             // nil before the first try
	for try := 1; ; try++ {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		moving := young(path)
		rests := before != nil && bytes.Equal(text, before) && !moving // looked at twice: we may be slow ourselves
		if try == tries || whole(text) || rests {
			return parseLeases(bytes.NewReader(text), path)
		}
		if before = text; moving {
			time.Sleep(pause)
		}
	}
}

// whole is false if text may be a part of a file: dnsmasq empties its file, and writes it again in
// blocks of stdio's size.
func whole(text []byte) bool {
	const block = 4096
	return len(text)%block != 0 && text[len(text)-1] == '\n'
}

// young is true if the file was written a moment ago. One that has rested stays as it is: empty, or
// damaged.
func young(path string) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) < 50*time.Millisecond
}

// parseLeases reads dnsmasq's format: a lease a line, "duid" and the server's own before those of
// IPv6.
func parseLeases(r io.Reader, name string) ([]Lease, error) {
	var leases []Lease
	var bad []error
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] == "duid" && len(words) == 2 {
			continue
		}
		l, err := parseLease(words)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		}
		leases = append(leases, l)
	}
	if err := lines.Err(); err != nil {
		bad = append(bad, fmt.Errorf("%s:%d: %w", name, n+1, err))
	}
	return leases, errors.Join(bad...)
}

// parseLease reads the words of a line: when it expires in seconds since 1970, MAC or IAID,
// address, name, client id. A * stands for nothing.
func parseLease(words []string) (Lease, error) {
	var l Lease
	if len(words) != 5 {
		return l, fmt.Errorf("a lease has 5 words, this line %d", len(words))
	}
	seconds, err := strconv.ParseUint(words[0], 10, 40) // some 30000 years
	if err != nil {
		return l, fmt.Errorf("%q is not a time in seconds", words[0])
	}
	if seconds != 0 {
		l.Expires = time.Unix(int64(seconds), 0)
	}
	if l.Addr, err = netip.ParseAddr(words[2]); err != nil {
		return l, fmt.Errorf("%q is not an address", words[2])
	}
	if words[3] != "*" {
		if oneWord(words[3]) != nil {
			return l, fmt.Errorf("%q is not a name of a host", words[3])
		}
		l.Host = words[3]
	}
	var octets []byte
	if words[4] != "*" {
		if octets, err = hex.DecodeString(strings.ReplaceAll(words[4], ":", "")); err != nil {
			return l, fmt.Errorf("%q is not a client id", words[4])
		}
		l.ClientID = words[4]
	}
	if l.Addr.Is4() {
		l.MAC, err = leaseMAC(words[1])
		return l, err
	}
	l.MAC = duidMAC(octets)
	l.IAID, err = leaseIAID(words[1])
	return l, err
}

// leaseMAC reads a MAC; before one that is not Ethernet's stand its type and a dash.
func leaseMAC(word string) (net.HardwareAddr, error) {
	if len(word) > 3 && word[2] == '-' {
		word = word[3:]
	}
	mac, err := hex.DecodeString(strings.ReplaceAll(word, ":", ""))
	if err != nil {
		return nil, fmt.Errorf("%q is no MAC", word)
	}
	return mac, nil
}

// leaseIAID reads the number of an address; that of a temporary one has a T before it.
func leaseIAID(word string) (uint32, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(word, "T"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no IAID", word)
	}
	return uint32(id), nil
}

// duidMAC returns the MAC in a DUID of the kinds DUID-LLT and DUID-LL on Ethernet (RFC 8415 section
// 11), or nil.
func duidMAC(duid []byte) net.HardwareAddr {
	switch {
	case len(duid) == 14 && string(duid[:4]) == "\x00\x01\x00\x01":
		return duid[8:]
	case len(duid) == 10 && string(duid[:4]) == "\x00\x03\x00\x01":
		return duid[4:]
	}
	return nil
}
