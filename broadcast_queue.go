package gwyh

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// A Broadcast is a message in a TransmitLimitedQueue. It may be given up while it waits, when a
// newer one makes it void.
type Broadcast interface {
	// Invalidates reports whether this broadcast makes old void. It is called under the queue's lock,
	// and so must not call the queue.
	Invalidates(old Broadcast) bool

	// Message is the message in its final form, which must not change any more. It is asked for once,
	// when the broadcast is queued.
	Message() []byte

	// Finished is called exactly once, when the broadcast has left the queue: sent as often as it may
	// be, made void, pruned or reset. No lock of the queue is held then.
	Finished()
}

// A NamedBroadcast makes the one of the same name in the queue void, and no other: Invalidates is
// not asked. The queue finds that one without comparing. One whose name is empty makes void what its
// Invalidates says, and no broadcast makes it void.
type NamedBroadcast interface {
	Broadcast
	// Name is what the broadcast is about. It must not change.
	Name() string
}

// A UniqueBroadcast makes none void and is made void by none: Invalidates is not asked.
type UniqueBroadcast interface {
	Broadcast
	// UniqueBroadcast only marks the type.
	UniqueBroadcast()
}

// A TransmitLimitedQueue holds the broadcasts of an application whose Delegate hands them out in
// GetBroadcasts. It hands out each as often as suits a cluster of its size, those handed out least
// first, of these the longest first, of these the newest.
//
// The zero value is an empty queue. It may be part of another struct, and must not be copied. All
// methods are safe for concurrent use.
type TransmitLimitedQueue struct {
	// NumNodes tells the size of the cluster. It is called without the queue's lock, and only when
	// something waits. nil counts as no other node. To be set before the first GetBroadcasts.
	NumNodes func() int

	// RetransmitMult times the digits of the cluster's size is how often a broadcast is handed out,
	// and once at least: 4 means 4 times up to 9 nodes, 8 times up to 99. To be set like NumNodes.
	// A cluster of gwyh takes what is handed out again for the same message and sends it once.
	RetransmitMult int

	mu    sync.Mutex
	queue []*queued          // in the order of compareQueued
	named map[string]*queued // those of queue that are NamedBroadcasts
	last  uint64             // number of the newest
}

// A queued is a broadcast that waits. Only transmits ever changes, and only while it is out of the
// queue.
type queued struct {
	b         Broadcast
	msg       []byte
	kind      queuedKind
	name      string // if kind is queuedNamed; empty for none
	transmits int    // how often it was handed out
	number    uint64 // increases from one QueueBroadcast to the next; no two have the same
}

type queuedKind uint8

const (
	queuedPlain queuedKind = iota
	queuedNamed
	queuedUnique
)

// compareQueued orders by what is handed out first. It is total: only a broadcast equals itself.
func compareQueued(a, b *queued) int {
	return cmp.Or(
		cmp.Compare(a.transmits, b.transmits),
		cmp.Compare(len(b.msg), len(a.msg)),
		cmp.Compare(b.number, a.number),
	)
}

// QueueBroadcast puts b into the queue, and those it makes void out of it.
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

// insertNew queues e and returns what it made void.
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

// GetBroadcasts hands out messages whose lengths, each with overhead added, do not exceed limit in
// sum. One that does not fit is passed over for shorter ones. nil means that there are none. The
// messages are those of the broadcasts, not copies.
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

// retransmitLimit is how often a broadcast is handed out in a cluster of n nodes, at least once.
func retransmitLimit(mult, n int) int {
	digits := math.Ceil(math.Log10(float64(max(n, 0)) + 1))
	return max(mult*int(digits), 1)
}

// take hands out what fits into limit, and returns the broadcasts too that have had their turns.
func (q *TransmitLimitedQueue) take(overhead, limit, turns int) (msgs [][]byte, done []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var again []*queued
	kept := q.queue[:0] // what is not taken moves down over what is
	for at := 0; at < len(q.queue); {
		free := limit - overhead
		if free <= 0 {
			kept = append(kept, q.queue[at:]...)
			break
		}
		// Among those handed out equally often the longer ones stand first. What did not fit before
		// fits less now, so one pass is enough.
		next := at + firstFitting(q.queue[at:], free)
		kept = append(kept, q.queue[at:next]...)
		at = next
		if at == len(q.queue) || len(q.queue[at].msg) > free {
			continue // at is the first of those handed out more often
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

// firstFitting is the index of the first of queue, which is not empty, that has no more than free
// bytes and was handed out as often as the first; if there is none, of the first that was handed
// out more often.
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

// forget drops e from the names, unless a newer one has the name.
func (q *TransmitLimitedQueue) forget(e *queued) {
	if e.kind == queuedNamed && q.named[e.name] == e {
		delete(q.named, e.name)
	}
}

// NumQueued is how many broadcasts wait.
func (q *TransmitLimitedQueue) NumQueued() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue)
}

// Prune keeps the maxRetain broadcasts that would be handed out first.
func (q *TransmitLimitedQueue) Prune(maxRetain int) {
	finish(q.cut(max(maxRetain, 0)))
}

// Reset empties the queue.
func (q *TransmitLimitedQueue) Reset() { finish(q.cut(0)) }

// cut returns what stands behind the first n, the last first.
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
