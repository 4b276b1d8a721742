package inforce

import (
	"fmt"
	"os"
)

// A program opens the host, compiles what it wants together with the networks in force, and applies
// it. Compiler, kernel and links here are fakes in memory; a document is a line with name and mode.
func Example() {
	dir, err := os.MkdirTemp("", "inforce")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w := &world{links: make(map[string]bool), dir: dir}

	h, err := Open(dir, w.options(Choice{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	wanted, err := h.Want(given([]string{"lab nat", "dmz route"}), Change{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := h.Apply(wanted, ApplyOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range h.Networks() {
		fmt.Println(n.Name, "in", h.Backend())
	}
	// Output:
	// lab in first
	// dmz in first
}
