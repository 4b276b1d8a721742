package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

func newConfirm(s streams) *cobra.Command {
	var f hostFlags
	var back, force, watching bool
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "keep the change of apply --confirm",
		Long: `confirm keeps the change of the last apply --confirm; --undo undoes it at once.

After apply --confirm DURATION a process without a terminal waits for that
long. If confirm does not come in time, it restores the rules and state files
from before the apply, and proves the rules. Until then apply and remove are
refused. If that process is killed, or the host sleeps, the next vnetc that
changes this host undoes the change. At shutdown (SIGTERM) the process undoes
the change first. It also does so in time if the state folder is lost. An
interrupted apply cannot be kept. --force keeps the change if the time is over
and undoing it fails.

Exit codes: 0 kept, or undone with --undo; 1 no change waits, it cannot be
kept, or it is too late; 2 wrong usage; 3 the host refused or failed.`,
		Example: `  vnetc apply --confirm 60s lab.xml && vnetc confirm
  vnetc confirm --undo`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if watching {
				return watch(s, &f)
			}
			return confirm(s, &f, back, force)
		},
	}
	f.addStateFlags(cmd)
	cmd.Flags().BoolVar(&back, "undo", false, "undo the change now")
	cmd.Flags().BoolVar(&force, "force", false, "keep the change although undoing it has failed")
	cmd.MarkFlagsMutuallyExclusive("undo", "force")
	cmd.Flags().BoolVar(&watching, "watch", false, "be the process that undoes the change")
	if err := cmd.Flags().MarkHidden("watch"); err != nil {
		panic(err) // the flag was added on the line before
	}
	return cmd
}

func confirm(s streams, f *hostFlags, back, force bool) error {
	did, inForce, err := "kept", 0, error(nil)
	if back {
		did = "undone"
		inForce, err = inforce.Undo(f.stateDir, f.options(s))
	} else {
		inForce, err = inforce.Confirm(f.stateDir, f.options(s), force)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s; %s in force\n", did, plural(inForce, "network"))
	return orHost(err)
}

// watch undoes the change that waits when it is overdue, or when this process gets a signal to end.
func watch(s streams, f *hostFlags) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE)
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	begun := func() { fmt.Fprintln(s.out, "watching") } // to startWatcher
	return inforce.Watch(told, f.stateDir, f.options(s), begun)
}

// startWatcher starts the process that undoes the change which waits in the state folder, in a
// session of its own, and returns when it has begun.
func startWatcher(dir string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", "confirm", "--watch", "--state-dir", dir)
	cmd.Args[0] = "vnetc"
	cmd.Dir = "/"
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start() // by this thread, and so in its network namespace
	w.Close()
	if err != nil {
		return fmt.Errorf("start the process that would undo the change: %w", err)
	}
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		return fmt.Errorf("the process that would undo the change does not answer: %w", err)
	}
	return cmd.Process.Release()
}
