// Package parallel does one piece of work for each of many things, on all processors at once. It
// uses the standard library only, so that every other package may use it.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For calls f for 0 to n-1, on all processors at once, and returns when all are done. What f does
// for one number must not depend on the others; so the result is the same in whatever order they
// come.
func For(n int, f func(int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}
