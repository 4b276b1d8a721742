package host

import (
	"os"
	"path/filepath"
	"strings"
)

// StartLater returns the units of services that set rules of their own and start at boot, of the
// system whose file system is at root: docker.service, and ufw.service where ufw is switched on.
func StartLater(root string) (units []string) {
	found, _ := filepath.Glob(filepath.Join(root, "etc/systemd/system/*.wants/docker.service"))
	if len(found) > 0 {
		units = append(units, "docker.service")
	}
	conf, _ := os.ReadFile(filepath.Join(root, "etc/ufw/ufw.conf"))
	for line := range strings.Lines(string(conf)) {
		if strings.EqualFold(strings.TrimSpace(line), "ENABLED=yes") {
			return append(units, "ufw.service")
		}
	}
	return units
}
