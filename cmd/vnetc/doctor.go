package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

type doctorFlags struct {
	*hostFlags
	strict  bool
	verbose bool
	cure    cureFlags
	root    string
	format  *choice
	budget  budgetFlag
}

func newDoctor(s streams) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [NAME...|PATH...]",
		Short: "find what keeps guests from what their networks promise, whoever's rules it is",
		Long: `doctor reads all rules of this host (nftables, iptables-nft and
iptables-legacy, whoever made them), and what the host itself decides:
addresses, routes, forwarding, and whether frames of a bridge meet the rules for
IP. For each network in force, or for those named, it answers whether guests get
DHCP, DNS and router advertisements, reach each other, the outside and other
networks, and get answers; and whether what must be refused is refused.

An answer is yes, no, part (some packets pass, some do not), or depends: on a
rule that vnetc cannot decide, or on rules that it does not read, such as chains
of bridges and of single devices. For a "no" doctor shows a packet, the rule or
policy with its table and chain, its owner, and what to type. A command is shown
as "cure" if it was proved on these rules: what was lost passes, and nothing
else does. Another one is shown as "try". -v also lists what is as it should be.

doctor changes nothing and takes no lock, unless --cure is given: it then lists
the proved commands for networks in force, runs them if you answer y (or with
--yes), and looks again. Each is noted in the state folder with the one that
takes it back, which vnetc down or vnetc remove of its network runs until the
next boot. --try adds commands that are not proved, and says so at each. What a
tool of another system must do, such as NixOS' configuration, stays for you to
do by hand.

doctor answers for a PATH as if its networks were in force with the present
rules. If vnetc has no network in force, it answers for those that libvirt runs.

--format json: "cut_off", "answers" (network, kind, family, protocol, device,
to, must_pass, answer, why, packet, blocks with place, owner, table, chain,
rule, cure, proved), "notes", "not_read", "not_looked_at", "order_assumed".
Fields are added, never renamed or removed.

Exit codes: 0 no answer is "no"; 1 one is (with --strict also for "depends"); 2
wrong usage; 3 rules could not be read, and an answer depends on them.`,
		Example: `  vnetc doctor
  vnetc doctor -v default
  vnetc doctor --cure default
  vnetc doctor --format json | jq -r '.answers[] | select(.answer == "no") | .blocks[].cure[]'`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.cure.fits(f.format.value); err != nil {
				return err
			}
			return examine(s, &f, args)
		},
	}
	f.hostFlags = addHostFlags(cmd)
	f.format = addChoice(cmd, "format", "how to print", "text", "json", "sarif")
	f.budget.add(cmd)
	f.cure.add(cmd)
	cmd.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 also if an answer depends on what vnetc can't decide")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "list also what is as it should be")
	cmd.Flags().StringVar(&f.root, "libvirt-root", "/", "file system in which libvirt's status files are looked for")
	return cmd
}

func examine(s streams, f *doctorFlags, args []string) error {
	found, err := f.examined(s, args)
	if err != nil {
		return err
	}
	if err := f.print(s.out, found); err != nil {
		return orHost(err)
	}
	if f.cure.cure {
		ran, err := f.cure.run(s, f.hostFlags, found)
		if err != nil {
			return err
		}
		if ran {
			if found, err = f.examined(s, args); err != nil {
				return err
			}
			fmt.Fprintln(s.out, "\nafterwards:")
			if err := f.print(s.out, found); err != nil {
				return orHost(err)
			}
		}
	}
	return f.verdict(found)
}

// examined looks at the host.
func (f *doctorFlags) examined(s streams, args []string) (found doctor.Report, err error) {
	var checkup inforce.Checkup
	var w inforce.Wanted
	err = f.look(s, func(h *inforce.Host) (err error) {
		names, paths := inForce(h, args)
		switch {
		case len(paths) > 0:
			if w, err = f.given(s, h, paths); err != nil || w.Found.HasErrors() {
				return err
			}
			names = append(names, w.Given()...)
		case len(h.Networks()) == 0:
			checkup, err = inforce.LibvirtCheckup(f.options(s), f.root)
			return err
		default:
			if w, err = h.InForce(); err != nil {
				return err
			}
		}
		checkup, err = h.Checkup(w, names, true)
		return err
	})
	if w.Sources != nil {
		if reported := report(s, w.Sources, w.Found, false); err == nil {
			err = reported
		}
	}
	if err != nil {
		return found, err
	}
	if checkup.Networks() == 0 {
		fmt.Fprintln(s.err, "no network is in force, and libvirt runs none; name a PATH to ask about it")
	}
	return checkup.Run(f.budget.start())
}

// given returns what is wanted if the networks of paths are in force, too.
func (f *doctorFlags) given(s streams, h *inforce.Host, paths []string) (inforce.Wanted, error) {
	given, err := readSources(s.in, paths)
	if err != nil {
		return inforce.Wanted{}, err
	}
	return h.Want(given, inforce.Change{})
}

// inForce tells the names of networks in force among args from paths. Names are nil if there are
// none.
func inForce(h *inforce.Host, args []string) (names, paths []string) {
	known := make(map[string]bool)
	for _, n := range h.Networks() {
		known[n.Name] = true
	}
	for _, a := range args {
		if _, err := os.Stat(a); known[a] && err != nil {
			names = append(names, a)
		} else {
			paths = append(paths, a)
		}
	}
	return names, paths
}

func (f *doctorFlags) print(out io.Writer, found doctor.Report) error {
	d := inWords(found)
	d.Verbose = f.verbose
	switch f.format.value {
	case "json":
		return diag.WriteJSON(out, d.JSON())
	case "sarif":
		return sarif(out, d.Diagnostics(), nil)
	}
	return d.Text(out)
}

// inWords returns the report as what is put into words.
func inWords(r doctor.Report) verify.Doctor {
	d := verify.Doctor{Answers: r.Answers, Hidden: r.Hidden, Unread: r.Unread, Assumed: r.Assumed}
	for _, n := range r.Notes {
		d.Notes = append(d.Notes, verify.DoctorNote(n))
	}
	return d
}

// verdict is the exit code.
func (f *doctorFlags) verdict(found doctor.Report) error {
	switch {
	case found.Cut() || f.strict && found.Doubtful():
		return exitError{code: exitNo}
	case found.Failed():
		return exitError{code: exitHost}
	}
	return nil
}
