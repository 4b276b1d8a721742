package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

// TestKernelReadme runs the commands of every Markdown file of the repository, each file in a
// network namespace and a folder of its own, and compares what they print with what the file shows.
//
// In a console block a line that begins with "$ " or "# " is a command, and the lines up to the
// next command are its output; a line "..." stands for any number of lines, and any time of day is
// right. "$ cat FILE" creates a FILE that is not there yet. In an sh block every line is a command
// that must succeed. Of a go test command only the names of tests are checked, of vnetbench the
// flags, and of the repository's scripts that they exist. A block that needs more than a namespace
// has a comment above it, <!-- run by FILE -->, and each of its commands must be in FILE.
func TestKernelReadme(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		t.Run(name, func(t *testing.T) { runReadme(t, root, path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// codeBlock is one fenced block of a Markdown file: with the comment above it, its language, and
// its text.
var codeBlock = regexp.MustCompile("(?m)(?:^<!-- run by (\\S+) -->\\n)?^```(\\w*)\\n((?s:.*?))^```$")

func runReadme(t *testing.T, root, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	r := &readme{t: t, root: root, dir: t.TempDir()}
	var updated strings.Builder
	end := 0
	for _, at := range codeBlock.FindAllStringSubmatchIndex(text, -1) {
		elsewhere := ""
		if at[2] >= 0 {
			elsewhere = text[at[2]:at[3]]
		}
		language, body := text[at[4]:at[5]], text[at[6]:at[7]]
		updated.WriteString(text[end:at[6]])
		updated.WriteString(r.block(elsewhere, language, body))
		end = at[7]
	}
	updated.WriteString(text[end:])
	if *update && updated.String() != text {
		if err := os.WriteFile(path, []byte(updated.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readme runs the blocks of one file in their order.
type readme struct {
	t         *testing.T
	root, dir string
	ns        *netnstest.NS // nil until a command needs it
	code      int           // exit code of the last command, for "echo $?"
}

// block runs one block and returns it with the output that its commands really have.
func (r *readme) block(elsewhere, language, body string) string {
	r.t.Helper()
	switch {
	case elsewhere != "":
		r.runElsewhere(elsewhere, language, body)
	case language == "console":
		return r.console(body)
	case language == "sh":
		for _, command := range commands(body) {
			if out := r.run(command); r.code != 0 {
				r.t.Errorf("%s: exit code %d\n%s", command, r.code, out)
			}
		}
	}
	return body
}

// commands returns the lines of an sh block without comments; a line that ends in a backslash goes
// on in the next.
func commands(body string) (list []string) {
	for line := range strings.Lines(strings.ReplaceAll(body, "\\\n", " ")) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

// prompt begins a command in a console block. (A line of rules that begins with "# " has no such
// verb.)
var prompt = regexp.MustCompile(`^[$#] (?:vnetc|go|cat|nft|ip|iptables|iptables-restore|grep|echo|cp|ls|mkdir|install|rm|sed) `)

func (r *readme) console(body string) string {
	var b strings.Builder
	lines := strings.SplitAfter(body, "\n")
	for i := 0; i < len(lines); {
		line := strings.TrimSuffix(lines[i], "\n")
		i++
		if !prompt.MatchString(line) {
			if line != "" {
				r.t.Errorf("a console block begins with a command, not with %q", line)
			}
			continue
		}
		from := i
		for i < len(lines) && !prompt.MatchString(lines[i]) {
			i++
		}
		want := strings.Join(lines[from:i], "")
		if file, ok := strings.CutPrefix(line[2:], "cat "); ok && r.create(file, want) {
			b.WriteString(line + "\n" + want)
			continue
		}
		got := r.run(line[2:])
		if !matches(want, got) {
			if !*update {
				r.t.Errorf("%s\nprints\n%s\nand the file shows\n%s\nTo accept it: go test ./cmd/vnetc -run TestKernelReadme -update, "+
					"and read the diff.", line, got, want)
			}
			want = got
		}
		b.WriteString(line + "\n" + want)
	}
	return b.String()
}

// create writes a file that the block shows, unless it is there.
func (r *readme) create(file, text string) bool {
	path := filepath.Join(r.dir, file)
	if _, err := os.Stat(path); err == nil || strings.Contains(file, " ") {
		return false
	}
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		r.t.Fatal(err)
	}
	return true
}

// timeOfDay is what no two runs have in common.
var timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`)

// matches compares a command's output with the one that is shown, where a line "..." stands for any
// lines.
func matches(want, got string) bool {
	want, got = timeOfDay.ReplaceAllString(want, "TIME"), timeOfDay.ReplaceAllString(got, "TIME")
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "\\.\\.\\.\n", "(?s:.*)")
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(got)
}

// run runs a command in the namespace and returns what it printed on both streams.
func (r *readme) run(command string) string {
	if rest, ok := strings.CutPrefix(command, "go test "); ok {
		r.findTests(strings.Fields(rest))
		return ""
	}
	if rest, ok := strings.CutPrefix(command, "go build "); ok {
		return r.finish(command, r.inRoot("go build -o '"+r.dir+"' "+rest))
	}
	if script, _, _ := strings.Cut(command, " "); strings.HasPrefix(script, "golden/") {
		return r.finish(command, r.inRoot("test -x "+script))
	}
	if strings.HasPrefix(command, "go run ./cmd/vnetbench ") {
		return r.finish(command, r.inRoot(command+" --help"))
	}
	if r.ns == nil {
		r.enter()
	}
	command = strings.ReplaceAll(command, "go run ./cmd/vnetc ", "vnetc ")
	cmd := r.ns.Command("sh", "-c", fmt.Sprintf("cd '%s' && (exit %d); %s", r.dir, r.code, command))
	cmd.Dir = r.dir
	return r.finish(command, cmd)
}

// finish runs a command and keeps its exit code.
func (r *readme) finish(command string, cmd *exec.Cmd) string {
	out, err := cmd.CombinedOutput()
	r.code = 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.code = exit.ExitCode()
	} else if err != nil {
		r.t.Fatalf("%s: %v", command, err)
	}
	return string(out)
}

// inRoot returns a shell command that runs in the repository's root and in no namespace.
func (r *readme) inRoot(command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = r.root
	return cmd
}

// enter makes the namespace and the folder. The folder has the repository's own folders, /etc is a
// copy, and what is installed in /usr/bin stays in the namespace.
func (r *readme) enter() {
	netnstest.Require(r.t, "nft", "iptables-nft-restore", "dnsmasq", "ip")
	r.ns = netnstest.New(r.t)
	for _, folder := range []string{"golden", "netsetup", "cmd", "ir"} {
		if err := os.Symlink(filepath.Join(r.root, folder), filepath.Join(r.dir, folder)); err != nil {
			r.t.Fatal(err)
		}
	}
	open(r.t, r.dir)
	r.ns.Exec("sh", "-c", `set -e
		cp -a /etc /run/etc 2>/dev/null || true # a user may not read all of it
		rm -rf /run/etc/vnetc
		mount --bind /run/etc /etc
		mkdir /run/upper /run/work
		mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=/run/upper,workdir=/run/work /usr/bin`)
	r.ns.Sysctl("ipv4/ip_forward", "0")
	r.ns.Sysctl("ipv6/conf/all/forwarding", "0")
	r.t.Cleanup(func() { r.ns.Exec("vnetc", "down", "--all") })
}

// findTests wants that go test finds tests of the names given by -run, and knows the other flags.
func (r *readme) findTests(args []string) {
	for i, arg := range args {
		if arg == "-run" {
			args = slices.Concat(args[:i], []string{"-list"}, args[i+1:])
		}
	}
	out, err := r.inRoot("go test " + strings.Join(args, " ")).CombinedOutput()
	if err != nil || slices.Contains(args, "-list") && !bytes.Contains(out, []byte("Test")) {
		r.t.Errorf("go test %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// runElsewhere wants each command of a block in the file that runs it.
func (r *readme) runElsewhere(file, language, body string) {
	data, err := os.ReadFile(filepath.Join(r.root, file))
	if err != nil {
		r.t.Error(err)
		return
	}
	list := commands(body)
	if language == "console" {
		list = nil
		for line := range strings.Lines(body) {
			if prompt.MatchString(line) {
				list = append(list, strings.TrimSpace(line[2:]))
			}
		}
	}
	for _, command := range list {
		if !bytes.Contains(data, []byte(command)) {
			r.t.Errorf("%s is to run this command, and does not have it: %s", file, command)
		}
	}
}
