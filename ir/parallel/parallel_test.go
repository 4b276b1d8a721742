package parallel

import (
	"testing"
)

// Each number comes once, whether there are fewer of them than processors or more.
func TestOver(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1000} {
		met := make([]int, n)
		For(n, func(i int) { met[i]++ })
		for i, times := range met {
			if times != 1 {
				t.Errorf("%d of %d: met %d times, want once", i, n, times)
			}
		}
	}
}
