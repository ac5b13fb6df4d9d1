// Package intake holds the small messages that an application hands to a node until the node's loop takes
// them, so that who sends many does not wait for the loop with each.
package intake

import "sync"

// Bounds of what waits.
const (
	messagesMax = 1024
	bytesMax    = 128 << 10
)

// A Queue is messages in the order in which they were put, end to end in one buffer. Put is for any goroutine, Take for one.
type Queue struct {
	mu    sync.Mutex // guards what follows
	waits messages
	spare messages // what Take emptied last, for its memory
}

type messages struct {
	bytes []byte
	ends  []int // where each ends in bytes; it begins where the one before ends
}

func (m *messages) add(b []byte) {
	m.bytes = append(m.bytes, b...)
	m.ends = append(m.ends, len(m.bytes))
}

// Put adds a copy of b. ok is false when too much waits already; first tells that nothing waited, so that
// whoever takes is to be told.
func (q *Queue) Put(b []byte) (first, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first = len(q.waits.ends) == 0
	if len(q.waits.ends) >= messagesMax || !first && len(q.waits.bytes)+len(b) > bytesMax {
		return false, false
	}
	q.waits.add(b)
	return first, true
}

// Take hands the messages to f, in order, as long as f takes them. The one that it does not take, and those
// behind it, stay for the next time. f does not keep the slice.
func (q *Queue) Take(f func(b []byte) (taken bool)) {
	q.mu.Lock()
	if len(q.waits.ends) == 0 {
		q.mu.Unlock()
		return
	}
	got := q.waits
	q.waits, q.spare = q.spare, messages{}
	q.mu.Unlock()
	begin, taken := 0, 0
	for ; taken < len(got.ends) && f(got.bytes[begin:got.ends[taken]]); taken++ {
		begin = got.ends[taken]
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if taken < len(got.ends) {
		var all messages
		for ; taken < len(got.ends); taken++ {
			all.add(got.bytes[begin:got.ends[taken]])
			begin = got.ends[taken]
		}
		begin = 0
		for _, end := range q.waits.ends { // put meanwhile
			all.add(q.waits.bytes[begin:end])
			begin = end
		}
		q.waits = all
		return
	}
	q.spare = messages{bytes: got.bytes[:0], ends: got.ends[:0]}
}

// Rest gives back the memory of a burst when nothing waits.
func (q *Queue) Rest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = messages{}
	if len(q.waits.ends) == 0 {
		q.waits = messages{}
	}
}
