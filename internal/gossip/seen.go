package gossip

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what is remembered of messages (docs/PROTOCOL.md, "Seen").
const (
	seenWindowMin  = 32      // words of 64 ids that a window starts with: 2,048 ids
	seenWindowOwn  = 256     // words that each may grow to: 16,384 ids
	seenWindowMax  = 1024    // words that one may grow to while there is room: 65,536 ids
	seenRoom       = 1 << 19 // words of all windows beyond what is their own: 4 MiB
	seenOriginsMax = 1 << 16 // origins remembered at once
	seenForeignMax = 1 << 15 // ids of gwyh 0.1 nodes, per generation
	seenForeignAge = 2 * time.Minute
	seenOriginAge  = 10 * time.Minute
	seenOvertaken  = 3 * time.Second // after the first id of an origin, others before it may come that it overtook
	seenJump       = 1 << 32         // no origin is so far ahead of itself: nobody shall end another's window
)

// seen tells the first copy of a message from the others. Ids of Go nodes are an origin tag and a
// counter, so a window per origin suffices; ids of gwyh 0.1 nodes are random and are kept in two
// generations of bounded count and age.
type seen struct {
	origins map[uint64]*seenWindow
	wide    int    // words of the windows beyond seenWindowOwn
	outrun  uint64 // counters that left a window and had not come
	swept   time.Time
	now     map[wire.MessageID]struct{} // the current generation of foreign ids
	before  map[wire.MessageID]struct{}
	turned  time.Time // when the current generation began
}

// first reports whether id was not met before, and remembers it. A counter that has fallen out of
// its window counts as met: nobody can tell, and a message is never delivered twice.
func (s *seen) first(now time.Time, id *wire.MessageID) bool {
	if !id.HasOrigin() {
		return s.firstForeign(now, id)
	}
	tag := binary.BigEndian.Uint64(id[:8])
	w := s.origins[tag]
	if w == nil {
		w = s.addOrigin(now, tag)
	}
	w.used = now
	return s.firstOf(w, binary.BigEndian.Uint64(id[8:]))
}

// has reports whether id was met before, without remembering it.
func (s *seen) has(id *wire.MessageID) bool {
	if !id.HasOrigin() {
		_, now := s.now[*id]
		_, before := s.before[*id]
		return now || before
	}
	w := s.origins[binary.BigEndian.Uint64(id[:8])]
	return w != nil && w.has(binary.BigEndian.Uint64(id[8:]))
}

func (s *seen) addOrigin(now time.Time, tag uint64) *seenWindow {
	if s.origins == nil {
		s.origins = make(map[uint64]*seenWindow)
	}
	if len(s.origins) >= seenOriginsMax || now.Sub(s.swept) > seenOriginAge {
		s.sweep(now)
	}
	w := &seenWindow{made: now}
	s.origins[tag] = w
	return w
}

// sweep forgets origins that were silent for long, and when that does not make room, all: a flood
// of invented tags by a member costs memory for a moment, and duplicates after it.
func (s *seen) sweep(now time.Time) {
	s.swept = now
	for tag, w := range s.origins {
		if now.Sub(w.used) > seenOriginAge {
			s.wide -= w.wide()
			delete(s.origins, tag)
		}
	}
	if len(s.origins) >= seenOriginsMax {
		clear(s.origins)
		s.wide = 0
	}
}

func (s *seen) firstForeign(now time.Time, id *wire.MessageID) bool {
	if _, ok := s.now[*id]; ok {
		return false
	}
	if _, ok := s.before[*id]; ok {
		return false
	}
	if s.now == nil || len(s.now) >= seenForeignMax || now.Sub(s.turned) > seenForeignAge {
		s.before, s.now, s.turned = s.now, make(map[wire.MessageID]struct{}), now
	}
	s.now[*id] = struct{}{}
	return true
}

// seenWindow remembers the newest counters of one origin in a ring of 64-bit words. The ring doubles before
// it would forget that a counter is still to come: one is late when an origin sends many messages and another node
// is slow, or a link loses some. A counter that comes further behind the newest than the ring spans all the
// same counts as met, and doubles it too.
type seenWindow struct {
	made  time.Time // when the first counter was met
	used  time.Time
	begin uint64   // its block; what is missing before it was said before our time, or overtaken
	top   uint64   // highest counter met
	words []uint64 // word i of the ring holds block b of 64 counters if b % len == i; nil before the first
}

func (s *seen) firstOf(w *seenWindow, n uint64) bool {
	block := n / 64
	switch newest := w.top / 64; {
	case w.words == nil:
		size := uint64(seenWindowMin)
		for block < seenWindowOwn && size <= block { // the origin is young: all that it has said may yet come
			size *= 2
		}
		w.words = make([]uint64, size)
		w.top, w.begin = n, block
	case n > w.top && n-w.top > seenJump:
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

// forgetsMissing reports whether to advance to block would forget that a counter has not come.
func (w *seenWindow) forgetsMissing(block uint64) bool {
	size, newest := uint64(len(w.words)), w.top/64
	if block < size || block-newest > seenWindowMax { // it goes nowhere that a larger ring would reach
		return false
	}
	begin := w.begin
	if w.used.Sub(w.made) < seenOvertaken {
		begin -= min(begin, seenWindowOwn-1)
	}
	for b := max(begin, newest-min(newest, size-1)); b <= min(newest, block-size); b++ {
		if w.words[b%size] != ^uint64(0) {
			return true
		}
	}
	return false
}

func (w *seenWindow) has(n uint64) bool {
	block, newest := n/64, w.top/64
	switch {
	case n > w.top && n-w.top > seenJump:
		return true
	case n > w.top:
		return false
	case newest-block >= uint64(len(w.words)):
		return true
	}
	return w.words[block%uint64(len(w.words))]&(1<<(n%64)) != 0
}

// advance clears the words of the blocks after the newest, up to block. It returns how many counters that had not come
// thereby leave the window, of those that were said in our time.
func (w *seenWindow) advance(block uint64) (lost uint64) {
	size, newest := uint64(len(w.words)), w.top/64
	for b := newest + 1; b <= min(block, newest+size); b++ {
		if b > w.begin+size { // the block that b takes the place of came after the first
			lost += uint64(64 - bits.OnesCount64(w.words[b%size]))
		}
		w.words[b%size] = 0
	}
	return lost
}

// wide is how many words a window has beyond what is each one's own.
func (w *seenWindow) wide() int { return max(0, len(w.words)-seenWindowOwn) }

// grow doubles the ring of a window, unless it is as large as it may be; the blocks that it did not hold before
// count as met.
func (s *seen) grow(w *seenWindow) bool {
	size := uint64(len(w.words))
	if size >= seenWindowMax || size >= seenWindowOwn && s.wide+int(size) > seenRoom {
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
