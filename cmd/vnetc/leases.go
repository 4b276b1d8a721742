package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/inforce"
)

func newLeases(s streams) *cobra.Command {
	var f *hostFlags
	var format *choice
	cmd := &cobra.Command{
		Use:   "leases [NAME...]",
		Short: "list the addresses that DHCP has given to guests",
		Long: `leases prints the addresses that the dnsmasq of each running network has given
out and that have not expired: address, MAC, the guest's name, when the lease
ends, and the client identifier (IPv6: the DUID).

--format json is a list of objects: network, address, mac, host, expires (RFC
3339 in UTC, null if never) and client_id; mac, host and client_id are left out
if there is none.

Exit codes: 0 listed; 2 wrong usage, such as a network that is not up; 3 cannot
read.`,
		Example: "  vnetc leases lab\n  vnetc leases --format json | jq -r '.[] | select(.mac==\"52:54:00:00:00:07\").address'",
		RunE: func(_ *cobra.Command, names []string) error {
			return leases(s, f, format.value, names)
		},
	}
	f = addHostFlags(cmd)
	cmd.ValidArgsFunction = networksInForce(s, func() *hostFlags { return f })
	format = addChoice(cmd, "format", "output format", "text", "json")
	return cmd
}

// jsonLease is one lease in the JSON of leases.
type jsonLease struct {
	Network  string     `json:"network"`
	Address  string     `json:"address"`
	MAC      string     `json:"mac,omitempty"`
	Host     string     `json:"host,omitempty"`
	Expires  *time.Time `json:"expires"` // null if never
	ClientID string     `json:"client_id,omitempty"`
}

func leases(s streams, f *hostFlags, format string, names []string) error {
	var found []inforce.Lease
	var damaged error
	err := f.look(s, func(h *inforce.Host) error {
		if found, damaged = h.Leases(names); found == nil {
			return damaged
		}
		return nil
	})
	if err != nil {
		return err
	}
	all := []jsonLease{}
	for _, l := range found {
		if j, valid := leaseOf(l, time.Now()); valid {
			all = append(all, j)
		}
	}
	return orHost(errors.Join(printLeases(s, format, all), damaged))
}

// leaseOf returns the lease as it is printed; valid is false if it has expired at now.
func leaseOf(l inforce.Lease, now time.Time) (j jsonLease, valid bool) {
	j = jsonLease{Network: l.Network, Address: l.Addr.String(), MAC: l.MAC.String(), Host: l.Host, ClientID: l.ClientID}
	if l.Expires.IsZero() {
		return j, true
	}
	expires := l.Expires.UTC()
	j.Expires = &expires
	return j, expires.After(now)
}

func printLeases(s streams, format string, all []jsonLease) error {
	if format == "json" {
		return orHost(diag.WriteJSON(s.out, all))
	}
	tw := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NETWORK\tADDRESS\tMAC\tHOST\tEXPIRES\tCLIENT ID")
	for _, l := range all {
		expires := "never"
		if l.Expires != nil {
			expires = l.Expires.Format("2006-01-02 15:04:05Z")
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Network, l.Address, dash(l.MAC), dash(diag.Visible(l.Host)),
			expires, dash(l.ClientID))
	}
	return orHost(tw.Flush())
}
