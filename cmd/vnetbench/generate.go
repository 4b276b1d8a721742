package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxNetworks is how many /24 subnets fit below 10.0.0.0/8.
const maxNetworks = 1 << 16

// kind is what networks are generated.
type kind bool

const (
	allNAT kind = false // IPv4 behind NAT, with DHCP
	mixed  kind = true  // of each mode in turn, with a subnet of each family
)

// generate writes n networks into dir, a file each, no two alike.
func generate(dir string, n int, of kind) error {
	if n < 1 || n > maxNetworks {
		return fmt.Errorf("%d networks: between 1 and %d are wanted", n, maxNetworks)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i := range n {
		forward, ip6 := "<forward mode='nat'/>", ""
		if of == mixed {
			forward = []string{forward, "<forward mode='nat'><nat ipv6='yes'/></forward>", "<forward mode='route'/>",
				""}[i%4]
			ip6 = fmt.Sprintf("\n  <ip family='ipv6' address='fd00:1:0:%x::1' prefix='64'/>", i)
		}
		xml := network(i, forward, ip6)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("net%05d.xml", i)), []byte(xml), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// network returns the XML of network number i.
func network(i int, forward, more string) string {
	return fmt.Sprintf(`<network>
  <name>net%[1]d</name>
  <uuid>5a1e0c3e-1f6b-4b5c-9d0e-%012[1]x</uuid>
  %[4]s
  <bridge name='vbr%[1]d' stp='on' delay='0'/>
  <mac address='52:54:00:%02[2]x:%02[3]x:01'/>
  <ip address='10.%[2]d.%[3]d.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.%[2]d.%[3]d.2' end='10.%[2]d.%[3]d.254'/>
    </dhcp>
  </ip>%[5]s
</network>
`, i, i/256, i%256, forward, more)
}
