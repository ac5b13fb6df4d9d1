package seen

import (
	"math/bits"
	"time"
)

// Bounds of a window (docs/PROTOCOL.md, "Seen").
const (
	windowLeast = 4       // initial words of 64 counters under pressure: 256 counters
	windowMin   = 32      // initial words otherwise: 2,048 counters
	windowTrust = 256     // maximum words before the origin has sent in order, except under pressure: 16,384 counters
	windowMax   = 1024    // maximum words: 65,536 counters
	thinnest    = 4       // a window grows if at least one in this many of its counters was seen
	overtaken   = 256     // blocks before the first counter whose messages may still arrive: 16,384 counters
	jump        = 1 << 32 // a counter further ahead is refused, so that no member can invalidate the window of another origin
)

// A window records the newest counters of one origin in a ring of 64-bit words. The ring doubles before it would forget
// an unseen counter whose message may still arrive: messages are late if their origin sends many and another node is
// slow or a link loses some. A counter further behind the newest than the ring reaches counts as seen, and doubles the
// ring too. A large ring, or one of many, doubles only for an origin that sends in order, so that a member cannot fill
// memory with a few messages of invented origins. Counters before the block of the first one are not part of the window
// (PROTOCOL.md D6).
type window struct {
	made   time.Time // when the first counter was seen
	used   time.Time // when the last counter was seen
	unsure bool      // ids of this origin may have been seen before it had a window
	begin  uint64    // block of the first counter
	top    uint64    // highest counter seen
	words  []uint64  // word i is the block b of 64 counters with b % len == i; nil before the first counter
}

// open creates the ring with size words for the first counter n.
func (w *window) open(n uint64, size int) {
	w.words = make([]uint64, size)
	w.top, w.begin = n, n/64
}

// bytes returns the memory of a window in bytes.
func (w *window) bytes() int { return windowBytes + 8*len(w.words) }

// precedes reports whether a counter is before the block of the first counter.
func (w *window) precedes(n uint64) bool { return w.words != nil && n/64 < w.begin }

// mayCome reports whether a counter before the first one may still arrive because the first one overtook it. After
// singleAge, it is unknown whether the counter was seen.
func (w *window) mayCome(now time.Time, n uint64) bool {
	return w.begin-n/64 <= overtaken && now.Sub(w.made) < singleAge
}

// firstOf reports whether counter n of w has not been seen, and records it.
func (s *Set) firstOf(w *window, n uint64) bool {
	block := n / 64
	switch newest := w.top / 64; {
	case w.tooFarAhead(n):
		return false
	case n > w.top:
		for w.forgetsMissing(block) && s.grow(w) {
		}
		s.outrun += w.advance(block)
		w.top = n
	case newest-block >= uint64(len(w.words)):
		s.grow(w)
		return false
	}
	word, bit := &w.words[block%uint64(len(w.words))], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

func (w *window) tooFarAhead(n uint64) bool { return n > w.top && n-w.top > jump }

// forgetsMissing reports whether an advance to block would forget an unseen counter whose message may still arrive.
func (w *window) forgetsMissing(block uint64) bool {
	size, newest := uint64(len(w.words)), w.top/64
	if block < size || block-newest > windowMax { // a larger ring would not help
		return false
	}
	for b := max(w.begin, newest-min(newest, size-1)); b <= min(newest, block-size); b++ {
		if w.words[b%size] != ^uint64(0) {
			return true
		}
	}
	return false
}

func (w *window) has(n uint64) bool {
	block, newest := n/64, w.top/64
	switch {
	case w.tooFarAhead(n):
		return true
	case n > w.top:
		return false
	case newest-block >= uint64(len(w.words)):
		return true
	}
	return w.words[block%uint64(len(w.words))]&(1<<(n%64)) != 0
}

// advance clears the words of the blocks after the newest, up to block. It returns the number of unseen counters that
// leave the window, not counting those from before the first counter.
func (w *window) advance(block uint64) (lost uint64) {
	size, newest := uint64(len(w.words)), w.top/64
	for b := newest + 1; b <= min(block, newest+size); b++ {
		if b > w.begin+size { // the block replaced by b came after the first one
			lost += uint64(64 - bits.OnesCount64(w.words[b%size]))
		}
		w.words[b%size] = 0
	}
	return lost
}

// count returns the number of seen counters in the ring.
func (w *window) count() (met uint64) {
	for _, word := range w.words {
		met += uint64(bits.OnesCount64(word))
	}
	return met
}

// grow doubles the ring of a window. It returns false if the ring must not grow. The blocks that the ring did not
// contain before count as seen.
func (s *Set) grow(w *window) bool {
	size := uint64(len(w.words))
	trusted := size < windowTrust && !s.pressed() || thinnest*w.count() >= 64*size
	if size >= windowMax || s.bytes+8*int(size) > s.windowsMax() || !trusted {
		return false
	}
	old, newest := w.words, w.top/64
	w.words = make([]uint64, 2*size)
	s.bytes += 8 * int(size)
	for i := range w.words {
		w.words[i] = ^uint64(0)
	}
	for i := uint64(0); i < size && i <= newest; i++ {
		b := newest - i
		w.words[b%(2*size)] = old[b%size]
	}
	return true
}
