// Package intake holds the small messages that an application hands to a node until the node's loop takes
// them, so that who sends many does not wait for the loop with each.
package intake

import "sync"

// Bounds of what waits.
const (
	messagesMax = 1024
	bytesMax    = 128 << 10
)

// A Queue is messages in the order in which they were put. Put is for any goroutine, Take and Rest for one.
type Queue struct {
	mu    sync.Mutex // guards what follows
	count int        // messages of waits and taking
	bytes int        // and theirs
	waits messages

	// Take's.

	taking messages // these go before waits
	next   int      // the first of them that was not taken
}

// messages lie end to end in one buffer.
type messages struct {
	b    []byte
	ends []int // where each ends in b; it begins where the one before ends
}

// Put adds a copy of b. ok is false when too much waits already; first tells that nothing waited, so that
// whoever takes is to be told.
func (q *Queue) Put(b []byte) (first, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first = q.count == 0
	if q.count >= messagesMax || !first && q.bytes+len(b) > bytesMax {
		return false, false
	}
	q.waits.b = append(q.waits.b, b...)
	q.waits.ends = append(q.waits.ends, len(q.waits.b))
	q.count++
	q.bytes += len(b)
	return first, true
}

// Take hands the messages to f, in order, as long as f takes them. The one that it does not take, and those
// behind it, stay for the next time. f does not keep the slice, and runs under no lock.
func (q *Queue) Take(f func(b []byte) (taken bool)) {
	for range 2 { // what was left the last time, and what came since
		if q.next == len(q.taking.ends) && !q.swap() || !q.hand(f) {
			return
		}
	}
}

// swap begins to take what waits. It reports whether there is anything.
func (q *Queue) swap() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waits.ends) == 0 {
		return false
	}
	q.taking, q.waits = q.waits, messages{b: q.taking.b[:0], ends: q.taking.ends[:0]}
	q.next = 0
	return true
}

// hand hands over what is being taken, and reports whether f took all of it.
func (q *Queue) hand(f func(b []byte) bool) bool {
	t, from := &q.taking, q.next
	begin := 0
	if from > 0 {
		begin = t.ends[from-1]
	}
	at := begin
	for ; q.next < len(t.ends) && f(t.b[at:t.ends[q.next]]); q.next++ {
		at = t.ends[q.next]
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count -= q.next - from
	q.bytes -= at - begin
	return q.next == len(t.ends)
}

// Rest gives back the memory of a burst when nothing waits.
func (q *Queue) Rest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		q.waits, q.taking, q.next = messages{}, messages{}, 0
	}
}
