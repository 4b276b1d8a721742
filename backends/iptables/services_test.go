package iptables

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// hostTable returns the lines of a table in /etc, each as its words without the comment.
func hostTable(t *testing.T, path string) (lines [][]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("no %s (Debian: netbase)", path)
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 1 {
			lines = append(lines, words)
		}
	}
	return lines
}

// TestServices: what is built in is what this host has, as far as both know a name.
func TestServices(t *testing.T) {
	both := 0
	seen := make(map[string]bool) // the first of a name is found
	for _, words := range hostTable(t, "/etc/services") {
		port, protocol, _ := strings.Cut(words[1], "/")
		for _, name := range append(words[2:], words[0]) {
			have := serviceOf(name, protocol)
			if have == 0 || seen[name+"/"+protocol] {
				continue
			}
			seen[name+"/"+protocol] = true
			if both++; strconv.Itoa(int(have)) != port {
				t.Errorf("%s/%s is port %d, on this host %s", name, protocol, have, port)
			}
		}
	}
	if both < 100 {
		t.Errorf("this host and the table have %d names in common, want more", both)
	}
}

// TestProtocols is TestServices for protocols.
func TestProtocols(t *testing.T) {
	both := 0
	for _, words := range hostTable(t, "/etc/protocols") {
		have, ok := parseProtocol(words[0])
		if !ok {
			continue
		}
		if both++; strconv.Itoa(int(have)) != words[1] {
			t.Errorf("%s is protocol %d, on this host %s", words[0], have, words[1])
		}
	}
	if both < 50 {
		t.Errorf("this host and the table have %d names in common, want more", both)
	}
}
