package iptables

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/vnetc/vnetc/backends"
)

// RefusedError is what a tool said when it refused a document. Of the table it names nothing was
// applied.
type RefusedError struct {
	Command string         // the tool
	Table   string         // of the line; empty if the tool named no line
	Text    string         // the line, or COMMIT where the tool blames the table as a whole
	Line    *backends.Line // the rule the line came from, nil if it came from none
	Said    string         // the tool's own words, as it wrote them to stderr
	Err     error          // how the tool ended
}

// Unwrap returns how the tool ended.
func (e *RefusedError) Unwrap() error { return e.Err }

func (e *RefusedError) Error() string {
	said := e.said()
	where := ""
	if e.Line != nil {
		if span := e.Line.Rule.Origin.Span.String(); span != "" {
			where = span + ": "
		}
	}
	what := "the rules"
	switch {
	case e.Text == "COMMIT":
		what = "table " + e.Table
	case e.Table != "":
		what = fmt.Sprintf("%q in table %s", e.Text, e.Table)
	}
	return fmt.Sprintf("%s%s refuses %s: %s", where, e.Command, what, said)
}

// said returns what the tool said as one line, without its advice to read its help; how it ended,
// if it said nothing.
func (e *RefusedError) said() string {
	var parts []string
	for line := range strings.Lines(e.Said) {
		if line = strings.TrimSuffix(strings.TrimSpace(line), ":"); line != "" && !strings.HasPrefix(line, "Try `") {
			parts = append(parts, line)
		}
	}
	if len(parts) == 0 {
		return e.Err.Error()
	}
	said := strings.Join(parts, ": ")
	if strings.Contains(said, "Message too long") { // iptables-nft sends a table in one message
		said += " (net.core.wmem_max limits it for users who are not root outside of this namespace)"
	}
	return said
}

// read returns what each of the tools lists.
func read(tools []tool, prefix string) ([]*state, error) {
	// All are started by this thread, and so in its network namespace, and run side by side.
	outs := make([]bytes.Buffer, len(tools))
	said := make([]bytes.Buffer, len(tools))
	running := make([]*exec.Cmd, len(tools))
	var failed error
	for i, t := range tools {
		cmd := english(t.save, "-c")
		cmd.Stdout, cmd.Stderr = &outs[i], &said[i]
		if err := cmd.Start(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("start %s: %w", t.save, err))
			continue
		}
		running[i] = cmd
	}
	states := make([]*state, len(tools))
	for i, t := range tools {
		if running[i] == nil {
			continue
		}
		if err := running[i].Wait(); err != nil {
			failed = errors.Join(failed, &RefusedError{Command: t.name("-save"), Said: said[i].String(), Err: err})
			continue
		}
		s, err := parseState(t.family, prefix, outs[i].Bytes())
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", t.name("-save"), err))
			continue
		}
		s.saved = outs[i].String()
		states[i] = s
	}
	return states, failed
}

// run loads a script, if there is something in it.
func (t tool) run(s *script) error {
	if len(s.at) == 0 {
		return nil
	}
	args := []string{"--noflush", wait}
	if s.counters {
		args = append(args, "--counters")
	}
	err := t.feed(s.text.Bytes(), args...)
	var refused *RefusedError
	if errors.As(err, &refused) {
		s.blame(refused)
	}
	return err
}

// wait bounds the time that iptables-legacy waits for its lock; iptables-nft needs none.
const wait = "--wait=60"

// feed gives a document to the tool that loads it.
func (t tool) feed(text []byte, args ...string) error {
	cmd := english(t.restore, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &said, &said
	if err := cmd.Run(); err != nil {
		return &RefusedError{Command: t.name("-restore"), Said: said.String(), Err: err}
	}
	return nil
}

// english returns a command that speaks English. It ends with this process, however that ends: one
// that lived on would write rules behind the back of the next.
func english(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// lineNumber finds the line that a tool blames: "line 3 failed", "line 3: RULE_APPEND failed",
// "Error occurred at line: 3".
var lineNumber = regexp.MustCompile(`\bline:? ([0-9]+)`)

// blame gives e the line that it is about. iptables-legacy, and the kernel behind it, blame the
// COMMIT of a table: if one rule was added to it, that is the one.
func (s *script) blame(e *RefusedError) {
	m := lineNumber.FindStringSubmatch(e.Said)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 || n > len(s.at) {
		return
	}
	e.Table, e.Text = s.at[n-1].table, strings.Split(s.text.String(), "\n")[n-1]
	if r := s.at[n-1].rule; r != nil {
		e.Line = r.line
	}
	if e.Text != "COMMIT" {
		return
	}
	var added []int
	for i, c := range s.at {
		if c.table == e.Table && c.rule != nil && c.rule.line != nil {
			added = append(added, i)
		}
	}
	if len(added) == 1 {
		e.Text, e.Line = strings.Split(s.text.String(), "\n")[added[0]], s.at[added[0]].rule.line
	}
}

// probe ends the name of the chain by which the kernel is asked for a target.
const probe = "PROBE"

// fillsChecksums asks the kernel whether it has the target CHECKSUM, by a rule in a chain that
// nothing leads to. It has to be in force for a moment: iptables-legacy sends nothing to the kernel
// about what one document both adds and deletes.
func (t tool) fillsChecksums(prefix string) (bool, error) {
	chain := prefix + probe
	rule := "*mangle\n:" + chain + " - [0:0]\n-A " + chain + " -p udp -j CHECKSUM --checksum-fill\nCOMMIT\n"
	err := t.feed([]byte(rule), "--noflush", wait)
	var refused *RefusedError
	switch {
	case err == nil:
		return true, t.feed([]byte("*mangle\n-F "+chain+"\n-X "+chain+"\nCOMMIT\n"), "--noflush", wait)
	case !errors.As(err, &refused) || !strings.Contains(refused.Said, "CHECKSUM") &&
		!lineNumber.MatchString(refused.Said):
		return false, err // it was not the rule that was refused
	}
	// The chain without the rule must do, or this was no answer about the target.
	if err := t.feed([]byte("*mangle\n:"+chain+" - [0:0]\nCOMMIT\n"), "--noflush", wait); err != nil {
		return false, err
	}
	return false, t.feed([]byte("*mangle\n-X "+chain+"\nCOMMIT\n"), "--noflush", wait)
}
