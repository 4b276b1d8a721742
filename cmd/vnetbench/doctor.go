package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newDoctor() *cobra.Command {
	var networks []int
	var rules, rounds int
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "vnetc doctor and apply on hosts with another's rules",
		Long: `doctor puts N NAT networks in force in a network namespace, once with nobody else's
rules and once beside another's forward chain of iptables, each rule about a source, a
destination and a port that no network has. It measures whole processes: vnetc apply
with nothing to change, which ends with the short form of doctor; vnetc doctor; and
iptables-nft-save, which reads the other's rules and does nothing else. Needs root.`,
		Example: "  go run ./cmd/vnetbench doctor --networks 1,100,1000 --rules 20000 --rounds 3",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, n := range networks {
				if err := benchDoctor(n, rules, rounds); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&networks, "networks", []int{1, 100, 1000}, "how many networks")
	cmd.Flags().IntVar(&rules, "rules", 20_000, "how many rules of another")
	cmd.Flags().IntVar(&rounds, "rounds", 3, "how often each tool runs")
	return cmd
}

// foreignHost makes a host with a way out, $R rules of another, and the networks in force.
const foreignHost = `ip link add eth0 type bridge; ip addr add 198.51.100.1/24 dev eth0; ip link set eth0 up
ip route add default via 198.51.100.2; echo 1 >/proc/sys/net/ipv4/ip_forward
if [ $R -gt 0 ]; then
	{ echo '*filter'
	awk -v n=$R 'BEGIN { for (i = 0; i < n; i++) printf("-A FORWARD -s 172.%d.%d.%d/32 -d 172.%d.%d.0/24 -p tcp -m tcp --dport %d -j %s\n",
		16+i%16, i*31%256, i*7%256, 16+i*5%16, i*17%256, 1+i*13%65000, i%2 ? "ACCEPT" : "DROP") }'
	echo COMMIT; } | iptables-nft-restore --noflush
fi
$V apply --backend nftables $X --state-dir $S >/dev/null`

func benchDoctor(n, rules, rounds int) error {
	work, err := os.MkdirTemp("", "vnetbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := &upBench{networks: filepath.Join(work, "xml"), vnetc: filepath.Join(work, "vnetc"), state: filepath.Join(work, "state"), n: n}
	if err := generate(b.networks, n, allNAT); err != nil {
		return err
	}
	if err := buildVnetc(b.vnetc); err != nil {
		return err
	}
	defer b.end()
	var contenders []*contender
	for _, host := range []struct {
		words string
		rules int
	}{{"nobody else's rules", 0}, {fmt.Sprintf("%d rules of another", rules), rules}} {
		first := piece{name: "vnetc apply, " + host.words, setup: fmt.Sprintf("R=%d\n", host.rules) + foreignHost,
			work: "exec $V apply $X --state-dir $S >/dev/null"}
		c, err := b.in(first)
		if err != nil {
			return err
		}
		contenders = append(contenders, c)
		for name, work := range map[string]string{
			"vnetc doctor, " + host.words:      "exec $V doctor --state-dir $S >/dev/null",
			"iptables-nft-save, " + host.words: "exec iptables-nft-save >/dev/null",
		} {
			beside := *c
			beside.name, beside.args = name, []string{"sh", "-ec", c.args[2][:len(c.args[2])-len(first.work)] + work}
			contenders = append(contenders, &beside)
		}
	}
	if err := race(contenders, rounds); err != nil {
		return err
	}
	table(os.Stdout, fmt.Sprintf("\n%d networks", n), contenders)
	return nil
}
