package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// testLinks are networks of each kind that statements distinguish.
func testLinks() []*ir.Link {
	dhcp := func(prefix string) ir.Address {
		p := netip.MustParsePrefix(prefix)
		return ir.Address{Prefix: p, DHCP: &ir.DHCP{Ranges: []ir.DHCPRange{{From: p.Addr(), To: p.Addr()}}}}
	}
	plain := func(prefix string) ir.Address { return ir.Address{Prefix: netip.MustParsePrefix(prefix)} }
	link := func(name string, mode ir.Mode, addrs ...ir.Address) *ir.Link {
		return &ir.Link{Name: name, Mode: mode, Bridge: ir.Bridge{Name: "br-" + name}, Addresses: addrs}
	}
	web := link("web", ir.ModeNAT, dhcp("10.0.0.1/24"))
	db := link("db", ir.ModeRoute, plain("10.0.1.1/24"), dhcp("fd00:1::1/64"))
	db.DNS.Off, db.Addresses[0].TFTP = true, "/srv"
	db.Routes = []ir.Route{{Dest: netip.MustParsePrefix("10.1.0.0/16")}}
	options := link("options", ir.ModeNone, dhcp("10.0.4.1/24"))
	options.Options = []string{"dhcp-option=3,10.0.4.9"}
	return []*ir.Link{
		web, db, link("safe", ir.ModeNone, dhcp("10.0.2.1/24"), plain("fd00:2::1/64")),
		link("static", ir.ModeNone, plain("10.0.3.1/24")), options, link("open", ir.ModeOpen, plain("10.0.5.1/31")),
		link("empty", ir.ModeNone), link("macvtap", ir.ModeBridge),
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, text, want string // SEVERITY CODE LINE:COLUMN WHAT, with ; between
		fix              string
	}{
		{"names", "allow from network wep to network db\nisolated network dbs\nclamp mss network x",
			"error policy-network 1:20 there is no network wep here;" +
				"error policy-network 2:18 there is no network dbs here;" +
				"error policy-network 3:19 there is no network x here", "did you mean web?"},
		{"far from all names", "isolated network production",
			"error policy-network 1:18 there is no network production here",
			"name one of web, db, safe, static, options, open, empty"},
		{"no bridge of its own", "isolated network macvtap",
			"error policy-network 1:18 network macvtap is of mode bridge, and has no rules", "mode nat, route, open or isolated"},

		{"a guest", "publish tcp 80 to 10.0.0.5", "", ""},
		{"a guest of an open network", "publish tcp 80 to 10.0.5.0", "", ""},
		{"a guest of the second family", "publish tcp 80 to fd00:1::5", "", ""},
		{"the last IPv6 address", "publish tcp 80 to fd00:1::ffff:ffff:ffff:ffff", "", ""},
		{"no network's", "publish tcp 80 to 10.9.0.5", "error policy-target 1:1 guest 10.9.0.5 is in none of these networks", "correct"},
		{"the bridge", "publish tcp 80 to 10.0.0.1", "error policy-target 1:1 10.0.0.1 is the address of no guest", "guest's own"},
		{"the first address", "publish tcp 80 to 10.0.0.0", "error policy-target 1:1 10.0.0.0 is the address of no guest", "guest's own"},
		{"the last address", "publish tcp 80 to 10.0.0.255", "error policy-target 1:1 10.0.0.255 is the address of no guest", "guest's own"},
		{"isolated", "publish tcp 80 to 10.0.2.5", "error policy-target 1:1 guest 10.0.2.5 is in the isolated network safe", "mode nat"},

		{"twice", "publish tcp 80 to 10.0.0.5\npublish tcp 80 to 10.0.0.6", "error policy-published-twice 2:1 tcp 80 is published already" +
			" (1:1 published here, for 10.0.0.5)", "narrower one first"},
		{"ranges that overlap", "publish tcp 80-90 to 10.0.0.5\npublish tcp 85-99 to 10.0.0.6",
			"error policy-published-twice 2:1 tcp 85-90 is published already (1:1 published here, for 10.0.0.5)", ""},
		{"ranges that don't", "publish tcp 80-84 to 10.0.0.5\npublish tcp 85-99 to 10.0.0.6", "", ""},
		{"of two protocols", "publish tcp 80 to 10.0.0.5\npublish udp 80 to 10.0.0.5", "", ""},
		{"of two families", "publish tcp 80 to 10.0.0.5\npublish tcp 80 to fd00:1::5", "", ""},
		{"by two interfaces", "publish tcp 80 to 10.0.0.5 on eth0\npublish tcp 80 to 10.0.0.6 on eth1", "", ""},
		{"at two addresses", "publish tcp 80 to 10.0.0.5 at 192.0.2.1\npublish tcp 80 to 10.0.0.6 at 192.0.2.2", "", ""},
		{"narrow before wide", "publish tcp 80 to 10.0.0.5 at 192.0.2.1\npublish tcp 80 to 10.0.0.6", "", ""},
		{"wide before narrow", "publish tcp 80 to 10.0.0.5\npublish tcp 80 to 10.0.0.6 on eth0 at 192.0.2.1",
			"error policy-published-twice 2:1 tcp 80 is published already (1:1 published here, for 10.0.0.5)", ""},
		{"neither is narrower", "publish tcp 80 to 10.0.0.5 on eth0\npublish tcp 80 to 10.0.0.6 at 192.0.2.1", "", ""},
		{"from one client, then from all", "publish tcp 80 to 10.0.0.5 from 192.0.2.0/24\npublish tcp 80 to 10.0.0.6", "", ""},
		{"from all, then from one", "publish tcp 80 to 10.0.0.5\npublish tcp 80 to 10.0.0.6 from 192.0.2.0/24",
			"error policy-published-twice 2:1 tcp 80 is published already (1:1 published here, for 10.0.0.5)", ""},
		{"from a part", "publish tcp 80 to 10.0.0.5 from 192.0.2.0/24\npublish tcp 80 to 10.0.0.6 from 192.0.2.8/29",
			"error policy-published-twice 2:1 tcp 80 is published already (1:1 published here, for 10.0.0.5)", ""},
		{"from a part, then from the whole",
			"publish tcp 80 to 10.0.0.5 from 192.0.2.8/29\npublish tcp 80 to 10.0.0.6 from 192.0.2.0/24", "", ""},
		{"from more", "publish tcp 80 to 10.0.0.5 from 192.0.2.0/24\npublish tcp 80 to 10.0.0.6 from 192.0.2.8/29,192.0.3.1", "", ""},

		{"DNS", "publish udp 53 to 10.0.0.5", "error policy-served 1:1 udp 53 at 10.0.0.1 is the DNS of network web", "on eth0"},
		{"DNS by TCP", "publish tcp 50-60 to 10.0.0.5", "error policy-served 1:1 tcp 53 at 10.0.0.1 is the DNS of network web", ""},
		{"DNS of another family", "publish udp 53 to fd00:1::5", "error policy-served 1:1 udp 53 at fd00:2::1 is the DNS of network safe", ""},
		{"DHCP", "publish udp 67 to 10.0.0.5", "error policy-served 1:1 udp 67 at 10.0.0.1 is the DHCP of network web", ""},
		{"DHCPv6", "publish udp 547 to fd00:1::5", "error policy-served 1:1 udp 547 at fd00:1::1 is the DHCP of network db", ""},
		{"no DHCPv6 over IPv4", "publish udp 547 to 10.0.0.5", "", ""},
		{"TFTP", "publish udp 69 to 10.0.0.5", "error policy-served 1:1 udp 69 at 10.0.1.1 is the TFTP of network db", ""},
		{"TFTP is UDP", "publish tcp 69 to 10.0.0.5", "", ""},
		{"on the outside", "publish udp 53 to 10.0.0.5 on eth0", "", ""},
		{"on a bridge", "publish udp 53 to 10.0.0.5 on br-web", "error policy-served 1:1 udp 53 at 10.0.0.1 is the DNS of network web", ""},
		{"at an address of the outside", "publish udp 53 to 10.0.0.5 at 192.0.2.1", "", ""},
		{"at a bridge", "publish udp 53 to 10.0.0.5 at 10.0.2.1", "error policy-served 1:1 udp 53 at 10.0.2.1 is the DNS of network safe", ""},
		{"at a bridge without DNS", "publish udp 53 to 10.0.0.5 at 10.0.1.1", "", ""},
		{"from outside", "publish udp 53 to 10.0.0.5 from 192.0.2.0/24", "", ""},
		{"from guests", "publish udp 53 to 10.0.0.5 from 10.0.3.0/28",
			"error policy-served 1:1 udp 53 at 10.0.3.1 is the DNS of network static", ""},

		{"no such family", "allow ipv6 from network web to network db", "warning policy-no-route 1:25 guests of network web have no IPv6 addresses", ""},
		{"one of the two families", "allow from network web to network db", "", ""},
		{"no address at all", "allow from host to network empty", "warning policy-no-route 1:28 guests of network empty have no addresses", ""},
		{"into an isolated network", "allow from network web to network safe",
			"warning policy-no-route 1:35 guests of the isolated network safe get no route to network web", "by hand"},
		{"out of one", "allow from network safe to outside",
			"warning policy-no-route 1:20 guests of the isolated network safe get no route to outside", ""},
		{"to the host", "allow from network safe to host", "", ""},
		{"within it", "allow from network safe to network safe", "", ""},
		{"with a route by hand", "allow from network web to network static", "", ""},
		{"with a route of dnsmasq's", "allow from network web to network options", "", ""},
		{"a deny needs none", "deny from network web to network safe", "", ""},

		{"an address that it has not", "allow from 10.0.1.5 in network web to host",
			"warning policy-address 1:32 10.0.1.5 is no address of network web", ""},
		{"one of several", "deny from host to 10.0.0.5,10.0.1.0/24 in network web",
			"warning policy-address 1:51 10.0.1.0/24 is no address of network web", ""},
		{"a false source is denied", "deny from 10.0.1.5 in network web to host", "", ""},
		{"behind a guest", "allow from 10.1.2.3 in network db to host", "", ""},
		{"a prefix that holds the network", "allow from 10.0.0.0/8 in network web to host", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, found := Parse("a.policy", []byte(c.text))
			if len(found) > 0 {
				t.Fatal(found)
			}
			found = Check(list, testLinks(), nil)
			if diff := cmp.Diff(strings.Split(c.want, ";"), strings.Split(shownAs(found), ";")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(found) > 0 && !strings.Contains(found[0].Fix, c.fix) {
				t.Errorf("fix %q, want %q", found[0].Fix, c.fix)
			}
		})
	}
}

