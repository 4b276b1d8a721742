package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/netsetup/firewall"
	"github.com/vnetc/vnetc/netsetup/state"
)

// places lists where rules of ours may stand on a host. The names are kept in notes.
func places() []firewall.Place {
	return []firewall.Place{
		{Name: "nftables", Loader: nftables.Loader{}},
		{Name: "iptables-nft", Loader: iptables.Loader{Variant: iptables.NFTables}},
		{Name: "iptables-legacy", Loader: iptables.Loader{Variant: iptables.Legacy}},
	}
}

// provisionally makes a change that is undone after f.confirm unless it is confirmed. What was in force is noted, and a
// process to undo the change waits, before the change begins, so that neither this process nor its terminal is needed. The
// lock is given back, and the time begins, when the change is made; what change has to say is printed then: a terminal that
// hangs must not keep the lock from whoever undoes it.
func (f *applyFlags) provisionally(s streams, dir *state.Dir, known []state.Network, taking *takeOver, change func(streams) error) error {
	names := append([]backends.Names{backends.Names(f.names.value)}, f.oldNames()...)
	if taking != nil {
		if !taking.claim.Frame {
			return exitError{exitNo, "--take-over with --confirm is refused while a libvirt daemon runs: it may change its rules meanwhile, and going back would undo that too; no rule was touched"}
		}
		names = append(names, backends.LibvirtNames)
	}
	p, err := f.prepare(dir, known, names)
	if err != nil {
		return hostf("%v; no rule was touched", errors.Join(err, dir.Confirmed()))
	}
	var said bytes.Buffer
	err = change(streams{in: s.in, out: s.out, err: &said, color: s.color})
	if p.Made = err == nil; p.Made {
		if err = f.note(dir, p); err != nil {
			err = hostf("%v", err)
		}
	}
	if err != nil {
		if undoing := undo(dir, p); undoing != nil {
			err = hostf("%v", errors.Join(err, undoing))
		}
	}
	dir.Close()
	_, failed := s.err.Write(said.Bytes())
	return errors.Join(err, orHost(failed))
}

// prepare notes the way back and starts the process that would go it.
func (f *applyFlags) prepare(dir *state.Dir, known []state.Network, names []backends.Names) (*state.Pending, error) {
	before, err := firewall.Keep(places(), names)
	if err != nil {
		return nil, err
	}
	p := &state.Pending{ID: rand.Text(), Networks: known}
	if p.Namespace, err = state.Namespace(); err != nil {
		return nil, err
	}
	if p.Rules, err = json.Marshal(before); err != nil {
		return nil, err
	}
	if err := f.note(dir, p); err != nil {
		return nil, err
	}
	return p, f.startWatcher()
}

// note writes the note about the change, whose time begins now.
func (f *applyFlags) note(dir *state.Dir, p *state.Pending) error {
	if err := p.Give(f.confirm); err != nil {
		return err
	}
	return dir.SavePending(p)
}

// sayConfirm says what keeps the change.
func (f *applyFlags) sayConfirm(s streams) error {
	command := "vnetc confirm"
	if f.stateDir != state.DefaultDir {
		command += " --state-dir " + shellWord(f.stateDir)
	}
	_, err := fmt.Fprintf(s.err, "undone in %s unless you type: %s\n", f.confirm, command)
	return orHost(err)
}

// startWatcher starts the process that undoes the change which waits in the state folder, in a session of its own, and
// returns when it has begun.
func (f *hostFlags) startWatcher() error {
	path, err := filepath.Abs(f.stateDir)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", "confirm", "--watch", "--state-dir", path)
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

// undo puts back the rules and the notes from before the change. It can be done again if it is interrupted.
func undo(dir *state.Dir, p *state.Pending) error {
	here, err := state.Namespace()
	if err != nil {
		return err
	}
	if here != p.Namespace {
		return fmt.Errorf("it was made in another network namespace, %s, and this is %s: run vnetc there, or give each its own --state-dir", p.Namespace, here)
	}
	boot, _, err := state.Since()
	if err != nil {
		return err
	}
	if boot == p.Boot { // else the kernel has forgotten the rules of before and after alike
		if err := restore(p); err != nil {
			return err
		}
	}
	now, _, err := dir.Networks()
	if err != nil {
		return err
	}
	if err := rewrite(dir, now, p.Networks); err != nil {
		return err
	}
	return dir.Undone(time.Now())
}

// restore puts back the rules from before the change.
func restore(p *state.Pending) error {
	var before firewall.Before
	if err := json.Unmarshal(p.Rules, &before); err != nil {
		return fmt.Errorf("rules from before the change: %w", err)
	}
	return before.Restore(places())
}

// settle undoes the change that waits in dir if it is overdue, and says so. It returns the change if it still waits, and for
// how long.
func settle(s streams, dir *state.Dir) (*state.Pending, time.Duration, error) {
	p, err := dir.Pending()
	if p == nil || err != nil {
		return nil, 0, err
	}
	left, err := p.Left()
	if left > 0 || err != nil {
		return p, left, err
	}
	if err := undo(dir, p); err != nil {
		return nil, 0, fmt.Errorf("the last apply was not confirmed in time and can't be undone: %w; to keep what is in force remove %s", err, dir.PendingPath())
	}
	fmt.Fprintln(s.err, "vnetc: the last apply was not confirmed in time; what was in force before is in force again")
	return nil, 0, nil
}

// seconds is d as people read it, at least a second.
func seconds(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }
