package gossip

import "time"

// Sizes of the arena (docs/DESIGN.md, "Bounds").
const (
	arenaMin  = 4 << 10
	arenaMax  = 4 << 20
	arenaMost = 64 << 10         // of one plaintext
	arenaKeep = time.Second      // it grows rather than forget what is younger
	arenaRest = 10 * time.Second // after so long without a message it is given back
)

// arena keeps the plaintexts of small messages for a while, so that they can be sent again: a ring of
// bytes, shared by all links of a node. What is put in is named by an offset that only grows; what has
// been overwritten is gone. Nothing is allocated but when it grows.
type arena struct {
	buf  []byte
	head uint64    // offset of the next byte to be written
	lap  time.Time // when the ring last began from its start
	used time.Time // when something was last put in
}

// put copies b, of at most arenaMost bytes, and returns its offset.
func (a *arena) put(now time.Time, b []byte) uint64 {
	if len(b) > arenaMost {
		return 0
	}
	if a.buf == nil {
		a.buf, a.lap = make([]byte, arenaMin), now
		a.head = max(a.head, 1) // so that 0 names nothing
	}
	a.used = now
	for {
		size := uint64(len(a.buf))
		at := a.head % size
		if at+uint64(len(b)) <= size {
			break
		}
		a.head += size - at
		if len(b) > len(a.buf) || now.Sub(a.lap) < arenaKeep && len(a.buf) < arenaMax {
			a.grow()
		}
		a.lap = now
	}
	off := a.head
	copy(a.buf[off%uint64(len(a.buf)):], b)
	a.head += uint64(len(b))
	return off
}

// rest gives the ring back when nothing was put in for long. What was in it is gone, and no later ring
// takes an offset of it for one of its own.
func (a *arena) rest(now time.Time) {
	if a.buf != nil && now.Sub(a.used) >= arenaRest {
		a.buf = nil
		a.head += arenaMax
	}
}

// grow doubles the ring at the end of a lap. Each byte keeps its offset.
func (a *arena) grow() {
	old := a.buf
	size := uint64(len(old))
	a.buf = make([]byte, 2*size)
	if a.head >= size {
		copy(a.buf[(a.head-size)%(2*size):], old)
	}
}

// together reports whether s lies in the same lap as what is at off, so that get may return both at once.
func (a *arena) together(off uint64, s stored) bool {
	size := uint64(len(a.buf))
	return off/size == (s.off+uint64(s.size)-1)/size
}

// get is what was put at off, of n bytes; nil when it was overwritten.
func (a *arena) get(off uint64, n int) []byte {
	size := uint64(len(a.buf))
	if off == 0 || size == 0 || a.head-off > size || off >= a.head {
		return nil
	}
	at := off % size
	return a.buf[at : at+uint64(n)]
}
