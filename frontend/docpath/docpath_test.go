package docpath

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/frontend/xmldoc"
)

// folder is a new directory with these files, whose text is their name, and the working directory.
func folder(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		paths []string
		want  []string // names, in order
		usage string   // what is wrong with the paths
	}{
		{name: "in the order given", files: []string{"a.xml", "b.xml"}, paths: []string{"b.xml", "-", "a.xml"},
			want: []string{"b.xml", Stdin, "a.xml"}},
		{name: "a directory", files: []string{"d/b.xml", "d/a.xml", "d/c.txt", "d/.a.xml", "d/e.xml/f.xml", "d/z"},
			paths: []string{"d"}, want: []string{"d/a.xml", "d/b.xml"}},
		{name: "policies of a directory", files: []string{"d/b.xml", "d/c.policy", "d/a.policy", "d/.b.policy", "d/policy"},
			paths: []string{"d"}, want: []string{"d/a.policy", "d/b.xml", "d/c.policy"}},
		{name: "nothing but policies", files: []string{"d/a.policy"}, paths: []string{"d"}, want: []string{"d/a.policy"}},
		{name: "a file alone", files: []string{"d/a.xml", "d/a.policy", "d/b.policy"}, paths: []string{"d/b.policy", "d/a.xml"},
			want: []string{"d/b.policy", "d/a.xml"}},
		{name: "any name but in a directory", files: []string{"net"}, paths: []string{"net"}, want: []string{"net"}},
		{name: "built in", paths: []string{"default"}, want: []string{Default}},
		{name: "a file of that name", files: []string{"default"}, paths: []string{"default"},
			want: []string{"default"}},
		{name: "a directory of that name", files: []string{"default/a.xml"}, paths: []string{"default"},
			want: []string{"default/a.xml"}},
		{name: "stdin twice", paths: []string{"-", "-"}, usage: "- is given twice"},
		{name: "default twice", paths: []string{"default", "default"}, usage: "default is given twice"},
		{name: "a file twice", files: []string{"a/a.xml"}, paths: []string{"a/a.xml", "a"},
			usage: "a/a.xml is given twice"},
		{name: "nothing in it", files: []string{"d/a.txt"}, paths: []string{"d"}, usage: "d: no *.xml and no *.policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder(t, tt.files...)
			src, err := Read(strings.NewReader("<stdin>"), tt.paths)
			if tt.usage != "" {
				if usage, ok := errors.AsType[UsageError](err); !ok || !strings.Contains(usage.Error(), tt.usage) {
					t.Fatalf("got %v, want a usage error with %q", err, tt.usage)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, src.Names()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, name := range src.Names() {
				if text := string(src.Text(name)); text != name && text != defaultXML {
					t.Errorf("%s: got %q", name, text)
				}
			}
		})
	}
}

// What is not there or can't be read is no lesson in usage: the error names it.
func TestReadUnreadable(t *testing.T) {
	folder(t, "networks/lab.xml", "d/a.xml")
	for name, target := range map[string]string{"loop": "loop", "nowhere": "gone", "d/dangling.xml": "gone"} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"loop": "loop", "nowhere": "a link to nowhere", "gone.xml": "gone.xml: there is no such file",
		"lab.policy": "lab.policy: there is no such file or directory",
		"x/y":        "x/y: there is no such file",
		"web":        "web: there is no such file or directory, and no network networks/web.xml", "d": "d/dangling.xml",
		"../lab": "../lab: there is no such file or directory", ".lab": ".lab: there is no such file or directory",
	} {
		_, err := read(nil, []string{path}, "networks")
		if _, usage := errors.AsType[UsageError](err); err == nil || usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error of the host with %q", path, err, want)
		}
	}
}

// Policies that are named as such come behind the sources that there are, once each.
func TestReadPolicies(t *testing.T) {
	folder(t, "a.xml", "p.txt", "q.policy")
	src, err := Read(nil, []string{"a.xml"})
	if err != nil {
		t.Fatal(err)
	}
	names, err := ReadPolicies(src, []string{"q.policy", "p.txt"})
	if err != nil || !slices.Equal(names, []string{"q.policy", "p.txt"}) || string(src.Text("p.txt")) != "p.txt" {
		t.Errorf("%q %v", names, err)
	}
	_, err = ReadPolicies(src, []string{"p.txt"})
	if _, usage := errors.AsType[UsageError](err); !usage {
		t.Errorf("twice: %v", err)
	}
	_, err = ReadPolicies(src, []string{"gone.policy"})
	if _, usage := errors.AsType[UsageError](err); err == nil || usage {
		t.Errorf("no such file: %v", err)
	}
}

// A word that is no file is the name of a network of the host; a file of that name comes first.
func TestReadByName(t *testing.T) {
	folder(t, "networks/lab.xml", "networks/web.xml", "web", "networks/default.xml")
	src, err := read(nil, []string{"lab", "web", "default"}, "networks")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"networks/lab.xml", "web", Default}, src.Names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := string(src.Text("networks/lab.xml")); got != "networks/lab.xml" {
		t.Errorf("got %q", got)
	}
}

// What a terminal would obey in the name of a file is in no name of a source, and the file is read
// all the same.
func TestReadVisibleNames(t *testing.T) {
	odd := "d/a\u202eb\x1b[31m.xml"
	folder(t, odd)
	const want = `d/a\u202eb\x1b[31m.xml`
	for _, path := range []string{"d", odd} {
		src, err := Read(nil, []string{path})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, src.Names()); diff != "" || string(src.Text(want)) != odd {
			t.Errorf("(-want +got):\n%s%q", diff, src.Text(want))
		}
	}
}

// What is longer than a document may be is read one byte past that, however long it is.
func TestReadLimit(t *testing.T) {
	src, err := Read(endless{}, []string{"-"})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(src.Text(Stdin)); got != xmldoc.MaxSize+1 {
		t.Errorf("%d bytes, want %d", got, xmldoc.MaxSize+1)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
