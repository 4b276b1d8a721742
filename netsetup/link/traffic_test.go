package link

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// TestTrafficMessages compares with what tc 6.1 sends for the commands of libvirt 11.3, as
// strace(1) shows it from the struct tcmsg on, with 0 for the device. Of the filter with police,
// the table of times is left out (it is rounded otherwise, and the kernel makes its own), and the
// priority is the one that the kernel gives to a filter without.
func TestTrafficMessages(t *testing.T) {
	for _, c := range []struct {
		tc, want string
		object   trafficObject
	}{
		{"qdisc add dev virbr0 root handle 1: htb default 2", `
			00000000 00000000 00000100 ffffffff 00000000 08000100 68746200 1c000200
			18000200 03000000 0a000000 02000000 00000000 00000000`, rootQdisc()},
		{"qdisc add dev virbr0 parent 1:2 handle 2: sfq perturb 10", `
			00000000 00000000 00000200 02000100 00000000 08000100 73667100 4c000200
			00000000 0a000000 00000000 00000000 00000000 00000000 00000000 00000000
			00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
			00000000 00000000`, qdisc{"sfq", restID, sfqHandle}},
		{"filter add dev virbr0 parent 1:0 protocol all prio 1 handle 1 fw flowid 1", `
			00000000 00000000 01000000 00000100 00030100 07000100 66770000 0c000200
			08000100 01000000`, markFilter{}},
		{"qdisc add dev virbr0 ingress", `
			00000000 00000000 0000ffff f1ffffff 00000000 0c000100 696e6772 65737300`, ingressQdisc()},
		{"filter add dev virbr0 parent ffff: protocol all u32 match u32 0 0 police rate 1000kbps burst 1024kb mtu 64kb drop flowid :1", `
			00000000 00000000 00000000 0000ffff 000300c0 08000100 75333200 74040200
			44040600 3c000100 00000000 02000000 00000000 0000fa00 00000100 09010000
			ffff0000 40420f00 00000000 00000000 00000000 00000000 00000000 00000000
			04040200 ... 08000100 01000000 24000500
			01000100 00000000 00000000 00000000 00000000 00000000 00000000 00000000`,
			policing(&ir.Rate{Average: 1000, Burst: 1024})[1]},
		{"filter add dev virbr0 prio 2 protocol ip parent 1: u32 match ip dport 68 ffff action csum ip and udp", `
			00000000 00000000 00000000 00000100 08000200 08000100 75333200 5c000200
			34000700 30000100 09000100 6373756d 00000000 20000280 1c000100 00000000
			00000000 00000000 00000000 00000000 11000000 24000500 01000100 00000000
			00000000 00000000 0000ffff 00000044 14000000 00000000`, checksumFilter{}},
	} {
		got := hex.EncodeToString(encode(c.object))
		before, after, table := strings.Cut(strings.Join(strings.Fields(c.want), ""), "...")
		if table && strings.HasPrefix(got, before) && strings.HasSuffix(got, after) {
			got = got[:len(before)] + got[len(got)-len(after):]
		}
		if diff := cmp.Diff(before+after, got); diff != "" {
			t.Errorf("tc %s (-tc +ours):\n%s", c.tc, diff)
		}
	}
}

// encode is an object's message without the header that all netlink messages have.
func encode(o trafficObject) []byte {
	m := o.message()
	b := (&nl.TcMsg{Parent: m.parent, Handle: m.handle, Info: m.info}).Serialize()
	for _, a := range m.attrs {
		b = append(b, a.Serialize()...)
	}
	return b
}

// TestReadFilter reads what is sent; the kernel shows it alike, under a handle of its own.
func TestReadFilter(t *testing.T) {
	for _, o := range []trafficObject{markFilter{}, checksumFilter{}, policing(&ir.Rate{Average: 1000})[1],
		policing(&ir.Rate{Average: 5e6})[1]} {
		if got := readFilter(encode(o)); got != o {
			t.Errorf("read %#v, want %#v", got, o)
		}
	}
	if got := readFilter(encode(rootQdisc())); got != nil {
		t.Errorf("read %#v of a qdisc, want nothing", got)
	}
}

func TestLackingModule(t *testing.T) {
	for _, c := range []struct {
		object trafficObject
		err    error
		want   string
	}{
		{rootQdisc(), unix.ENOENT, "sch_htb"},
		{ingressQdisc(), unix.ENOENT, "sch_ingress"},
		{checksumFilter{}, unix.ENOENT, "act_csum"},
		{policeFilter{}, unix.ENOENT, "act_police"},
		{markFilter{}, unix.ENOENT, "cls_fw"},
		{class{}, unix.ENOENT, ""},
		{checksumFilter{}, unix.EINVAL, ""},
	} {
		if got := lackingModule(c.object, c.err); got != c.want {
			t.Errorf("%#v, %v: %q, want %q", c.object, c.err, got, c.want)
		}
	}
}

