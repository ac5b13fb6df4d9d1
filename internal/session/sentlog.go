package session

import "time"

const (
	firstSentLog = 4      // datagrams; the room of a log when it is first used
	maxSentLog   = 16_384 // datagrams; where it stops growing
)

// A SentLog remembers what went out under the newest counters of one session, so that it can be sent
// again. It is generic over what its owner keeps for a datagram, and hands that back, to be released,
// when it forgets: each value that Put takes comes back exactly once, as evicted or to a drop function.
//
// It is a ring in order of counters. It starts small and doubles while it is full of datagrams younger
// than the horizon, so that it holds what a link sends in that time whatever the link's rate; what it
// has grown by is given back when nothing is left. Owned by the loop.
type SentLog[T any] struct {
	horizon time.Duration
	ring    []sent[T] // nil, or as long as a power of two; zero where nothing is kept
	head    int       // index of the oldest
	n       int       // datagrams kept
	base    time.Time // of the times in the ring
}

// sent is one datagram.
type sent[T any] struct {
	counter uint64
	at      time.Duration // since base
	bytes   int32
	v       T
}

// NewSentLog returns an empty log, which allocates nothing until it is used.
func NewSentLog[T any](horizon time.Duration) *SentLog[T] { return &SentLog[T]{horizon: horizon} }

// Put keeps v for the datagram of so many bytes that went out under counter at the given time. Counters
// ascend, but may skip: what cannot be repaired is not put. When there is no room the oldest value gives
// way and is returned with true. A counter that does not ascend is refused: v itself comes back.
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

// grow makes room in a full ring, unless it is as large as it may be or its oldest is old enough.
func (l *SentLog[T]) grow(now time.Time) bool {
	switch {
	case l.ring == nil:
		l.ring, l.base = make([]sent[T], firstSentLog), now
		return true
	case len(l.ring) >= maxSentLog || now.Sub(l.base)-l.place(0).at >= l.horizon:
		return false
	}
	ring := make([]sent[T], 2*len(l.ring))
	copy(ring[copy(ring, l.ring[l.head:]):], l.ring[:l.head])
	l.ring, l.head = ring, 0
	return true
}

// Get returns what is kept for a counter, with when it went out and its size; ok is false when nothing
// is. The value may be changed in place until the next call of another method.
func (l *SentLog[T]) Get(counter uint64) (v *T, at time.Time, bytes int, ok bool) {
	low, high := 0, l.n // the counter is at none before low and at none from high on
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

// DropBefore forgets what went out before t, except the newest spare datagrams, and hands it to drop, oldest first.
func (l *SentLog[T]) DropBefore(t time.Time, spare int, drop func(T)) {
	for limit := t.Sub(l.base); l.n > spare && l.place(0).at < limit; {
		drop(l.pop())
	}
	if l.n == 0 && len(l.ring) > firstSentLog {
		l.ring, l.head = nil, 0
	}
}

// Shrink gives back the room that the log has grown by and does not need for what it keeps.
func (l *SentLog[T]) Shrink() {
	room := firstSentLog
	for room < l.n {
		room *= 2
	}
	if len(l.ring) <= room {
		return
	}
	ring := make([]sent[T], room)
	for i := range l.n {
		ring[i] = *l.place(i)
	}
	l.ring, l.head = ring, 0
}

// Len is the number of datagrams kept.
func (l *SentLog[T]) Len() int { return l.n }

// place is where the i-th oldest is.
func (l *SentLog[T]) place(i int) *sent[T] { return &l.ring[(l.head+i)&(len(l.ring)-1)] }

// pop takes the oldest out.
func (l *SentLog[T]) pop() T {
	e := l.place(0)
	v := e.v
	*e = sent[T]{}
	l.head = (l.head + 1) & (len(l.ring) - 1)
	l.n--
	return v
}
