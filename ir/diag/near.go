package diag

// Near returns the one of known that word was probably meant to be: the first of those that the
// fewest changes of one character (put in, taken out, changed, or exchanged with its neighbour)
// turn it into. With more than a third of its characters wrong, ok is false.
func Near(word string, known []string) (near string, ok bool) {
	best := len([]rune(word))/3 + 1
	for _, k := range known {
		if d := distance([]rune(word), []rune(k)); d < best {
			near, best, ok = k, d, true
		}
	}
	return near, ok
}

// distance is the number of changes of one character between a and b (optimal string alignment).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i, ca := range a {
		row[0] = i + 1
		for j, cb := range b {
			cost := 1
			if ca == cb {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && ca == b[j-1] && a[i-1] == cb {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
