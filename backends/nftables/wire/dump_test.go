package wire

import "testing"

// TestCollectDamaged: what can't come from a kernel is no reason to panic.
func TestCollectDamaged(t *testing.T) {
	for _, damaged := range [][]byte{{1}, make([]byte, 16), append([]byte{255, 0, 0, 0}, make([]byte, 20)...)} {
		collect(nil, damaged, true) // must not panic
	}
}
