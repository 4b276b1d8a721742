package ir

import (
	"strconv"
	"strings"
	"testing"
)

// TestParseRequest reads ends in a user's words, and refuses what is none with the place of the
// word.
func TestParseRequest(t *testing.T) {
	for _, tt := range []struct{ text, ends, packet, errors string }{
		{"tcp from network web to 10.0.0.5 port 5432", "network web > 10.0.0.5", "40000>5432 ip", ""},
		{"udp from 10.0.0.5:68 in network web to host port 67", "10.0.0.5 in network web > host", "68>67 ip", ""},
		{"icmp from outside to network db", "outside > network db", "0>0 ip", ""},
		{"icmpv6 from host to network \"a b\"", `host > network "a b"`, "0>0 ip6", ""},
		{"tcp from outside on wlan0 to [fd00::5]:22 state established", "outside > fd00::5", "40000>22 ip6", ""},
		{"tcp from network web to outside", "network web > outside", "40000>443 any", ""},
		{"tcp from network web", "", "", "the packet has no destination"},
		{"tcp from network web to 10.0.0.5 port", "", "", "ends after a word that needs a value"},
		{"icmp from network web to outside port 80", "", "", "a port in a packet of protocol icmp"},
		{"tcp from network web in network db to outside", "", "", "in network, and the source is no address"},
		{"tcp from 10.0.0.5 in web to outside", "", "", "in without a network"},
		{"tcp from network to outside", "", "", `"outside" is not allowed here`},
		{"tcp from 10.0.0.5 to fd00::5", "", "", "10.0.0.5 goes to fd00::5"},
		{"tcp from somewhere to host", "", "", `"somewhere"`},
	} {
		r, found := ParseRequest(tt.text)
		if tt.errors != "" {
			if !found.HasErrors() || !strings.Contains(found.Error(), tt.errors) {
				t.Errorf("%s: got %v, want %s", tt.text, found, tt.errors)
			}
			continue
		}
		family := map[Family]string{IPv4: "ip", IPv6: "ip6", 0: "any"}[r.Family]
		packet := strings.Join([]string{strconv.Itoa(int(r.SPort)), ">", strconv.Itoa(int(r.DPort)), " ", family}, "")
		ends := r.From.String() + " > " + r.To.String()
		if found.HasErrors() || ends != tt.ends || packet != tt.packet {
			t.Errorf("%s: got %s, %s, %v; want %s, %s", tt.text, ends, packet, found, tt.ends, tt.packet)
		}
	}
}

// TestParsePacketIsPlain: a packet for the rules of a PATH has no networks as its ends.
func TestParsePacketIsPlain(t *testing.T) {
	for text, want := range map[string]string{
		"tcp from network web to 10.0.0.5 out eth0":             "1:5: error: a network as the end of a packet",
		"tcp from 10.0.0.1 in network web to 10.0.0.5 out eth0": "1:19: error: a network as the end of a packet",
		"tcp from 10.0.0.1 on b to 10.0.0.5 port 80":            "1:36: error: port is not allowed here",
	} {
		if _, found := ParsePacket(text); !strings.Contains(found.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, found, want)
		}
	}
}
