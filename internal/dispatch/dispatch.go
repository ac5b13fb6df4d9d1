// Package dispatch calls an application with messages and events, one at a time and in order. It does so in its own
// goroutine, so that a slow application does not delay the node. dispatch.go is the queue, delivered.go the known messages.
package dispatch

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the queue for the application (docs/LIMITS.md).
const (
	MessagesMax = 1 << 16 // messages
	callsMax    = 1024    // other calls
	linesMax    = 1024    // lines of the log
)

// Handlers are the callbacks. A nil handler receives nothing.
type Handlers[N any] struct {
	Message             func([]byte)
	Join, Update, Leave func(N)
	Log                 func(string)
}

// Kind is the kind of a notice.
type Kind uint8

const (
	none Kind = iota // removed from the queue
	message
	Join
	Update
	Leave
	logLine
	call
)

// notice is one queued call of the application or its log.
type notice[N any] struct {
	kind Kind
	at   time.Time // of a message: when it was queued
	via  Via       // of a message
	data []byte
	name string // of node
	node N
	text string
	call func()
}

// A Queue delivers messages and events to the application, one call at a time and in order. Adding to it never blocks.
// If the application is slow, the oldest message is dropped and counted. Membership events are never dropped; those of
// one node are merged into at most two.
type Queue[N any] struct {
	handlers Handlers[N]
	bytesMax int // of the messages in the queue

	wake    chan struct{} // contains a token while the queue may be non-empty
	dropped atomic.Uint64 // messages, calls and lines dropped
	waited  atomic.Int64  // longest time in ns that a message was queued, since the last Slowest
	recent  delivered

	mu       sync.Mutex // guards the following fields
	queue    []notice[N]
	base     uint64            // sequence number of queue[0]
	oldest   uint64            // no message in the queue has a lower sequence number
	taken    int               // notices in the queue that have been removed
	messages int               // in the queue
	bytes    int               // of them
	calls    int               // in the queue
	lines    int               // in the queue
	closed   bool              // no notice is delivered any more
	pending  map[string]uint64 // node name to sequence number + 1 of the node's last membership event

	lastMember uint64 // sequence number + 1 of the last membership event
	delivered  uint64 // all notices with lower sequence numbers have been delivered
	waits      []wait
	stuck      uint64 // base + 1 when a wait timed out
}

// New returns an empty queue for messages of at most size bytes in total, or one message.
func New[N any](h Handlers[N], size int) *Queue[N] {
	return &Queue[N]{handlers: h, bytesMax: size, wake: make(chan struct{}, 1), pending: make(map[string]uint64)}
}

// Run makes the calls until stop is closed.
func (q *Queue[N]) Run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-q.wake:
		}
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, ok := q.pop()
			if !ok {
				break
			}
			q.deliver(n)
		}
	}
}

func (q *Queue[N]) deliver(n notice[N]) {
	switch n.kind {
	case message:
		now := time.Now()
		q.waited.Store(max(q.waited.Load(), int64(now.Sub(n.at))))
		if q.recent.note(now, n.via, n.data) {
			q.handlers.Message(n.data)
		}
	case Join:
		q.handlers.Join(n.node)
	case Update:
		q.handlers.Update(n.node)
	case Leave:
		q.handlers.Leave(n.node)
	case logLine:
		q.handlers.Log(n.text)
	case call:
		n.call()
	}
}

// Close discards the queue. A call that has left the queue may still begin.
func (q *Queue[N]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.queue = true, nil
}

func (q *Queue[N]) pop() (n notice[N], ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.noteDelivered()
	for len(q.queue) > 0 {
		n = q.queue[0]
		q.queue[0] = notice[N]{}
		q.queue = q.queue[1:]
		q.base++
		switch n.kind {
		case none:
			q.taken--
			continue
		case message:
			q.messages--
			q.bytes -= len(n.data)
		case call:
			q.calls--
		case logLine:
			q.lines--
		case Join, Update, Leave:
			if q.pending[n.name] == q.base {
				delete(q.pending, n.name)
			}
		}
		return n, true
	}
	q.queue = nil
	q.noteDelivered()
	return n, false
}

