package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

// When a line of progress comes, and how often it changes.
const (
	progressAfter = time.Second
	progressEvery = 100 * time.Millisecond
)

// progress is a line on a terminal that shows how far work is. It appears if the work takes long,
// and disappears at the end.
type progress struct {
	out  io.Writer
	what string
	of   int // steps in all
	done atomic.Int64
	stop chan struct{} // closed when the work is over
	gone chan struct{} // closed when the line is
}

// begin has steps counted, on a terminal; nil where there is none.
func (s streams) begin(e inforce.Begun) *progress {
	if !s.progress {
		return nil
	}
	what := "bringing networks up"
	if e.Down {
		what = "taking networks down"
	}
	p := newProgress(s.err, what)
	p.of = e.Steps
	go p.show(progressAfter, progressEvery)
	return p
}

// step notes that one of the steps is over.
func (p *progress) step() {
	if p != nil {
		p.done.Add(1)
	}
}

func newProgress(out io.Writer, what string) *progress {
	return &progress{out: diag.Exactly(out), what: what, stop: make(chan struct{}), gone: make(chan struct{})}
}

// show writes the line, first after some time, until the work is over.
func (p *progress) show(after, every time.Duration) {
	defer close(p.gone)
	timer := time.NewTimer(after)
	defer timer.Stop()
	for shown := false; ; shown = true {
		select {
		case <-p.stop:
			if shown {
				fmt.Fprint(p.out, "\r\x1b[K") // to the begin of the line, and nothing behind it (ECMA-48: EL)
			}
			return
		case <-timer.C:
			fmt.Fprintf(p.out, "\r\x1b[K%s: %d of %s", p.what, p.done.Load(), plural(p.of, "step"))
			timer.Reset(every)
		}
	}
}

// end returns when nothing of the line is left.
func (p *progress) end() {
	if p == nil {
		return
	}
	close(p.stop)
	<-p.gone
}
