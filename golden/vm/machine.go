package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits on how long the host waits: a guest that has stopped talking is given up, however slow
// this machine is.
const (
	bootLimit  = 30 * time.Minute
	stageLimit = 40 * time.Minute
	kvmLimit   = 10 * time.Second // a /dev/kvm that works has printed the kernel's first line by then
)

// Machine is a booted guest. Once it is up it is recorded, disk, memory and all, and each scenario
// starts from there.
type Machine struct {
	Kernel string // its release
	KVM    bool

	qemu   *exec.Cmd
	exited chan error
	folder string // of its sockets, disk and console
	port   net.Conn
	in     *json.Decoder
	out    *json.Encoder
	qmp    net.Conn
	qmpIn  *json.Decoder
}

// recorded names the state that scenarios start from.
const recorded = "up"

// startMachine boots image, a folder of the image builder's, with the payload as its second disk.
func startMachine(image, payload, folder, kvm, boot string) (*Machine, error) {
	if kvm != "no" {
		m, err := tryMachine(image, payload, folder, true, boot)
		if err == nil || kvm == "yes" {
			return m, err
		}
	}
	return tryMachine(image, payload, folder, false, boot)
}

func tryMachine(image, payload, folder string, kvm bool, boot string) (*Machine, error) {
	if err := os.RemoveAll(folder); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	disk := filepath.Join(folder, "disk.qcow2")
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
		"-b", filepath.Join(image, "disk.img"), disk).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	m := &Machine{KVM: kvm, folder: folder, exited: make(chan error, 1)}
	accel := []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
	if kvm {
		accel = []string{"-accel", "kvm", "-cpu", "host"}
	}
	m.qemu = exec.Command("qemu-system-x86_64", append(accel,
		"-m", "2048", "-smp", "2", "-display", "none", "-nic", "none",
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd"),
		"-append", strings.TrimSpace("root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1 "+boot),
		"-drive", "file="+disk+",if=virtio,format=qcow2,cache=unsafe",
		"-drive", "file="+payload+",if=virtio,format=raw,readonly=on",
		"-serial", "file:"+m.console(),
		"-qmp", "unix:"+filepath.Join(folder, "qmp")+",server=on,wait=off",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=vnetc.scenarios",
		"-chardev", "socket,id=port,path="+filepath.Join(folder, "port")+",server=on,wait=off")...)
	m.qemu.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL} // with the thread that starts it, which run keeps
	var said bytes.Buffer
	m.qemu.Stdout, m.qemu.Stderr = &said, &said
	if err := m.qemu.Start(); err != nil {
		return nil, err
	}
	go func() { m.exited <- m.qemu.Wait() }()
	if err := m.boot(); err != nil {
		m.stop()
		return nil, fmt.Errorf("%w\n%s%s", err, said.String(), m.lastWords())
	}
	return m, nil
}

func (m *Machine) console() string { return filepath.Join(m.folder, "console") }

// boot connects, waits until the guest is up, and records it.
func (m *Machine) boot() error {
	var err error
	if m.port, err = m.dial("port"); err != nil {
		return err
	}
	if m.qmp, err = m.dial("qmp"); err != nil {
		return err
	}
	m.in, m.out, m.qmpIn = json.NewDecoder(m.port), json.NewEncoder(m.port), json.NewDecoder(m.qmp)
	if err := m.command("qmp_capabilities", nil); err != nil {
		return err
	}
	if m.KVM {
		err := m.wait(kvmLimit, func() bool {
			text, _ := os.ReadFile(m.console())
			return bytes.Contains(text, []byte("Linux version"))
		})
		if err != nil {
			return fmt.Errorf("KVM does not work here: %w", err)
		}
	}
	if err := m.up(); err != nil {
		return err
	}
	return m.monitor("savevm " + recorded)
}

// up waits for the guest's first words after a boot.
func (m *Machine) up() error {
	hello, err := m.listen(bootLimit)
	if err != nil {
		return fmt.Errorf("the guest does not come up: %w", err)
	}
	m.Kernel = hello.Kernel
	return nil
}

