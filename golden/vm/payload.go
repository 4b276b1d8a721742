package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// makePayload builds the guest's second disk, a tar: this program as the runner, vnetc, its units,
// and the tools that scenarios use. Files of tests, if there are any, are in the folder tree of
// work.
func makePayload(work string) (string, error) {
	tree := filepath.Join(work, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	file := filepath.Join(work, "payload.tar")
	steps := [][]string{
		{"cp", self, filepath.Join(tree, "guest")},
		{"cp", "-r", "golden/vm/tools", filepath.Join(tree, "bin")},
		{"mkdir", "-p", filepath.Join(tree, "units")},
		{"sh", "-c", `cp netsetup/systemd/*[!o] "$0"`, filepath.Join(tree, "units")}, // all but Go
		{"go", "build", "-trimpath", "-o", filepath.Join(tree, "vnetc"), "./cmd/vnetc"},
		{"tar", "-C", tree, "--owner=0", "--group=0", "-cf", file, "."},
	}
	for _, s := range steps {
		cmd := exec.Command(s[0], s[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return file, nil
}
