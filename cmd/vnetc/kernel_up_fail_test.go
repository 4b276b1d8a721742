package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/netsetup"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/inforce"
	"github.com/vnetc/vnetc/netsetup/link"
	"github.com/vnetc/vnetc/netsetup/state"
)

var errInjected = errors.New("injected")

// faulty is a step that fails: in Wait, if it has one and is to be done before, else in Do.
type faulty struct {
	netsetup.Step
	done bool // done is true if it does its work before it fails.
}

func (f faulty) Do() error {
	if !f.done {
		return errInjected
	}
	err := f.Step.Do()
	if _, ok := f.Step.(netsetup.Waiter); ok {
		return err
	}
	return errInjected
}

func (f faulty) Wait() error {
	if err := f.Step.(netsetup.Waiter).Wait(); err != nil {
		return err
	}
	return errInjected
}

// mute is a kernel that takes no rules.
type mute struct{ backends.Loader }

func (mute) Load(backends.Ruleset) (backends.Report, error) { return backends.Report{}, errInjected }

// stuck is another place, which gives no rules away.
type stuck struct{ backends.Loader }

func (stuck) Name() string { return "elsewhere" }

func (stuck) Unload(backends.Names) error { return errInjected }

// victim is a network with all that the host can be asked for. Its other form differs in each of
// them.
func victim(other bool) string {
	v := map[bool][]any{
		false: {"10.66.1.8", "10.66.1.1", "10.66.1.50", "fd66:1::1", "1400", "10.67.0.0", "10.66.1.2", "db", "1000"},
		true:  {"10.66.1.9", "10.66.1.2", "10.66.1.60", "fd66:1::2", "1300", "10.68.0.0", "10.66.1.3", "dbx", "2000"},
	}[other]
	return fmt.Sprintf(`<network><name>victim</name><forward mode='nat'><nat ipv6='yes'/></forward><bridge name='victim0' stp='on' delay='0'/>
		<mac address='52:54:00:66:00:01'/><mtu size='%[5]s'/><domain name='victim.test' localOnly='yes'/>
		<dns><host ip='%[1]s'><hostname>gate</hostname></host></dns>
		<bandwidth><inbound average='%[9]s'/><outbound average='%[9]s'/></bandwidth>
		<ip address='%[2]s' prefix='24'><dhcp><range start='10.66.1.20' end='%[3]s'/>
		<host mac='52:54:00:66:00:07' name='%[8]s' ip='10.66.1.10'/></dhcp></ip>
		<ip family='ipv6' address='%[4]s' prefix='64'><dhcp><range start='fd66:1::100' end='fd66:1::1ff'/></dhcp></ip>
		<route address='%[6]s' prefix='16' gateway='10.66.1.77'/></network>`, v...)
}

const bystander = `<network><name>bystander</name><forward mode='open'/><bridge name='by0' stp='off'/><mac address='52:54:00:66:00:02'/>
	<dns enable='no'/><ip address='10.66.2.1' prefix='24'/></network>`

// meddling is what goes wrong in a run: plans are spoiled, or places are others.
type meddling struct {
	spoil  func(network string, p *netsetup.Plan)
	places []firewall.Place
}

// meddled is this machine with spoiled plans.
type meddled struct {
	inforce.Machine
	spoil func(network string, p *netsetup.Plan)
}

func (m meddled) Read(dir string, lacks map[string][]state.Lack, checksum bool) (inforce.Links, error) {
	links, err := m.Machine.Read(dir, lacks, checksum)
	return meddledLinks{links, m.spoil}, err
}

type meddledLinks struct {
	inforce.Links
	spoil func(network string, p *netsetup.Plan)
}

func (m meddledLinks) PlanUp(l *ir.Link, mac net.HardwareAddr) (netsetup.Plan, []link.Problem) {
	p, problems := m.Links.PlanUp(l, mac)
	m.spoil(l.Name, &p)
	return p, problems
}