// TestPlanTraffic has limits come, change and go, with and without the filter that needs the same
// root.
func TestPlanTraffic(t *testing.T) {
	in, less := shaping(&ir.Rate{Average: 1000}), shaping(&ir.Rate{Average: 500})
	out := policing(&ir.Rate{Average: 10})
	fill := Traffic{rootQdisc(), checksumFilter{}}
	for _, c := range []struct {
		name     string
		have     Traffic
		in, out  *ir.Rate
		checksum bool
		want     []trafficChange
	}{
		{"nothing", nil, nil, nil, false, nil},
		{"all there", slices.Concat(in, out, fill[1:]), &ir.Rate{Average: 1000}, &ir.Rate{Average: 10}, true, nil},
		{"filter comes", nil, nil, nil, true, []trafficChange{{nil, fill[0]}, {nil, fill[1]}}},
		{"filter comes to classes", in, &ir.Rate{Average: 1000}, nil, true, []trafficChange{{nil, fill[1]}}},
		{"classes go, filter stays", slices.Concat(in, fill[1:]), nil, nil, true,
			[]trafficChange{{in[4], nil}, {in[3], nil}, {in[2], nil}, {in[1], nil}}},
		{"classes change", in, &ir.Rate{Average: 500}, nil, false, []trafficChange{{in[1], less[1]}, {in[2], less[2]}}},
		{"police changes", out, nil, &ir.Rate{Average: 20}, false,
			[]trafficChange{{out[1], policing(&ir.Rate{Average: 20})[1]}}},
		{"police goes", out, nil, nil, false, []trafficChange{{out[1], nil}, {out[0], nil}}},
		{"in software", nil, nil, nil, true, nil},
		{"in software, and the filter too", fill, nil, nil, true, nil},
		{"no average", nil, &ir.Rate{}, nil, false, nil},
	} {
		f := &Facts{Devices: []Device{{Index: 2, Name: "virbr7", Kind: "bridge", Alias: "vnetc lab", Up: true,
			IPv4:   &IPv4Info{0, 1},
			Bridge: &BridgeInfo{STP: true, Delay: 2e9}, Traffic: c.have,
			ChecksumsInSoftware: strings.HasPrefix(c.name, "in software")}}}
		p, problems := PlanUp(limited(c.in, c.out), f, Options{Checksum: c.checksum})
		if len(problems) > 0 || len(p.Before) > 0 {
			t.Errorf("%s: problems %v, steps before the firewall %v", c.name, problems, p.Before)
		}
		var got []trafficChange
		for _, s := range p.After {
			switch s := s.(type) {
			case *setTraffic:
				got = append(got, s.changes...)
			case *fillChecksums:
				got = append(got, s.changes...)
			}
		}
		if !slices.Equal(c.want, got) {
			t.Errorf("%s: changes\n%v, want\n%v", c.name, got, c.want)
		}
	}
}

// Futile: of a limit whose fairness alone is missing, there is something to do until the rest
// stands.
func TestFutile(t *testing.T) {
	rate := &ir.Rate{Average: 100}
	step := func(objects ...trafficObject) *setTraffic {
		s := &setTraffic{}
		for _, o := range objects {
			s.changes = append(s.changes, trafficChange{to: o})
		}
		return s
	}
	sfq, mark := qdisc{"sfq", restID, sfqHandle}, markFilter{}
	for _, c := range []struct {
		name  string
		step  *setTraffic
		lacks []string
		want  bool
	}{
		{"all of it, without fairness", step(shaping(rate)...), []string{"sch_sfq", "cls_fw"}, false},
		{"nothing but fairness", step(sfq, mark), []string{"sch_sfq", "cls_fw"}, true},
		{"half of fairness", step(sfq, mark), []string{"sch_sfq"}, false},
		{"no HTB", step(shaping(rate)...), []string{"sch_htb"}, true},
		{"no police", step(policing(rate)...), []string{"act_police"}, true},
		{"taken away", &setTraffic{changes: []trafficChange{{from: sfq}}}, []string{"sch_sfq"}, false},
	} {
		if got := c.step.Futile(func(m string) bool { return slices.Contains(c.lacks, m) }); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
