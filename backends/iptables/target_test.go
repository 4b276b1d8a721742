package iptables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMend: where jumps go, one letter a rule: x i o ours, X I O libvirt's, all else others'; of
// policies p comes before all, q before what leaves a network, r behind everything. The order is by
// what a packet meets: what enters a network, of ours and libvirt's, before what leaves one.
func TestMend(t *testing.T) {
	targets := map[rune]string{'x': "VNETC_FWX", 'i': "VNETC_FWI", 'o': "VNETC_FWO", 'X': "LIBVIRT_FWX",
		'I': "LIBVIRT_FWI", 'O': "LIBVIRT_FWO", 'p': "VNETC_POX", 'q': "VNETC_POO", 'r': "VNETC_POI"}
	tests := []struct{ name, have, want string }{
		{"empty chain", "", "xio"},
		{"beside others", "ab", "xioab"},
		{"behind an administrator's", "axiob", "axiob"},
		{"one is missing", "axob", "axiob"},
		{"out of order", "oix", "xio"},
		{"doubled", "xaioxio", "xaio"},
		{"libvirt's stand", "XIO", "xiXIoO"},
		{"libvirt's stand, with others between", "aXbIcO", "xiaXbIocO"},
		{"libvirt's came later", "XIOxio", "xiXIoO"},
		{"ours at the head, from before libvirt's", "xioXIO", "xiXIoO"},
		{"in step already", "xiXIoO", "xiXIoO"},
		{"in step, others between", "axibXIcodO", "axibXIcodO"},
		{"ours between libvirt's", "XIxioO", "xiXIoO"},
		{"behind libvirt's last", "xiXIOo", "xiXIoO"},
		{"libvirt's in an odd order", "OXI", "xiOXIo"},
		{"ours between libvirt's in an odd order", "OxI", "xiOIo"},
		{"policies, empty chain", "", "pxiqor"},
		{"policies come to networks", "axiob", "apxiqorb"},
		{"policies, libvirt's stand", "XIO", "pxiXIqoOr"},
		{"policies, libvirt's came later", "XIOpxiqor", "pxiXIqoOr"},
		{"policies, libvirt's came last", "pxiqorXIO", "pxiXIqoOr"},
		{"policies in step, others between", "apxbiXIcqodOerf", "apxbiXIcqodOerf"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var rules []rule
			for _, c := range test.have {
				r := rule{text: "-A FORWARD -j " + targets[c]}
				if targets[c] == "" {
					r.text = "-A FORWARD -i " + string(c) + " -j ACCEPT"
				} else if strings.HasPrefix(targets[c], "VNETC") {
					r.jump = targets[c]
				}
				rules = append(rules, r)
			}
			got := ""
			jumps := []string{"VNETC_FWX", "VNETC_FWI", "VNETC_FWO"}
			if strings.ContainsAny(test.want, "pqr") {
				jumps = []string{"VNETC_POX", "VNETC_FWX", "VNETC_FWI", "VNETC_POO", "VNETC_FWO", "VNETC_POI"}
			}
			for _, r := range mend("FORWARD", rules, jumps) {
				letter := strings.TrimSuffix(strings.TrimPrefix(r.text, "-A FORWARD -i "), " -j ACCEPT")
				for c, name := range targets {
					if r.text == "-A FORWARD -j "+name {
						letter = string(c)
					}
				}
				got += letter
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
