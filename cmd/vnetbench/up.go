package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newUp() *cobra.Command {
	var networks []int
	var rounds int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "vnetc up and down, against the dnsmasq processes and bridges alone",
		Long: `up generates N NAT networks with DHCP and measures whole processes, each in a network
namespace of its own:

- vnetc up from nothing to serving, against the start of the same dnsmasq processes and
  nothing else, one after the other and all at once, on bridges that are there;
- vnetc up with nothing to do;
- vnetc down of all, against deleting as many bridges in one go.

State is kept in /dev/shm if there is one, as it is in /run. Needs root and dnsmasq.`,
		Example: "  go run ./cmd/vnetbench up --networks 100 --rounds 5",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, n := range networks {
				if err := benchUp(n, rounds); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{100}, "how many networks")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often each tool runs")
	return cmd
}

// upBench is what the contenders of one N share.
type upBench struct {
	vnetc, networks, state string
	n                      int
	open                   []*namespace
}

func benchUp(n, rounds int) error {
	work, err := os.MkdirTemp("", "vnetbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	memory := "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		memory = work
	}
	b := &upBench{networks: filepath.Join(work, "xml"), vnetc: filepath.Join(work, "vnetc"), n: n}
	if b.state, err = os.MkdirTemp(memory, "vnetbench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.state)
	// Open, for the user that dnsmasq becomes.
	if err := os.Chmod(b.state, 0o755); err != nil {
		return err
	}
	if err := generate(b.networks, n, allNAT); err != nil {
		return err
	}
	if err := buildVnetc(b.vnetc); err != nil {
		return err
	}
	defer b.end()
	for _, r := range races {
		var contenders []*contender
		for _, p := range r.pieces {
			c, err := b.in(p)
			if err != nil {
				return err
			}
			contenders = append(contenders, c)
		}
		if err := race(contenders, rounds); err != nil {
			return err
		}
		table(os.Stdout, fmt.Sprintf("\n%d networks: %s", n, r.title), contenders)
	}
	return nil
}

// piece is one contender's work, as scripts of sh(1) in a namespace of its own: $V is vnetc, $X the
// networks, $S a state folder, $N how many networks. Servers of one contender don't run beside
// another's: the kernel limits what each user has of them.
type piece struct{ name, setup, before, work, after string }

// in returns the contender for a piece.
func (b *upBench) in(p piece) (*contender, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	b.open = append(b.open, ns)
	head := fmt.Sprintf("S=%s/%d; V=%s; X=%s; N=%d\n", b.state, len(b.open), b.vnetc, b.networks, b.n)
	if err := ns.sh(head + "mkdir -p $S; chmod 755 $S; ip link set lo up\n" + p.setup); err != nil {
		return nil, err
	}
	return &contender{name: p.name, ns: ns, before: head + p.before, args: []string{"sh", "-ec", head + p.work},
		after: head + p.after}, nil
}

// end gives the namespaces up.
func (b *upBench) end() {
	for _, ns := range b.open {
		ns.close()
	}
}

// alone is a set-up with the bridges of the networks and the configurations of their dnsmasq, and
// no dnsmasq.
const alone = `mkdir -p $S/alone; chmod 755 $S/alone
$V compile --emit dnsmasq $X -o $S/alone/
for i in $(seq 0 $((N-1))); do
	echo "link add vbr$i type bridge"; echo "addr add 10.$((i/256)).$((i%256)).1/24 dev vbr$i"; echo "link set vbr$i up"
	sed -i "s#/run/vnetc/dnsmasq#$S/alone#" $S/alone/net$i.conf
done >$S/batch
ip -batch $S/batch`

const (
	oneServer = "dnsmasq --conf-file=$c --dhcp-leasefile=${c%.conf}.leases --user=nobody"
	stopAlone = "for p in $S/alone/*.pid; do kill $(cat $p); done; sleep 0.3; rm -f $S/alone/*.pid"
	up        = "$V up $X --state-dir $S >/dev/null 2>&1"
	down      = "$V down --all --state-dir $S"
	bridges   = `for i in $(seq 0 $((N-1))); do echo "link add vbr$i type bridge"; echo "link set vbr$i group 7 up"; done >$S/batch; ip -batch $S/batch`
)

// races lists what is measured, the first of each being what the others are multiples of.
var races = []struct {
	title  string
	pieces []piece
}{
	{"from nothing to serving", []piece{
		{"dnsmasq alone, one after the other", alone, "", "for c in $S/alone/*.conf; do " + oneServer + "; done",
			stopAlone},
		{"dnsmasq alone, all at once", alone, "", "for c in $S/alone/*.conf; do " + oneServer + " & done; wait",
			stopAlone},
		{"vnetc up", "", "", "exec " + up, down},
	}},
	{"nothing to do", []piece{
		{"vnetc up", "", up, "exec " + up, down},
	}},
	{"away", []piece{
		{"ip link del group, as many bridges and nothing else", "", bridges, "exec ip link del group 7", ""},
		{"vnetc down --all", "", up, "exec " + down, ""},
	}},
}
