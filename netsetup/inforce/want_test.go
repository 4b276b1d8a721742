package inforce

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/ir/diag"
	"github.com/vnetc/vnetc/netsetup/state"
)

// A place in a document is told by the name of the file that was given for it. What is in force of
// a file that holds another network by now, or that was given another name, doesn't take that name.
func TestWantLabels(t *testing.T) {
	known := []state.Network{{Name: "old", File: "lab.xml", XML: "old none"},
		{Name: "web", File: "web.xml", XML: "web none"}}
	for _, tt := range []struct {
		name  string
		given map[string]string
		want  map[string]string // text by label
	}{
		{"another network", map[string]string{"db.xml": "db none"},
			map[string]string{"lab.xml": "old none", "web.xml": "web none", "db.xml": "db none"}},
		{"a renamed network", map[string]string{"lab.xml": "new none"},
			map[string]string{"lab.xml (old, as applied)": "old none", "web.xml": "web none", "lab.xml": "new none"}},
		{"a renamed file", map[string]string{"labor.xml": "old route"},
			map[string]string{"labor.xml": "old route", "web.xml": "web none"}},
		{"files that changed places", map[string]string{"web.xml": "old nat"},
			map[string]string{"web.xml": "old nat", "web.xml (web, as applied)": "web none"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &diag.Sources{}
			for name, text := range tt.given {
				src.Add(name, []byte(text))
				src.Hide(name)
			}
			w := want(lines{}, src, known, nil, ParseOptions{}, false)
			got := map[string]string{}
			for _, name := range w.Sources.Names() {
				got[name] = string(w.Sources.Text(name))
				if _, given := tt.given[name]; w.Sources.Hidden(name) != given {
					t.Errorf("%s: hidden is %t", name, !given)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
