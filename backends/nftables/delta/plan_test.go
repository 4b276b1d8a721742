package delta

import (
	"slices"
	"testing"
)

func TestRising(t *testing.T) {
	for _, tt := range []struct{ list, want []int }{
		{nil, []int{}},
		{[]int{0, 1, 2}, []int{0, 1, 2}},
		{[]int{2, 0, 1}, []int{-1, 0, 1}},
		{[]int{-1, 3, -1, 4, 0, 5}, []int{-1, 3, -1, 4, -1, 5}},
		{[]int{1, 0}, []int{-1, 0}},
	} {
		if got := longestIncreasing(tt.list); !slices.Equal(got, tt.want) {
			t.Errorf("longestIncreasing(%v) = %v, want %v", tt.list, got, tt.want)
		}
	}
}
