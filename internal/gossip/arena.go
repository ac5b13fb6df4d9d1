package gossip

import "time"

// Sizes of the arena (docs/DESIGN.md, "Bounds").
const (
	arenaMin  = 4 << 10
	arenaMax  = 32 << 20
	arenaMost = 64 << 10         // of one plaintext
	arenaKeep = 3 * time.Second  // it grows rather than forget what is younger, or may wait for a heartbeat
	arenaHold = 2 * smallMax     // nor does it forget what is older while it is smaller and a link is behind
	arenaRest = 10 * time.Second // after so long without a message, or two heartbeats, it is given back
)

// arena keeps the plaintexts of small messages for a while, so that they can be sent again: a ring of
// bytes, shared by all links of a node. What is put in is named by an offset that only grows; what has
// been overwritten is gone. Nothing is allocated but when it grows, which it does rather than overwrite
// what is young.
type arena struct {
	buf   []byte
	head  uint64                // offset of the next byte to be written
	floor uint64                // nothing before it is kept, whatever the ring's length
	marks [arenaParts]time.Time // when each part of the ring was last written to; zero: not yet
	used  time.Time             // when something was last put in
	waits func() bool           // reports whether a link has something of it yet to send; nil: none has
	beats time.Duration         // in which two heartbeats go out: see peer.tickLog
}

// arenaParts is how many parts of the ring have a time of their own.
const arenaParts = 8

// put copies b, of at most arenaMost bytes, and returns its offset.
func (a *arena) put(now time.Time, b []byte) uint64 {
	if len(b) > arenaMost {
		return 0
	}
	if a.buf == nil {
		a.buf = make([]byte, arenaMin)
		a.head = max(a.head, 1) // so that 0 names nothing
		a.floor = a.head
		clear(a.marks[:])
	}
	a.used = now
	n := uint64(len(b))
	for {
		size := uint64(len(a.buf))
		if at := a.head % size; at+n > size {
			a.head += size - at
		}
		if n <= size && (size >= arenaMax || !a.young(now, n) && (size >= arenaHold || !a.awaited())) {
			break
		}
		a.grow(now)
	}
	off := a.head
	copy(a.buf[off%uint64(len(a.buf)):], b)
	a.mark(now, off, n)
	a.head += n
	return off
}

func (a *arena) awaited() bool { return a.waits != nil && a.waits() }

// young reports whether n bytes at the head would overwrite what is to be kept.
func (a *arena) young(now time.Time, n uint64) bool {
	part := uint64(len(a.buf) / arenaParts)
	at := a.head % uint64(len(a.buf))
	first := (at + part - 1) / part // the part that the head is in was entered before
	for i := first; i*part < at+n; i++ {
		if m := a.marks[i]; !m.IsZero() && now.Sub(m) < max(arenaKeep, min(a.beats/2, sentHorizon)) {
			return true
		}
	}
	return false
}

// mark notes that n bytes are written at off.
func (a *arena) mark(now time.Time, off, n uint64) {
	part := uint64(len(a.buf) / arenaParts)
	at := off % uint64(len(a.buf))
	for i := at / part; i*part < at+n; i++ {
		a.marks[i] = now
	}
}

// rest gives the ring back when nothing was put in for long. What was in it is gone, and no later ring
// takes an offset of it for one of its own.
func (a *arena) rest(now time.Time) {
	if a.buf != nil && now.Sub(a.used) >= max(arenaRest, a.beats) && !a.awaited() {
		a.buf = nil
		a.head += arenaMax
	}
}

// grow doubles the ring. Each byte keeps its offset.
func (a *arena) grow(now time.Time) {
	old := a.buf
	size := uint64(len(old))
	a.buf = make([]byte, 2*size)
	clear(a.marks[:])
	a.floor = max(a.floor, max(a.head, size)-size)
	for off := a.floor; off < a.head; {
		n := min(size-off%size, a.head-off) // to the end of a lap
		copy(a.buf[off%(2*size):], old[off%size:][:n])
		a.mark(now, off, n)
		off += n
	}
}

// together reports whether s lies in the same lap as what is at off, so that get may return both at once.
func (a *arena) together(off uint64, s stored) bool {
	size := uint64(len(a.buf))
	return size > 0 && off/size == (s.off+uint64(s.size)-1)/size
}

// get is what was put at off, of n bytes; nil when it was overwritten.
func (a *arena) get(off uint64, n int) []byte {
	size := uint64(len(a.buf))
	if off == 0 || size == 0 || off < a.floor || off >= a.head || a.head-off > size || off%size+uint64(n) > size {
		return nil
	}
	at := off % size
	return a.buf[at : at+uint64(n)]
}
