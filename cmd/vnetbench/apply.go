package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/nftables"
)

func newApply() *cobra.Command {
	var networks []int
	var rounds int
	var format string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "vnetc apply, remove and audit, against what others take for the same",
		Long: `apply generates N NAT networks and measures whole processes, each in a network
namespace of its own:

- all networks into an empty namespace: vnetc apply, from XML files to rules that were
  read back and proved; the same without notes, reading back and proof; one finished
  batch; nft -f and iptables-restore of the same rules, a line each;
- one network more, and one less, beside the N; against vnetc audit, which only reads,
  and against one nft process for each rule, as libvirt works. What that takes for all
  N is extrapolated from what one network takes in an empty table and in a full one.

Notes are kept in /dev/shm if there is one, as they are in /run. Needs root.`,
		Example: `  go run ./cmd/vnetbench apply --networks 1000 --rounds 7
  go run ./cmd/vnetbench apply --format json | jq -r '.[] | [.tool, .median_ms] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %s: text or json is wanted", format)
			}
			all := []applyFigure{}
			for _, n := range networks {
				figures, err := benchApply(n, rounds, format)
				if err != nil {
					return err
				}
				all = append(all, figures...)
			}
			if format == "json" {
				return writeJSON(all)
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{1000}, "how many networks")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often each tool runs")
	cmd.Flags().StringVar(&format, "format", "text", "output format: text or json")
	return cmd
}

// newLoadXML is a process that compiles the networks in DIR and loads their rules, and no more.
func newLoadXML() *cobra.Command {
	return &cobra.Command{
		Use: "load-xml DIR", Short: "compile the networks in DIR and load their rules", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := compiled(args[0])
			if err != nil {
				return err
			}
			rules, err := lower(p, backends.Sets)
			if err != nil {
				return err
			}
			_, err = nftables.Loader{}.Load(rules)
			return err
		},
	}
}

// applyFigure is what one tool took for one piece of work.
type applyFigure struct {
	Networks     int     `json:"networks"`
	Work         string  `json:"work"`
	Tool         string  `json:"tool"`
	Median       float64 `json:"median_ms"`
	Peak         float64 `json:"peak_mib"`
	Extrapolated bool    `json:"extrapolated,omitempty"`
}

// applyBench is what the contenders of one N share.
type applyBench struct {
	self, vnetc string
	dir, state  string
	n           int
}

// benchApply races the tools on n networks.
func benchApply(n, rounds int, format string) ([]applyFigure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &applyBench{self: self, n: n}
	if b.dir, err = os.MkdirTemp("", "vnetbench"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	memory := "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		memory = b.dir
	}
	if b.state, err = os.MkdirTemp(memory, "vnetbench"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.state)
	if err := b.prepare(); err != nil {
		return nil, err
	}
	var all []applyFigure
	for _, work := range []struct {
		title      string
		contenders func() ([]*contender, error)
	}{
		{fmt.Sprintf("all of %d networks", n), b.full},
		{fmt.Sprintf("one network beside %d", n), b.one},
	} {
		contenders, err := work.contenders()
		if err != nil {
			return nil, err
		}
		if err := race(contenders, rounds); err != nil {
			return nil, err
		}
		if format == "text" {
			table(os.Stdout, fmt.Sprintf("%s, %d rounds", work.title, rounds), contenders)
		}
		for _, c := range contenders {
			all = append(all, applyFigure{n, work.title, c.name, milliseconds(c.median()), float64(c.peak) / 1024,
				false})
		}
		closeAll(contenders)
	}
	linear, err := b.linear()
	if err != nil {
		return nil, err
	}
	if format == "text" {
		fmt.Printf("one nft process for each rule: about %.0f s for all of %d networks (extrapolated)\n\n",
			linear.Median/1000, n)
	}
	return append(all, linear), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// closeAll gives up the contenders' namespaces.
func closeAll(contenders []*contender) {
	closed := make(map[*namespace]bool)
	for _, c := range contenders {
		if !closed[c.ns] {
			c.ns.close()
			closed[c.ns] = true
		}
	}
}

// prepare builds vnetc and writes the networks' XML and rules.
func (b *applyBench) prepare() error {
	b.vnetc = filepath.Join(b.dir, "vnetc")
	if err := buildVnetc(b.vnetc); err != nil {
		return err
	}
	if out, err := exec.Command(b.self, "prepare", b.dir, strconv.Itoa(b.n)).CombinedOutput(); err != nil {
		return fmt.Errorf("prepare: %w: %s", err, out)
	}
	return os.WriteFile(b.file("one.xml"), []byte(network(b.n, "<forward mode='nat'/>", "")), 0o666)
}

func (b *applyBench) file(name string) string { return filepath.Join(b.dir, name) }

// full returns what puts the rules of all networks into an empty namespace.
func (b *applyBench) full() ([]*contender, error) {
	state := filepath.Join(b.state, "full")
	all := []*contender{
		{name: "vnetc: compile and load alone", args: []string{b.self, "load-xml", b.file("xml")},
			before: "nft flush ruleset"},
		{name: "vnetc apply, read back and proved", args: []string{b.vnetc, "apply", "--state-dir", state,
			b.file("xml")},
			before: b.vnetc + " remove --all --state-dir " + state},
		{name: "one finished batch", args: []string{b.self, "send", b.file("sets.netlink")},
			before: "nft flush ruleset"},
		{name: "nft -f", args: []string{"nft", "-f", b.file("chains.nft")}, before: "nft flush ruleset"},
		{name: "iptables-nft-restore (IPv4)", args: []string{"iptables-nft-restore", "--wait"},
			input: b.file("rules.v4"), before: "nft flush ruleset"},
		{name: "iptables-legacy-restore (IPv4)", args: []string{"iptables-legacy-restore", "--wait"},
			input:  b.file("rules.v4"),
			before: "for t in filter nat mangle; do iptables-legacy -t $t -F; iptables-legacy -t $t -X; done"},
	}
	all = slices.DeleteFunc(all, func(c *contender) bool {
		_, err := exec.LookPath(c.args[0])
		return err != nil
	})
	for _, c := range all {
		var err error
		if c.ns, err = newNamespace(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// one returns what adds a network to the others, takes it away, and looks at them all.
func (b *applyBench) one() ([]*contender, error) {
	ours, err := newNamespace()
	if err != nil {
		return nil, err
	}
	theirs, err := newNamespace()
	if err != nil {
		return nil, err
	}
	state := filepath.Join(b.state, "one")
	add := b.vnetc + " apply --state-dir " + state + " " + b.file("one.xml")
	remove := fmt.Sprintf("%s remove --state-dir %s net%d", b.vnetc, state, b.n)
	if err := ours.sh(b.vnetc + " apply --state-dir " + state + " " + b.file("xml")); err != nil {
		return nil, err
	}
	return []*contender{
		{name: "vnetc audit, which only reads", ns: ours, args: []string{b.vnetc, "audit", "--state-dir", state}},
		{name: "vnetc apply of a network that is in force", ns: ours,
			args: []string{b.vnetc, "apply", "--state-dir", state, b.file("xml/net00000.xml")}},
		{name: "vnetc apply of one more", ns: ours, args: strings.Fields(add), before: remove + " 2>/dev/null || true"},
		{name: "vnetc remove of one", ns: ours, args: strings.Fields(remove), before: add},
		{name: "one nft process for each rule of one more", ns: theirs, args: []string{"sh", "-ec", b.execs(b.n)},
			before: "nft -f " + b.file("chains.nft")},
	}, nil
}

// linear extrapolates what one process for each rule takes for all networks: half of them meet a
// table that is less than half full.
func (b *applyBench) linear() (applyFigure, error) {
	f := applyFigure{Networks: b.n, Work: fmt.Sprintf("all of %d networks", b.n), Tool: "one nft process for each rule",
		Extrapolated: true}
	first := filepath.Join(b.dir, "first")
	if out, err := exec.Command(b.self, "prepare", first, "1").CombinedOutput(); err != nil {
		return f, fmt.Errorf("prepare: %w: %s", err, out)
	}
	for _, table := range []string{filepath.Join(first, "chains.nft"), b.file("chains.nft")} {
		ns, err := newNamespace()
		if err != nil {
			return f, err
		}
		defer ns.close()
		c := &contender{name: f.Tool, ns: ns, args: []string{"sh", "-ec", b.execs(b.n)}, before: "nft -f " + table}
		if err := race([]*contender{c}, 3); err != nil {
			return f, err
		}
		f.Median += float64(b.n) / 2 * milliseconds(c.median())
		f.Peak = max(f.Peak, float64(c.peak)/1024)
	}
	return f, nil
}

// execs returns a script that inserts the rules of network number i as libvirt does, with a process
// for each.
func (b *applyBench) execs(i int) string {
	subnet, bridge := fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), fmt.Sprintf("vbr%d", i)
	rules := []string{
		"fwx iifname BR oifname BR counter accept",
		"fwi oifname BR counter reject",
		"fwi oifname BR ip daddr NET ct state established,related counter accept",
		"fwo iifname BR counter reject",
		"fwo ip saddr NET iifname BR counter accept",
		"prt ip saddr NET ip daddr != NET counter masquerade",
		"prt meta l4proto udp ip saddr NET ip daddr != NET counter masquerade to :1024-65535",
		"prt meta l4proto tcp ip saddr NET ip daddr != NET counter masquerade to :1024-65535",
		"prt ip saddr NET ip daddr 255.255.255.255/32 counter return",
		"prt ip saddr NET ip daddr 224.0.0.0/24 counter return",
	}
	script := ""
	for _, r := range rules {
		script += "nft -ae insert rule ip vnetc " + strings.NewReplacer("BR", bridge, "NET", subnet).Replace(r) + "\n"
	}
	return script
}
