package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
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

// timeout is how long dnsmasq may take to start. It needs milliseconds, and more on a host that is
// busy.
const timeout = 30 * time.Second

// Server is the dnsmasq of one network, whose files are written.
type Server struct {
	Paths   Paths
	Account Account // zero to remain who we are
}

// Starting is a dnsmasq that is not up yet.
type Starting struct {
	paths Paths
	cmd   *exec.Cmd
	said  int // reading end of a pipe

	timeout time.Duration
}

// Begin starts dnsmasq in the network namespace of the calling thread, and doesn't wait for it:
// many start side by side. Wait has to be called.
func (s Server) Begin() (*Starting, error) {
	path, err := look()
	if err != nil {
		return nil, err
	}
	conf, err := os.ReadFile(s.Paths.Conf)
	if err == nil {
		err = background(conf)
	}
	if err == nil {
		err = errors.Join(s.leases(), remove(s.Paths.PID))
	}
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	writer := os.NewFile(uintptr(pipe[1]), "pipe")
	defer writer.Close()
	cmd := exec.Command(path, arguments(s.Paths)...)
	cmd.Args[0] = command
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"} // what else we have is not for that user
	// a file, so that nothing waits for its end: the daemon may keep it open
	cmd.Stderr = writer
	if err := launch(cmd, s.Account, capabilities(conf)); err != nil {
		unix.Close(pipe[0])
		return nil, fmt.Errorf("start dnsmasq: %w", err)
	}
	return &Starting{paths: s.Paths, cmd: cmd, said: pipe[0], timeout: timeout}, nil
}

// background returns an error for options that keep dnsmasq in the foreground: it would be unknown
// when it serves.
func background(conf []byte) error {
	for line := range strings.Lines(string(conf)) {
		if name := strings.TrimSpace(line); name == "no-daemon" || name == "keep-in-foreground" {
			return fmt.Errorf("dnsmasq's option %s would keep it in the foreground; remove it from the network's options", name)
		}
	}
	return nil
}

// arguments are the command line of a network's dnsmasq: what libvirt's files don't have.
func arguments(p Paths) []string {
	args := []string{
		confFlag + p.Conf, "--dhcp-leasefile=" + p.Leases,
		"--user=", "--group=", // it is who it is to be, and stays root where that is root of a user namespace only
		"--dhcp-ignore-names=tag:" + reservedTag,
	}
	reserved, err := os.ReadFile(p.Reserved)
	names := reservedEverywhere()
	if line := strings.Fields(matched(reserved)); len(line) > 1 {
		names = append(names, line[1:]...)
	}
	for _, name := range names {
		const match = "--dhcp-name-match=set:" + reservedTag + ","
		args = append(args, match+name, match+name+".*") // a guest may send the network's domain with it
	}
	if err == nil {
		args = append(args, "--addn-hosts="+p.Reserved)
	}
	return args
}

// leases makes the file that dnsmasq keeps its leases in, or gives it to the user who runs it now.
func (s Server) leases() error {
	fd, err := unix.Open(s.Paths.Leases, unix.O_RDONLY|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK,
		0o644)
	if err != nil {
		return &fs.PathError{Op: "open", Path: s.Paths.Leases, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || s.Account == (Account{}) || st.Uid == s.Account.uid {
		return err
	}
	if err := unix.Fchown(fd, int(s.Account.uid), int(s.Account.gid)); err != nil {
		return &fs.PathError{Op: "chown", Path: s.Paths.Leases, Err: err}
	}
	return nil
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

// Wait waits until each of them serves, and notes their process ids. It returns an error
// for each, nil for those that serve, else what it said when it ended instead.
func Wait(all ...*Starting) []error {
	errs := make([]error, len(all))
	var serving []Paths
	for i, s := range all {
		if errs[i] = s.wait(); errs[i] == nil {
			serving = append(serving, s.paths)
		}
	}
	running, err := Find(serving...)
	for i, s := range all {
		switch p, ok := running[s.paths.Conf]; {
		case errs[i] != nil:
		case err != nil:
			errs[i] = err
		case !ok:
			errs[i] = fmt.Errorf("dnsmasq with %s ended as soon as it had started", s.paths.Conf)
		default:
			errs[i] = p.Note(s.paths)
		}
	}
	return errs
}

func (s *Starting) wait() error {
	defer unix.Close(s.said)
	in, err := s.inTime()
	if err != nil {
		return err
	}
	if !in {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		return fmt.Errorf("dnsmasq with %s is not up after %v; does an included file keep it in the foreground?",
			s.paths.Conf, s.timeout)
	}
	failed := s.cmd.Wait()
	if failed == nil {
		return nil // it opened its sockets, and forked
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
	return h.wait(s.timeout)
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
