package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// Scenario is one file of scenarios: what a host goes through, and what must be true of it then.
//
// Its comment is a testscript. The script's first block of comment lines is the head: prose first,
// which says whose problem it is, then lines of the form "# key: value" (see [Scenario.setKey]). A
// line "reboot" in the script divides it into stages, between which the machine is rebooted.
type Scenario struct {
	Name   string
	Prose  string
	Marks  []string          // of those in knownMarks
	Images []string          // the images it is for; all if there are none
	Boot   string            // more of the kernel's command line; the scenario then has a boot of its own
	Fails  map[string]*Fault // by image, "" for all: why it is known to fail
	Stages []string          // testscripts, each with all files
	Limit  time.Duration     // how long a stage may take
}

// Fault is a reason for which a scenario is known to fail.
type Fault struct {
	Pattern *regexp.Regexp // matches what the failing command printed, or the line of the failure
	Because string
}

// knownMarks are the marks that a scenario may have: ci for those that CI runs, reboot for those
// with a line "reboot".
var knownMarks = []string{"ci", "reboot"}

// parseScenario takes a file of scenarios apart.
func parseScenario(name string, data []byte) (*Scenario, error) {
	archive := txtar.Parse(data)
	s := &Scenario{Name: name, Fails: map[string]*Fault{}, Limit: stageLimit}
	var prose []string
	for line := range strings.Lines(string(archive.Comment)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			break
		}
		text = strings.TrimSpace(text)
		key, value, ok := strings.Cut(text, ": ")
		if !ok || !isKey(key) {
			prose = append(prose, text)
		} else if err := s.setKey(key, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	s.Prose = strings.TrimSpace(strings.Join(prose, " "))
	if s.Prose == "" {
		return nil, fmt.Errorf("%s: the head has no prose; say whose pain this is", name)
	}
	for _, f := range s.Fails {
		if f.Because == "" || f.Pattern == nil {
			return nil, fmt.Errorf("%s: a known failure needs both lines, fails and because", name)
		}
	}
	s.Stages = stages(archive)
	if reboots := len(s.Stages) > 1; reboots != slices.Contains(s.Marks, "reboot") {
		return nil, fmt.Errorf("%s: the mark reboot and a line reboot in the script belong together", name)
	}
	return s, nil
}

// isKey is true if key, without the image that may follow it, is one of the head's.
func isKey(key string) bool {
	key, _, _ = strings.Cut(key, " on ")
	return slices.Contains([]string{"marks", "images", "boot", "fails", "because"}, key)
}

// setKey takes one line of the head:
//
//	marks: ci reboot             marks, see knownMarks
//	images: debian13             the images it is for
//	boot: ipv6.disable=1         more of the kernel's command line
//	fails: PATTERN               it is known to fail, and what the failing command then prints
//	because: REASON              why, in one line
//	fails on debian12: PATTERN   the same for one image; because likewise
func (s *Scenario) setKey(key, value string) error {
	key, image, _ := strings.Cut(key, " on ")
	fault := func() *Fault {
		if s.Fails[image] == nil {
			s.Fails[image] = &Fault{}
		}
		return s.Fails[image]
	}
	switch key {
	case "marks":
		s.Marks = strings.Fields(value)
		for _, m := range s.Marks {
			if !slices.Contains(knownMarks, m) {
				return fmt.Errorf("no mark is called %q; there are %s", m, strings.Join(knownMarks, ", "))
			}
		}
	case "images":
		s.Images = strings.Fields(value)
	case "boot":
		s.Boot = value
	case "fails":
		pattern, err := regexp.Compile("(?m)" + value)
		if err != nil {
			return err
		}
		fault().Pattern = pattern
	case "because":
		fault().Because = value
	}
	return nil
}

// stages divides the script at its lines "reboot". Each stage keeps its place in the file, so that
// line numbers in its messages are those of the file.
func stages(archive *txtar.Archive) []string {
	var all []string
	var stage strings.Builder
	end := func() {
		all = append(all, string(txtar.Format(&txtar.Archive{Comment: []byte(stage.String()), Files: archive.Files})))
	}
	lines := 0
	for line := range strings.Lines(string(archive.Comment)) {
		lines++
		if strings.TrimSpace(line) != "reboot" {
			stage.WriteString(line)
			continue
		}
		end()
		stage.Reset()
		stage.WriteString(strings.Repeat("\n", lines))
	}
	end()
	return all
}

// for image, or for all of them.
func (s *Scenario) fault(image string) *Fault {
	if f := s.Fails[image]; f != nil {
		return f
	}
	return s.Fails[""]
}

// isFor is true if the scenario is meant for that image.
func (s *Scenario) isFor(image string) bool {
	return len(s.Images) == 0 || slices.Contains(s.Images, image)
}

// readScenarios reads those of folder whose name matches pattern, in the order of their names.
func readScenarios(folder string, pattern *regexp.Regexp, onlyCI bool) ([]*Scenario, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var all []*Scenario
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s, err := parseScenario(strings.TrimSuffix(filepath.Base(file), ".txtar"), data)
		if err != nil {
			return nil, err
		}
		if pattern.MatchString(s.Name) && (!onlyCI || slices.Contains(s.Marks, "ci")) {
			all = append(all, s)
		}
	}
	return all, nil
}