func (q *Queue[N]) push(n notice[N]) {
	if q.closed {
		return
	}
	if q.taken > takenMax && 2*q.taken > len(q.queue) {
		q.compact()
	}
	q.queue = append(q.queue, n)
	if len(q.queue) > 1 { // Run has not reached the end
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Slowest returns the longest time that a message was queued since the last call of Slowest.
func (q *Queue[N]) Slowest() time.Duration { return time.Duration(q.waited.Swap(0)) }

// Dropped returns the number of messages, calls and log lines dropped.
func (q *Queue[N]) Dropped() uint64 { return q.dropped.Load() }

// Message queues a message. via is the way in which it arrived.
func (q *Queue[N]) Message(now time.Time, via Via, data []byte) {
	if q.handlers.Message == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.messages++
	q.bytes += len(data)
	q.push(notice[N]{kind: message, at: now, via: via, data: data})
	q.oldest = max(q.oldest, q.base)
	for q.messages > MessagesMax || q.bytes > q.bytesMax && q.messages > 1 {
		if n := &q.queue[q.oldest-q.base]; n.kind == message {
			q.messages--
			q.bytes -= len(n.data)
			q.dropped.Add(1)
			q.takeBack(n)
		}
		q.oldest++
	}
}

// takenMax is the number of removed notices from which the queue may be compacted.
const takenMax = 1024

func (q *Queue[N]) takeBack(n *notice[N]) {
	*n = notice[N]{}
	q.taken++
}

// compact copies the queue without the removed notices.
func (q *Queue[N]) compact() {
	kept := make([]notice[N], 0, len(q.queue)-q.taken)
	places := append(make([]*uint64, 0, 1+len(q.waits)), &q.lastMember)
	for i := range q.waits {
		places = append(places, &q.waits[i].upto)
	}
	moved := make([]uint64, len(places)) // distance by which each place moves
	for i := range q.queue {
		n := &q.queue[i]
		if n.kind == none {
			for k, at := range places {
				if q.base+uint64(i) < *at {
					moved[k]++
				}
			}
			continue
		}
		if n.name != "" && q.pending[n.name] == q.base+uint64(i)+1 {
			q.pending[n.name] = q.base + uint64(len(kept)) + 1
		}
		kept = append(kept, *n)
	}
	for k, at := range places {
		*at -= moved[k]
	}
	q.queue, q.taken, q.oldest = kept, 0, q.base
}

// Member queues a membership event of the named node. If the previous event of that node is still queued, the two
// merge: the application sees the final state, and every join is matched by a leave.
func (q *Queue[N]) Member(kind Kind, name string, node N) {
	if q.handlers.Join == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if seq := q.pending[name]; seq > q.base {
		last := &q.queue[seq-1-q.base]
		switch {
		case kind == Update && last.kind != Leave:
			last.node = node
			return
		case kind == Leave && last.kind == Join:
			q.takeBack(last)
			delete(q.pending, name)
			return
		case kind == Leave && last.kind == Update:
			q.takeBack(last)
		}
	}
	q.push(notice[N]{kind: kind, name: name, node: node})
	q.lastMember = q.base + uint64(len(q.queue))
	q.pending[name] = q.lastMember
}

// Log queues a line for the log. If the queue is full, it drops and counts the line.
func (q *Queue[N]) Log(text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lines >= linesMax {
		q.dropped.Add(1)
		return
	}
	q.lines++
	q.push(notice[N]{kind: logLine, text: text})
}

// Call queues any other call of the application and reports whether it did. If the queue is full, it drops and counts
// the call.
func (q *Queue[N]) Call(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls >= callsMax {
		q.dropped.Add(1)
		return false
	}
	q.calls++
	q.push(notice[N]{kind: call, call: f})
	return true
}

// A wait waits until all notices before a place in the queue have been delivered.
type wait struct {
	upto uint64 // sequence number of the first notice that it does not wait for
	done chan struct{}
}

// AwaitMembers returns when the membership events queued so far have been delivered, after atMost, or when stop is
// closed. If an earlier AwaitMembers timed out on a call of the application that is still in progress, AwaitMembers
// does not wait: that call may wait for the caller, like a delegate that joins another node.
func (q *Queue[N]) AwaitMembers(atMost time.Duration, stop <-chan struct{}) {
	done := q.await()
	if done == nil {
		return
	}
	t := time.NewTimer(atMost)
	defer t.Stop()
	select {
	case <-done:
	case <-stop:
	case <-t.C:
		q.giveUp(done)
	}
}

// await returns a channel that is closed when the membership events queued so far have been delivered, or nil.
func (q *Queue[N]) await() chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.lastMember <= q.delivered || q.stuck == q.base+1 {
		return nil
	}
	w := wait{upto: q.lastMember, done: make(chan struct{})}
	q.waits = append(q.waits, w)
	return w.done
}

// giveUp removes a wait that timed out and records the call in progress.
func (q *Queue[N]) giveUp(done chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stuck = q.base + 1
	q.waits = slices.DeleteFunc(q.waits, func(w wait) bool { return w.done == done })
}

// noteDelivered records that all notices that left the queue have been delivered, and ends the waits for them.
func (q *Queue[N]) noteDelivered() {
	q.delivered = q.base
	q.waits = slices.DeleteFunc(q.waits, func(w wait) bool {
		if w.upto > q.delivered {
			return false
		}
		close(w.done)
		return true
	})
}
