package main

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

// A line of progress tells how far the work is, and leaves nothing on the terminal; work that is
// quick has none.
func TestProgress(t *testing.T) {
	in, out := io.Pipe()
	p := newProgress(out, "bringing up")
	p.of = 3
	p.done.Add(2)
	go p.show(0, time.Millisecond)
	lines := bufio.NewReader(in)
	const want = "\r\x1b[Kbringing up: 2 of 3 steps"
	head := make([]byte, len(want))
	if _, err := io.ReadFull(lines, head); err != nil || string(head) != want {
		t.Errorf("got %q, %v, want %q", head, err, want)
	}
	go func() {
		p.end()
		out.Close()
	}()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "\r\x1b[K") {
		t.Errorf("the line stays: %q, %v", rest, err)
	}

	var said strings.Builder
	quick := newProgress(&said, "bringing up")
	go quick.show(time.Hour, time.Hour)
	quick.end()
	if said.Len() > 0 {
		t.Errorf("quick work says %q", said.String())
	}
}

// No line is written to what is no terminal.
func TestProgressOfFile(t *testing.T) {
	var said bytes.Buffer
	tell := streams{err: &said}.teller()
	for _, e := range []inforce.Event{inforce.Begun{Steps: 1}, inforce.Stepped{}, inforce.Ended{}} {
		tell(e)
	}
	if said.Len() > 0 {
		t.Errorf("a file gets %q", &said)
	}
}
