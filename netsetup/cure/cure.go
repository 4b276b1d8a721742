// Package cure runs the commands with which a user opens another's firewall for a network, and
// takes them back. It knows the tools by their manual pages; why a command helps is none of its
// business.
package cure

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Step is one command and what takes it back.
type Step struct {
	Do   []string `json:"do"`
	Undo []string `json:"undo,omitempty"` // empty for one that needs nothing, such as a reload
	// Before is the value that a sysctl had; Undo gives it back unless it was changed since.
	Before string `json:"before,omitempty"`
}

// String returns the command as one types it.
func (s Step) String() string { return typed(s.Do) }

// Undoing returns what takes the step back, as one types it.
func (s Step) Undoing() string { return typed(s.Undo) }

func typed(words []string) string {
	all := slices.Clone(words)
	for i, w := range all {
		if strings.ContainsAny(w, " \t\"'\\$;&|<>()*?#~") || w == "" {
			all[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(all, " ")
}

// Parse returns the steps of a line of commands as it is typed, several of them with ; in between;
// ok is false for a line that is none of the known tools', or that nothing is known to take back.
func Parse(line string) (steps []Step, ok bool) {
	commands, ok := split(line)
	if !ok || len(commands) == 0 {
		return nil, false
	}
	for _, words := range commands {
		s, ok := step(words)
		if !ok {
			return nil, false
		}
		steps = append(steps, s)
	}
	return steps, true
}

// split cuts a line into commands and these into words. Double quotes are kept in words of nft,
// which wants them: only those of a whole word that a shell would take off go.
func split(line string) (commands [][]string, ok bool) {
	var words []string
	var word strings.Builder
	quoted, some := false, false
	end := func() {
		if some {
			words = append(words, word.String())
		}
		word.Reset()
		some = false
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted, some = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == ' ':
			end()
		case r == ';':
			if end(); len(words) > 0 {
				commands, words = append(commands, words), nil
			}
		case strings.ContainsRune("'\\$&|<>()*?#`\n", r):
			return nil, false // what a shell would do more
		default:
			word.WriteRune(r)
			some = true
		}
	}
	if end(); len(words) > 0 {
		commands = append(commands, words)
	}
	return commands, !quoted
}

// step returns the step of one command.
func step(words []string) (Step, bool) {
	s := Step{Do: words}
	switch words[0] {
	case "nft":
		s.Undo = undoNFT(words)
	case "iptables", "ip6tables", "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy":
		s.Undo = undoIPTables(words)
	case "sysctl":
		if len(words) == 3 && words[1] == "-w" && strings.Contains(words[2], "=") {
			name, _, _ := strings.Cut(words[2], "=")
			s.Undo = []string{"sysctl", "-w", name + "="} // with the value that it has by then
		}
	case "ufw":
		s.Undo = undoUFW(words)
	case "firewall-cmd":
		undo, known := undoFirewalld(words)
		s.Undo = undo
		return s, known
	}
	return s, s.Undo != nil
}

// undoNFT: the rule is known again by its comment.
func undoNFT(words []string) []string {
	if len(words) < 7 || words[1] != "insert" || words[2] != "rule" || words[len(words)-2] != "comment" {
		return nil
	}
	return slices.Concat([]string{"nft", "delete", "rule"}, words[3:6], words[len(words)-2:])
}

// undoIPTables deletes what an insertion inserted.
func undoIPTables(words []string) []string {
	undo := slices.Clone(words)
	for i, w := range undo {
		if w == "-I" {
			undo[i] = "-D"
			return undo
		}
	}
	return nil
}

// undoUFW: ufw(8) deletes a rule by the words that made it.
func undoUFW(words []string) []string {
	switch {
	case len(words) > 3 && words[1] == "route" && words[2] == "allow":
		return slices.Concat([]string{"ufw", "route", "delete"}, words[2:])
	case len(words) > 2 && words[1] == "allow":
		return slices.Concat([]string{"ufw", "delete"}, words[1:])
	}
	return nil
}

// undoFirewalld: a zone or a policy goes with what was put into it.
func undoFirewalld(words []string) (undo []string, known bool) {
	if len(words) == 2 && words[1] == "--reload" {
		return words, true
	}
	if len(words) < 3 || words[1] != "--permanent" {
		return nil, false
	}
	option, name, _ := strings.Cut(words[2], "=")
	switch option {
	case "--new-zone":
		return []string{words[0], "--permanent", "--delete-zone=" + name}, true
	case "--new-policy":
		return []string{words[0], "--permanent", "--delete-policy=" + name}, true
	case "--zone", "--policy":
		return nil, true
	}
	return nil, false
}

// Reload is true for a command that makes a tool do what it was told before.
func (s Step) Reload() bool {
	return len(s.Do) == 2 && s.Do[0] == "firewall-cmd" && s.Do[1] == "--reload"
}

// run runs a command in the network namespace of the calling thread.
func run(words []string) (string, error) {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", typed(words), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// sysctlPath returns the file of a sysctl.
func sysctlPath(name string) string {
	return filepath.Join(procSys, strings.ReplaceAll(name, ".", "/"))
}

const procSys = "/proc/sys"
