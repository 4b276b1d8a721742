package conntrack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/ir"
)

// procTuple writes a tuple as /proc/net/nf_conntrack does.
func procTuple(t Tuple) string {
	text := fmt.Sprintf("src=%s dst=%s", long(t.Src), long(t.Dst))
	switch {
	case isICMP(t.Proto):
		return text + fmt.Sprintf(" type=%d code=%d id=%d", t.ICMPType, t.ICMPCode, t.ICMPID)
	case ir.HasPorts(t.Proto):
		return text + fmt.Sprintf(" sport=%d dport=%d", t.SPort, t.DPort)
	}
	return text
}

// TestListAgainstProc: what is read by netlink is what the kernel shows in /proc.
func TestListAgainstProc(t *testing.T) {
	w := newWorld(t, 2)
	p := program(t, 2, "")
	publish(t, p, "udp 192.0.2.2 5300 to 10.0.1.7 4000")
	w.load(p)
	for _, f := range w.flows() {
		w.open(f)
	}
	w.send(w.far, netnstest.UDP, w.far.Hosts[0].Addr(), 5300)
	var want []string
	for _, line := range w.entries() {
		words := strings.Fields(line)
		var kept []string
		for _, word := range words[3:] { // behind the names of family and protocol
			key, _, has := strings.Cut(word, "=")
			if has && slices.Contains([]string{"src", "dst", "sport", "dport", "type", "code", "id", "zone"}, key) ||
				word == "[ASSURED]" || word == "[UNREPLIED]" {
				kept = append(kept, word)
			}
		}
		want = append(want, words[3]+" "+strings.Join(kept, " "))
	}
	all, _, _ := w.listed()
	var got []string
	translated := 0
	for _, e := range all {
		words := []string{fmt.Sprint(e.Original.Proto), procTuple(e.Original)}
		if e.Status&SeenReply == 0 {
			words = append(words, "[UNREPLIED]")
		}
		words = append(words, procTuple(e.Reply))
		if e.Status&Assured != 0 {
			words = append(words, "[ASSURED]")
		}
		got = append(got, strings.Join(append(words, fmt.Sprintf("zone=%d", e.Zone)), " "))
		if e.ID == 0 || e.Timeout <= 0 {
			t.Errorf("%s has number %d and ends in %s", e, e.ID, e.Timeout)
		}
		if (e.Status&DestNAT != 0) != (e.Original.Dst != e.Reply.Src) ||
			(e.Status&SourceNAT != 0) != (e.Original.Src != e.Reply.Dst) {
			t.Errorf("%s has status %#x", e, e.Status)
		}
		if e.Status&DestNAT != 0 {
			translated++
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 20 || translated != 1 {
		t.Errorf("%d entries, %d to a published port (-proc +netlink)\n%s", len(got), translated, diff)
	}
}

// TestListWithoutModule: what a kernel answers that does not know the subsystem is an error that
// names the module.
func TestListWithoutModule(t *testing.T) {
	ns := netnstest.New(t)
	ns.Do(func() {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		const unknown = 60 // no subsystem of nfnetlink has this number
		err = c.list(unknown, func(byte, []byte) error { return nil })
		if !errors.Is(err, unix.EINVAL) {
			t.Fatalf("the kernel says %v", err)
		}
		var missing *ModuleError
		if !errors.As(explain(err), &missing) || missing.Module != "nf_conntrack_netlink" {
			t.Errorf("got %v", explain(err))
		}
		const want = "connections that a policy forbids can't be cut: invalid argument: missing in the kernel: " +
			"nf_conntrack_netlink (where it is installed, modprobe nf_conntrack_netlink loads it)"
		if got := explain(err).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestCutAsksNothing: without policies the kernel is not asked, so that a host without the module
// has no error.
func TestCutAsksNothing(t *testing.T) {
	w := newWorld(t, 2)
	w.send(w.guests[0], netnstest.UDP, w.guests[1].Addrs[0].Addr(), netnstest.Open)
	if got := w.cut(program(t, 2, ""), program(t, 2, "deny from network db to network web")); got.Listed == 0 {
		t.Fatalf("nothing is listed: %+v", got)
	}
	if got := w.cut(program(t, 1, ""), program(t, 2, "")); got.Listed != 0 {
		t.Errorf("got %+v", got)
	}
}
