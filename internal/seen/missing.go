package seen

import "github.com/gwyh-go/gwyh/internal/wire"

// Missing calls yield for the ranges of an origin's counters in [from, to], both included, whose messages have not been
// seen, highest range first, until yield returns false. Counters that have left the window count as seen, as do those
// too far ahead to be accepted.
func (s *Set) Missing(origin, from, to uint64, yield func(from, to uint64) bool) {
	w := s.origins[origin]
	end, open := uint64(0), false // the last counter of the current range
	for n, left := to, to-from+1; left > 0 && from <= to; n, left = n-1, left-1 {
		if low := max(from, n&^63); !open && w.hasAll(low, n) {
			n, left = low, left-(n-low)
			continue
		}
		id := wire.BroadcastID(origin, n)
		switch met := s.has(w, &id); {
		case met && open:
			open = false
			if !yield(n+1, end) {
				return
			}
		case !met && !open:
			open, end = true, n
		}
	}
	if open {
		yield(from, end)
	}
}

// hasAll reports whether all counters in [from, to], which are in one block of the ring, have been seen. It returns false for
// other blocks.
func (w *window) hasAll(from, to uint64) bool {
	if w == nil || w.words == nil {
		return false
	}
	block := to / 64
	inRing := block >= w.begin && block <= w.top/64 && w.top/64-block < uint64(len(w.words))
	all := ^uint64(0) >> (63 - to%64) &^ (1<<(from%64) - 1)
	return inRing && w.words[block%uint64(len(w.words))]&all == all
}