// up brings networks up, and has what is wrong meddle with it; it returns the outcomes by name.
func (g *ground) up(wrong meddling, paths ...string) map[string]*inforce.NetworkRun {
	g.host.t.Helper()
	var errs bytes.Buffer
	s := streams{in: strings.NewReader(""), out: &errs, err: &errs}
	all := map[string]*inforce.NetworkRun{}
	g.ns.Do(func() {
		f := addHostFlags(&cobra.Command{})
		f.stateDir, f.layout.value, f.layout.set = g.state, string(backends.Chains), true
		o := f.options(s)
		if wrong.spoil != nil {
			o.Machine = meddled{inforce.ThisMachine(), wrong.spoil}
		}
		if wrong.places != nil {
			o.Places = wrong.places
		}
		given, err := readSources(s.in, paths)
		if err != nil {
			g.host.t.Fatal(err)
		}
		h, err := inforce.Open(f.stateDir, o)
		if err != nil {
			g.host.t.Fatalf("open: %v\n%s", err, &errs)
		}
		defer h.Close()
		w, err := want(s, h, given, inforce.Change{Whole: true})
		if err != nil {
			g.host.t.Fatalf("want: %v\n%s", err, &errs)
		}
		run, err := h.Up(w, false)
		if err = errors.Join(err, run.Unnoted); err != nil {
			g.host.t.Fatalf("up: %v\n%s", err, &errs)
		}
		for _, r := range run.Networks {
			all[r.Name] = r
			if len(r.Problems) > 0 {
				g.host.t.Errorf("problems of %s: %v", r.Name, r.Problems)
			}
		}
	})
	return all
}

// muted are the places of a kernel that takes no rules.
func muted() []firewall.Place {
	all := slices.Clone(places)
	for i := range all {
		all[i].Loader = mute{all[i].Loader}
	}
	return all
}

// spoiled has step k of the victim fail.
func spoiled(k int, done bool, name *string) func(string, *netsetup.Plan) {
	return func(network string, p *netsetup.Plan) {
		if network != "victim" {
			return
		}
		steps, k := p.Before, k
		if k >= len(steps) {
			steps, k = p.After, k-len(steps)
		}
		if k < len(steps) {
			*name = steps[k].String()
			steps[k] = faulty{steps[k], done}
		}
	}
}

// moving is what changes on a host that is left alone: numbers of links, timers and counters, and
// routes that the kernel makes for IPv6 addresses by itself, some time after them: its own to the
// address, and a link's multicast route with the first address that comes while the link is up.
var moving = regexp.MustCompile(`(?m)^\d+: |\w+_timer +[\d.]+|\b(tentative|dadfailed) |^multicast ff00::/8 .*\n|^(local|anycast) [0-9a-f:]*:.* table local .*\n|packets \d+ bytes \d+`)

// still is the snapshot with what the files say, without what moves, and without the order in which
// networks came.
func (g *ground) still() string {
	g.host.t.Helper()
	files := g.ns.Exec("sh", "-c", `cd `+g.state+
		` && find . -name '*.json' -o -path './dnsmasq/*' | grep -v '\.\(pid\|leases\)$' | sort | xargs -r grep -H -v '"\(applied\|order\)"'; true`)
	return moving.ReplaceAllString(g.snapshot(), "") + files
}

func (g *ground) wantStill(before, when string) {
	g.host.t.Helper()
	if diff := diffLines(before, g.still()); diff != "" {
		g.host.t.Errorf("%s: the host is not as it was:\n%s", when, diff)
	}
}

// TestKernelUpFailsFresh has a new network fail at each step, before it did anything and after all
// that it did: the network leaves nothing, and the other one that was to come up with it is up.
func TestKernelUpFailsFresh(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a, b := g.file("a", victim(false)), g.file("b", bystander)
	g.vnetc(0, "up", "--layout", "chains", b)
	alone := g.still()
	g.vnetc(0, "down", "--all")
	empty := g.still()
	tries := 0
	for _, done := range []bool{false, true} {
		for k := 0; ; k++ {
			var step string
			out := g.up(meddling{spoil: spoiled(k, done, &step)}, b, a)
			if step == "" {
				break
			}
			tries++
			if err := out["victim"].Err; !errors.Is(err, errInjected) || !strings.Contains(err.Error(), step) ||
				strings.Contains(err.Error(), "undo") {
				t.Errorf("%s (done: %t): the network's error is %v", step, done, err)
			}
			if err := out["bystander"].Err; err != nil {
				t.Errorf("%s (done: %t): the other network: %v", step, done, err)
			}
			g.wantStill(alone, fmt.Sprintf("%s (done: %t)", step, done))
			g.vnetc(0, "down", "--all")
		}
		g.vnetc(0, "down", "--all")
		g.wantStill(empty, "after down")
	}
	t.Logf("%d failures", tries)
}

