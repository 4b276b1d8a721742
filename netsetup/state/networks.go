package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/vnetc/vnetc/ir/parallel"
)

// Network is the state file of one network in force.
type Network struct {
	Name    string `json:"name"`
	File    string `json:"file"`    // the XML file, as the user named it
	XML     string `json:"xml"`     // its text when it was applied
	Backend string `json:"backend"` // nftables or iptables
	Layout  string `json:"layout"`
	Names   string `json:"names"`
	Leaving string `json:"leaving,omitempty"` // names that its rules may have, too, while they are moved from there
	Strict  bool   `json:"strict_isolation"`
	Bridge  string `json:"bridge,omitempty"` // as it was given or chosen; it stays
	MAC     string `json:"mac,omitempty"`    // of the bridge, if it was brought up
	// Policies names the policy files in force when it was applied, with a / between them.
	Policies string `json:"policies,omitempty"`
	Up       bool   `json:"up"` // true if its bridge, addresses and services are vnetc's too
	// place among the networks: rules of later ones stand above those of earlier ones
	Order   int       `json:"order"`
	Applied time.Time `json:"applied"`
}

// networkFile is what stands in the file.
type networkFile struct {
	Network
	bootID
}

// Unused is a state file that Networks leaves out.
type Unused struct {
	Path string
	Why  string // the rest of a sentence that begins with the path
	// Stale is true if the file is whole and about another boot: the kernel has forgotten those
	// rules, unless a container was started again in the same namespace. Other reasons mean that
	// what the file said is not known.
	Stale bool
	// Give says what has to be applied again, "network" if empty.
	Give string
	// Bridge is the bridge of a network whose file is stale or about another network namespace;
	// empty if it is not known.
	Bridge string
}

func (f folder) networksDir() string { return filepath.Join(f.path, "networks") }

// networkPath returns the path of a network's state file. Names come from checked XML; one that
// could lead elsewhere is refused all the same.
func (f folder) networkPath(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("network %q: this can't be the name of a file", name)
	}
	return filepath.Join(f.networksDir(), name+".json"), nil
}

// NetworkPath returns where the state file of the network called name is.
func (f folder) NetworkPath(name string) string { return filepath.Join(f.networksDir(), name+".json") }

// Save writes the state file of n: it is whole or as before.
func (d *Dir) Save(n Network) error {
	path, err := d.networkPath(n.Name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.networksDir(), 0o755); err != nil {
		return fmt.Errorf("state of %s: %w", n.Name, err)
	}
	if err := trustFolder(d.networksDir()); err != nil {
		return fmt.Errorf("state of %s: %w", n.Name, err)
	}
	if err := d.save(path, networkFile{n, d.boot}); err != nil {
		return fmt.Errorf("state of %s: %w", n.Name, err)
	}
	return nil
}

// Remove deletes the state file of the network called name; that there is none is no error.
func (d *Dir) Remove(name string) error {
	path, err := d.networkPath(name)
	if err != nil {
		return err
	}
	if err := d.remove(path); err != nil {
		return fmt.Errorf("state of %s: %w", name, err)
	}
	return nil
}

// Forget removes a state file that is not used.
func (d *Dir) Forget(u Unused) error { return d.remove(u.Path) }

// Networks returns the networks in force in this boot and network namespace, in their order. Other
// state files are returned as unused, for the caller to report; each is replaced when its network
// is applied again.
func (f folder) Networks() (networks []Network, unused []Unused, err error) {
	if err := trustFolder(f.networksDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("state folder: %w", err)
	}
	entries, err := os.ReadDir(f.networksDir())
	if err != nil {
		return nil, nil, fmt.Errorf("state folder: %w", err) // one that can't be listed is not empty
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			paths = append(paths, filepath.Join(f.networksDir(), e.Name()))
		}
	}
	files, errs := make([]networkFile, len(paths)), make([]error, len(paths))
	parallel.For(len(paths), func(i int) { files[i], errs[i] = readNetwork(paths[i]) })
	for i, path := range paths {
		var untrusted *UntrustedError
		switch n := &files[i]; {
		case errors.Is(errs[i], fs.ErrNotExist):
			continue // removed since it was listed
		case errors.As(errs[i], &untrusted):
			unused = append(unused, Unused{Path: path, Why: "is not used: " + untrusted.Why})
		case errs[i] != nil:
			return nil, nil, errs[i]
		case n.Name == "":
			unused = append(unused, Unused{Path: path, Why: "is damaged"})
		case !n.sameBoot(f.boot):
			unused = append(unused, Unused{Path: path, Why: "is from before the last boot", Stale: true,
				Bridge: n.Bridge})
		case !n.sameNetNS(f.boot):
			unused = append(unused, Unused{Path: path, Bridge: n.Bridge,
				Why: "is about another network namespace, which should have a --state-dir of its own"})
		default:
			networks = append(networks, n.Network)
		}
	}
	sort.SliceStable(networks, func(i, j int) bool { return networks[i].Order < networks[j].Order })
	return networks, unused, nil
}

// readNetwork returns what is in the file, nothing if it is damaged.
func readNetwork(path string) (n networkFile, err error) {
	text, err := readTrusted(path, maxNetwork)
	if err == nil && (json.Unmarshal(text, &n) != nil || n.Name+".json" != filepath.Base(path)) {
		n = networkFile{}
	}
	return n, err
}
