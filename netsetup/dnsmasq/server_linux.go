package dnsmasq

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	command  = "dnsmasq"
	confFlag = "--conf-file="
)

// patience is how long dnsmasq may take to start. It needs milliseconds, and more on a host that is busy.
const patience = 30 * time.Second

// Server is the dnsmasq of one network, whose files are written.
type Server struct {
	Paths   Paths
	Account Account // zero to remain who we are
}

// Starting is a dnsmasq that is not up yet.
type Starting struct {
	conf string
	cmd  *exec.Cmd
	said int // reading end of a pipe

	patience time.Duration
}

// Begin starts dnsmasq in the network namespace of the calling thread, and doesn't wait for it: many start side by side. Wait
// has to be called.
func (s Server) Begin() (*Starting, error) {
	path, err := look()
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	writer := os.NewFile(uintptr(pipe[1]), "pipe")
	defer writer.Close()
	// What libvirt's files don't have is in the command line, where it wins over the configuration.
	cmd := exec.Command(path, confFlag+s.Paths.Conf, "--dhcp-leasefile="+s.Paths.Leases,
		"--user="+s.Account.User, "--group="+s.Account.Group)
	cmd.Args[0] = command
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = writer // a file, so that nothing waits for its end: the daemon may keep it open
	if err := cmd.Start(); err != nil {
		unix.Close(pipe[0])
		return nil, fmt.Errorf("start dnsmasq: %w", err)
	}
	return &Starting{conf: s.Paths.Conf, cmd: cmd, said: pipe[0], patience: patience}, nil
}

// look finds dnsmasq, also where the PATH of a user may not lead.
func look() (string, error) {
	path, err := exec.LookPath(command)
	for _, dir := range [...]string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if err == nil {
			return path, nil
		}
		path, err = exec.LookPath(filepath.Join(dir, command))
	}
	if err != nil {
		return "", errors.New("dnsmasq is not installed, and the network needs it for DHCP and DNS: install dnsmasq-base or dnsmasq")
	}
	return path, nil
}

// Wait returns nil when dnsmasq serves, and what it said when it ended instead.
func (s *Starting) Wait() error {
	defer unix.Close(s.said)
	in, err := s.inTime()
	if err != nil {
		return err
	}
	if !in {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		return fmt.Errorf("dnsmasq with %s is not up after %v; does an option, no-daemon or keep-in-foreground, hold it in the foreground?", s.conf, s.patience)
	}
	failed := s.cmd.Wait()
	if failed == nil {
		return nil // it opened its sockets, forked, and became who it is to be
	}
	said := s.text()
	if said == "" {
		said = failed.Error()
	}
	if strings.Contains(said, "inotify: Too many open files") { // 128 for each user, unless set otherwise (inotify(7))
		said += "; each dnsmasq takes one of fs.inotify.max_user_instances: raise it by sysctl"
	}
	return fmt.Errorf("dnsmasq does not start: %s", said)
}

// inTime waits for the process that was started, which ends when the one that serves runs.
func (s *Starting) inTime() (bool, error) {
	h, err := openPID(s.cmd.Process.Pid)
	if err != nil || h == nil {
		return h == nil, err
	}
	defer h.close()
	return h.wait(s.patience)
}

// text returns what is in the pipe, as one line. It doesn't wait for more.
func (s *Starting) text() string {
	if err := unix.SetNonblock(s.said, true); err != nil {
		return ""
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(s.said, buf)
	if err != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(buf[:n])) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), command+": "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
