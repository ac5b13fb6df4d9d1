package session

// windowWords is a power of two, so computing the index of a word needs no division.
const windowWords = 64

// WindowSize is how far a box's packet number may be below the highest one and still be recognized as new or
// repeated (PROTOCOL.md S5: at least 2,048). One word of the ring is partly ahead of it and does not count.
const WindowSize = (windowWords - 1) * 64

// A window is a replay window: it records which of the last packet numbers of one direction have arrived. It is the
// bitmap of RFC 6479, a ring of words in which the bits of a word are cleared when the highest number first enters
// it, so nothing is shifted. In the zero window only the number 0, which is never sent, has arrived. The session
// owns it, and marks a number only after its box was authenticated.
type window struct {
	highest uint64
	words   [windowWords]uint64 // bit c%64 of word (c/64)%windowWords: c has arrived
}

// fresh reports whether the packet number c is neither a repetition nor too old to know.
func (w *window) fresh(c uint64) bool {
	if c > w.highest {
		return true
	}
	if c == 0 || w.highest-c >= WindowSize {
		return false
	}
	return w.words[c/64%windowWords]&(1<<(c%64)) == 0
}

// mark records that c, which is fresh, has arrived.
func (w *window) mark(c uint64) {
	if c > w.highest {
		w.advance(c)
	}
	w.words[c/64%windowWords] |= 1 << (c % 64)
}

// advance makes c the highest packet number and clears the words that it enters.
func (w *window) advance(c uint64) {
	from, to := w.highest/64, c/64
	for i := uint64(1); i <= min(to-from, windowWords); i++ {
		w.words[(from+i)%windowWords] = 0
	}
	w.highest = c
}