// TestKernelUpFailsUpdate has the change of a running network fail at each step: it runs as before,
// with its old configuration and leases, and up has nothing to do for it.
func TestKernelUpFailsUpdate(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a, other, b := g.file("a", victim(false)), g.file("other", victim(true)), g.file("b", bystander)
	up := []string{"up", "--layout", "chains", a}
	g.vnetc(0, up...)
	g.endServers()
	lease := "4000000000 52:54:00:66:00:99 10.66.1.33 someone *\n"
	if err := os.WriteFile(filepath.Join(g.state, "dnsmasq", "victim.leases"), []byte(lease), 0o644); err != nil {
		t.Fatal(err)
	}
	g.wants(g.vnetc(0, up...), `victim is up: .*; 1 step`)
	g.vnetc(0, append(up, b)...)
	before := g.still()
	tries := 0
	check := func(name string, err error) {
		t.Helper()
		tries++
		if !errors.Is(err, errInjected) || strings.Contains(err.Error(), "undo") {
			t.Errorf("%s: the network's error is %v", name, err)
		}
		g.wantStill(before, name)
		g.wants(g.vnetc(0, append(up, "--dry-run")...), `victim is up: nothing to change`)
		g.wants(g.vnetc(0, "leases", "victim"), `10\.66\.1\.33 +52:54:00:66:00:99 +someone`)
		g.wants(g.ns.Exec("busybox", "nslookup", "-type=a", "gate.victim.test", "10.66.1.1"), `Address: 10\.66\.1\.8`)
	}
	for _, done := range []bool{false, true} {
		for k := 0; ; k++ {
			var step string
			spoil := spoiled(k, done, &step)
			out := g.up(meddling{spoil: func(network string, p *netsetup.Plan) {
				if spoil(network, p); step == "" {
					p.After = append(p.After, faulty{lastStep{}, done})
				}
			}}, other)
			check(fmt.Sprintf("%s (done: %t)", step, done), out["victim"].Err)
			if step == "" {
				break
			}
		}
	}
	out := g.up(meddling{places: muted()}, other)
	check("no rules are taken", out["victim"].Err)
	t.Logf("%d failures", tries)
	g.wants(g.vnetc(0, "up", "--layout", "chains", other), `victim is up: bridge victim0, 10.66.1.2/24`)
}

// lastStep is a step behind the others.
type lastStep struct{}

func (lastStep) String() string { return "last step" }
func (lastStep) Do() error      { return nil }
func (lastStep) Undo() error    { return nil }

// endServers kills every dnsmasq of the host, as an administrator or the kernel may.
func (g *ground) endServers() {
	g.host.t.Helper()
	g.ns.Exec("sh", "-c", `for p in $(cat `+g.state+
		`/dnsmasq/*.pid); do kill -9 $p; while [ -d /proc/$p ]; do sleep 0.01; done; done`)
}

// TestKernelUpServerFails: a dnsmasq that ends at its start is told with its own words, and its
// network is undone; one that ran before runs again.
func TestKernelUpServerFails(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	b := g.file("b", bystander)
	option := "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><dnsmasq:option value='dhcp-option=option:nonsense,1'/></dnsmasq:options></network>"
	bad := strings.Replace(victim(false), "</network>", option, 1)
	g.vnetc(0, "up", "--layout", "chains", b)
	alone := g.still()
	taken := func(_ string, p *netsetup.Plan) {
		i := slices.IndexFunc(p.After, func(s netsetup.Step) bool {
			return strings.HasPrefix(s.String(), "start dnsmasq")
		})
		p.After = slices.Insert(p.After, i, netsetup.Step(&intruder{}))
	}
	beside := []firewall.Place{places[0], {Name: "elsewhere", Loader: stuck{places[0].Loader}}}
	for name, c := range map[string]struct {
		xml   string
		wrong meddling
		want  string
	}{
		"option":          {bad, meddling{}, `bad dhcp-option at line \d+ of `},
		"port":            {victim(false), meddling{spoil: taken}, `10\.66\.1\.1.*Address already in use`},
		"rules elsewhere": {victim(false), meddling{places: beside}, `remove the rules in elsewhere: injected`},
		"no rules":        {victim(false), meddling{places: muted()}, `injected`},
	} {
		out := g.up(c.wrong, g.file("a", c.xml))
		if err := out["victim"].Err; err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		g.wantStill(alone, name)
	}
	good := g.file("a", victim(false))
	g.vnetc(0, "up", "--layout", "chains", good)
	running := g.still()
	out := g.vnetc(3, "up", "--layout", "chains", g.file("bad", bad))
	g.wants(out, `victim is not up: restart dnsmasq .*bad dhcp-option at line`)
	g.wantStill(running, "a bad option comes")
	g.wants(g.ns.Exec("busybox", "nslookup", "-type=a", "gate.victim.test", "10.66.1.1"), `Address: 10\.66\.1\.8`)
}

// intruder takes the port of DNS when the address is there.
type intruder struct{ conn net.PacketConn }

func (*intruder) String() string { return "somebody takes port 53" }

func (i *intruder) Do() (err error) {
	i.conn, err = net.ListenPacket("udp4", "10.66.1.1:53")
	return err
}

func (i *intruder) Undo() error { return i.conn.Close() }
