// Package arena keeps the plaintexts of small messages for a while, so that they can be sent later, or again. They lie in
// one ring of bytes that all peers of a node share, so that a message is stored once, however many peers wait for it.
//
// What is stored is named by a Ref. When the ring comes round, old bytes are overwritten and their Refs name nothing. The
// ring grows instead of overwriting what is young; it never grows beyond a bound, and a ring that is not used is given back.
// Nothing is allocated except when it grows.
//
// An Arena knows neither messages nor peers. There is one file.
package arena

import "time"

// Bounds of an arena (docs/LIMITS.md).
const (
	MessageMax = 64 << 10 // bytes that can be stored at once
	Max        = 32 << 20 // bytes of the ring

	least  = 4 << 10          // bytes of the ring at first
	keep   = 3 * time.Second  // the least Config.Keep
	unused = 10 * time.Second // the least Config.Unused
)

// Config is what an Arena is made of.
type Config struct {
	Keep   time.Duration // the ring grows rather than overwrite what is younger; less than 3 s counts as 3 s
	Unused time.Duration // after so long without a Put the ring is given back; less than 10 s counts as 10 s
	Hold   int           // nothing is overwritten while the ring has fewer bytes and somebody awaits something in it
}

// An Arena is the ring. The zero value is empty and ready for use. Not for concurrent use.
type Arena struct {
	cfg   Config
	buf   []byte
	head  uint64           // offset of the next byte to be written
	floor uint64           // nothing before it is kept, whatever the ring's length
	marks [parts]time.Time // when each part of the ring was last written to; zero: not yet
	used  time.Time        // when something was last put in

	awaiting int // how many queues hold something of the ring
}

// parts is how many parts of the ring have a time of their own.
const parts = 8

// New returns an empty Arena.
func New(cfg Config) Arena { return Arena{cfg: cfg} }

// A Ref names bytes in the arena. Its offset only grows, and is never used for other bytes. The zero Ref names nothing.
type Ref struct {
	Off  uint64
	Size uint32 // bytes
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r.Off == 0 }

// End returns the offset behind r.
func (r Ref) End() uint64 { return r.Off + uint64(r.Size) }

// Put copies b into the arena. It returns the zero Ref if b has more than MessageMax bytes.
func (a *Arena) Put(now time.Time, b []byte) Ref {
	if len(b) > MessageMax {
		return Ref{}
	}
	if a.buf == nil {
		a.buf = make([]byte, least)
		a.head = max(a.head, 1) // so that 0 names nothing
		a.floor = a.head
		clear(a.marks[:])
	}
	a.used = now
	n := uint64(len(b))
	for !a.skip(now, n) {
		a.grow(now)
	}
	off := a.head
	copy(a.buf[off%uint64(len(a.buf)):], b)
	a.mark(now, off, n)
	a.head += n
	return Ref{off, uint32(n)}
}

// skip moves the head to where n bytes lie side by side. It reports false, and moves nothing, if the ring has to grow first.
func (a *Arena) skip(now time.Time, n uint64) bool {
	size := uint64(len(a.buf))
	rest := uint64(0) // bytes to the end of the ring, if they are too few
	if at := a.head % size; at+n > size {
		rest = size - at
	}
	if n > size || size < Max && !a.mayOverwrite(now, rest+n) {
		return false
	}
	a.head += rest
	return true
}

// mayOverwrite reports whether the n bytes behind the head may be overwritten although the ring can grow.
func (a *Arena) mayOverwrite(now time.Time, n uint64) bool {
	return !a.young(now, n) && (len(a.buf) >= a.cfg.Hold || a.awaiting == 0)
}

// Await notes that one more queue holds something of the arena, yet to be sent.
func (a *Arena) Await() { a.awaiting++ }

// Release notes that a queue for which Await was called holds nothing any more.
func (a *Arena) Release() { a.awaiting-- }

// young reports whether something in the n bytes behind the head is too young to be overwritten.
func (a *Arena) young(now time.Time, n uint64) bool {
	part := uint64(len(a.buf) / parts)
	at := a.head % uint64(len(a.buf))
	first := (at + part - 1) / part // the part that the head is in was entered before
	for i := first; i*part < at+n; i++ {
		if m := a.marks[i%parts]; !m.IsZero() && now.Sub(m) < max(keep, a.cfg.Keep) {
			return true
		}
	}
	return false
}

// mark notes that n bytes are written at off.
func (a *Arena) mark(now time.Time, off, n uint64) {
	part := uint64(len(a.buf) / parts)
	at := off % uint64(len(a.buf))
	for i := at / part; i*part < at+n; i++ {
		a.marks[i] = now
	}
}

// Rest gives the ring back if nothing was put in for long. What was in it is gone, and no later ring takes an offset of
// it for one of its own. Rest reports whether the arena has no memory now.
func (a *Arena) Rest(now time.Time) bool {
	if a.buf != nil && now.Sub(a.used) >= max(unused, a.cfg.Unused) && a.awaiting == 0 {
		a.buf = nil
		a.head += Max
	}
	return a.buf == nil
}

// grow doubles the ring. Each byte keeps its offset.
func (a *Arena) grow(now time.Time) {
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

// Together reports whether Get can return what begins with first and ends with last at once, because no end of the ring
// lies between them.
func (a *Arena) Together(first, last Ref) bool {
	size := uint64(len(a.buf))
	return size > 0 && first.Off/size == (last.End()-1)/size
}

// Get returns the bytes that r names, or nil if they were overwritten. They are valid until the next Put, and must not be
// written to.
func (a *Arena) Get(r Ref) []byte {
	if !a.has(r) {
		return nil
	}
	at := r.Off % uint64(len(a.buf))
	return a.buf[at : at+uint64(r.Size)]
}

// has reports whether the ring still has all bytes of r.
func (a *Arena) has(r Ref) bool {
	size := uint64(len(a.buf))
	if r.IsZero() || size == 0 || r.Off%size+uint64(r.Size) > size {
		return false
	}
	return r.Off >= a.floor && r.Off < a.head && a.head-r.Off <= size
}
