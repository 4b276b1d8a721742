package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKernelLostNotes loses notes in every way: list and audit tell the truth, and applying the networks again leaves rules and
// notes as they were.
func TestKernelLostNotes(t *testing.T) {
	rewrite := func(h *host, name string, change func(text string) string) {
		path := filepath.Join(h.state, "networks", name+".json")
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(change(string(text))), 0o644)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	replace := func(pattern, with string) func(string) string {
		return func(text string) string {
			out := regexp.MustCompile(pattern).ReplaceAllString(text, with)
			if out == text {
				t.Errorf("%q is not in %s", pattern, text)
			}
			return out
		}
	}
	tests := []struct {
		name        string
		lose        func(h *host)
		list, audit []string // patterns in what they say
		exit        int      // of audit
	}{
		{"the folder is deleted", func(h *host) { os.RemoveAll(h.state) },
			[]string{"there is no note, and the kernel holds rules of ours about virbr-lab, virbr0;"}, []string{`\+ extra`}, 1},
		{"one note is deleted", func(h *host) { os.Remove(h.state + "/networks/lab.json") },
			[]string{"default"}, []string{`\+ extra .*virbr-lab`}, 1},
		{"one note is torn", func(h *host) { rewrite(h, "lab", func(text string) string { return text[:len(text)/2] }) },
			[]string{"lab.json is damaged and not trusted; apply the network again", "default"}, []string{`\+ extra .*virbr-lab`}, 1},
		{"one note is of another boot", func(h *host) { rewrite(h, "lab", replace(`"boot": ".`, `"boot": "x`)) },
			[]string{"lab.json is from before the host was booted", "default"}, []string{`\+ extra .*virbr-lab`}, 1},
		{"one note is of another namespace", func(h *host) { rewrite(h, "lab", replace(`"netns": .`, `"netns": 99`)) },
			[]string{"lab.json is about another network namespace", "default"}, []string{`\+ extra .*virbr-lab`}, 1},
		{"the rules are gone", func(h *host) { h.ns.Exec("sh", "-c", "nft flush ruleset") },
			[]string{"default", "lab"}, []string{"- missing .*virbr-lab"}, 1},
		{"the boot of everything is over", func(h *host) {
			h.ns.Exec("nft", "flush", "ruleset")
			for _, name := range []string{"lab", "default"} {
				rewrite(h, name, replace(`"boot": ".`, `"boot": "x`))
			}
		}, []string{"(?m)^vnetc: .*default.json is from before the host was booted and not trusted, and so are the notes about 1 other network; apply these networks again$"}, []string{"^in step"}, 0},
		{"a note claims what was never in force", func(h *host) {
			text, _ := os.ReadFile(h.state + "/networks/lab.json")
			more := strings.NewReplacer(`"name": "lab"`, `"name": "ghost"`, `\u003cname\u003elab`, `\u003cname\u003eghost`, "virbr-lab", "ghost0", "192.168.150", "192.168.77").Replace(string(text))
			more = regexp.MustCompile(`\\u003cuuid.*/uuid\\u003e`).ReplaceAllString(more, "")
			if err := os.WriteFile(h.state+"/networks/ghost.json", []byte(more), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"ghost"}, []string{"- missing .*ghost0"}, 1},
	}
	for _, backend := range []string{"nftables", "iptables"} {
		for _, test := range tests {
			if backend == "iptables" && strings.Contains(test.name, "rules are gone") {
				continue // nft knows how to flush them, and that is tried elsewhere
			}
			t.Run(backend+", "+test.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.state = filepath.Join(h.state, "state")
				both := []string{"apply", "--backend", backend, "--prune", networks + "default.xml", networks + "isolated.xml"}
				h.vnetc(0, both...)
				rules := strings.Join(h.tables(backend), "")
				test.lose(h)
				h.wants(h.vnetc(0, "list"), test.list...)
				h.wants(h.vnetc(test.exit, "audit", "--backend", backend), test.audit...)
				h.vnetc(0, both...)
				if got := strings.Join(h.tables(backend), ""); got != rules {
					t.Errorf("rules after the next apply:\n%s\nwant\n%s", got, rules)
				}
				h.wants(h.vnetc(0, "audit"), "^in step")
				h.wants(h.vnetc(0, "list"), `(?s)default.*lab`)
				h.vnetc(0, "remove", "lab")
				h.vnetc(0, "remove", "default")
			})
		}
	}
}

// TestKernelLostSaid: whoever applies one network where the notes about others are lost is told whose rules go.
func TestKernelLostSaid(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml", networks+"isolated.xml")
	h.state = t.TempDir()
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), `rules of ours about virbr-lab, and no note says of which networks; they go`)
	if out := h.vnetc(0, "apply", networks+"default.xml"); strings.Contains(out, "rules of ours") {
		t.Errorf("said again:\n%s", out)
	}
	h.vnetc(0, "apply", networks+"isolated.xml")
	if err := os.WriteFile(h.state+"/networks/lab.json", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), `rules of ours about virbr-lab, and no note says of which networks; they go`)
}
