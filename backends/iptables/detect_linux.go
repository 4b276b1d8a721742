package iptables

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	goiptables "github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/backends"
	"github.com/vnetc/vnetc/ir"
)

// Variant is one of the two worlds of iptables, whose rules are kept apart by the kernel. The zero
// value is the one that the command iptables belongs to.
type Variant string

const (
	NFTables Variant = "nft"    // iptables-nft: rules in nf_tables
	Legacy   Variant = "legacy" // iptables-legacy: rules in ip_tables
)

// tool has the commands of one family.
type tool struct {
	family        ir.Family
	stem          string // iptables, ip6tables-nft
	save, restore string // paths
}

func (t tool) name(tail string) string { return t.stem + tail }

// sbin are the folders that the PATH of a user may leave out.
var sbin = [...]string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// look finds a command.
func look(command string) (string, error) {
	path, err := exec.LookPath(command)
	for i := 0; err != nil && i < len(sbin); i++ {
		if found, no := exec.LookPath(filepath.Join(sbin[i], command)); no == nil {
			return found, nil
		}
	}
	return path, err
}

// tools returns the tools for families, without those that can't be had and are not among needed.
// It is an error if none is left, or if this process may not use them.
func (l Loader) tools(families, needed ir.Family) ([]tool, error) {
	var found []tool
	var missing error
	for _, f := range [...]ir.Family{ir.IPv4, ir.IPv6} {
		if families&f == 0 {
			continue
		}
		t, err := l.tool(f)
		switch {
		case err == nil:
			found = append(found, t)
		case needed&f != 0:
			return nil, err
		default:
			missing = errors.Join(missing, err)
		}
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found, allowed(l.variant(found[0]))
}

// tool finds the commands of one family.
func (l Loader) tool(f ir.Family) (tool, error) {
	stem := "iptables"
	if f == ir.IPv6 {
		stem = "ip6tables"
		if _, err := os.Stat("/proc/thread-self/net/if_inet6"); errors.Is(err, fs.ErrNotExist) {
			return tool{}, errors.New("this kernel has no IPv6, or it is switched off")
		}
	}
	plain, err := find(f, stem)
	if l.Variant == "" {
		return plain, err
	}
	t, missing := find(f, stem+"-"+string(l.Variant))
	if missing == nil {
		return t, nil
	}
	if err == nil &&
		variantOf(plain.restore) == l.Variant { // a host with one variant may know it by the short name only
		return plain, nil
	}
	return tool{}, missing
}

func find(f ir.Family, stem string) (tool, error) {
	save, err := look(stem + "-save")
	if err != nil {
		return tool{}, fmt.Errorf("%s-save is not there: install iptables (%w)", stem, err)
	}
	restore, err := look(stem + "-restore")
	if err != nil {
		return tool{}, fmt.Errorf("%s-restore is not there: install iptables (%w)", stem, err)
	}
	return tool{family: f, stem: stem, save: save, restore: restore}, nil
}

// variant returns which world t belongs to.
func (l Loader) variant(t tool) Variant {
	if l.Variant != "" {
		return l.Variant
	}
	return variantOf(t.restore)
}

// variantOf asks a command which variant it is: "iptables v1.8.9 (nf_tables)". Before 1.8 there was
// one world.
func variantOf(path string) Variant {
	out, err := english(path, "--version").Output()
	if err == nil && strings.Contains(string(out), "(nf_tables)") {
		return NFTables
	}
	return Legacy
}

// allowed returns an error that names the capability this process lacks.
func allowed(v Variant) error {
	var missing []string
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("ask for capabilities: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_NET_ADMIN) == 0 {
		missing = append(missing, "CAP_NET_ADMIN")
	}
	if v == Legacy && data[0].Effective&(1<<unix.CAP_NET_RAW) == 0 {
		missing = append(missing, "CAP_NET_RAW")
	}
	if len(missing) > 0 {
		return notPermitted(fmt.Sprintf("iptables-%s needs the capability %s: run as root, or in a network namespace of your own (unshare -rn)",
			v, strings.Join(missing, " and ")))
	}
	if v != Legacy {
		return nil
	}
	// In a namespace of another user's iptables-legacy-save lists nothing and says nothing.
	file, err := os.Open("/proc/thread-self/net/ip_tables_names")
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("iptables-legacy needs the capability CAP_NET_RAW over this network namespace: %w", err)
	}
	if err == nil {
		file.Close()
	}
	return nil
}

// Available implements [backends.Loader]. It asks for one table of each family, which
// iptables-legacy makes if it is not there.
func (l Loader) Available() error {
	tools, err := l.tools(ir.Both, 0)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if _, err := l.version(t); err != nil {
			return err
		}
		out, err := english(t.save, "-t", "filter").CombinedOutput()
		if err != nil {
			return &RefusedError{Command: t.name("-save"), Said: string(out), Err: err}
		}
	}
	return nil
}

// version returns the version of t, which must be one whose iptables-restore waits for its lock:
// 1.6.2 is the first.
func (l Loader) version(t tool) (string, error) {
	path, err := look(t.stem)
	if err != nil {
		return "", fmt.Errorf("%s is not there: install iptables (%w)", t.stem, err)
	}
	ipt, err := goiptables.New(goiptables.Path(path))
	if err != nil {
		return "", fmt.Errorf("%s: %w", t.stem, err)
	}
	major, minor, patch := ipt.GetIptablesVersion()
	version := fmt.Sprintf("%d.%d.%d", major, minor, patch)
	if major < 1 || major == 1 && (minor < 6 || minor == 6 && patch < 2) {
		return "", fmt.Errorf("%s is of version %s, whose %s-restore can't wait for other writers: install 1.6.2 or newer", t.stem, version, t.stem)
	}
	return version, nil
}

// Version returns version and world of the tools, such as "1.8.9 (nft)".
func (l Loader) Version() (string, error) {
	t, err := l.tool(ir.IPv4)
	if err != nil {
		return "", err
	}
	version, err := l.version(t)
	return version + " (" + string(l.variant(t)) + ")", err
}

var _ backends.Sibling = Loader{}

// Usual implements [backends.Sibling]: the world of the command iptables.
func (Loader) Usual() backends.Loader { return Loader{} }

// Elsewhere returns a Loader for the other world of iptables, if rules under names are there too:
// packets meet both. It is nil if there are none, or no tools that could tell.
func (l Loader) Elsewhere(names backends.Names) (backends.Loader, error) {
	here, err := l.tool(ir.IPv4)
	if err != nil {
		return nil, err
	}
	other := Loader{Variant: Legacy}
	if l.variant(here) == Legacy {
		other.Variant = NFTables
	}
	if _, err := other.tool(ir.IPv4); err != nil {
		return nil, nil
	}
	docs, err := other.Dump(names)
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	return other, nil
}

// notPermitted is an error of a process without privilege, in its own words.
type notPermitted string

func (e notPermitted) Error() string { return string(e) }

// Is is true for [fs.ErrPermission].
func (e notPermitted) Is(target error) bool { return target == fs.ErrPermission }
