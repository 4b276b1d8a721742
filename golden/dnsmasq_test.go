package golden

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/netsetup/dnsmasq"
)

// TestLibvirtDnsmasq: with libvirt's paths our files are libvirt's, line for line but for comments.
func TestLibvirtDnsmasq(t *testing.T) {
	all := func(string) bool { return true }
	compared := 0
	corpusFiles(t, "libvirt", all, func(t *testing.T, name string, s *Scenario) {
		want := recordedDnsmasq(string(textOf(s.Sections, "libvirt.txt")))
		p, found := Compile(s.Sources)
		if found.HasErrors() || !isValid(name) && len(want) == 0 {
			return // a bad case that we or libvirt refused
		}
		got := make(map[string][]string)
		for _, l := range p.Links {
			if !dnsmasq.Needed(l) {
				continue
			}
			base := "/var/lib/libvirt/dnsmasq/" + l.Name
			files, err := dnsmasq.Emit(l, dnsmasq.Paths{
				Conf:      base + ".conf",
				Hosts:     base + ".hostsfile",
				AddnHosts: base + ".addnhosts",
				PID:       "/run/libvirt/network/" + l.Name + ".pid",
			})
			if err != nil {
				t.Fatal(err)
			}
			got = put(got, l.Name+".conf", files.Conf)
			got = put(got, l.Name+".hostsfile", files.Hosts)
			got = put(got, l.Name+".addnhosts", files.AddnHosts)
		}
		compared += len(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files differ from libvirt's (-libvirt +vnetc):\n%s", diff)
		}
	})
	if compared < 30 {
		t.Errorf("only %d files were compared", compared)
	}
}

// put adds the lines of a file that are no comments. Records leave empty files out.
func put(files map[string][]string, name string, text []byte) map[string][]string {
	for line := range strings.Lines(string(text)) {
		if line[0] != '#' {
			files[name] = append(files[name], strings.TrimSuffix(line, "\n"))
		}
	}
	return files
}

// recordedDnsmasq takes the lines of dnsmasq's files out of a record, by the file's name. Each back end's run has them, and
// they are the same.
func recordedDnsmasq(text string) map[string][]string {
	files := make(map[string][]string)
	for run := range strings.SplitSeq("\n"+text, "\n# ") {
		files = make(map[string][]string)
		for section := range strings.SplitSeq(run, "\n## ") {
			title, body, _ := strings.Cut(section, "\n")
			if name, ok := strings.CutPrefix(title, "dnsmasq "); ok {
				files = put(files, name, []byte(body))
			}
		}
		if len(files) > 0 {
			break
		}
	}
	return files
}
