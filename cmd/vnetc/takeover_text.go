package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/netsetup/inforce"
)

// takeOverFlags say whether libvirt's rules go once ours stand.
type takeOverFlags struct {
	on   bool
	root string // of the file system in which libvirt is looked for
}

func addTakeOverFlags(cmd *cobra.Command, f *takeOverFlags) {
	cmd.Flags().BoolVar(&f.on, "take-over", false, "then remove the rules that libvirt made for these networks")
	cmd.Flags().StringVar(&f.root, "libvirt-root", "/", "where proc and run/libvirt are looked for")
	if err := cmd.Flags().MarkHidden("libvirt-root"); err != nil { // for tests
		panic(err)
	}
}

// asked returns what the engine is asked for, nil for nothing.
func (f takeOverFlags) asked() *inforce.TakeOver {
	if !f.on {
		return nil
	}
	return &inforce.TakeOver{Root: f.root}
}

// goes is true if something of libvirt's goes.
func goes(p inforce.Taken) bool { return p.Changed > 0 }

func printPlaces(w io.Writer, places []inforce.Taken, dryRun bool) error {
	did, gone := "taken away", "; no libvirt rules are left there"
	if dryRun {
		did, gone = "would go", "; no libvirt rules would be left there"
	}
	var b strings.Builder
	for _, p := range places {
		fmt.Fprintf(&b, "libvirt's rules in %s: %d %s, %d left", p.Place, len(p.Removed), did, len(p.Left))
		if p.Gone {
			b.WriteString(gone)
		}
		b.WriteByte('\n')
		for _, h := range p.Removed {
			fmt.Fprintf(&b, "- %s: %s\n", h.Chain, h.Rule)
		}
		for _, h := range p.Left {
			fmt.Fprintf(&b, "  %s: %s\n", h.Chain, h.Rule)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// The JSON of what became of libvirt's rules.
type (
	jsonPlace struct {
		Where   string     `json:"where"`
		Removed []jsonHeld `json:"removed"`
		Left    []jsonHeld `json:"left"`
		Gone    bool       `json:"gone"`
	}
	jsonHeld struct {
		Chain string `json:"chain"`
		Rule  string `json:"rule"`
	}
)

func jsonPlaces(places []inforce.Taken) []jsonPlace {
	out := []jsonPlace{}
	for _, p := range places {
		j := jsonPlace{Where: p.Place, Removed: []jsonHeld{}, Left: []jsonHeld{}, Gone: p.Gone}
		for _, h := range p.Removed {
			j.Removed = append(j.Removed, jsonHeld(h))
		}
		for _, h := range p.Left {
			j.Left = append(j.Left, jsonHeld(h))
		}
		out = append(out, j)
	}
	return out
}
