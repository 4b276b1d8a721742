package inforce

import "github.com/vnetc/vnetc/netsetup/firewall"

// Audited is how the kernel's rules differ from what is wanted.
type Audited struct {
	firewall.Audit
	Taken []Taken // what a take-over would do with libvirt's rules, nil if none was asked for
}

// Audit compares the rules in the kernel with those of w. It changes nothing. What the drift does
// to packets is not worked out here: Explain does that, once the host is closed.
func (h *Host) Audit(w Wanted, o *TakeOver) (Audited, error) {
	if err := h.findUnexplained(w); err != nil {
		return Audited{}, err
	}
	if w.prune {
		h.unexplained = firewall.Unexplained{} // they would go
	}
	found, err := h.drift(w)
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

// drift says how the chosen place differs from what is wanted, and what of ours the others hold,
// and what else is wrong with what is in force.
func (h *Host) drift(w Wanted) (firewall.Audit, error) {
	a, found, err := firewall.Drifts(h.whole(w.Program), h.target)
	if err != nil {
		return a, failed(err)
	}
	if err := h.say(w, found); err != nil {
		return a, err
	}
	left, admin, err := firewall.Leftovers(h.others)
	if err != nil {
		return a, failed(err)
	}
	a.AdminElsewhere = admin
	if len(h.unexplained.Bridges()) > 0 {
		a.ForgetOrder()
	}
	a.Drifts = append(append(a.Drifts, left...), h.faults()...)
	return a, nil
}
