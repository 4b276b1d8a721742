package kernel

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/prove"
)

var updateWild = flag.Bool("update-wild", false, "rewrite wild/modelled.txt")

// wildFile is a rule file of the wild corpus as it was read.
type wildFile struct {
	name    string
	text    []byte
	program *ir.Program
}

// wild returns the sections of an archive of the wild corpus.
func wild(t *testing.T, archive string) []wildFile {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("wild", archive))
	if err != nil {
		t.Fatal(err)
	}
	var all []wildFile
	for _, f := range txtar.Parse(raw).Files {
		all = append(all, wildFile{name: f.Name, text: f.Data})
	}
	return all
}

// family returns the family that the name of an iptables file ends in.
func (f wildFile) family() ir.Family {
	if strings.HasSuffix(f.name, ".v6") {
		return ir.IPv6
	}
	return ir.IPv4
}

// wildIPTables returns the iptables files, read as text.
func wildIPTables(t *testing.T) []wildFile {
	t.Helper()
	all := wild(t, "iptables.txtar")
	for i, f := range all {
		p, err := iptables.Backend{}.Read([]backends.Document{{File: f.name, Family: f.family(), Text: f.text}})
		if err != nil {
			t.Fatal(err)
		}
		all[i].program = p
	}
	return all
}

// wildNFT returns the nft scripts, read as the kernel dumps what nft loads.
func wildNFT(t *testing.T) []wildFile {
	t.Helper()
	netnstest.Require(t, "nft")
	all := wild(t, "nft.txtar")
	for i, f := range all {
		ns := netnstest.New(t)
		ns.Feed(f.text, "nft", "-f", "-")
		ns.Do(func() {
			survey, err := nftables.Loader{}.Survey()
			if err != nil {
				t.Fatal(f.name, err)
			}
			all[i].program = survey.Program
		})
	}
	return all
}

// opaques returns the rules of p, and the texts of what is not modelled in them.
func opaques(p *ir.Program) (rules, modelled int, texts []string) {
	for _, c := range p.Chains {
		for i := range c.Rules {
			rules++
			line := c.Rules[i].String()
			if !strings.Contains(line, "opaque-") {
				modelled++
				continue
			}
			texts = append(texts, line[strings.Index(line, "opaque-"):])
		}
	}
	return rules, modelled, texts
}

// TestKernelWild: each file of the wild corpus of which all rules were modelled still is, and how
// many are of the others is on record, with the first texts that are not.
func TestKernelWild(t *testing.T) {
	var got bytes.Buffer
	for _, kind := range []struct {
		name  string
		files []wildFile
	}{{"iptables", wildIPTables(t)}, {"nft", wildNFT(t)}} {
		whole, rules, modelled := 0, 0, 0
		for _, f := range kind.files {
			if list := ir.Verify(f.program); list.HasErrors() {
				t.Errorf("%s: %v", f.name, list.Err())
			}
			n, m, texts := opaques(f.program)
			rules, modelled = rules+n, modelled+m
			fmt.Fprintf(&got, "%s %d/%d\n", f.name, m, n)
			if m == n {
				whole++
			}
			slices.Sort(texts)
			for _, text := range slices.Compact(texts) {
				fmt.Fprintf(&got, "    %s\n", text)
			}
		}
		fmt.Fprintf(&got, "%s: %d of %d files, %d of %d rules\n", kind.name, whole, len(kind.files), modelled, rules)
	}
	const record = "wild/modelled.txt"
	if *updateWild {
		if err := os.WriteFile(record, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("other rules are modelled than on record; if that is meant: go test ./golden/kernel -run Wild -update-wild, and read the diff\n%s",
			got.Bytes())
	}
}

// unloadable are beginnings of what this kernel may lack: a set, an account or a socket to look up.
var unloadable = []string{"-m set ", "-m nfacct ", "-m socket "}

// loadable returns text without the rules that need them.
func loadable(text []byte) []byte {
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !slices.ContainsFunc(unloadable, func(s string) bool { return strings.Contains(line, s) }) {
			kept = append(kept, line)
		}
	}
	return []byte(strings.Join(kept, ""))
}

// TestKernelWildPair: what iptables-nft lists of a file's rules, and what the kernel dumps of the
// same, do the same to every packet, or the one that says less knows that it does.
func TestKernelWildPair(t *testing.T) {
	netnstest.Require(t, "iptables-nft-restore", "ip6tables-nft-restore")
	answers := make(map[prove.Answer]int)
	for _, f := range wild(t, "iptables.txtar") {
		t.Run(f.name, func(t *testing.T) {
			tool := map[ir.Family]string{ir.IPv4: "iptables-nft", ir.IPv6: "ip6tables-nft"}[f.family()]
			ns := netnstest.New(t)
			ns.Feed(loadable(f.text), tool+"-restore")
			saved := ns.Exec(tool + "-save")
			text, err := iptables.Backend{}.Read([]backends.Document{{File: f.name, Family: f.family(),
				Text: []byte(saved)}})
			if err != nil {
				t.Fatal(err)
			}
			var kernel *ir.Program
			ns.Do(func() {
				survey, err := nftables.Loader{}.Survey()
				if err != nil {
					t.Fatal(err)
				}
				kernel = survey.Program
			})
			r := prove.Equal(text, kernel, f.family())
			answers[r.Answer]++
			if r.Answer != prove.Proved && r.Answer != prove.Unknown {
				t.Errorf("%s: %s is %s by the text, and %s by netlink", r.Answer, r.Packet, r.A, r.B)
			}
		})
	}
	t.Log(answers)
}
