package link

import (
	"fmt"
	"os"
	"strings"
)

// setSysctl sets a sysctl of the bridge, below net.ipv4.conf or net.ipv6.conf.
type setSysctl struct {
	bridge
	family string // ipv4 or ipv6
	key    string
	from   string // the value before; empty if the bridge is new, and its end is the way back
	to     string
}

func (s setSysctl) String() string {
	return fmt.Sprintf("set net.%s.conf.%s.%s to %s", s.family, s.name, s.key, s.to)
}

func (s setSysctl) Do() error {
	if _, err := s.index(); err != nil {
		return err
	}
	return os.WriteFile(s.file(), []byte(s.to), 0)
}

// Undo sets the value that was there before, unless it is another one by now than Do has set.
func (s setSysctl) Undo() error {
	if _, err := s.index(); err != nil || s.from == "" {
		return ignoreGone(err)
	}
	if now, err := os.ReadFile(s.file()); err != nil || strings.TrimSpace(string(now)) != s.to {
		return nil
	}
	return os.WriteFile(s.file(), []byte(s.from), 0)
}

// file is the sysctl in the network namespace of the calling thread. The bridge's name can't lead
// elsewhere: it is that of one of our devices.
func (s setSysctl) file() string {
	return "/proc/sys/net/" + s.family + "/conf/" + s.name + "/" + s.key
}
