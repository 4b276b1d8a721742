package cure

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParse: each command has what takes it back; what a shell would do more, and tools whose
// commands nothing takes back, are not run.
func TestParse(t *testing.T) {
	for line, want := range map[string][]string{
		`iptables-nft -I DOCKER-USER -i virbr0 -s 10.0.0.0/24 -j ACCEPT`:                                          {"iptables-nft -D DOCKER-USER -i virbr0 -s 10.0.0.0/24 -j ACCEPT"},
		`ip6tables-legacy -t mangle -I FORWARD -o virbr0 -j ACCEPT`:                                               {"ip6tables-legacy -t mangle -D FORWARD -o virbr0 -j ACCEPT"},
		`nft insert rule inet corp gate iifname "virbr0" accept comment vnetc_doctor.a`:                           {"nft delete rule inet corp gate comment vnetc_doctor.a"},
		`sysctl -w net.ipv4.ip_forward=1`:                                                                         {"sysctl -w net.ipv4.ip_forward="},
		`ufw allow in on virbr0 to any port 53 proto udp`:                                                         {"ufw delete allow in on virbr0 to any port 53 proto udp"},
		`ufw route allow in on virbr0 out on eth0`:                                                                {"ufw route delete allow in on virbr0 out on eth0"},
		`firewall-cmd --permanent --new-zone=vnetc; firewall-cmd --permanent --zone=vnetc --add-interface=virbr0`: {"firewall-cmd --permanent --delete-zone=vnetc", ""},
		`firewall-cmd --reload`:                                   {"firewall-cmd --reload"},
		`nft insert rule inet corp gate accept`:                   nil, // nothing to find it by
		`iptables -P FORWARD ACCEPT`:                              nil,
		`virsh net-list --all   # if`:                             nil,
		`vnetc audit`:                                             nil,
		`sysctl -w a=$(id)`:                                       nil,
		`ufw allow in on virbr0 > /etc/passwd`:                    nil,
		`networking.firewall.interfaces."vb".allowedTCPPorts = 1`: nil,
		``: nil,
	} {
		steps, ok := Parse(line)
		var got []string
		for _, s := range steps {
			got = append(got, s.Undoing())
		}
		if diff := cmp.Diff(want, got); diff != "" || ok != (want != nil) {
			t.Errorf("%s (ok %v): undone by (-want +got):\n%s", line, ok, diff)
		}
	}
}

// tools makes programs that write their arguments down, for tools that a namespace has not. Those
// in fails fail with these words.
func tools(t *testing.T, fails map[string]string, names ...string) (said func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, name := range names {
		script := "#!/bin/sh\necho " + name + " \"$@\" >> " + log + "\n"
		for words, answer := range fails {
			script += "case \"$*\" in *\"" + words + "\"*) echo '" + answer + "' >&2; exit 1;; esac\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() []string {
		text, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

// TestRun tells ufw and firewalld what to do, and to undo it.
func TestRun(t *testing.T) {
	said := tools(t, nil, "ufw", "firewall-cmd")
	for _, line := range []string{
		"ufw route allow in on virbr0 out on eth0 from 10.0.0.0/24",
		"firewall-cmd --permanent --new-zone=vnetc; firewall-cmd --permanent --zone=vnetc --add-interface=virbr0 --add-service=dns; firewall-cmd --reload",
	} {
		steps, ok := Parse(line)
		if !ok {
			t.Fatal(line)
		}
		var done []string
		for _, s := range steps {
			if err := s.Run(); err != nil {
				t.Error(err)
			}
			done = append(done, s.String())
		}
		if diff := cmp.Diff(done, said()); diff != "" || strings.Join(done, "; ") != line {
			t.Errorf("%s (-run +said):\n%s", line, diff)
		}
		var undone []string
		for _, s := range slices.Backward(steps) {
			if err := s.TakeBack(); err != nil {
				t.Error(err)
			}
			if s.Undoing() != "" {
				undone = append(undone, s.Undoing())
			}
		}
		if diff := cmp.Diff(undone, said()); diff != "" {
			t.Errorf("%s, taken back (-run +said):\n%s", line, diff)
		}
	}
}

// TestRunFails: a refusal has the tool's own words; what is there, or gone, already is none.
func TestRunFails(t *testing.T) {
	tools(t, map[string]string{
		"route allow": "ERROR: Could not load logging rules", "delete allow": "Could not delete non-existent rule",
		"new-zone": "Error: NAME_CONFLICT: new_zone(): 'vnetc'", "delete-zone": "Error: INVALID_ZONE: vnetc",
	}, "ufw", "firewall-cmd")
	step := func(line string) Step {
		steps, ok := Parse(line)
		if !ok {
			t.Fatal(line)
		}
		return steps[0]
	}
	if err := step("ufw route allow in on a out on b").Run(); err == nil || !strings.Contains(err.Error(), "Could not load logging rules") {
		t.Errorf("ufw: %v", err)
	}
	for _, err := range []error{step("ufw allow in on a").TakeBack(), step("firewall-cmd --permanent --new-zone=vnetc").Run(),
		step("firewall-cmd --permanent --new-zone=vnetc").TakeBack()} {
		if err != nil {
			t.Error(err)
		}
	}
}
