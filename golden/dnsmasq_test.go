package golden

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
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

// recordedDnsmasq takes the lines of dnsmasq's files out of a record, by the file's name. Each back
// end's run has them, and they are the same.
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

// TestAcceptedIsWritten: a name or text that passes the checks of the XML passes those of dnsmasq's
// files, whatever character is in it. The checks stand apart, and neither relies on the other.
func TestAcceptedIsWritten(t *testing.T) {
	const ip = "<ip address='10.0.0.1' prefix='24'/>"
	dhcp := func(s string) string { return "<name>lab</name><ip address='10.0.0.1' prefix='24'>" + s + "</ip>" }
	dns := func(s string) string { return "<name>lab</name>" + ip + "<dns>" + s + "</dns>" }
	places := []string{ // % is the text
		"<name>%</name>" + ip + "<bridge name='b'/>",
		"<name>lab</name>" + ip + "<bridge name='%'/>",
		"<name>lab</name>" + ip + "<domain name='%' localOnly='yes'/>",
		dns("<forwarder domain='%' addr='10.9.9.9'/>"), dns("<txt name='%' value='x'/>"),
		dns("<txt name='x' value='%'/>"),
		dns("<host ip='10.0.0.5'><hostname>%</hostname></host>"), dns("<srv service='%' protocol='tcp'/>"),
		dns("<srv service='a' domain='%' protocol='tcp'/>"), dns("<srv service='a' protocol='tcp' target='%'/>"),
		dhcp("<tftp root='/%'/>"), dhcp("<dhcp><host name='%' ip='10.0.0.9'/></dhcp>"),
		dhcp("<dhcp><host name='a' ip='10.0.0.9'/><bootp file='%'/></dhcp>"),
		"<name>lab</name>" + ip +
			"<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><d:option value='dhcp-option=60,%'/></d:options>",
	}
	accepted := 0
	for _, place := range places {
		for _, c := range "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\u00e9\u200b0" {
			for _, text := range []string{string(c), "a" + string(c), string(c) + "a", "a" + string(c) + "b",
				"a " + string(c)} {
				var escaped strings.Builder
				xml.EscapeText(&escaped, []byte(text))
				src := &diag.Sources{}
				src.Add("lab.xml", []byte("<network>"+strings.Replace(place, "%", escaped.String(), 1)+"</network>"))
				p, found := Compile(src)
				if found.HasErrors() {
					continue
				}
				accepted++
				paths, err := dnsmasq.At("/run/vnetc", p.Links[0].Name)
				if err == nil {
					_, err = dnsmasq.Emit(p.Links[0], paths)
				}
				if err != nil {
					t.Errorf("%q in %s: %v", text, place, err)
				}
			}
		}
	}
	if accepted < 500 {
		t.Errorf("only %d documents were accepted", accepted)
	}
}
