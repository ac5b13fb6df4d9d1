package members

import (
	"cmp"
	"slices"
)

// This file contains what two nodes need to compare their tables.

// BucketHashes returns, for n of 2^bits buckets beginning with first, the hash of their live members under a salt.
func (t *Table) BucketHashes(salt uint64, bits uint8, first, n uint32) []uint64 {
	sums := make([]sum, n)
	x := &t.buckets
	if t.base == nil && bits <= x.bits {
		for i := range n {
			for b := (first + i) << (x.bits - bits); b < (first+i+1)<<(x.bits-bits); b++ {
				sums[i].add(&x.sums[b])
			}
		}
	} else {
		for m := range t.around(bits, first, first+n) {
			if b := Bucket(m.ID, bits); b >= first && b < first+n {
				n := number(&m.digest)
				sums[b-first].add(&n)
			}
		}
	}
	hashes := make([]uint64, n)
	for i := range sums {
		hashes[i] = sums[i].hash(salt)
	}
	return hashes
}

// InBuckets yields the live members of some of 2^bits buckets. which is sorted and has no duplicates.
func (t *Table) InBuckets(bits uint8, which []uint32) func(yield func(*Entry) bool) {
	return func(yield func(*Entry) bool) {
		for len(which) > 0 {
			group := which[:t.together(bits, which)]
			which = which[len(group):]
			for m := range t.around(bits, group[0], group[len(group)-1]+1) {
				if _, ok := slices.BinarySearch(group, Bucket(m.ID, bits)); ok && !yield(m) {
					return
				}
			}
		}
	}
}

// FirstInBuckets returns the wanted live members of some of 2^bits buckets, which consist of sorted runs without
// duplicates. It stops when it has found most members, except those of a shared base, which has no order of buckets.
func (t *Table) FirstInBuckets(bits uint8, which []uint32, most int, wanted func(*Entry) bool) (list []*Entry) {
	for m := range t.InBuckets(bits, which) {
		if !wanted(m) {
			continue
		}
		if list = append(list, m); len(list) == most && t.base == nil {
			break
		}
	}
	return list
}

// Sort sorts live members that InBuckets yielded into the order of Each.
func (t *Table) Sort(list []*Entry) {
	if t.base == nil { // otherwise they are sorted already
		slices.SortFunc(list, func(a, b *Entry) int { return cmp.Compare(a.place, b.place) })
	}
}

// together returns how many of the first buckets are searched together. These are in one bucket of the index, so that
// no member is visited twice.
func (t *Table) together(bits uint8, which []uint32) int {
	switch {
	case t.base != nil:
		return len(which)
	case bits <= t.buckets.bits:
		return 1
	}
	wider := bits - t.buckets.bits
	n := slices.IndexFunc(which, func(b uint32) bool { return b>>wider != which[0]>>wider })
	if n < 0 {
		return len(which)
	}
	return n
}

// around yields the live members of the buckets [from, until) of 2^bits. It may yield other members too.
func (t *Table) around(bits uint8, from, until uint32) func(yield func(*Entry) bool) {
	if t.base != nil {
		return t.Each
	}
	return t.buckets.around(t.live, bits, from, until)
}
