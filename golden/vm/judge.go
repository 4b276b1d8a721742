package main

import (
	"fmt"
	"strings"
	"time"
)

// Outcome is how a scenario ended in the guest.
type Outcome string

// The outcomes. A scenario skips itself if the image lacks what it is about.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Result is one scenario on one image.
type Result struct {
	Scenario *Scenario
	Image    string
	Outcome  Outcome // as judged: a scenario that is known to fail and does has passed
	Note     string  // what else there is to say: why it fails, as is known, or why that is no good
	Log      string  // what the guest printed; only if it is worth reading
	Took     time.Duration
}

// judge compares what happened in the guest with what the scenario's head says.
func judge(s *Scenario, image string, outcome Outcome, log string) Result {
	r := Result{Scenario: s, Image: image, Outcome: outcome}
	known := s.fault(image)
	switch {
	case outcome == Failed && known == nil:
		r.Log = log
	case outcome == Failed && known.Pattern.MatchString(failure(log)):
		r.Outcome, r.Note = Passed, "fails as is known: "+known.Because
	case outcome == Failed:
		r.Note = fmt.Sprintf("is known to fail, but for another reason; what failed does not match %q", known.Pattern)
		r.Log = log
	case outcome == Passed && known != nil:
		r.Outcome = Failed
		r.Note = "is known to fail and did not: take fails and because out of its head"
	case outcome == Skipped:
		r.Note = strings.TrimSpace(failure(log))
	}
	return r
}

// failure returns the end of a script's log: the command that failed, what it printed, and the line
// of the failure.
func failure(log string) string {
	if at := strings.LastIndex(log, "\n> "); at >= 0 {
		return log[at+1:]
	}
	return log
}

// closing counts results in the words that end every run.
func closing(results []Result) string {
	count := map[Outcome]int{}
	for _, r := range results {
		count[r.Outcome]++
	}
	return fmt.Sprintf("%d passed, %d failed, %d skipped", count[Passed], count[Failed], count[Skipped])
}
