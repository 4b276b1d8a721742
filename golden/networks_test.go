package golden

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vnetc/vnetc/frontend/docpath"
)

// The network default of the examples is the one that is built in.
func TestDefaultNetwork(t *testing.T) {
	example, err := os.ReadFile("networks/default.xml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(example), string(docpath.DefaultNetwork())); diff != "" {
		t.Errorf("networks/default.xml and frontend/docpath/default.xml differ; copy one over the other (-example +built in):\n%s", diff)
	}
}