// shownAs prints a list in one line.
func shownAs(list diag.List) string {
	var all []string
	for _, d := range list {
		text := fmt.Sprintf("%s %s %d:%d %s", d.Severity, d.Code, d.Span.Start.Line, d.Span.Start.Col, d.What)
		for _, r := range d.Related {
			text += fmt.Sprintf(" (%d:%d %s)", r.Span.Start.Line, r.Span.Start.Col, r.Text)
		}
		all = append(all, text)
	}
	return strings.Join(all, ";")
}

// TestCheckDocument: a network's document publishes its own guests only.
func TestCheckDocument(t *testing.T) {
	list, found := ParseIn("db", "publish tcp 80 to 10.0.1.5\npublish tcp 81 to 10.0.0.5",
		func(from, to int) diag.Span { return diag.Span{Start: diag.Pos{Offset: from, Line: 1, Col: from + 1}} })
	if len(found) > 0 {
		t.Fatal(found)
	}
	const want = "error policy-target 1:28 guest 10.0.0.5 is in network web, and this is the document of network db"
	if got := shownAs(Check(list, testLinks(), nil)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCheckStrict: what strict isolation rules out is an error at the statement, with the place of
// the network.
func TestCheckStrict(t *testing.T) {
	strict := map[string]diag.Span{}
	for i, name := range []string{"web", "db", "safe"} {
		strict[name] = diag.Span{File: name, Start: diag.Pos{Line: 1 + i, Col: 7}}
	}
	const out = " this lets guests of the isolated network safe out (3:7 network safe is under --strict-isolation)"
	for text, want := range map[string]string{
		"allow from network safe to network web":  "error policy-strict 1:1" + out,
		"allow from network safe to outside":      "error policy-strict 1:1" + out,
		"allow from network safe":                 "error policy-strict 1:1" + out,
		"allow to network web":                    "error policy-strict 1:1" + out,
		"allow tcp port 22":                       "error policy-strict 1:1" + out,
		"allow from network safe to host":         "",
		"allow from network safe to network safe": "",
		"allow from network web to network db":    "",
		"allow from outside to network web":       "",
		"allow to host":                           "",
		"deny from network safe":                  "",
		"allow from 10.0.1.5 in network web to host": "error policy-strict 1:32 10.0.1.5 is no address of network web" +
			" (1:7 network web is under --strict-isolation)",
		"deny from 10.0.1.5 in network web to host": "",
	} {
		list, found := Parse("a.policy", []byte(text))
		if len(found) > 0 {
			t.Fatal(found)
		}
		var got diag.List
		for _, d := range Check(list, testLinks(), strict) {
			if d.Severity == diag.Error {
				got = append(got, d)
			}
		}
		if shownAs(got) != want {
			t.Errorf("%s: got %q, want %q", text, shownAs(got), want)
		}
	}
}

// TestCheckMany: a policy of the most statements about many networks takes seconds.
func TestCheckMany(t *testing.T) {
	var links []*ir.Link
	var text strings.Builder
	for i := range 1000 {
		subnet := netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.1/24", i/256, i%256))
		links = append(links, &ir.Link{Name: fmt.Sprint("net", i), Mode: ir.ModeNAT,
			Bridge: ir.Bridge{Name: fmt.Sprint("br", i)}, Addresses: []ir.Address{{Prefix: subnet}}})
	}
	for i := range MaxStatements / 2 {
		fmt.Fprintf(&text, "publish tcp %d to 10.3.200.5\nallow from network net%d to network net%d\n", 1000+i, i%1000,
			(i+1)%1000)
	}
	list, found := Parse("a.policy", []byte(text.String()))
	if len(found) > 0 {
		t.Fatal(found)
	}
	begun := time.Now()
	if found := Check(list, links, nil); len(found) > 0 {
		t.Error(found[0])
	}
	took := time.Since(begun)
	if t.Log(took); took > 20*time.Second {
		t.Errorf("it takes %s", took)
	}
}
