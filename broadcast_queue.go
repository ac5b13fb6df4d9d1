package gwyh

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// A Broadcast is a message in a TransmitLimitedQueue. A newer broadcast may invalidate it while it is queued.
type Broadcast interface {
	// Invalidates reports whether this broadcast makes old obsolete. It is called with the queue's lock held, so it
	// must not call the queue.
	Invalidates(old Broadcast) bool

	// Message returns the message, which must not change any more. It is called once, when the broadcast is queued.
	Message() []byte

	// Finished is called exactly once, when the broadcast has left the queue: after its last transmission, or because it was
	// invalidated, pruned or reset. The queue's lock is not held.
	Finished()
}

// A NamedBroadcast invalidates the queued NamedBroadcast with the same name, and no other. The queue finds it without calling
// Invalidates. A NamedBroadcast with an empty name invalidates what its Invalidates selects, and no
// broadcast invalidates it.
type NamedBroadcast interface {
	Broadcast
	// Name identifies the subject of the broadcast. It must not change.
	Name() string
}

// A UniqueBroadcast neither invalidates another broadcast nor is invalidated. Invalidates is not called.
type UniqueBroadcast interface {
	Broadcast
	// UniqueBroadcast only marks the type.
	UniqueBroadcast()
}

// A TransmitLimitedQueue holds broadcasts of an application whose Delegate returns them from GetBroadcasts. It returns each
// broadcast a number of times that depends on the size of the cluster. Broadcasts that were returned least often come first,
// among these the longest, among these the newest.
//
// The zero value is an empty queue. A queue must not be copied. All methods are safe for concurrent use.
type TransmitLimitedQueue struct {
	// NumNodes returns the size of the cluster. It is called without the queue's lock, and only if the queue is not
	// empty. Nil means a cluster of one. Set it before the first call of GetBroadcasts.
	NumNodes func() int

	// RetransmitMult times the number of decimal digits of the cluster's size is how often a broadcast is returned, but at
	// least once: with 4, four times for up to 9 nodes and eight times for up to 99. The node recognizes
	// repetitions and sends each message once. Set it before the first call of GetBroadcasts.
	RetransmitMult int

	mu    sync.Mutex
	queue []*queued          // sorted by compareQueued
	named map[string]*queued // the elements of queue that are NamedBroadcasts
	last  uint64             // number of the newest
}

// A queued is a broadcast in the queue. Only transmits changes, and only while the broadcast is not in the queue.
type queued struct {
	b         Broadcast
	msg       []byte
	kind      queuedKind
	name      string // of a queuedNamed, may be empty
	transmits int    // how often it was returned
	number    uint64 // unique; grows with each QueueBroadcast
}

type queuedKind uint8

const (
	queuedPlain queuedKind = iota
	queuedNamed
	queuedUnique
)

// compareQueued orders broadcasts by which is returned first. No two broadcasts are equal.
func compareQueued(a, b *queued) int {
	return cmp.Or(
		cmp.Compare(a.transmits, b.transmits),
		cmp.Compare(len(b.msg), len(a.msg)),
		cmp.Compare(b.number, a.number),
	)
}

// QueueBroadcast adds b to the queue and removes the broadcasts that it invalidates.
func (q *TransmitLimitedQueue) QueueBroadcast(b Broadcast) {
	e := &queued{b: b, msg: b.Message()}
	switch b := b.(type) {
	case NamedBroadcast:
		e.kind, e.name = queuedNamed, b.Name()
	case UniqueBroadcast:
		e.kind = queuedUnique
	}
	finish(q.insertNew(e))
}

// insertNew adds e and returns the broadcasts that it invalidated.
func (q *TransmitLimitedQueue) insertNew(e *queued) (void []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case e.kind == queuedNamed && e.name != "":
		if old := q.named[e.name]; old != nil {
			i, _ := slices.BinarySearchFunc(q.queue, old, compareQueued)
			q.queue = slices.Delete(q.queue, i, i+1)
			void = append(void, old)
		}
		if q.named == nil {
			q.named = make(map[string]*queued)
		}
		q.named[e.name] = e
	case e.kind != queuedUnique:
		q.queue = slices.DeleteFunc(q.queue, func(old *queued) bool {
			gone := old.kind == queuedPlain && e.b.Invalidates(old.b)
			if gone {
				void = append(void, old)
			}
			return gone
		})
	}
	q.last++
	e.number = q.last
	q.insert(e)
	return void
}

