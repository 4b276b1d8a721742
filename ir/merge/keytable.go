package merge

// keyID distinguishes keys of one shape: the numbers of its values, by slot, and of a negated one.
type keyID [slots + 1]uint32

// keyTable numbers keys in the order in which they come. It is a hash table with open addressing: a
// map of Go would do, and take several times the memory, whose first use is what a short process
// waits for.
type keyTable struct {
	ids   []keyID
	slots []int32 // one more than the place in ids; 0 is free
}

// newKeyTable makes room for about n keys.
func newKeyTable(n int) keyTable {
	size := 8
	for size < 2*n {
		size *= 2
	}
	return keyTable{ids: make([]keyID, 0, n), slots: make([]int32, size)}
}

// place returns the number of the key, which is given one if it is new.
func (t *keyTable) place(id keyID) (at int, there bool) {
	slot := t.slot(id)
	if n := t.slots[slot]; n != 0 {
		return int(n - 1), true
	}
	t.ids = append(t.ids, id)
	t.slots[slot] = int32(len(t.ids))
	if 2*len(t.ids) > len(t.slots) {
		t.slots = make([]int32, 2*len(t.slots))
		for i, id := range t.ids {
			t.slots[t.slot(id)] = int32(i + 1)
		}
	}
	return len(t.ids) - 1, false
}

// slot returns where the key is, or would be.
func (t *keyTable) slot(id keyID) int {
	h := uint64(0)
	for _, n := range id {
		h = (h ^ uint64(n)) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	mask := len(t.slots) - 1
	slot := int(h) & mask
	for t.slots[slot] != 0 && t.ids[t.slots[slot]-1] != id {
		slot = (slot + 1) & mask
	}
	return slot
}
