package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/frontend/policy"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// verifyFlags are the flags of `vnetc verify`.
type verifyFlags struct {
	assert, against             string
	lax, strict, failOnFindings bool
	dnsmasq                     optionFlags
	policy                      policyFlag
	format, matrix              *choice
	budget                      budgetFlag
}

func newVerify(s streams) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify PATH...",
		Short: "prove the rules, and show which networks reach each other",
		Long: `verify proves that the rules of each back end and layout do what the networks
say. The proof holds for every packet: vnetc reads the emitted rules back and
compares them with the program. verify also prints which rules do nothing,
which rules layout sets does not merge, who can open connections to whom, and
findings: connections that get through although a network's own rules refuse
them.

--assert FILE also checks assertions, statements of the policy language that
are decided and not enforced, one on each line (# begins a comment):

  deny from network lab to network dmz
  allow tcp from network lab to outside port 443
  allow udp from 10.0.0.5 in network lab to host port 53
  allow from network web to outside by eth0
  isolated network lab

deny: no new connection of that kind gets through, whatever addresses a guest
uses. allow: every one does, from addresses of the network. isolated: none to
or from another network or outside. If one fails, verify prints a packet and
the rules that it meets.

--against PATH also prints for which packets the fate differs from the networks
in that file or directory.

The rules are judged as if the host had no others: a packet that meets none of
them is accepted. The state of a connection is given: a packet is new or it is
not. IPv6 is assumed to be off at the bridge of a network without an IPv6
address. Packets that the host itself sends in answer (ICMP errors, echo
replies, SYN-ACKs, DNS) are not covered: they go to the source that the guest
wrote. With --strict-isolation packets with a false source are dropped before
any answer.

An answer may be too large. The budget is a number of steps, so that the answer
is the same on every machine; --budget 60s sets a time instead.

Exit codes: 0 all proofs and assertions hold; 1 one does not, or there are
errors in the input; 2 wrong usage; 3 cannot read or write, or an answer is too
large. Findings are warnings; they cause exit code 1 only with
--fail-on-findings.`,
		Example: `  vnetc verify golden/networks
  vnetc verify networks/ --assert policy.txt
  git worktree add ../old main && vnetc verify networks/ --against ../old/networks
  vnetc verify networks/ --strict-isolation --fail-on-findings
  vnetc verify --format sarif networks/ > vnetc.sarif`,
		ValidArgsFunction: xmlPaths,
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usagef("verify needs at least one PATH, for example: vnetc verify golden/networks")
			}
			return runVerify(s, &f, paths)
		},
	}
	cmd.Flags().StringVar(&f.assert, "assert", "", "check the assertions of this file")
	cmd.Flags().StringVar(&f.against, "against", "", "compare with the networks of this file or directory")
	cmd.Flags().BoolVar(&f.strict, "strict-isolation", false, "verify what compile --strict-isolation makes")
	cmd.Flags().BoolVar(&f.failOnFindings, "fail-on-findings", false, "exit with 1 if there are findings")
	cmd.Flags().BoolVar(&f.lax, "lax", false, "unknown elements and attributes are warnings, not errors")
	f.dnsmasq.add(cmd)
	f.policy.add(cmd)
	f.format = addChoice(cmd, "format", "output format", "text", "json", "sarif")
	f.budget.add(cmd)
	f.matrix = addChoice(cmd, "matrix", "print who reaches whom (auto: up to 24 networks)", "auto", "yes", "no")
	return cmd
}

// runVerify reads everything, decides everything, and prints it.
func runVerify(s streams, f *verifyFlags, paths []string) error {
	if f.against == "-" && slices.Contains(paths, "-") {
		return usagef("- is given twice, and stdin is read once")
	}
	src, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	opts := netxml.Options{Lax: f.lax, StrictIsolation: f.strict, AllowOption: f.dnsmasq.allow()}
	v := &verify.Verification{Sources: src, Strict: f.strict, Budget: f.budget.start()}
	if v.Program, v.Said, err = compileSources(src, f.policy, opts); err != nil {
		return err
	}
	if f.assert != "" {
		if err := readAssertions(v, f.assert); err != nil {
			return err
		}
	}
	if f.format.value != "sarif" || v.Said.HasErrors() {
		if err := report(s, src, v.Said, false); err != nil {
			return err
		}
	}
	if f.against != "" {
		if v.Old, err = readOld(s, f.against, opts); err != nil {
			return err
		}
	}
	if err := v.Decide(verified(), wantsMatrix(f.matrix.value, v.Program)); err != nil {
		var found diag.List
		if errors.As(err, &found) {
			return report(s, src, found, false)
		}
		return exitError{exitNo, err.Error()}
	}
	if err := printVerification(s.out, v, f.format.value); err != nil {
		return hostf("%v", err)
	}
	if v.Failed() || f.failOnFindings && len(v.Leaks) > 0 {
		return exitError{code: exitNo}
	}
	if v.Undecided() {
		return exitError{code: exitHost}
	}
	return nil
}

// printVerification writes what was decided, in the form asked for.
func printVerification(out io.Writer, v *verify.Verification, format string) error {
	switch format {
	case "json":
		return v.JSON(out)
	case "sarif":
		return v.SARIF(out, version())
	}
	return v.Text(out)
}

// maxMatrix is for how many networks the matrix is printed unasked: more would make lines too long
// to read.
const maxMatrix = 24

func wantsMatrix(word string, p *ir.Program) bool {
	return word == "yes" || word == "auto" && len(p.Links) <= maxMatrix
}

// readAssertions adds the assertions of a file to v, and what is wrong with them.
func readAssertions(v *verify.Verification, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hostf("%s: there is no such file", path)
	}
	if err != nil {
		return hostf("%v", err)
	}
	v.Sources.Add(path, text)
	list, found := policy.Parse(path, text)
	claims, unfit := policy.Claims(list)
	v.Asserted, found = claims, append(found, unfit...)
	if v.Program != nil {
		found = append(found, policy.CheckNames(list, v.Program.Links)...)
	}
	if len(v.Asserted) == 0 && !found.HasErrors() {
		return exitError{exitNo,
			fmt.Sprintf("%s holds no assertion, so nothing would be decided; leave --assert out, or write some", path)}
	}
	v.Said = append(v.Said, found...)
	return nil
}

// readOld compiles the networks to compare with.
func readOld(s streams, path string, opts netxml.Options) (*ir.Program, error) {
	src, err := readSources(s.in, []string{path})
	if err != nil {
		return nil, err
	}
	p, found, err := compileSources(src, nil, opts)
	if err != nil {
		return nil, err
	}
	var errs diag.List // its warnings were for those who wrote it
	for _, d := range found {
		if d.Severity == diag.Error {
			errs = append(errs, d)
		}
	}
	return p, report(s, src, errs, false)
}

// verified lists what is verified.
func verified() []verify.Target {
	var all []verify.Target
	for _, b := range targets {
		for _, layout := range b.Layouts() {
			all = append(all, targetOf(b, layout))
		}
	}
	return all
}
