package conntrack

import (
	"testing"

	"github.com/vnetc/vnetc/backends/netnstest"
)

func TestMain(m *testing.M) { netnstest.Main(m) }
