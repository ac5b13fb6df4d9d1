package seen

import (
	"math/bits"
	"time"
)

// Bounds of a window (docs/PROTOCOL.md, "Seen").
const (
	windowMin = 32      // words of 64 counters that a window starts with: 2,048 counters
	windowOwn = 256     // words that every window may grow to: 16,384 counters
	windowMax = 1024    // words that a window may grow to while there is room: 65,536 counters
	room      = 1 << 19 // words of all windows together beyond windowOwn each: 4 MiB
	overtaken = 3 * time.Second
	jump      = 1 << 32 // a counter further ahead is refused, so that no member can end the window of another origin
)

// A window remembers the newest counters of one origin in a ring of 64-bit words. The ring doubles before it would
// forget a counter that was not met and may still come: messages come late if their origin sends many and another
// node is slow, or a link loses some. A counter further behind the newest than the ring spans counts as met, and
// doubles the ring too. For the time overtaken after the first counter, earlier counters may come that it overtook.
type window struct {
	made  time.Time // when the first counter was met
	used  time.Time // when the last counter was met
	begin uint64    // block of the first counter; counters missing before it were sent before our time, or overtaken
	top   uint64    // highest counter met
	words []uint64  // word i holds the block b of 64 counters for which b % len == i; nil before the first counter
}

// firstOf reports whether the counter n of w was not met before, and remembers it.
func (s *Set) firstOf(w *window, n uint64) bool {
	block := n / 64
	switch newest := w.top / 64; {
	case w.words == nil:
		size := uint64(windowMin)
		for block < windowOwn && size <= block { // the origin is young: everything it has sent may still come
			size *= 2
		}
		w.words = make([]uint64, size)
		w.top, w.begin = n, block
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

// forgetsMissing reports whether an advance to block would forget a counter that was not met and may still come.
func (w *window) forgetsMissing(block uint64) bool {
	size, newest := uint64(len(w.words)), w.top/64
	if block < size || block-newest > windowMax { // a larger ring would not help
		return false
	}
	begin := w.begin
	if w.used.Sub(w.made) < overtaken {
		begin -= min(begin, windowOwn-1)
	}
	for b := max(begin, newest-min(newest, size-1)); b <= min(newest, block-size); b++ {
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

// advance clears the words of the blocks after the newest, up to block. It returns how many counters leave the window
// that were not met, of those that the origin sent in our time.
func (w *window) advance(block uint64) (lost uint64) {
	size, newest := uint64(len(w.words)), w.top/64
	for b := newest + 1; b <= min(block, newest+size); b++ {
		if b > w.begin+size { // the block that b replaces came after the first one
			lost += uint64(64 - bits.OnesCount64(w.words[b%size]))
		}
		w.words[b%size] = 0
	}
	return lost
}

// wide returns how many words a window has beyond windowOwn.
func (w *window) wide() int { return max(0, len(w.words)-windowOwn) }

// grow doubles the ring of a window, and returns false if the ring may not grow. The blocks that the ring did not hold
// before count as met.
func (s *Set) grow(w *window) bool {
	size := uint64(len(w.words))
	noRoom := size >= windowOwn && s.wide+int(size) > room
	if size >= windowMax || noRoom {
		return false
	}
	old, newest := w.words, w.top/64
	s.wide -= w.wide()
	w.words = make([]uint64, 2*size)
	s.wide += w.wide()
	for i := range w.words {
		w.words[i] = ^uint64(0)
	}
	for i := uint64(0); i < size && i <= newest; i++ {
		b := newest - i
		w.words[b%(2*size)] = old[b%size]
	}
	return true
}
