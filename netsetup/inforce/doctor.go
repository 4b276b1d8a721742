package inforce

import (
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/ir/expect"
	"github.com/vnetc/vnetc/ir/prove"
	"github.com/vnetc/vnetc/netsetup/doctor"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/host"
	"github.com/vnetc/vnetc/netsetup/libvirt"
)

// Checkup is what must be known of networks to examine whether their guests have on this host what
// they promise. It is made while the host is open, and run when it is closed: no lock is held for a
// proof.
type Checkup struct {
	meant  *ir.Program
	only   []string
	dead   map[string]expect.Fact
	places []firewall.Place
}

// Networks returns how many networks are to be asked about.
func (c Checkup) Networks() int {
	if c.only != nil {
		return len(c.only)
	}
	return len(c.meant.Links)
}

// Checkup prepares an examination of the networks of w called names, of all without names. Of those
// that are up it looks at their servers, too, if servers is true.
func (h *Host) Checkup(w Wanted, names []string, servers bool) (Checkup, error) {
	c := Checkup{meant: w.Program, only: names, places: h.o.Places, dead: make(map[string]expect.Fact)}
	if !servers {
		return c, nil
	}
	var up []string
	for _, n := range w.networks {
		if n.Up && (names == nil || slices.Contains(names, n.Name)) {
			up = append(up, n.Name)
		}
	}
	if len(up) == 0 {
		return c, nil
	}
	if err := h.read(); err != nil {
		return c, err
	}
	if err := h.links.FindServers(up); err != nil {
		return c, failed(err)
	}
	for i, n := range w.networks {
		if !slices.Contains(up, n.Name) {
			continue
		}
		mac, _ := net.ParseMAC(n.MAC)
		found, _ := h.links.Status(w.Program.Links[i], mac, time.Now()) // leases that can't be read are no matter here
		if found.Unserved() {
			c.dead[n.Name] = expect.Fact{
				What: "the dnsmasq of network " + n.Name + " is " + found.DNSMasq, Fix: "vnetc up " +
					diag.ShellWord(n.File),
			}
		}
	}
	return c, nil
}

// Given returns the names of the networks that were given, in order.
func (w Wanted) Given() (names []string) {
	for _, n := range w.networks {
		if w.given[n.Name] {
			names = append(names, n.Name)
		}
	}
	return names
}

// InForce returns what is wanted if nothing is given: the networks in force, all of which must
// compile.
func (h *Host) InForce() (Wanted, error) {
	if err := h.choose(); err != nil {
		return Wanted{}, err
	}
	return h.compiled(h.networks)
}

// LibvirtCheckup is Checkup for the networks that libvirt runs, as its status files say, on a host
// whose file system is at root.
func LibvirtCheckup(o Options, root string) (Checkup, error) {
	status, err := libvirt.Host{Run: filepath.Join(root, "run/libvirt")}.Networks()
	if err != nil {
		return Checkup{}, failed(err)
	}
	var docs []Document
	for _, s := range status {
		if d, ok := o.Compiler.Live(s); ok {
			docs = append(docs, d)
		}
	}
	meant, found := o.Compiler.Lower(Parsed{Networks: docs})
	if found.HasErrors() {
		return Checkup{}, failed(found)
	}
	return Checkup{meant: meant, places: o.Places}, nil
}

// Run reads the host and examines it. A nil budget is the usual one.
func (c Checkup) Run(budget *prove.Budget) (doctor.Report, error) {
	here, err := host.Read()
	if err != nil {
		return doctor.Report{}, failed(err)
	}
	return doctor.Examine(doctor.Patient{Meant: c.meant, Survey: doctor.Look(c.places), Host: here, Dead: c.dead,
		Only: c.only}, budget), nil
}

// RunShort is Run for the end of a verb that has just put its own rules in force and proved them.
// Where nobody else's may be in the way it asks nothing more; else it has a short budget.
func (c Checkup) RunShort() (doctor.Report, error) {
	if c.Networks() == 0 {
		return doctor.Report{}, nil
	}
	here, err := host.Read()
	if err != nil {
		return doctor.Report{}, failed(err)
	}
	p := doctor.Patient{Meant: c.meant, Host: here, Dead: c.dead, Only: c.only}
	if !doctor.Foreign(c.places) && doctor.Forwards(p) {
		return doctor.Report{}, nil
	}
	p.Survey = doctor.Look(c.places)
	return doctor.Examine(p, prove.ShortBudget()), nil
}

// Trace reads the host and follows one packet through it. NoPacket is true if the error is that
// there is no such packet on this host.
func (c Checkup) Trace(request ir.Request) (j *expect.Journey, survey doctor.Survey, noPacket bool, err error) {
	here, err := host.Read()
	if err != nil {
		return nil, survey, false, failed(err)
	}
	survey = doctor.Look(c.places)
	j, err = doctor.Trace(doctor.Patient{Meant: c.meant, Host: here, Survey: survey}, request)
	return j, survey, err != nil, err
}
