package iptables_test

import (
	"testing"

	"github.com/vnetc/vnetc/backends/backendtest"
	"github.com/vnetc/vnetc/backends/iptables"
)

func TestContract(t *testing.T) { backendtest.Run(t, iptables.Backend{}) }
