package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Account is whom dnsmasq runs as, from its first instruction on; zero if it remains who started
// it.
type Account struct {
	User, Group string
	uid, gid    uint32
}

// accounts lists whom dnsmasq may become, the best first: distributions make the first, and all
// have the second.
func accounts() []string { return []string{"dnsmasq", "nobody"} }

// FindAccount returns whom a dnsmasq runs as whose files are in or below dir. In a user namespace
// that has no such user the account is zero and the warning says why: root has no privilege
// outside. Elsewhere dnsmasq never runs as root, and that no unprivileged user will do is an error.
func FindAccount(dir string) (a Account, warning string, err error) {
	var why []string
	confined := os.Geteuid() != 0
	for _, name := range accounts() {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			why = append(why, fmt.Sprintf("user %s: group %s has no name", name, u.Gid))
			continue
		}
		if err := usable(u); err != nil {
			why = append(why, fmt.Sprintf("user %s: %v", name, err))
			confined = true
			continue
		}
		if closed := closedTo(dir); closed != "" {
			why = append(why, fmt.Sprintf("user %s may not enter %s", name, closed))
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr != nil || gerr != nil || uid == 0 {
			why = append(why, fmt.Sprintf("user %s has the ids %s and %s", name, u.Uid, u.Gid))
			continue
		}
		return Account{User: name, Group: g.Name, uid: uint32(uid), gid: uint32(gid)}, "", nil
	}
	if len(why) == 0 {
		why = []string{"this host has no user " + strings.Join(accounts(), " or ")}
	}
	if !confined {
		return Account{}, "", fmt.Errorf("dnsmasq never runs as root, and there is no other user for it: %s",
			strings.Join(why, "; "))
	}
	return Account{}, "dnsmasq keeps the rights of the user who starts it: " + strings.Join(why, "; "), nil
}

// usable returns what keeps a process from becoming u: being in a user namespace that doesn't have
// that user or group (user_namespaces(7)).
func usable(u *user.User) error {
	setgroups, err := os.ReadFile("/proc/self/setgroups")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.TrimSpace(string(setgroups)) == "deny" {
		return errors.New("this user namespace does not let processes change their groups")
	}
	for _, id := range []struct{ file, id string }{{"/proc/self/uid_map", u.Uid}, {"/proc/self/gid_map", u.Gid}} {
		text, err := os.ReadFile(id.file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && !mapped(string(text), id.id) {
			return fmt.Errorf("this user namespace has no id %s in %s", id.id, id.file)
		}
	}
	return nil
}

// mapped is true if an id lies in one of the lines of a uid_map or gid_map: first id inside, first
// id outside, how many.
func mapped(idMap, id string) bool {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return false
	}
	for line := range strings.Lines(idMap) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err == nil && inside <= n && n-inside < count {
			return true
		}
	}
	return false
}

// closedTo returns the first folder on the way to dir that not everybody may enter, or nothing.
// Folders that are missing will be made open.
func closedTo(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && info.Mode()&0o001 == 0 {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// accountIDs returns the ids of those users that there are.
func accountIDs() []int {
	var ids []int
	for _, name := range accounts() {
		if u, err := user.Lookup(name); err == nil {
			if id, err := strconv.Atoi(u.Uid); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
