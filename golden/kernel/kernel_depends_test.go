package kernel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/expect"
)

// unsure is foreign rules on which guests depend, with a match, an action or a chain that doctor
// can't decide, forced both ways: by other values in the same rules, or by packets.
type unsure struct {
	name   string
	kind   expect.Kind
	passes string // rules under which guests' packets pass
	drops  string // the same, forced to drop
	flood  int    // so many packets are sent before they drop; drops is empty then
	by     string // the chain that an answer names
	hidden bool   // hidden is true if it names one that is not read
}

func unsures() []unsure {
	gate := func(rule string) string {
		return "table inet corp { chain gate { type filter hook forward priority 0; iifname \"vb0\" " + rule + "; }; }"
	}
	now := time.Now()
	hour := func(from, to time.Duration) string {
		return fmt.Sprintf("meta hour \"%s\"-\"%s\" drop", now.Add(from).Format("15:04"), now.Add(to).Format("15:04"))
	}
	marked := func(offset int) string {
		return fmt.Sprintf("table inet corp { chain gate { type filter hook forward priority 0; iifname \"vb0\" "+
			"meta mark set numgen inc mod 1 offset %d; meta mark 1 drop; }; }", offset)
	}
	// Echo requests pass: a guest's port is awaited by them.
	l2 := func(family, hook, protocols string) string {
		return fmt.Sprintf("table %s corp { chain gate { type filter hook %s priority 0; ip protocol { %s } drop; }; }", family,
			hook, protocols)
	}
	all := []unsure{
		{name: "limit", passes: gate("limit rate over 1/hour burst 4 packets drop"), flood: 12},
		{name: "quota", passes: gate("quota over 2000 bytes drop"), flood: 60},
		{name: "mark", passes: marked(0), drops: marked(1)},
		{name: "count", passes: gate("numgen inc mod 1 offset 5 4 drop"), drops: gate("numgen inc mod 1 offset 4 4 drop")},
		{name: "ingress", passes: l2("netdev", "ingress device vb0", "99, 100"), drops: l2("netdev", "ingress device vb0", "6, 17"),
			hidden: true},
		{name: "bridge", kind: expect.Inside, passes: l2("bridge", "forward", "99, 100"), drops: l2("bridge", "forward", "6, 17"),
			hidden: true},
	}
	// nft's hours don't go past midnight.
	if from := now.Add(-10 * time.Minute); from.Day() == now.Add(2*time.Hour).Day() {
		all = append(all, unsure{name: "hour", passes: gate(hour(time.Hour, 2*time.Hour)),
			drops: gate(hour(-10*time.Minute, time.Hour))})
	}
	for i := range all {
		if all[i].by = "gate"; all[i].kind == "" {
			all[i].kind = expect.Out
		}
	}
	return all
}

// TestDependsIsForced: of what doctor says depends on a rule, the packets pass or don't as that
// rule is forced to match or not, and doctor says the same in both cases.
func TestDependsIsForced(t *testing.T) {
	t.Parallel()
	netnstest.Require(t, "nft", "iptables-nft-restore")
	net := network{name: "nat", bridge: "vb0", forward: "<forward mode='nat'/>", addrs: four()}
	net.guests = net.addrs
	for _, l := range []backends.Loader{nftables.Loader{}, iptables.Loader{Variant: iptables.NFTables}} {
		e := &examined{site: newSite(t, true, net), nets: []network{net}, meant: compile(t, net)}
		for _, u := range unsures() {
			t.Run(l.Name()+"/"+u.name, func(t *testing.T) {
				e.t = t
				load := func(rules string) {
					e.Exec("nft", "flush", "ruleset")
					e.Feed([]byte(rules), "nft", "-f", "-")
					e.Do(func() {
						ours, found := l.Lower(e.meant, backends.Options{Families: ir.Both, Names: backends.VnetcNames})
						if found.HasErrors() {
							t.Fatal(found)
						}
						if _, err := l.Load(ours); err != nil {
							t.Fatal(err)
						}
					})
				}
				load(u.passes)
				e.depends(u, true)
				if u.drops != "" {
					load(u.drops)
				} else {
					from, src := e.guest("nat", 0, ir.IPv4)
					_, dst := e.end(e.far[0], ir.IPv4)
					for range u.flood {
						e.Send(from, netnstest.Packet{Kind: netnstest.UDP, Src: src, Dst: dst})
					}
				}
				e.depends(u, false)
			})
		}
	}
}

// depends wants doctor to name the rule, and packets to pass or not.
func (e *examined) depends(u unsure, want bool) {
	e.t.Helper()
	e.examine()
	for _, a := range e.report.Answers {
		if a.Kind != u.kind || a.Family != ir.IPv4 || a.Proto == "icmp" {
			continue
		}
		names := a.Because.Rule != nil && a.Because.Chain.Name == u.by
		if u.hidden {
			names = strings.Contains(a.Hidden, u.by)
		}
		if a.Verdict != expect.Depends || !names {
			e.t.Errorf("%s %s: doctor says %s because of %+v %q, want that it depends on chain %s", a.Kind, a.Proto,
				a.Verdict, a.Because, a.Hidden, u.by)
		}
		passes, _ := e.try(a)
		for range 3 {
			if passes == want || !want {
				break
			}
			time.Sleep(50 * time.Millisecond)
			passes, _ = e.try(a)
		}
		if passes != want {
			e.t.Errorf("%s %s: packets pass: %v, and the match is forced so that it should be %v", a.Kind, a.Proto,
				passes, want)
		}
		if u.flood > 0 {
			return // the other packets would use it up
		}
	}
}
