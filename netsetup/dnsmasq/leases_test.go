package dnsmasq

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// leaseFile has the lines that dnsmasq 2.90 writes.
const leaseFile = `1795219200 52:54:00:00:00:01 10.1.0.100 web 01:52:54:00:00:00:01
0 52:54:00:00:00:02 10.1.0.101 * *
1795219200 20-80:00:02:08:fe:80:00:01 10.1.0.102 ib ff:00:00:00:01
duid 00:01:00:01:2e:aa:bb:cc:52:54:00:aa:00:25
1795219200 12345 fd00:1::100 web6 00:01:00:01:2e:aa:bb:cc:52:54:00:00:00:01
1795219200 T1 fd00:1::101 * 00:03:00:01:52:54:00:00:00:02
1795219200 4294967295 fd00:1::102 * 00:02:00:00:ab:11:01:02
`

func TestLeases(t *testing.T) {
	got, err := parseLeases(strings.NewReader(leaseFile), "lab.leases")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	addr := netip.MustParseAddr
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{0x52, 0x54, 0, 0, 0, last} }
	want := []Lease{
		{Expires: at, Addr: addr("10.1.0.100"), MAC: mac(1), Host: "web", ClientID: "01:52:54:00:00:00:01"},
		{Addr: addr("10.1.0.101"), MAC: mac(2)},
		{Expires: at, Addr: addr("10.1.0.102"), MAC: net.HardwareAddr{0x80, 0, 2, 8, 0xfe, 0x80, 0, 1}, Host: "ib",
			ClientID: "ff:00:00:00:01"},
		{Expires: at, Addr: addr("fd00:1::100"), MAC: mac(1), Host: "web6",
			ClientID: "00:01:00:01:2e:aa:bb:cc:52:54:00:00:00:01", IAID: 12345},
		{Expires: at, Addr: addr("fd00:1::101"), MAC: mac(2), ClientID: "00:03:00:01:52:54:00:00:00:02", IAID: 1},
		{Expires: at, Addr: addr("fd00:1::102"), ClientID: "00:02:00:00:ab:11:01:02", IAID: 4294967295},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(0),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}
}

func TestLeasesDamaged(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"cut off", "1795219200 52:54:00:00:00:01 10.1.0", "5 words, this line 3"},
		{"too much", "0 52:54:00:00:00:01 10.1.0.100 web * more", "5 words, this line 6"},
		{"time", "soon 52:54:00:00:00:01 10.1.0.100 web *", `"soon"`},
		{"time below zero", "-1 52:54:00:00:00:01 10.1.0.100 web *", `"-1"`},
		{"MAC", "0 52:5g:00:00:00:01 10.1.0.100 web *", "MAC"},
		{"IAID", "0 52:54:00:00:00:01 fd00::1 web 00:01", "IAID"},
		{"address", "0 52:54:00:00:00:01 10.1.0.256 web *", "10.1.0.256"},
		{"name", "0 52:54:00:00:00:01 10.1.0.100 we\x1b[31mb *", "name of a host"},
		{"client id", "0 52:54:00:00:00:01 10.1.0.100 web 01:x", "client id"},
		{"zeros", "\x00\x00\x00\x00", "5 words, this line 1"},
		{"no end", strings.Repeat("x", 1<<17), "too long"},
	}
	good := "0 52:54:00:00:00:02 10.1.0.101 * *\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseLeases(strings.NewReader(good+tt.line+"\n"), "lab.leases")
			if err == nil || !strings.HasPrefix(err.Error(), "lab.leases:2: ") ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want lab.leases:2: and %q", err, tt.want)
			}
			if len(got) != 1 {
				t.Errorf("got %d leases, want the good one", len(got))
			}
		})
	}
}

func TestLeasesMissing(t *testing.T) {
	if got, err := ReadLeases(filepath.Join(t.TempDir(), "none")); err != nil || got != nil {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
}

// TestLeasesWhileWritten: a file that is just being written, emptied first as dnsmasq does, is
// never seen half.
func TestLeasesWhileWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.leases")
	if err := os.WriteFile(path, []byte(leaseFile), 0o600); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan bool), make(chan error)
	slowest := time.Duration(0) // that the writer took, who is suspended on a busy host; read when it has stopped
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(10 * time.Millisecond):
			}
			begun := time.Now()
			f, err := os.Create(path)
			if err != nil {
				stopped <- err
				return
			}
			for _, half := range []string{leaseFile[:150], leaseFile[150:]} {
				time.Sleep(time.Millisecond)
				if _, err := f.WriteString(half); err != nil {
					stopped <- err
					return
				}
			}
			f.Close()
			slowest = max(slowest, time.Since(begun))
		}
	}()
	wrong := ""
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		if got, err := ReadLeases(path); err != nil || len(got) != 6 {
			wrong = fmt.Sprintf("got %d leases, want 6; %v", len(got), err)
			break
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	const asLongAs = 40 * time.Millisecond // a file that is being written is believed to change
	if wrong != "" && slowest < asLongAs {
		t.Error(wrong)
	} else if wrong != "" {
		t.Logf("%s, when the writer took %v", wrong, slowest)
	}
}

func FuzzLeases(f *testing.F) {
	f.Add([]byte(leaseFile))
	f.Add([]byte("duid\n\n0 1- 0.0.0.0 * *\n0 T ::1%x * *"))
	f.Fuzz(func(t *testing.T, text []byte) {
		leases, _ := parseLeases(strings.NewReader(string(text)), "fuzz")
		for _, l := range leases {
			if !l.Addr.IsValid() || strings.ContainsAny(l.Host, "\n\x1b ") ||
				strings.ContainsAny(l.ClientID, "\n\x1b ") {
				t.Errorf("lease %+v", l)
			}
		}
	})
}