func (q *TransmitLimitedQueue) insert(e *queued) {
	i, _ := slices.BinarySearchFunc(q.queue, e, compareQueued)
	q.queue = slices.Insert(q.queue, i, e)
}

// GetBroadcasts returns messages whose lengths, each plus overhead, add up to at most limit. If one does not fit, shorter ones
// may take its place. The result is nil if there are none. The messages are not copied.
func (q *TransmitLimitedQueue) GetBroadcasts(overhead, limit int) [][]byte {
	if q.NumQueued() == 0 {
		return nil
	}
	nodes := 0
	if q.NumNodes != nil {
		nodes = q.NumNodes()
	}
	msgs, done := q.take(overhead, limit, retransmitLimit(q.RetransmitMult, nodes))
	finish(done)
	return msgs
}

// retransmitLimit returns how often a broadcast is returned in a cluster of n nodes, at least once.
func retransmitLimit(mult, n int) int {
	digits := math.Ceil(math.Log10(float64(max(n, 0)) + 1))
	return max(mult*int(digits), 1)
}

// take returns the messages that fit into limit, and the broadcasts that left the queue because they were returned turns times.
func (q *TransmitLimitedQueue) take(overhead, limit, turns int) (msgs [][]byte, done []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var again []*queued
	kept := q.queue[:0] // broadcasts that are not returned move down
	for at := 0; at < len(q.queue); {
		free := limit - overhead
		if free <= 0 {
			kept = append(kept, q.queue[at:]...)
			break
		}
		// Among broadcasts that were returned equally often, longer ones come first. One that did not fit
		// before does not fit now, so one pass is enough.
		next := at + firstFitting(q.queue[at:], free)
		kept = append(kept, q.queue[at:next]...)
		at = next
		if at == len(q.queue) || len(q.queue[at].msg) > free {
			continue // at is the first that was returned more often
		}
		e := q.queue[at]
		at++
		limit -= overhead + len(e.msg)
		msgs = append(msgs, e.msg)
		if e.transmits++; e.transmits >= turns {
			q.forget(e)
			done = append(done, e)
		} else {
			again = append(again, e)
		}
	}
	clear(q.queue[len(kept):])
	q.queue = kept
	for _, e := range again {
		q.insert(e)
	}
	return msgs, done
}

// firstFitting returns the index of the first broadcast that has at most free bytes and was returned as often as
// queue[0]. If there is none, it returns the index of the first that was returned more often. queue is not empty.
func firstFitting(queue []*queued, free int) int {
	level := queue[0].transmits
	i, _ := slices.BinarySearchFunc(queue, free, func(e *queued, free int) int {
		if e.transmits == level && len(e.msg) > free {
			return -1
		}
		return 1
	})
	return i
}

// forget removes e from named, unless a newer broadcast has the name.
func (q *TransmitLimitedQueue) forget(e *queued) {
	if e.kind == queuedNamed && q.named[e.name] == e {
		delete(q.named, e.name)
	}
}

// NumQueued returns the number of queued broadcasts.
func (q *TransmitLimitedQueue) NumQueued() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue)
}

// Prune removes all broadcasts except the maxRetain that would be returned first.
func (q *TransmitLimitedQueue) Prune(maxRetain int) {
	finish(q.cut(max(maxRetain, 0)))
}

// Reset removes all broadcasts.
func (q *TransmitLimitedQueue) Reset() { finish(q.cut(0)) }

// cut removes all broadcasts behind the first n and returns them, the last first.
func (q *TransmitLimitedQueue) cut(n int) []*queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n >= len(q.queue) {
		return nil
	}
	gone := slices.Clone(q.queue[n:])
	clear(q.queue[n:])
	q.queue = q.queue[:n]
	slices.Reverse(gone)
	for _, e := range gone {
		q.forget(e)
	}
	return gone
}

func finish(entries []*queued) {
	for _, e := range entries {
		e.b.Finished()
	}
}
