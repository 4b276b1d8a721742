package cure

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Prepare returns s with what must be known before it is run, so that it can be noted first.
func (s Step) Prepare() (Step, error) {
	if s.Do[0] != "sysctl" {
		return s, nil
	}
	name, _, _ := strings.Cut(s.Do[2], "=")
	before, err := os.ReadFile(sysctlPath(name))
	if err != nil {
		return s, fmt.Errorf("sysctl %s: %w", name, err)
	}
	s.Before = strings.TrimSpace(string(before))
	s.Undo = []string{"sysctl", "-w", name + "=" + s.Before}
	return s, nil
}

// Run runs the step. That a zone or a policy of firewalld is there already is no error: another
// network's cure made it.
func (s Step) Run() error {
	if s.Do[0] == "sysctl" {
		name, value, _ := strings.Cut(s.Do[2], "=")
		return os.WriteFile(sysctlPath(name), []byte(value), 0o644)
	}
	words := s.Do
	if words[0] == "nft" {
		words = append(words[:1:1], nftQuoted(words[1:])...)
	}
	out, err := run(words)
	if err != nil && words[0] == "firewall-cmd" && strings.Contains(out, "NAME_CONFLICT") {
		return nil
	}
	return err
}

// nftQuoted returns words as one that nft(8) reads as it stands: names and comments in quotes.
func nftQuoted(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		if all[i] = w; i > 0 && (words[i-1] == "iifname" || words[i-1] == "oifname" || words[i-1] == "comment") {
			all[i] = `"` + w + `"`
		}
	}
	return []string{strings.Join(all, " ")}
}

// TakeBack undoes the step. What is not there any more is no error: somebody has made his rules
// anew.
func (s Step) TakeBack() error {
	if len(s.Undo) == 0 {
		return nil
	}
	switch s.Undo[0] {
	case "sysctl":
		return s.setBack()
	case "nft":
		return s.deleteByComment()
	case "ufw", "firewall-cmd":
		out, err := run(s.Undo)
		if err != nil && (strings.Contains(out, "non-existent") || strings.Contains(out, "INVALID_ZONE") ||
			strings.Contains(out, "INVALID_POLICY")) {
			return nil
		}
		return err
	}
	return s.deleteIfThere()
}

// setBack gives a sysctl the value that it had, unless it was changed since.
func (s Step) setBack() error {
	name, to, _ := strings.Cut(s.Do[2], "=")
	now, err := os.ReadFile(sysctlPath(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || strings.TrimSpace(string(now)) != to {
		return err
	}
	return os.WriteFile(sysctlPath(name), []byte(s.Before), 0o644)
}

// deleteIfThere deletes a rule of iptables, if it is there.
func (s Step) deleteIfThere() error {
	check := append([]string{}, s.Undo...)
	for i, w := range check {
		if w == "-D" {
			check[i] = "-C"
		}
	}
	if _, err := run(check); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil // exit code 1: no such rule, or no such chain
		}
		return err
	}
	_, err := run(s.Undo)
	return err
}

// deleteByComment deletes a rule of nft that has the step's comment, if there is one. A network's
// rules in one chain have the same comment, and go together.
func (s Step) deleteByComment() error {
	chain, comment := s.Undo[3:6], s.Undo[7]
	list, err := run(append([]string{"nft", "-a", "list", "chain"}, chain...))
	if err != nil {
		if strings.Contains(list, "No such file or directory") {
			return nil
		}
		return err
	}
	for line := range strings.Lines(list) {
		text, handle, ok := strings.Cut(strings.TrimSpace(line), " # handle ")
		if ok && strings.HasSuffix(text, `comment "`+comment+`"`) {
			_, err := run(append(append([]string{"nft", "delete", "rule"}, chain...), "handle", handle))
			return err
		}
	}
	return nil
}
