package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/backends/verify"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// broken is a back end whose rules lack, or change, something when they are read back.
type broken struct {
	backends.Backend
	change func(*ir.Program)
}

func (b broken) Read(images []backends.Document) (*ir.Program, error) {
	p, err := b.Backend.Read(images)
	if err == nil {
		b.change(p)
	}
	return p, err
}

const natXML = `<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='10.0.0.1' prefix='24'/>
</network>
`

func verifiedWith(t *testing.T, b backends.Backend) (*verify.Verification, string) {
	t.Helper()
	src := &diag.Sources{}
	src.Add("lab.xml", []byte(natXML))
	p, found, err := compileSources(src, nil, netxml.Options{})
	if err := errors.Join(err, found.Err()); err != nil {
		t.Fatal(err)
	}
	v := &verify.Verification{Sources: src, Said: found, Program: p}
	if err := v.Decide([]verify.Target{targetOf(b, backends.Chains)}, false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printVerification(&out, v, "text"); err != nil {
		t.Fatal(err)
	}
	return v, out.String()
}

// TestVerifyRefutes: faults of a back end are found, and told with the packet, both ways through
// the rules, and the XML.
func TestVerifyRefutes(t *testing.T) {
	rejects := func(r ir.Rule) bool { _, is := r.Verdict.(ir.Reject); return is }
	for _, c := range []struct {
		name    string
		backend backends.Backend
		change  func(*ir.Program)
		want    []string
	}{
		{"a rule lost", iptables.Backend{}, func(p *ir.Program) {
			for _, chain := range p.Chains {
				if chain.Name == "VNETC_FWI" {
					chain.Rules = slices.DeleteFunc(chain.Rules, rejects)
				}
			}
		}, []string{"refuted      iptables: ", "rejected: it ends here", "accepted: it leaves by virbr0",
			"from      lab.xml:4:17, network lab: "}},
		{"a range lost", nftables.Backend{}, func(p *ir.Program) {
			for _, chain := range p.Chains {
				for i, r := range chain.Rules {
					if _, is := r.Verdict.(ir.Masquerade); is {
						chain.Rules[i].Verdict = ir.Masquerade{}
					}
				}
			}
		}, []string{"refuted      nftables", "(masquerade port 1024-65535)", "(masquerade)"}},
		{"an unknown match", nftables.Backend{}, func(p *ir.Program) {
			for _, chain := range p.Chains {
				if chain.Name == "fwi" && chain.Family == ir.IPv4 {
					chain.Rules[0].Matches = append(chain.Rules[0].Matches, ir.Opaque{Text: "limit rate 1/second"})
				}
			}
		}, []string{"can't prove  nftables", "limit rate 1/second"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, text := verifiedWith(t, broken{c.backend, c.change})
			if !v.Failed() {
				t.Fatalf("not found:\n%s", text)
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not said:\n%s", want, text)
				}
			}
			list := v.Diagnostics()
			if len(list) != 1 || list[0].Code != "verify-differs" || list[0].Severity != diag.Error {
				t.Errorf("diagnostics: %v", list)
			}
			for _, format := range []string{"json", "sarif"} {
				if err := printVerification(&bytes.Buffer{}, v, format); err != nil {
					t.Errorf("%s: %v", format, err)
				}
			}
		})
	}
}

// TestVerifyCodes tries the examples of the codes that verify finds in networks.
func TestVerifyCodes(t *testing.T) {
	find := func(text string) diag.List {
		src := &diag.Sources{}
		for _, f := range txtar.Parse([]byte(text)).Files {
			src.Add(f.Name, f.Data)
		}
		p, found, err := compileSources(src, nil, netxml.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return found
		}
		v := &verify.Verification{Sources: src, Said: found, Program: p}
		if err := v.Decide(verified(), false); err != nil {
			t.Fatal(err)
		}
		return v.Diagnostics()
	}
	for _, info := range diag.Codes() {
		if !strings.HasPrefix(string(info.Code), "verify-") || info.Bad == "" {
			continue
		}
		if bad := find(info.Bad); len(bad) != 1 || bad[0].Code != info.Code {
			t.Errorf("the bad example of %s draws %v", info.Code, bad)
		}
		if good := find(info.Good); len(good) > 0 {
			t.Errorf("the good example of %s draws %v", info.Code, good)
		}
	}
}
