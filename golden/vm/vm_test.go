package main

import (
	"regexp"
	"strings"
	"testing"
)

// Every file in scenarios can be read, and is found.
func TestScenarios(t *testing.T) {
	all, err := readScenarios("scenarios", regexp.MustCompile(""), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no scenarios")
	}
	ci, err := readScenarios("scenarios", regexp.MustCompile(""), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, about := range []string{"unit", "firewalld", "docker", "ufw", "libvirtd"} {
		found := false
		for _, s := range ci {
			found = found || strings.HasPrefix(s.Name, about+"-")
		}
		if !found {
			t.Errorf("no scenario about %s is marked ci", about)
		}
	}
}

func TestParseScenario(t *testing.T) {
	s, err := parseScenario("x", []byte(`# Somebody's pain,
# told in two lines.
# marks: ci reboot
# images: debian13
# fails: no route
# because: of a
# fails on debian12: no link
# because on debian12: of b
exec one
reboot
exec two
-- file --
content
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Prose != "Somebody's pain, told in two lines." {
		t.Errorf("prose: %q", s.Prose)
	}
	if s.isFor("debian12") || !s.isFor("debian13") {
		t.Errorf("images: %q", s.Images)
	}
	if got := s.fault("debian12").Because + s.fault("debian13").Because; got != "of bof a" {
		t.Errorf("faults: %q", got)
	}
	if len(s.Stages) != 2 || !strings.HasPrefix(s.Stages[1], strings.Repeat("\n", 10)+"exec two\n") ||
		!strings.HasSuffix(s.Stages[0], "exec one\n-- file --\ncontent\n") {
		t.Errorf("stages: %q", s.Stages)
	}
}

func TestParseScenarioRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no prose", "# marks: ci\nexec one\n", "no prose"},
		{"unknown mark", "# Why.\n# marks: cii\nexec one\n", `no mark is called "cii"`},
		{"reboot not said", "# Why.\nexec one\nreboot\nexec two\n", "belong together"},
		{"reboot not done", "# Why.\n# marks: reboot\nexec one\n", "belong together"},
		{"no reason", "# Why.\n# fails: x\nexec one\n", "needs both lines"},
		{"no pattern", "# Why.\n# because: x\nexec one\n", "needs both lines"},
		{"bad pattern", "# Why.\n# fails: (\n# because: x\nexec one\n", "missing closing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseScenario("x", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	known := "# Why.\n# fails: no route\n# because: of a\nexec one\n"
	tests := []struct {
		name, scenario string
		outcome        Outcome
		log            string
		want           Outcome
		note           string
	}{
		{"passes", "# Why.\nexec one\n", Passed, "", Passed, ""},
		{"fails", "# Why.\nexec one\n", Failed, "", Failed, ""},
		{"fails as is known", known, Failed, "> one\n> two\n[stderr]\nno route\nFAIL: x", Passed,
			"fails as is known: of a"},
		{"fails for another reason", known, Failed, "> one\nno route\n> two\nFAIL: y", Failed, "another reason"},
		{"passes though it is known to fail", known, Passed, "", Failed, "did not"},
		{"skips", "# Why.\nexec one\n", Skipped, "> one\n> skip no foo\nno foo", Skipped, "no foo"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := parseScenario("x", []byte(test.scenario))
			if err != nil {
				t.Fatal(err)
			}
			got := judge(s, "debian12", test.outcome, test.log)
			if got.Outcome != test.want || !strings.Contains(got.Note, test.note) {
				t.Errorf("got %s, %q; want %s, %q", got.Outcome, got.Note, test.want, test.note)
			}
		})
	}
}
