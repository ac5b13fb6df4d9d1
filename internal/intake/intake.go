// Package intake queues the small messages of an application until the node's loop takes them, so that an application
// that sends many messages does not wait for the loop each time. It does not look into the messages.
package intake

import "sync"

// Bounds of the queue.
const (
	messagesMax = 1024
	bytesMax    = 128 << 10
)

// Bound is the maximum memory of a Queue in bytes: two buffers, which grow by up to twice what they need.
const Bound = 2 * 2 * (bytesMax + 8*messagesMax)

// A Queue is a FIFO queue of messages. Any goroutine may call Put; only one goroutine may call Take and Rest.
type Queue struct {
	mu    sync.Mutex // guards count, bytes and waits
	count int        // messages in waits and taking
	bytes int        // bytes in waits and taking
	waits messages

	// The following fields are owned by the goroutine that calls Take.

	taking messages // the messages before those in waits
	next   int      // index of the first message in taking that is still to be returned
}

// messages holds messages end to end in one buffer.
type messages struct {
	b    []byte
	ends []int // the end of each message in b, where the next one begins
}

// Put adds a copy of b. ok is false if the queue is full. first is true if the queue was empty, so that the caller must
// wake up the goroutine that calls Take.
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

// Take passes the messages to f, in order, until f returns false. That message and the later ones stay in the queue. f
// must not keep the slice. f runs without a lock.
func (q *Queue) Take(f func(b []byte) (taken bool)) {
	for range 2 { // the rest of the last time, then the new messages
		if q.next == len(q.taking.ends) && !q.swap() || !q.hand(f) {
			return
		}
	}
}

// swap starts taking the waiting messages. It reports whether there are any.
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

// hand passes the messages in taking to f. It reports whether f took all of them.
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

// Rest releases the memory of a burst if the queue is empty.
func (q *Queue) Rest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		q.waits, q.taking, q.next = messages{}, messages{}, 0
	}
}