// restore goes back to the state of just after the boot.
func (m *Machine) restore() error { return m.monitor("loadvm " + recorded) }

// run runs a scenario's stages, with a reboot between each two.
func (m *Machine) run(s *Scenario) (Outcome, string, error) {
	var log strings.Builder
	for i, script := range s.Stages {
		if i > 0 {
			log.WriteString("\n> reboot\n")
			if err := m.out.Encode(order{Reboot: true}); err != nil {
				return Failed, log.String(), err
			}
			if err := m.up(); err != nil {
				return Failed, log.String() + m.lastWords(), err
			}
		}
		if err := m.out.Encode(order{Name: s.Name, Script: script, Limit: s.Limit * 3 / 4}); err != nil {
			return Failed, log.String(), err
		}
		said, err := m.listen(s.Limit)
		if err != nil {
			return Failed, log.String() + m.lastWords(), err
		}
		log.WriteString(said.Log)
		if said.Outcome != Passed {
			return said.Outcome, log.String(), nil
		}
	}
	return Passed, log.String(), nil
}

// listen waits for what the guest says next.
func (m *Machine) listen(limit time.Duration) (answer, error) {
	var a answer
	if err := m.port.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return a, err
	}
	err := m.in.Decode(&a)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the guest has said nothing for %v", limit)
	}
	return a, err
}

// monitor gives a command to qemu's monitor for people, whose only answer is what went wrong.
func (m *Machine) monitor(line string) error {
	return m.command("human-monitor-command", map[string]any{"command-line": line})
}

// command runs a QMP command; events between it and its answer are passed over.
func (m *Machine) command(name string, args map[string]any) error {
	line, err := json.Marshal(struct {
		Execute   string         `json:"execute"`
		Arguments map[string]any `json:"arguments,omitempty"`
	}{name, args})
	if err != nil {
		return err
	}
	if err := m.qmp.SetDeadline(time.Now().Add(bootLimit)); err != nil {
		return err
	}
	if _, err := m.qmp.Write(line); err != nil {
		return err
	}
	for {
		var reply struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := m.qmpIn.Decode(&reply); err != nil {
			return fmt.Errorf("qemu, asked for %s: %w", name, err)
		}
		if reply.Error != nil {
			return fmt.Errorf("qemu, asked for %s: %s", line, reply.Error.Desc)
		}
		if reply.Return == nil {
			continue // a greeting or an event
		}
		var text string
		if json.Unmarshal(reply.Return, &text) == nil && strings.TrimSpace(text) != "" {
			return fmt.Errorf("qemu, asked for %s: %s", line, text)
		}
		return nil
	}
}

// dial connects to one of qemu's sockets, which come some time after its start.
func (m *Machine) dial(name string) (net.Conn, error) {
	var conn net.Conn
	err := m.wait(time.Minute, func() bool {
		var err error
		conn, err = net.Dial("unix", filepath.Join(m.folder, name))
		return err == nil
	})
	return conn, err
}

// wait waits until done is true, qemu ends, or the limit is reached.
func (m *Machine) wait(limit time.Duration, done func() bool) error {
	end := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case err := <-m.exited:
			m.exited <- err
			return fmt.Errorf("qemu ended: %v", err)
		case <-end:
			return fmt.Errorf("nothing happened within %v", limit)
		case <-tick.C:
		}
	}
	return nil
}

// lastWords is the end of what the guest's kernel and systemd said on the serial line.
func (m *Machine) lastWords() string {
	text, _ := os.ReadFile(m.console())
	const enough = 3000
	if len(text) > enough {
		text = text[len(text)-enough:]
	}
	return "the last of its console:\n" + string(text) + "\n"
}

// stop ends qemu.
func (m *Machine) stop() {
	if m == nil {
		return
	}
	for _, c := range []net.Conn{m.port, m.qmp} {
		if c != nil {
			c.Close()
		}
	}
	_ = m.qemu.Process.Kill() // the only error is that it has ended
	<-m.exited
}
