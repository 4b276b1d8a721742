package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// testLimit is the host's patience with one package's tests: emulated, they take ten times as long and more.
const testLimit = 2 * time.Hour

// testScenarios makes a scenario of each package that has kernel tests and whose path matches pattern. Its tests are built
// here, and lie in tree with the files of the repository that they read.
func testScenarios(tree string, pattern *regexp.Regexp) ([]*Scenario, error) {
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	source := filepath.Join(tree, "src")
	if err := os.MkdirAll(source, 0o755); err != nil {
		return nil, err
	}
	copying := exec.Command("sh", "-c", `git ls-files -z | tar --null -cT - | tar -xC "$0"`, source)
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the repository's files: %w\n%s", err, out)
	}
	var packages []string
	for file := range strings.Lines(string(out)) {
		folder, name := path.Split(strings.TrimSpace(file))
		folder = path.Clean(folder)
		isKernel := strings.HasSuffix(name, "_test.go") && (strings.HasPrefix(name, "kernel_") || folder == "golden/kernel")
		if isKernel && pattern.MatchString(folder) && !slices.Contains(packages, folder) {
			packages = append(packages, folder)
		}
	}
	var all []*Scenario
	for _, p := range packages {
		build := exec.Command("go", "test", "-c", "-o", filepath.Join(source, p, "vm.test"), "./"+p)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", build, err, out)
		}
		all = append(all, &Scenario{Name: p, Limit: testLimit, Stages: []string{fmt.Sprintf(
			"cd %s/src/%s\nenv VNETC_NETNS=require\nenv HOME=/root\nexec ./vm.test -test.run Kernel -test.parallel 4 -test.timeout %s\n",
			guestHome, p, testLimit*2/3)}})
	}
	return all, nil
}
