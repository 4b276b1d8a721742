package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe named by -o gets the rules, and is a pipe still: renaming a file to its name would have
// taken it away, as it would /dev/null.
func TestWriteToPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // opens at once, and makes the writer's open go on
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if code := run(streams{out: io.Discard, err: os.Stderr}, []string{"compile", "default", "-o", path}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if err := pipe.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, len("# Rules for nft(8)."))
	if _, err := io.ReadFull(pipe, head); err != nil || string(head) != "# Rules for nft(8)." {
		t.Errorf("through the pipe came %q, %v", head, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe became %v, %v", info.Mode(), err)
	}
}
