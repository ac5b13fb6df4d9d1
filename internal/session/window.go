package session

// windowWords is a power of two, so that a word's place needs no division.
const windowWords = 64

// WindowSize is how far behind the highest counter a box may come and still be told from a replay
// (PROTOCOL.md 4: at least 2,048). One word of the ring is partly ahead of it and does not count.
const WindowSize = (windowWords - 1) * 64

// A window remembers which of the last counters of one direction have come. It is the bitmap of RFC
// 6479: a ring of words in which the bits of a word are cleared when the highest counter first
// enters it, so nothing is ever shifted. The zero window has seen nothing but the counter 0, which
// is never sent. Owned by its session, which marks a counter only after its box was authenticated.
type window struct {
	highest uint64
	words   [windowWords]uint64 // bit c%64 of word (c/64)%windowWords: c has come
}

// fresh reports whether counter c is neither a repetition nor too old to tell.
func (w *window) fresh(c uint64) bool {
	if c > w.highest {
		return true
	}
	if c == 0 || w.highest-c >= WindowSize {
		return false
	}
	return w.words[c/64%windowWords]&(1<<(c%64)) == 0
}

// mark notes that c, which is fresh, has come.
func (w *window) mark(c uint64) {
	if c > w.highest {
		w.advance(c)
	}
	w.words[c/64%windowWords] |= 1 << (c % 64)
}

// advance makes c the highest counter and clears the words that it enters.
func (w *window) advance(c uint64) {
	from, to := w.highest/64, c/64
	for i := uint64(1); i <= min(to-from, windowWords); i++ {
		w.words[(from+i)%windowWords] = 0
	}
	w.highest = c
}
