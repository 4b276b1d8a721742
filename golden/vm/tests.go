package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// testLimit is how long one package's tests may take in the guest, if the command line doesn't say:
// emulated, they take ten times as long and more.
const testLimit = 80 * time.Minute

// testFunc is a test in a Go file.
var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// testScenarios makes a scenario of each package that has kernel tests and whose path matches
// pattern. Its tests are built here, and lie in tree with the files of the repository that they
// read. A package may take as long as limit.
func testScenarios(tree string, pattern *regexp.Regexp, limit time.Duration) ([]*Scenario, error) {
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
	tests := map[string][]string{} // of each package
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		folder, name := path.Split(file)
		folder = path.Clean(folder)
		isKernel := strings.HasSuffix(name, "_test.go") && (strings.HasPrefix(name, "kernel_") ||
			folder == "golden/kernel")
		if !isKernel || !pattern.MatchString(folder) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			tests[folder] = append(tests[folder], string(m[1]))
		}
	}
	var all []*Scenario
	for _, p := range slices.Sorted(maps.Keys(tests)) {
		build := exec.Command("go", "test", "-c", "-o", filepath.Join(source, p, "vm.test"), "./"+p)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", build, err, out)
		}
		all = append(all, &Scenario{Name: p, Limit: limit * 3 / 2, Stages: []string{fmt.Sprintf(
			"cd %s/src/%s\nenv VNETC_NETNS=require\nenv HOME=/root\nenv TMPDIR=/tmp\n"+
				"exec ./vm.test -test.v -test.run ^(%s)$$ -test.parallel 4 -test.timeout %s\nstdout ^---.PASS\n",
			guestHome, p, strings.Join(tests[p], "|"), limit)}})
	}
	return all, nil
}
