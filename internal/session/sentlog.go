package session

import "time"

const (
	firstSentLog = 4      // datagrams; the initial size of a log
	maxSentLog   = 16_384 // datagrams; the maximum size of a log
)

// A SentLog records what was sent under the newest packet numbers of one session, for retransmission. Each value
// that Put takes is handed back exactly once, as evicted or through a drop function, so that its owner can release
// it.
//
// It is a ring in the order of packet numbers. It starts small, and doubles when it is full of datagrams younger
// than the horizon, so it holds what a link of any rate sends in that time. A log that needs a quarter of its memory
// releases half of it. The loop owns it.
type SentLog[T any] struct {
	horizon time.Duration
	room    *Room     // shared with other logs
	ring    []sent[T] // nil, or its length is a power of two; unused entries are zero
	head    int       // index of the oldest entry
	n       int       // datagrams recorded
	base    time.Time // of the times in the ring
}

// sent is one datagram.
type sent[T any] struct {
	counter uint64
	at      time.Duration // since base
	bytes   int32
	v       T
}

// NewSentLog returns an empty log, which allocates nothing until its first use.
func NewSentLog[T any](horizon time.Duration, room *Room) *SentLog[T] {
	return &SentLog[T]{horizon: horizon, room: room}
}

// A Room bounds the entries of several logs together. A log always has its first few entries, even if there is no room.
type Room struct {
	Max  int // entries
	used int // entries allocated
}

// Used returns the number of entries that the logs have allocated.
func (r *Room) Used() int { return r.used }

// Release removes all datagrams and returns their memory. The log can be used again.
func (l *SentLog[T]) Release() { l.resize(nil) }

// resize replaces the ring. The caller has copied the entries.
func (l *SentLog[T]) resize(ring []sent[T]) {
	l.room.used += len(ring) - len(l.ring)
	l.ring, l.head = ring, 0
	l.n = min(l.n, len(ring))
}

// Put records v for the datagram with the given packet number, time and size in bytes. Packet numbers must
// increase, but may skip those of packets that are never retransmitted. If there is no room, Put removes the oldest
// value and returns it with true. If counter does not increase, it returns v itself with true.
func (l *SentLog[T]) Put(counter uint64, at time.Time, bytes int, v T) (evicted T, ok bool) {
	if l.n > 0 && counter <= l.place(l.n-1).counter {
		return v, true
	}
	if l.n == len(l.ring) && !l.grow(at) {
		evicted, ok = l.pop(), true
	}
	l.n++
	*l.place(l.n - 1) = sent[T]{counter: counter, at: at.Sub(l.base), bytes: int32(bytes), v: v}
	return evicted, ok
}

// grow makes room in a full ring, unless the ring has its maximum size, all logs together have theirs, or the oldest entry is
// older than the horizon.
func (l *SentLog[T]) grow(now time.Time) bool {
	switch {
	case l.ring == nil:
		l.base = now
		l.resize(make([]sent[T], firstSentLog))
		return true
	case len(l.ring) >= maxSentLog || l.room.used+len(l.ring) > l.room.Max || now.Sub(l.base)-l.place(0).at >= l.horizon:
		return false
	}
	ring := make([]sent[T], 2*len(l.ring))
	copy(ring[copy(ring, l.ring[l.head:]):], l.ring[:l.head])
	l.resize(ring)
	return true
}

// Get returns the value, the time and the size that are recorded for a packet number, or ok false if there are
// none. The value may be modified in place until the next call of another method.
func (l *SentLog[T]) Get(counter uint64) (v *T, at time.Time, bytes int, ok bool) {
	low, high := 0, l.n // the counter is not before low, and not at high or later
	for low < high {
		middle := (low + high) / 2
		switch e := l.place(middle); {
		case e.counter == counter:
			return &e.v, l.base.Add(e.at), int(e.bytes), true
		case e.counter < counter:
			low = middle + 1
		default:
			high = middle
		}
	}
	return nil, time.Time{}, 0, false
}

// DropBefore removes the datagrams sent before t, except the newest spare ones, and passes them to drop, oldest first.
func (l *SentLog[T]) DropBefore(t time.Time, spare int, drop func(T)) {
	for limit := t.Sub(l.base); l.n > spare && l.place(0).at < limit; {
		drop(l.pop())
	}
	if len(l.ring) > firstSentLog && 4*l.n <= len(l.ring) {
		l.shrink()
	}
}

// shrink releases the memory that twice the recorded datagrams would not need.
func (l *SentLog[T]) shrink() {
	if l.n == 0 {
		l.resize(nil)
		return
	}
	room := firstSentLog
	for room < 2*l.n {
		room *= 2
	}
	ring := make([]sent[T], room)
	for i := range l.n {
		ring[i] = *l.place(i)
	}
	l.resize(ring)
}

// Len returns the number of recorded datagrams.
func (l *SentLog[T]) Len() int { return l.n }

// place returns the i-th oldest entry.
func (l *SentLog[T]) place(i int) *sent[T] { return &l.ring[(l.head+i)&(len(l.ring)-1)] }

// pop removes and returns the oldest value.
func (l *SentLog[T]) pop() T {
	e := l.place(0)
	v := e.v
	*e = sent[T]{}
	l.head = (l.head + 1) & (len(l.ring) - 1)
	l.n--
	return v
}
