package inforce

import (
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/firewall"
)

// Audited is how the kernel's rules differ from what is wanted.
type Audited struct {
	firewall.Audit
	Taken []Taken // what a take-over would do with libvirt's rules, nil if none was asked for
}

// Audit compares the rules in the kernel with those of w. It changes nothing.
func (h *Host) Audit(w Wanted, o *TakeOver) (Audited, error) {
	found, err := h.drift(w, firewall.Compare)
	if err != nil {
		return Audited{}, err
	}
	taking, err := h.planTakeOver(o, w)
	if err != nil {
		return Audited{}, err
	}
	taken, err := h.takeOver(taking, true)
	return Audited{found, taken}, err
}

// comparing is [firewall.Compare] or [firewall.Drifts].
type comparing func(*ir.Program, firewall.Target) (firewall.Audit, diag.List, error)

// drift says how the chosen place differs from what is wanted, by [firewall.Compare] or
// [firewall.Drifts], and what of ours the others hold.
func (h *Host) drift(w Wanted, compare comparing) (firewall.Audit, error) {
	a, found, err := compare(w.Program, h.target)
	if err != nil {
		return a, failed(err)
	}
	if err := h.say(w, found); err != nil {
		return a, err
	}
	left, err := firewall.Leftovers(h.others)
	if err != nil {
		return a, failed(err)
	}
	a.Drifts = append(a.Drifts, left...)
	return a, nil
}
