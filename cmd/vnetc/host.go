package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/frontend/netconf"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// hostFlags are the flags of the verbs that look at or change this host.
type hostFlags struct {
	backend, layout, names *choice // nil for a verb that only needs the state folder
	config                 string
	stateDir               string
	wait                   time.Duration
}

func addHostFlags(cmd *cobra.Command) *hostFlags {
	f := &hostFlags{}
	f.backend = addChoice(cmd, "backend",
		"back end for the rules (auto: the present one; at first one that leaves guests connected)",
		append([]string{"auto"}, targetNames()...)...)
	f.layout = addChoice(cmd, "layout", "nftables: arrangement of the rules", layoutNames()...)
	f.names = addChoice(cmd, "names", "names of tables and chains", string(backends.VnetcNames),
		string(backends.LibvirtNames))
	f.addStateFlags(cmd)
	cmd.Flags().StringVar(&f.config, "config", "",
		"take --backend from this file, in the syntax of libvirt's network.conf")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return f.readConfig(streams{err: cmd.ErrOrStderr(), color: cmd.ErrOrStderr() == os.Stderr &&
			colorWanted(os.Stderr)})
	}
	return f
}

// readConfig takes the back end from --config, where one is named there and none by --backend.
func (f *hostFlags) readConfig(s streams) error {
	if f.config == "" {
		return nil
	}
	if _, err := os.Stat(f.config); errors.Is(err, os.ErrNotExist) {
		return hostf("%s: there is no such file", f.config)
	}
	text, err := readFile(f.config)
	if err != nil {
		return err
	}
	if len(text) > netxml.MaxSize {
		return exitError{exitNo, fmt.Sprintf("%s has more than %d bytes: it is not a network.conf", f.config,
			netxml.MaxSize)}
	}
	src := &diag.Sources{}
	src.Add(f.config, text)
	conf, found := netconf.Parse(f.config, text)
	if f.backend.set {
		return report(s, src, found, false)
	}
	backend, none := conf.Chosen()
	if backend != "" {
		f.backend.value, f.backend.set = backend, true
	}
	found = append(found, none...)
	if err := report(s, src, found, false); err != nil || backend != "" {
		return err
	}
	fmt.Fprintf(s.err,
		"vnetc: warning: %s sets no firewall_backend: libvirt then takes nftables or iptables, by how it was "+
			"built and which programs it finds, which vnetc can't tell; --backend auto holds here; set firewall_backend, or give "+
			"--backend\n", diag.Visible(f.config))
	return nil
}

// addStateFlags adds the flags that say where notes are.
func (f *hostFlags) addStateFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.stateDir, "state-dir", inforce.DefaultDir, "folder of the state files, and of the lock")
	cmd.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for another vnetc that changes the host")
}

// options returns what the engine is given for a verb with these flags.
func (f *hostFlags) options(s streams) inforce.Options {
	o := inforce.Options{Compiler: frontEnd{}, Places: places, Wait: f.wait, Tell: s.teller(), Guard: startWatcher}
	if f.backend != nil {
		o.Rules = inforce.Choice{Backend: f.backend.given(), Layout: backends.Layout(f.layout.given()),
			Names: backends.Names(f.names.given())}
	}
	return o
}

// open locks the host for a verb that changes something.
func (f *hostFlags) open(s streams) (*inforce.Host, error) {
	return inforce.Open(f.stateDir, f.options(s))
}

// look has read look at the host, for a verb that changes nothing. It may be called more than once,
// so it prints nothing.
func (f *hostFlags) look(s streams, read func(*inforce.Host) error) error {
	return inforce.Look(f.stateDir, f.options(s), read)
}

// networkFlags say which networks are meant, and how they are compiled.
type networkFlags struct {
	prune, strict, lax bool
	dnsmasq            optionFlags
	policy             policyFlag
}

func addNetworkFlags(cmd *cobra.Command, f *networkFlags, prune string) {
	cmd.Flags().BoolVar(&f.prune, "prune", false, prune)
	addStrictFlags(cmd, f)
}

// addStrictFlags is addNetworkFlags without --prune.
func addStrictFlags(cmd *cobra.Command, f *networkFlags) {
	cmd.Flags().BoolVar(&f.strict, "strict-isolation", false, "let no guest out past its own network's rules, "+
		"and drop packets with a false source (see vnetc verify)")
	cmd.Flags().BoolVar(&f.lax, "lax", false, "unknown elements and attributes are warnings, not errors")
	f.dnsmasq.add(cmd)
	f.policy.add(cmd)
}

// read reads every PATH, and the files of --policy. The change is how they become what is wanted.
func (f *networkFlags) read(in io.Reader, paths []string) (*diag.Sources, inforce.Change, error) {
	src, err := readSources(in, paths)
	if err != nil {
		return nil, inforce.Change{}, err
	}
	change := f.change()
	change.Policies, err = f.policy.read(src)
	return src, change, err
}

// change returns how the networks given become what is wanted.
func (f *networkFlags) change() inforce.Change {
	return inforce.Change{Strict: f.strict, Lax: f.lax, Prune: f.prune, Expected: docpath.IsNetwork,
		Allow: f.dnsmasq.allow()}
}

// want reads what the engine wants of the networks, and reports what is wrong with them.
func want(s streams, h *inforce.Host, given *diag.Sources, c inforce.Change) (inforce.Wanted, error) {
	w, err := h.Want(given, c)
	if err != nil {
		return w, err
	}
	return w, reportEnd(s, w.Sources, w.Found, false, "; nothing was changed")
}
