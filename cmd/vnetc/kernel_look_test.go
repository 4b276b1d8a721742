package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// shell runs a command line in the host's namespace with vnetc in PATH and the state folder in $S,
// and returns what it says.
func (h *host) shell(want int, line string) string {
	h.t.Helper()
	cmd := h.ns.Command("sh", "-ec", line)
	cmd.Env = append(os.Environ(), "S="+h.state)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != want {
		h.t.Errorf("%s: exit code %d, want %d\n%s", line, code, want, &said)
	}
	return said.String()
}

// TestKernelLookWrites: verbs that look need nothing of the state folder but to read it: they work
// where it is mounted read-only, and those that read state files only, as another user.
func TestKernelLookWrites(t *testing.T) {
	netnstest.Require(t, "setpriv", "unshare", "mount")
	h := newHost(t)
	h.vnetc(0, "apply", networks+"default.xml")
	for _, verb := range []string{"list", "audit", "status", "leases"} {
		h.shell(0, "unshare -m sh -ec 'mount --bind $S $S; mount -o remount,bind,ro $S; exec vnetc "+verb+
			" --state-dir $S'")
	}
	if err := filepath.WalkDir(h.state, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if d.IsDir() {
			mode = 0o755
		}
		return os.Chmod(path, mode)
	}); err != nil {
		t.Fatal(err)
	}
	open(t, h.state)
	if _, err := h.ns.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"true").CombinedOutput(); err != nil {
		t.Skip("this user namespace has no user but root")
	}
	for _, verb := range []string{"list", "leases"} {
		h.shell(0, "exec setpriv --reuid=65534 --regid=65534 --clear-groups vnetc "+verb+" --state-dir $S")
	}
	if err := os.Chmod(filepath.Join(h.state, "networks"), 0o711); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"list", "leases"} { // what can't be listed isn't nothing
		h.wants(h.shell(3, "exec setpriv --reuid=65534 --regid=65534 --clear-groups vnetc "+verb+" --state-dir $S"),
			"state folder: .*permission denied")
	}
}

// TestKernelRefusedStateFile: a state file with XML that this vnetc refuses, as one of another
// version, is named as that, with a way out; the network stays closed.
func TestKernelRefusedStateFile(t *testing.T) {
	h := newHost(t)
	h.vnetc(0, "apply", networks+"isolated.xml")
	files, err := filepath.Glob(filepath.Join(h.state, "networks", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("state files: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	xml := regexp.MustCompile(`(netmask|prefix)='[^']*'`).ReplaceAllString(fields["xml"].(string), "prefix='240'")
	if xml == fields["xml"] {
		t.Fatalf("no subnet in %s", xml)
	}
	fields["xml"] = xml
	if text, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	before := h.ns.Exec("nft", "list", "ruleset")
	name := strings.TrimSuffix(filepath.Base(files[0]), ".json")
	for _, args := range [][]string{{"apply", networks + "default.xml"}, {"audit"}} {
		h.wants(h.vnetc(3, args...), `"240"`, "state file "+regexp.QuoteMeta(files[0]), "fix: .*vnetc remove "+name)
	}
	if got := h.ns.Exec("nft", "list", "ruleset"); got != before {
		t.Errorf("rules changed:\n%s", diffLines(before, got))
	}
}

// TestKernelWithoutProc: a state file that was written where /proc isn't mounted is about this boot
// as long as nothing else is known.
func TestKernelWithoutProc(t *testing.T) {
	netnstest.Require(t, "unshare", "umount")
	h := newHost(t)
	iso, err := filepath.Abs(networks + "isolated.xml")
	if err != nil {
		t.Fatal(err)
	}
	h.shell(0, "unshare -m sh -c 'while umount -l /proc 2>/dev/null; do :; done; test ! -e /proc/self; exec vnetc apply --state-dir $S "+iso+"'")
	held := h.ns.Exec("nft", "list", "ruleset")
	h.wants(h.vnetc(0, "apply", networks+"default.xml"), "2 networks in force")
	h.vnetc(0, "remove", "default")
	if got := h.ns.Exec("nft", "list", "ruleset"); got != held {
		t.Errorf("rules of the isolated network changed:\n%s", diffLines(held, got))
	}
	h.wants(h.vnetc(0, "audit"), "^in step")
}
