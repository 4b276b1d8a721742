package nftables

import (
	"testing"

	"github.com/vnetc/vnetc/backends/backendtest"
)

func TestContract(t *testing.T) { backendtest.Run(t, Backend{}) }
