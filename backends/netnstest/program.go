package netnstest

import (
	"os/exec"
	"strings"
	"testing"
)

// Program writes an executable file, which can be run at once. Another process writes it: a file
// that the test itself writes is open for writing also in each child that other tests fork
// meanwhile, and can't be executed until they have let go of it (ETXTBSY, execve(2)).
func Program(t testing.TB, path, text string) {
	t.Helper()
	cmd := exec.Command("install", "-m", "755", "/dev/stdin", path)
	cmd.Stdin = strings.NewReader(text)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write %s: %v\n%s", path, err, said)
	}
}
