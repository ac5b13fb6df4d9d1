// Package arena stores the plaintexts of small messages temporarily, so that they can be sent later or again. They are
// in one ring buffer shared by all peers of a node, so a message is stored once, however many peers it is queued for.
//
// A Ref identifies stored bytes. When the ring wraps around, it overwrites old bytes, and their Refs become invalid. The
// ring grows instead of overwriting young bytes, up to a bound, and an unused ring is released. It allocates only when
// it grows.
//
// An Arena does not know messages or peers. index.go has an Index, which finds messages in one.
package arena

import (
	"cmp"
	"time"
)

// Bounds of an arena (docs/LIMITS.md).
const (
	MessageMax = 64 << 10 // maximum bytes of one Put
	Max        = 32 << 20 // maximum bytes of the ring, unless Config.Max says otherwise

	minSize = 4 << 10          // initial bytes of the ring
	keep    = 3 * time.Second  // minimum of Config.Keep
	unused  = 10 * time.Second // minimum of Config.Unused
)

// Config configures an Arena.
type Config struct {
	Keep   time.Duration // the ring grows rather than overwrite younger bytes; values below 3 s mean 3 s
	Unused time.Duration // the ring is released after this time without a Put; values below 10 s mean 10 s
	Hold   int           // while a queue needs the ring, it grows to this many bytes before it overwrites anything
	Max    int           // maximum bytes of the ring, a power of two; zero means the constant Max
}

// An Arena is the ring buffer. The zero value is empty and ready for use. It is not safe for concurrent use.
type Arena struct {
	cfg   Config
	buf   []byte
	head  uint64           // offset of the next byte to write
	floor uint64           // no bytes before this offset are kept, whatever the ring's size
	marks [parts]time.Time // when each part of the ring was last written; zero: never
	used  time.Time        // time of the last Put

	awaiting int // number of queues that need bytes in the ring
}

// parts is the number of parts of the ring whose time is recorded.
const parts = 8

// max returns the maximum bytes of the ring.
func (a *Arena) max() int { return cmp.Or(a.cfg.Max, Max) }

// New returns an empty Arena.
func New(cfg Config) Arena { return Arena{cfg: cfg} }

// A Ref identifies bytes in the arena. Offsets only increase and are never reused. The zero Ref identifies nothing.
type Ref struct {
	Off  uint64
	Size uint32 // bytes
}

// IsZero reports whether r identifies nothing.
func (r Ref) IsZero() bool { return r.Off == 0 }

// End returns the offset after the last byte of r.
func (r Ref) End() uint64 { return r.Off + uint64(r.Size) }

// Put copies b into the arena. It returns the zero Ref if b has more than MessageMax bytes.
func (a *Arena) Put(now time.Time, b []byte) Ref {
	if len(b) > MessageMax {
		return Ref{}
	}
	if a.buf == nil {
		a.buf = make([]byte, minSize)
		a.head = max(a.head, 1) // so that offset 0 is never used
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

// skip moves the head to n contiguous free bytes. If the ring has to grow first, it returns false and moves nothing.
func (a *Arena) skip(now time.Time, n uint64) bool {
	size := uint64(len(a.buf))
	rest := uint64(0) // bytes to the end of the ring, if they are fewer than n
	if at := a.head % size; at+n > size {
		rest = size - at
	}
	if n > size || size < uint64(a.max()) && !a.mayOverwrite(now, rest+n) {
		return false
	}
	a.head += rest
	return true
}

// mayOverwrite reports whether the n bytes after the head may be overwritten although the ring can grow.
func (a *Arena) mayOverwrite(now time.Time, n uint64) bool {
	return !a.young(now, n) && (len(a.buf) >= a.cfg.Hold || a.awaiting == 0)
}

// Await records that one more queue needs bytes in the arena.
func (a *Arena) Await() { a.awaiting++ }

// Release records that a queue for which Await was called no longer needs the arena.
func (a *Arena) Release() { a.awaiting-- }

// young reports whether any of the n bytes after the head are too young to be overwritten.
func (a *Arena) young(now time.Time, n uint64) bool {
	part := uint64(len(a.buf) / parts)
	at := a.head % uint64(len(a.buf))
	first := (at + part - 1) / part // the part with the head was entered before
	for i := first; i*part < at+n; i++ {
		if m := a.marks[i%parts]; !m.IsZero() && now.Sub(m) < max(keep, a.cfg.Keep) {
			return true
		}
	}
	return false
}

// mark records that n bytes are written at off.
func (a *Arena) mark(now time.Time, off, n uint64) {
	part := uint64(len(a.buf) / parts)
	at := off % uint64(len(a.buf))
	for i := at / part; i*part < at+n; i++ {
		a.marks[i] = now
	}
}

// Rest releases the ring if there was no Put for long. Its bytes are gone, and their offsets are never reused. Rest
// reports whether the arena now has no memory.
func (a *Arena) Rest(now time.Time) bool {
	if a.buf != nil && now.Sub(a.used) >= max(unused, a.cfg.Unused) && a.awaiting == 0 {
		a.buf = nil
		a.head += uint64(a.max())
	}
	return a.buf == nil
}

// grow doubles the ring. Every byte keeps its offset.
func (a *Arena) grow(now time.Time) {
	old := a.buf
	size := uint64(len(old))
	a.buf = make([]byte, 2*size)
	clear(a.marks[:])
	a.floor = max(a.floor, max(a.head, size)-size)
	for off := a.floor; off < a.head; {
		n := min(size-off%size, a.head-off) // up to the end of the old ring
		copy(a.buf[off%(2*size):], old[off%size:][:n])
		a.mark(now, off, n)
		off += n
	}
}

// Together reports whether Get can return the bytes from the beginning of first to the end of last in one slice: they do
// not cross the end of the ring.
func (a *Arena) Together(first, last Ref) bool {
	size := uint64(len(a.buf))
	return size > 0 && first.Off/size == (last.End()-1)/size
}

// Get returns the bytes that r identifies, or nil if they were overwritten. The slice is read-only and valid until the
// next Put.
func (a *Arena) Get(r Ref) []byte {
	if !a.has(r) {
		return nil
	}
	at := r.Off % uint64(len(a.buf))
	return a.buf[at : at+uint64(r.Size)]
}

// has reports whether the ring still contains all bytes of r.
func (a *Arena) has(r Ref) bool {
	size := uint64(len(a.buf))
	if r.IsZero() || size == 0 || r.Off%size+uint64(r.Size) > size {
		return false
	}
	return r.Off >= a.floor && r.Off < a.head && a.head-r.Off <= size
}
