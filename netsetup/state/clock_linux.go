package state

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Since returns which boot this is, and how long ago it was. That clock (CLOCK_BOOTTIME) goes on
// while the host sleeps, and can't be set.
func Since() (boot string, ago time.Duration, err error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, fmt.Errorf("name of this boot: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return "", 0, fmt.Errorf("clock of this boot: %w", err)
	}
	return strings.TrimSpace(string(id)), time.Duration(ts.Nano()), nil
}

// Namespace returns the name that the kernel has for the network namespace of the calling thread,
// such as "net:[4026531840]".
func Namespace() (string, error) {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "", fmt.Errorf("name of this network namespace: %w", err)
	}
	return name, nil
}
