package conntrack

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/ir"
)

// two adds a second uplink, eth1, to the machine.
func two() *ir.Host {
	h := machine()
	h.Devices = append(h.Devices, ir.HostDevice{Name: "eth1"})
	h.Routes = append(h.Routes, ir.HostRoute{Dest: netip.MustParsePrefix("0.0.0.0/0"), Device: "eth1"})
	return h
}

// TestJudge: what becomes of entries when the policy of five networks changes. Policies have
// statements with semicolons between, and published ports after the word PRE.
func TestJudge(t *testing.T) {
	const stays, unsure, foreign = "stays", "unsure", "foreign"
	tests := []struct {
		name, before, after string
		entry               string
		want                string // stays, unsure, foreign; or reason and statement
		host                *ir.Host
	}{
		{name: "deny between networks", after: "deny from network web to network db",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:80", want: "denied: deny from network web to network db"},
		{name: "deny the other way", after: "deny from network web to network db",
			entry: "tcp 10.0.1.7:4000 10.0.0.5:80", want: stays},
		{name: "deny of a port", after: "deny tcp from network web to network db port 5432",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:5432", want: "denied: deny tcp from network web to network db port 5432"},
		{name: "another port", after: "deny tcp from network web to network db port 5432",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:5433", want: stays},
		{name: "another protocol", after: "deny tcp from network web to network db port 5432",
			entry: "udp 10.0.0.5:4000 10.0.1.7:5432", want: stays},
		{name: "IPv6", after: "deny ipv6 from network web to network db",
			entry: "tcp [fd00:0::5]:4000 [fd00:1::7]:80", want: "denied: deny ipv6 from network web to network db"},
		{name: "the other family", after: "deny ipv6 from network web to network db",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:80", want: stays},
		{name: "an allow before the deny", after: "allow tcp from network web to network db port 80; deny from network web to network db",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:80", want: stays},
		{name: "a protocol without ports", after: "deny from network web to network db",
			entry: "47 10.0.0.5:0 10.0.1.7:0", want: "denied: deny from network web to network db"},

		{name: "masqueraded to outside", after: "deny tcp from network web to outside port 25",
			entry: "tcp 10.0.0.5:4000 198.51.100.9:25 snat 192.0.2.1:4000", want: "denied: deny tcp from network web to outside port 25"},
		{name: "another port outside", after: "deny tcp from network web to outside port 25",
			entry: "tcp 10.0.0.5:4000 198.51.100.9:443 snat 192.0.2.1:4000", want: stays},
		{name: "to outside is not to another network", after: "deny tcp from network web to outside",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:80", want: stays},
		{name: "to outside is not to the host", after: "deny tcp from network web to outside",
			entry: "tcp 10.0.0.5:4000 192.0.2.1:80", want: stays},
		{name: "Docker's are outside, too", after: "deny tcp from network web to outside",
			entry: "tcp 10.0.0.5:4000 172.17.0.4:80", want: "denied: deny tcp from network web to outside"},
		{name: "of Docker's to outside", after: "deny from network web to outside",
			entry: "tcp 172.17.0.4:4000 198.51.100.9:443 snat 192.0.2.1:4000", want: foreign},
		{name: "the host's own", after: "deny from network web to outside",
			entry: "tcp 192.0.2.1:4000 198.51.100.9:443", want: foreign},
		{name: "from outside", after: "deny from outside to network db",
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: "denied: deny from outside to network db"},
		{name: "from outside, by what Docker has", after: "deny from outside to network db",
			entry: "udp 172.17.0.4:4000 10.0.1.7:53", want: "denied: deny from outside to network db"},
		{name: "from outside by an interface", after: "deny from outside by eth0 to network db",
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: "denied: deny from outside by eth0 to network db"},
		{name: "from outside by another interface", after: "deny from outside by eth0 to network db",
			entry: "udp 172.17.0.4:4000 10.0.1.7:53", want: unsure}, // docker0, or a lie that came by eth0
		{name: "from outside by one of two", after: "deny from outside by eth0 to network db", host: two(),
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: unsure},
		{name: "from outside by either of two", after: "deny from outside by eth0 to network db; deny from outside by eth1 to network db", host: two(),
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: "denied: deny from outside by eth0 to network db"},
		{name: "nothing is known of the host", after: "deny from outside by eth0 to network db", host: &ir.Host{},
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: unsure},
		{name: "nothing need be known of the host", after: "deny from outside to network db", host: &ir.Host{},
			entry: "udp 198.51.100.9:4000 10.0.1.7:53", want: "denied: deny from outside to network db"},

		{name: "to the host", after: "deny from network web to host",
			entry: "tcp 10.0.0.5:4000 10.0.0.1:22", want: "denied: deny from network web to host"},
		{name: "to another address of the host", after: "deny from network web to host",
			entry: "tcp 10.0.0.5:4000 192.0.2.1:22", want: "denied: deny from network web to host"},
		{name: "to the host's name server", after: "deny from network web to host",
			entry: "udp 10.0.0.5:4000 10.0.0.1:53", want: stays},
		{name: "to the host's DHCP server by broadcast", after: "deny from network web to host",
			entry: "udp 10.0.0.5:68 255.255.255.255:67", want: stays},
		{name: "a broadcast goes to the host, and not outside", after: "deny from network web to outside",
			entry: "udp 10.0.0.5:68 255.255.255.255:67", want: stays},
		{name: "to the host by broadcast of the network", after: "deny from network web to host",
			entry: "udp 10.0.0.5:4000 10.0.0.255:4001", want: "denied: deny from network web to host"},
		{name: "echo to the host", after: "deny from network web to host",
			entry: "icmp 10.0.0.5:7 10.0.0.1:8", want: stays},
		{name: "timestamp to the host", after: "deny from network web to host",
			entry: "icmp 10.0.0.5:7 10.0.0.1:13", want: "denied: deny from network web to host"},
		{name: "echo between networks", after: "deny icmp from network web to network db",
			entry: "icmp 10.0.0.5:7 10.0.1.7:8", want: "denied: deny icmp from network web to network db"},
		{name: "the host's own to a guest", after: "deny from network web to host",
			entry: "tcp 10.0.0.1:4000 10.0.0.5:22", want: stays},
		{name: "from the host", after: "deny from host to network web",
			entry: "tcp 10.0.0.1:4000 10.0.0.5:22", want: "denied: deny from host to network web"},

		{name: "what another connection announced", after: "deny from network web to network db",
			entry: "tcp 10.0.0.5:4000 10.0.1.7:2000 related", want: stays},

		{name: "an allow is gone", before: "allow tcp from network web to network safe port 80",
			entry: "tcp 10.0.0.5:4000 10.0.2.7:80", want: "withdrawn: allow tcp from network web to network safe port 80"},
		{name: "an allow is narrower", before: "allow tcp from network web to network safe", after: "allow tcp from network web to network safe port 443",
			entry: "tcp 10.0.0.5:4000 10.0.2.7:80", want: "withdrawn: allow tcp from network web to network safe"},
		{name: "and still lets it through", before: "allow tcp from network web to network safe", after: "allow tcp from network web to network safe port 443",
			entry: "tcp 10.0.0.5:4000 10.0.2.7:443", want: stays},
		{name: "an allow in other words", before: "allow tcp from network web to network safe", after: "allow from 10.0.0.0/25 in network web to network safe",
			entry: "tcp 10.0.0.5:4000 10.0.2.7:443", want: stays},
		{name: "an allow to outside is gone", before: "allow from network safe to outside",
			entry: "udp 10.0.2.7:4000 198.51.100.9:53", want: "withdrawn: allow from network safe to outside"},
		{name: "an allow from outside is gone", before: "allow from outside to network safe",
			entry: "udp 198.51.100.9:4000 10.0.2.7:53", want: "withdrawn: allow from outside to network safe"},
		{name: "what networks let through needs no allow", before: "allow from network web to outside",
			entry: "udp 10.0.0.5:4000 198.51.100.9:53", want: stays},
		{name: "what networks refuse lives on", before: "allow from network db to network safe", after: "deny from network db to network lab",
			entry: "tcp 10.0.0.5:4000 10.0.2.7:80", want: stays},

		{name: "translated to what is denied", after: "deny tcp from outside to network db port 80",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.1.7:80", want: "denied: deny tcp from outside to network db port 80"},
		{name: "translated to what is not", after: "deny tcp from outside to network db port 8080",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.1.7:80", want: stays},
		{name: "translated between networks", after: "deny tcp from network web to network db port 80",
			entry: "tcp 10.0.0.5:4000 192.0.2.1:8080 dnat 10.0.1.7:80", want: "denied: deny tcp from network web to network db port 80"},
		{name: "translated and masqueraded", after: "deny tcp from network web to network db port 80",
			entry: "tcp 10.0.0.5:4000 192.0.2.1:8080 dnat 10.0.1.7:80 snat 10.0.1.1:4000",
			want:  "denied: deny tcp from network web to network db port 80"},

		{name: "before a publish", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53", want: "published: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "before a publish, from a network", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 10.0.0.5:4000 192.0.2.1:53", want: "published: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "before a publish, from the host", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 192.0.2.1:4000 192.0.2.1:53", want: "published: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "to the same port elsewhere", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 10.0.0.5:4000 198.51.100.9:53 snat 192.0.2.1:4000", want: stays},
		{name: "of others to the same port elsewhere", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 172.17.0.4:4000 198.51.100.9:53 snat 192.0.2.1:4000", want: foreign},
		{name: "to another port", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:54", want: foreign},
		{name: "to another's port by way of a published one", after: "PRE udp 192.0.2.1 53 to 172.17.0.9 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 172.17.0.9:5353", want: stays},
		{name: "of another protocol", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:53", want: foreign},
		{name: "to the published guest", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 10.0.1.7:5353", want: stays},
		{name: "to the port of before", before: "PRE udp 192.0.2.1 53 to 10.0.1.7 5354", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 10.0.1.7:5354", want: "published: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "to the guest of before", before: "PRE udp 192.0.2.1 53 to 10.0.1.8 5353", after: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 10.0.1.8:5353", want: "published: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "not published any more", before: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 10.0.1.7:5353", want: "unpublished: publish udp 192.0.2.1 53 to 10.0.1.7 5353"},
		{name: "another's translation", before: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53 dnat 172.17.0.4:5353", want: stays},
		{name: "to the host, where nothing is published any more", before: "PRE udp 192.0.2.1 53 to 10.0.1.7 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53", want: stays},
		{name: "published by IPv6", after: "PRE udp 2001:db8::1 53 to fd00:1::7 5353",
			entry: "udp [2001:db8:1::9]:4000 [2001:db8::1]:53", want: "published: publish udp 2001:db8::1 53 to fd00:1::7 5353"},
		{name: "before a publish at every address", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53", want: "published: publish udp 53 to 10.0.1.7 port 5353"},
		{name: "to the same port elsewhere, of others", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 198.51.100.9:4000 172.17.0.4:53", want: foreign},
		{name: "to the same port elsewhere, of a guest", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 10.0.0.5:4000 198.51.100.9:53", want: stays},
		{name: "a broadcast to the port", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 10.0.0.5:4000 10.0.0.255:53", want: stays},
		{name: "of the host to its loopback", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 127.0.0.1:4000 127.0.0.1:53", want: stays},
		{name: "of the host to itself", after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 192.0.2.1:4000 192.0.2.1:53", want: "published: publish udp 53 to 10.0.1.7 port 5353"},
		{name: "to a published guest of a translated network", after: "deny from network db to network safe; publish tcp 8080 to 10.0.0.7 port 80",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: stays},
		{name: "and from its own network", after: "deny from network db to network safe; publish tcp 8080 to 10.0.0.7 port 80",
			entry: "tcp 10.0.0.5:4000 192.0.2.1:8080 dnat 10.0.0.7:80 snat 10.0.0.1:4000", want: stays},
		{name: "and from another one", after: "publish tcp 8080 to 10.0.0.7 port 80; deny from network db to network web",
			entry: "tcp 10.0.1.5:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: stays},
		{name: "and from the host", after: "deny from network db to network safe; publish tcp 8080 to 10.0.0.7 port 80",
			entry: "tcp 192.0.2.1:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: stays},
		{name: "a publish is gone", before: "publish tcp 8080 to 10.0.0.7 port 80", after: "publish tcp 8081 to 10.0.0.7 port 80",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: "unpublished: publish tcp 8080 to 10.0.0.7 port 80"},
		{name: "a publish is for others", before: "publish tcp 8080 to 10.0.0.7 port 80", after: "publish tcp 8080 to 10.0.0.7 port 80 from 203.0.113.0/24",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: "unpublished: publish tcp 8080 to 10.0.0.7 port 80"},
		{name: "a publish is by another interface", before: "publish tcp 8080 to 10.0.0.7 port 80", after: "publish tcp 8080 to 10.0.0.7 port 80 on docker0",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: "unpublished: publish tcp 8080 to 10.0.0.7 port 80"},
		{name: "another port of a range", before: "publish udp 8000-8009 to 10.0.0.7 port 9000-9009", after: "publish udp 8000-8009 to 10.0.0.7 port 9100-9109",
			entry: "udp 198.51.100.9:4000 192.0.2.1:8003 dnat 10.0.0.7:9003", want: "published: publish udp 8000-8009 to 10.0.0.7 port 9100-9109"},
		{name: "the same port of a range", before: "publish udp 8003 to 10.0.0.7 port 9003", after: "publish udp 8000-8009 to 10.0.0.7 port 9000-9009",
			entry: "udp 198.51.100.9:4000 192.0.2.1:8003 dnat 10.0.0.7:9003", want: stays},
		{name: "a deny before the publish", after: "deny tcp from outside to network web port 80; publish tcp 8080 to 10.0.0.7 port 80",
			entry: "tcp 198.51.100.9:4000 192.0.2.1:8080 dnat 10.0.0.7:80", want: "denied: deny tcp from outside to network web port 80"},
		{name: "nothing is known of the host, and a port is published", host: &ir.Host{}, after: "publish udp 53 to 10.0.1.7 port 5353",
			entry: "udp 198.51.100.9:4000 192.0.2.1:53", want: unsure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compile := func(text string) *ir.Program {
				statements, published, found := strings.Cut(text, "PRE ")
				p := program(t, 5, strings.ReplaceAll(statements, "; ", "\n"))
				if found {
					publish(t, p, published)
				}
				return p
			}
			host := tt.host
			if host == nil {
				host = machine()
			}
			j := NewJudge(compile(tt.before), compile(tt.after), host)
			if j.Idle() {
				t.Fatal("the judge says that there are no policies")
			}
			e := entry(t, tt.entry)
			for range 2 { // the second time from memory
				if got := said(j, e); got != tt.want {
					t.Errorf("%s:\n got %s\nwant %s", e, got, tt.want)
				}
			}
		})
	}
}

// said returns in words what becomes of e.
func said(j *Judge, e Entry) string {
	if !j.Concerns(&e) {
		return "foreign"
	}
	v := j.Judge(e)
	switch {
	case v.Cut && v.Unsure:
		return "cut though unsure"
	case v.Cut:
		return string(v.Reason) + ": " + v.Statement
	case v.Unsure:
		return "unsure"
	}
	return "stays"
}

// TestJudgeWithoutPolicies: connections live on when only networks change, and nobody is asked.
func TestJudgeWithoutPolicies(t *testing.T) {
	j := NewJudge(program(t, 1, ""), program(t, 5, ""), machine())
	if !j.Idle() {
		t.Error("there is something to judge")
	}
	if got := said(j, entry(t, "tcp 10.0.0.5:4000 10.0.2.7:80")); got != "stays" {
		t.Errorf("a connection into a network that became isolated: %s", got)
	}
	if NewJudge(nil, program(t, 1, "deny from network web to outside"), nil).Idle() {
		t.Error("no rules before, and a policy now: nothing to judge")
	}
	if NewJudge(program(t, 1, "allow from network web to outside"), program(t, 1, ""), nil).Idle() {
		t.Error("a policy is gone: nothing to judge")
	}
}

// TestJudgeUnsure: a rule that is not modelled makes nothing certain.
func TestJudgeUnsure(t *testing.T) {
	after := program(t, 2, "deny from network web to network db")
	rules := &after.Group(ir.POX).Rules
	*rules = append([]ir.Rule{{Family: ir.IPv4, Matches: []ir.Match{ir.Opaque{Text: "the moon is full"}},
		Verdict: ir.Accept{}}}, *rules...)
	j := NewJudge(nil, after, machine())
	if got := said(j, entry(t, "tcp 10.0.0.5:4000 10.0.1.7:80")); got != "unsure" {
		t.Errorf("got %s", got)
	}
}

// TestJudgePartlyUnsure: what is refused on one way and not certain on another stays.
func TestJudgePartlyUnsure(t *testing.T) {
	after := program(t, 2, "deny from outside to network db")
	rules := &after.Group(ir.POX).Rules
	*rules = append([]ir.Rule{{Family: ir.IPv4, Matches: []ir.Match{ir.IIfName{Name: "eth1"}, ir.Opaque{Text: "the moon is full"}},
		Verdict: ir.Accept{}}}, *rules...)
	const text = "udp 198.51.100.9:4000 10.0.1.7:53"
	if got := said(NewJudge(nil, after, two()), entry(t, text)); got != "unsure" {
		t.Errorf("by eth0 or eth1: got %s", got)
	}
	if got := said(NewJudge(nil, after, machine()), entry(t, text)); got != "denied: deny from outside to network db" {
		t.Errorf("by eth0: got %s", got)
	}
}

// TestJudgeStatus: rules that look at the translation of a connection see that of its destination,
// and not yet that of its source.
func TestJudgeStatus(t *testing.T) {
	const translated = "udp 10.0.0.5:4000 192.0.2.1:53 dnat 10.0.1.7:5353 snat 10.0.1.1:4000"
	for status, want := range map[ir.Status]string{ir.StatusDNAT: "denied: ", ir.StatusSNAT: "stays"} {
		after := program(t, 2, "")
		after.Add(ir.POX, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.CTStatus{Status: status}},
			Verdict: ir.Drop{}})
		if got := said(NewJudge(nil, after, machine()), entry(t, translated)); got != want {
			t.Errorf("%v: got %s, want %s", status, got, want)
		}
	}
}

// TestJudgeForeign: rules that would refuse everything touch only what has an end in a network.
func TestJudgeForeign(t *testing.T) {
	after := program(t, 2, "")
	publish(t, after, "udp 192.0.2.1 53 to 172.17.0.9 5353")
	after.Add(ir.POX, ir.Rule{Family: ir.Both, Verdict: ir.Drop{}})
	j := NewJudge(nil, after, machine())
	for text, want := range map[string]string{
		"udp 198.51.100.9:4000 192.0.2.1:53 dnat 172.17.0.9:5353": "stays",
		"tcp 172.17.0.9:4000 198.51.100.9:80":                     "foreign",
		"tcp 172.17.0.9:4000 10.0.1.7:80":                         "denied: ",
		"tcp 172.17.0.9:4000 198.51.100.9:80 snat 10.0.1.1:4000":  "denied: ", // an end in the answers alone
	} {
		if got := said(j, entry(t, text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// TestJudgeRoutes: what is behind a guest belongs to its network, as the host's routes say.
func TestJudgeRoutes(t *testing.T) {
	after := program(t, 2, "deny from network web to outside")
	after.Links[0].Routes = []ir.Route{{Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.0.0.5")},
		{Dest: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.5")}}
	h := machine()
	const behind = "tcp 10.9.0.5:4000 198.51.100.9:80"
	if got := said(NewJudge(nil, after, h), entry(t, behind)); got != "stays" {
		t.Errorf("without the route: got %s", got)
	}
	h.Routes = append(h.Routes, ir.HostRoute{Dest: netip.MustParsePrefix("10.9.0.0/16"), Device: "virbr0"})
	j := NewJudge(nil, after, h)
	if got := said(j, entry(t, behind)); got != "denied: deny from network web to outside" {
		t.Errorf("got %s", got)
	}
	if got := said(j, entry(t, "tcp 172.17.0.9:4000 198.51.100.9:80")); got != "foreign" {
		t.Errorf("a default route by way of a guest: got %s", got)
	}
}

// TestJudgeTypes: the type of an address is decided by the host's own, also where a rule negates
// it.
func TestJudgeTypes(t *testing.T) {
	for text, want := range map[string][2]string{
		"udp 10.0.0.5:4000 192.0.2.1:53":    {"denied: ", "stays"},
		"udp 10.0.0.5:4000 198.51.100.9:53": {"stays", "denied: "},
	} {
		for i, not := range []bool{false, true} {
			after := program(t, 2, "")
			for _, g := range []ir.Group{ir.POX, ir.POH} {
				after.Add(g, ir.Rule{Family: ir.IPv4, Matches: []ir.Match{ir.AddrType{Types: ir.TypeLocal, Not: not}},
					Verdict: ir.Drop{}})
			}
			if got := said(NewJudge(nil, after, machine()), entry(t, text)); got != want[i] {
				t.Errorf("%s, not %t: got %s, want %s", text, not, got, want[i])
			}
		}
	}
}

// TestReport: connections are counted by cause, in one order.
func TestReport(t *testing.T) {
	var r Report
	a, b := Cause{Reason: Denied, Statement: "deny a"}, Cause{Reason: Denied, Statement: "deny b"}
	for _, c := range []Cause{b, a, b, b, {Reason: Withdrawn, Statement: "allow"}} {
		r.add(c)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"listed":0,"judged":0,"cut":5,"unsure":0,"counts":[` +
		`{"reason":"denied","statement":"deny a","connections":1},` +
		`{"reason":"denied","statement":"deny b","connections":3},` +
		`{"reason":"withdrawn","statement":"allow","connections":1}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// TestJudgeSourcePorts: verdicts of one source port are not those of another where rules tell them
// apart.
func TestJudgeSourcePorts(t *testing.T) {
	after := program(t, 2, "deny from network web to network db")
	rule := &after.Group(ir.POX).Rules[0]
	rule.Matches = append(rule.Matches, ir.L4Proto{Proto: ir.TCP}, ir.SPort{From: 4000, To: 4000})
	after.Group(ir.POX).Rules = after.Group(ir.POX).Rules[:1]
	j := NewJudge(nil, after, machine())
	for port, want := range map[string]string{"4000": "denied: deny from network web to network db", "4001": "stays"} {
		for range 2 {
			if got := said(j, entry(t, "tcp 10.0.0.5:"+port+" 10.0.1.7:80")); got != want {
				t.Errorf("port %s: got %s, want %s", port, got, want)
			}
		}
	}
}
