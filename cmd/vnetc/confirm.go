package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/state"
)

func newConfirm(s streams) *cobra.Command {
	var f hostFlags
	var back, watching bool
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "keep what apply --confirm put in force",
		Long: `confirm keeps what the last apply --confirm put in force; --undo goes back at once.

After apply --confirm DURATION a process that belongs to no terminal waits for that
long. Unless confirm comes first it puts back the rules and notes from before the
apply, and proves them. Until then apply and remove are refused. If that process is
killed, or the host sleeps, the next vnetc on this host undoes what is overdue. Told
to end (SIGTERM, as at shutdown) the process undoes the apply first. An apply that was
cut short itself can't be kept.

Exit codes: 0 kept, or undone with --undo; 1 nothing waits or can be kept, or it is
too late; 2 wrong usage; 3 the host refused or failed.`,
		Example: `  vnetc apply --confirm 60s lab.xml && vnetc confirm
  vnetc confirm --undo`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if watching {
				return watch(s, f.stateDir)
			}
			return confirm(s, &f, back)
		},
	}
	f.addStateFlags(cmd)
	cmd.Flags().BoolVar(&back, "undo", false, "do not keep it: go back to what was in force before")
	cmd.Flags().BoolVar(&watching, "watch", false, "be the process that undoes the change")
	if err := cmd.Flags().MarkHidden("watch"); err != nil {
		panic(err) // the flag was added on the line before
	}
	return cmd
}

func confirm(s streams, f *hostFlags, back bool) error {
	dir, p, _, err := f.settled(s)
	if err != nil {
		return err
	}
	defer dir.Close()
	if p == nil {
		if at, ok := dir.LastUndone(); ok {
			return exitError{exitNo, fmt.Sprintf("%v: the last apply was undone at %s, and what was in force before is in force", errNothingWaits, at.Format("2006-01-02 15:04:05Z"))}
		}
		return exitError{exitNo, errNothingWaits.Error()}
	}
	if !p.Made && !back {
		return refuseToKeep(p)
	}
	did := "kept"
	if back {
		did, err = "undone", undo(dir, p)
	} else {
		err = dir.Confirmed()
	}
	if err != nil {
		return hostf("%v", err)
	}
	now, _, err := dir.Networks()
	if err != nil {
		return hostf("%v", err)
	}
	_, err = fmt.Fprintf(s.out, "%s; %s in force\n", did, plural(len(now), "network"))
	return orHost(err)
}

// refuseToKeep says that a change was cut short, as by SIGKILL.
func refuseToKeep(p *state.Pending) error {
	left, err := p.Left()
	if err != nil {
		return hostf("%v", err)
	}
	return exitError{exitNo, fmt.Sprintf("the last apply was cut short, so there is nothing whole to keep; it is undone in %s, and vnetc confirm --undo goes back now", seconds(left))}
}

// Times of the process that waits.
const (
	glance   = 250 * time.Millisecond // between two looks at whether the change was confirmed
	patience = time.Minute            // for the lock; and the most between two tries to undo
)

// watch undoes the change that waits in the state folder when it is overdue, or when this process is told to end. It ends
// when no change waits.
func watch(s streams, path string) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE)
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(s.out, "watching") // to startWatcher
	w := watched{path: path}
	for pause := glance; ; {
		left, err := w.left()
		ending := told.Err() != nil
		if err == nil && (ending || left <= 0) {
			left, err = w.undo(s, ending)
		}
		switch {
		case errors.Is(err, errNothingWaits):
			return nil
		case ending:
			return err
		case err != nil:
			pause = min(max(2*pause, glance), patience)
		default:
			pause = min(left, glance)
		}
		select {
		case <-told.Done():
		case <-time.After(pause):
		}
	}
}

// errNothingWaits says that no change waits for its confirmation.
var errNothingWaits = errors.New("nothing waits for a confirmation")

// watched is the change that a process waits for.
type watched struct {
	path string // of the state folder
	file os.FileInfo
	*state.Pending
}

// left returns how long the change still waits. The note is read anew only if it is another file: it may be large.
func (w *watched) left() (time.Duration, error) {
	file, err := os.Stat(state.PendingPath(w.path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNothingWaits
	}
	if err != nil {
		return 0, err
	}
	if w.file == nil || !os.SameFile(file, w.file) || !file.ModTime().Equal(w.file.ModTime()) {
		p, err := state.ReadPending(w.path)
		if err != nil {
			return 0, err
		}
		if p == nil || w.file != nil && p.ID != w.ID {
			return 0, errNothingWaits // this one was confirmed or undone
		}
		w.file, w.Pending = file, p
	}
	return w.Left()
}

// undo takes the lock and undoes the change if it is overdue, or at once. It returns how long the change still waits: its
// time may have begun anew since it was looked at.
func (w *watched) undo(s streams, atOnce bool) (time.Duration, error) {
	dir, err := state.Open(w.path, patience)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	p, left, err := settle(s, dir)
	switch {
	case err != nil:
		return 0, err
	case p == nil || p.ID != w.ID:
		return 0, errNothingWaits
	case atOnce:
		return 0, undo(dir, p)
	}
	return left, nil
}
