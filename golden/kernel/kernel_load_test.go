package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/backends/iptables"
	"github.com/vnetc/vnetc/backends/netnstest"
	"github.com/vnetc/vnetc/backends/nftables"
	"github.com/vnetc/vnetc/ir"
)

// loader is one way from a program into a kernel.
type loader struct {
	name    string
	tools   []string
	backend backends.Backend
	layout  backends.Layout
	load    func(*netnstest.Host, backends.Ruleset) error
	clear   func(*netnstest.Host) // takes all rules away
}

// loaders has the two ways of each back end; those of nftables for both layouts.
func loaders() []loader {
	flush := func(h *netnstest.Host) { h.Exec("nft", "flush", "ruleset") }
	nft := []string{"iptables-nft-restore", "ip6tables-nft-restore", "nft"}
	legacy := []string{"iptables-legacy-restore", "ip6tables-legacy-restore"}
	return []loader{
		{"iptables-nft", nft, iptables.Backend{}, backends.Chains, restore("nft"), flush},
		{"iptables-legacy", legacy, iptables.Backend{}, backends.Chains, restore("legacy"), emptyTables},
		{"nft", []string{"nft"}, nftables.Backend{}, backends.Chains, script, flush},
		{"netlink", []string{"nft"}, nftables.Backend{}, backends.Chains, batch, flush},
		{"nft-sets", []string{"nft"}, nftables.Backend{}, backends.Sets, script, flush},
		{"netlink-sets", []string{"nft"}, nftables.Backend{}, backends.Sets, batch, flush},
	}
}

// install compiles p for the loader, with vnetc's names, and replaces what the host has by it.
func (l loader) install(t *testing.T, h *netnstest.Host, p *ir.Program) {
	t.Helper()
	l.installAs(t, h, p, backends.VnetcNames)
}

// installAs is install with names of choice.
func (l loader) installAs(t *testing.T, h *netnstest.Host, p *ir.Program, names backends.Names) {
	t.Helper()
	rules := l.lower(t, p, names)
	l.clear(h)
	if err := l.load(h, rules); err != nil {
		t.Fatal(err)
	}
}

// add is install beside what the host has.
func (l loader) add(t *testing.T, h *netnstest.Host, p *ir.Program) {
	t.Helper()
	if err := l.load(h, l.lower(t, p, backends.VnetcNames)); err != nil {
		t.Fatal(err)
	}
}

func (l loader) lower(t *testing.T, p *ir.Program, names backends.Names) backends.Ruleset {
	t.Helper()
	rules, found := l.backend.Lower(p, backends.Options{Families: ir.Both, Names: names, Layout: l.layout})
	if found.HasErrors() {
		t.Fatalf("lower: %v", found)
	}
	return rules
}

// restore loads documents of the iptables back end with the tools of one variant, nft or legacy.
func restore(variant string) func(*netnstest.Host, backends.Ruleset) error {
	return func(h *netnstest.Host, rules backends.Ruleset) error {
		for _, d := range rules.Emit() {
			tool, _, _ := strings.Cut(d.Load, "-restore")
			args := []string{"--wait"}
			if strings.Contains(d.Load, "--noflush") {
				args = append(args, "--noflush")
			}
			text := d.Text
			if bytes.Contains(text, []byte("-j CHECKSUM")) && !fillsChecksums(h, tool+"-"+variant) {
				text = linesWithout(text, "-j CHECKSUM")
			}
			h.Feed(text, tool+"-"+variant+"-restore", args...)
		}
		return nil
	}
}

// fillsChecksums is true if the kernel has the target CHECKSUM (xt_CHECKSUM). One that has not
// refuses the whole table; libvirt leaves that rule out then, and so do the tests.
func fillsChecksums(h *netnstest.Host, tool string) bool {
	rule := []string{"POSTROUTING", "-p", "udp", "-j", "CHECKSUM", "--checksum-fill"}
	if h.Command(tool, append([]string{"-t", "mangle", "-A"}, rule...)...).Run() != nil {
		return false
	}
	h.Exec(tool, append([]string{"-t", "mangle", "-D"}, rule...)...)
	return true
}

func linesWithout(text []byte, word string) []byte {
	var kept [][]byte
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(word)) {
			kept = append(kept, line)
		}
	}
	return bytes.Join(kept, nil)
}

// emptyTables is what nft's flush ruleset is for iptables-legacy: a document replaces the tables it
// names.
func emptyTables(h *netnstest.Host) {
	for _, tool := range []string{"iptables-legacy-restore", "ip6tables-legacy-restore"} {
		h.Feed([]byte("*filter\nCOMMIT\n*nat\nCOMMIT\n*mangle\nCOMMIT\n"), tool, "--wait")
	}
}

// script loads the text of the nftables back end.
func script(h *netnstest.Host, rules backends.Ruleset) error {
	for _, d := range rules.Emit() {
		h.Feed(d.Text, "nft", "-f", "-")
	}
	return nil
}

// batch sends the netlink batch of the nftables back end, by the plainest of senders.
func batch(h *netnstest.Host, rules backends.Ruleset) (err error) {
	for _, d := range rules.Images() {
		h.Do(func() { err = errors.Join(err, send(d.Text)) })
	}
	return err
}

// send gives messages to nf_tables in one piece, in the network namespace of the calling thread.
// The kernel has handled them when the call returns, and what it has to say about them is there to
// be read.
func send(messages []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 2*len(messages)); err != nil {
		return err
	}
	if err := unix.Sendto(fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send batch: %w", err)
	}
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		replies, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, r := range replies {
			if r.Header.Type != unix.NLMSG_ERROR {
				continue
			}
			if code := int32(binary.NativeEndian.Uint32(r.Data)); code != 0 {
				return fmt.Errorf("message %d of the batch: %w", r.Header.Seq, syscall.Errno(-code))
			}
		}
	}
}
