package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxNetworks is how many /24 subnets fit below 10.0.0.0/8.
const maxNetworks = 1 << 16

// generate writes n NAT networks with DHCP into dir, a file each, no two alike.
func generate(dir string, n int) error {
	if n < 1 || n > maxNetworks {
		return fmt.Errorf("%d networks: between 1 and %d are wanted", n, maxNetworks)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i := range n {
		subnet := fmt.Sprintf("10.%d.%d", i/256, i%256)
		xml := fmt.Sprintf(`<network>
  <name>net%[1]d</name>
  <uuid>5a1e0c3e-1f6b-4b5c-9d0e-%012[1]x</uuid>
  <forward mode='nat'/>
  <bridge name='vbr%[1]d' stp='on' delay='0'/>
  <mac address='52:54:00:%02[2]x:%02[3]x:01'/>
  <ip address='%[4]s.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='%[4]s.2' end='%[4]s.254'/>
    </dhcp>
  </ip>
</network>
`, i, i/256, i%256, subnet)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("net%05d.xml", i)), []byte(xml), 0o666); err != nil {
			return err
		}
	}
	return nil
}
