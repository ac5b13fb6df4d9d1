package session

// firstWords and windowWords are powers of two, so computing the index of a word needs no division.
const (
	firstWords  = 4  // enough for most sessions, which serve one probe
	windowWords = 64 // as soon as the packet numbers need more
)

// WindowSize is how far a box's packet number may be below the highest one and still be recognized as new or
// repeated (PROTOCOL.md S5: at least 2,048). One word of the ring is partly ahead of it and does not count.
const WindowSize = (windowWords - 1) * 64

// A window is a replay window: it records which of the last packet numbers of one direction have arrived. It is the
// bitmap of RFC 6479, a ring of words in which the bits of a word are cleared when the highest number first enters
// it, so nothing is shifted. The ring has its full size only if the numbers do not fit into a smaller one. In the zero
// window only the number 0, which is never sent, has arrived. The session owns it, and marks a number only after its box
// was authenticated.
type window struct {
	highest uint64
	words   []uint64 // bit c%64 of word (c/64)%len: c has arrived; nil, or firstWords or windowWords long
}

// fresh reports whether the packet number c is neither a repetition nor too old to know.
func (w *window) fresh(c uint64) bool {
	if c > w.highest {
		return true
	}
	if c == 0 || w.highest-c >= WindowSize {
		return false
	}
	return *w.word(c)&(1<<(c%64)) == 0
}

// word returns the word of the ring that has the bit of c.
func (w *window) word(c uint64) *uint64 { return &w.words[c/64&uint64(len(w.words)-1)] }

// mark records that c, which is fresh, has arrived.
func (w *window) mark(c uint64) {
	if c > w.highest {
		w.advance(c)
	}
	*w.word(c) |= 1 << (c % 64)
}

// advance makes c the highest packet number and clears the words that it enters.
func (w *window) advance(c uint64) {
	from, to := w.highest/64, c/64
	if to >= uint64(len(w.words)) && len(w.words) < windowWords {
		w.grow(to)
	}
	for i := uint64(1); i <= min(to-from, uint64(len(w.words))); i++ {
		w.words[(from+i)&uint64(len(w.words)-1)] = 0
	}
	w.highest = c
}

// grow makes room for the word with the given index. Each word of a ring that may grow is at its own index, because no
// number has gone beyond the ring.
func (w *window) grow(index uint64) {
	words := make([]uint64, firstWords)
	if index >= firstWords {
		words = make([]uint64, windowWords)
	}
	copy(words, w.words)
	w.words = words
}
