package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// hostTraceFlags are those of trace that say where the networks in force are.
type hostTraceFlags struct {
	hostFlags
	root string
}

func (f *hostTraceFlags) add(cmd *cobra.Command) {
	f.addStateFlags(cmd)
	cmd.Flags().StringVar(&f.root, "libvirt-root", "/", "file system in which libvirt's status files are looked for")
}

// traceHost follows a packet through this host.
func traceHost(s streams, f *traceFlags) error {
	request, found := ir.ParseRequest(f.packet)
	src := &diag.Sources{}
	src.Add(ir.PacketFile, []byte(f.packet))
	if err := report(s, src, found, false); err != nil {
		return err
	}
	checkup, err := f.host.networks(s)
	if err != nil {
		return err
	}
	journey, survey, noPacket, err := checkup.Trace(request)
	switch {
	case noPacket:
		return exitError{exitNo, err.Error()}
	case err != nil:
		return err
	}
	j := verify.Journey{Journey: journey, Verbose: f.verbose, Unread: survey.Unread,
		Assumed: survey.Program.AssumedOrder()}
	if f.format.value == "json" {
		err = diag.WriteJSON(s.out, j.JSON())
	} else {
		_, err = io.WriteString(s.out, j.Text())
	}
	if err != nil {
		return orHost(err)
	}
	return journeyExit(j)
}

// journeyExit is the exit code: as doctor's.
func journeyExit(j verify.Journey) error {
	switch {
	case j.Ends():
		return exitError{code: exitNo}
	case j.Failed():
		return exitError{code: exitHost}
	}
	return nil
}

// networks prepares a look at the networks in force, or at those that libvirt runs if there are
// none.
func (f *hostTraceFlags) networks(s streams) (checkup inforce.Checkup, err error) {
	err = f.look(s, func(h *inforce.Host) error {
		if len(h.Networks()) == 0 {
			checkup, err = inforce.LibvirtCheckup(f.options(s), f.root)
			return err
		}
		w, err := h.InForce()
		if err != nil {
			return err
		}
		checkup, err = h.Checkup(w, nil, false)
		return err
	})
	return checkup, err
}
