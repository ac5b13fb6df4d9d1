// Package dispatch calls an application: messages and events, one at a time and in order, from a
// goroutine that may be held up without harm to the node.
package dispatch

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits for the application (docs/LIMITS.md).
const (
	MessagesMax = 1 << 16  // messages
	bytesMax    = 64 << 20 // bytes of them
	callsMax    = 1024     // other calls
	linesMax    = 1024     // lines for the log
)

// Handlers are what is called. A nil one wants nothing of its kind.
type Handlers[N any] struct {
	Message             func([]byte)
	Join, Update, Leave func(N)
	Log                 func(string)
}

// Kind is what a notice tells.
type Kind uint8

const (
	none Kind = iota // taken back
	message
	Join
	Update
	Leave
	logLine
	call
)

// notice is one call that the application, or its log, is to get.
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

// A Queue hands messages and events to the application, one call at a time and in order. Its owner adds
// to it without ever waiting. When the application is slow the oldest message gives way and is counted;
// membership events are never dropped, but merge into at most two per node.
type Queue[N any] struct {
	handlers Handlers[N]

	wake    chan struct{} // holds a token while the queue may not be empty
	dropped atomic.Uint64 // messages, calls and lines that gave way
	waited  atomic.Int64  // longest wait of a message in ns, since it was last asked for
	lately  delivered

	mu       sync.Mutex // guards what follows
	queue    []notice[N]
	base     uint64            // sequence number of queue[0]
	oldest   uint64            // no message in the queue has a lower sequence number
	taken    int               // notices in the queue that were taken back
	messages int               // in the queue
	bytes    int               // of them
	calls    int               // in the queue
	lines    int               // in the queue
	closed   bool              // nothing is handed out any more
	pending  map[string]uint64 // node name to sequence number + 1 of its last membership event

	lastMember uint64 // sequence number + 1 of the last membership event
	delivered  uint64 // all notices of lower sequence numbers were delivered
	waits      []wait
	stuck      uint64 // base + 1 when a wait ran out
}

// New makes an empty queue.
func New[N any](h Handlers[N]) *Queue[N] {
	return &Queue[N]{handlers: h, wake: make(chan struct{}, 1), pending: make(map[string]uint64)}
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
		if q.lately.note(now, n.via, n.data) {
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

// Close keeps what waits from being handed out. A call that has been handed out may still begin.
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
	if len(q.queue) > 1 { // Run has not come to the end
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Slowest is the longest that a message waited since the last call.
func (q *Queue[N]) Slowest() time.Duration { return time.Duration(q.waited.Swap(0)) }

// Dropped is how many messages, calls and lines of the log gave way so far.
func (q *Queue[N]) Dropped() uint64 { return q.dropped.Load() }

// Message queues a message that came as via says.
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
	for q.messages > MessagesMax || q.bytes > bytesMax && q.messages > 1 {
		if n := &q.queue[q.oldest-q.base]; n.kind == message {
			q.messages--
			q.bytes -= len(n.data)
			q.dropped.Add(1)
			q.takeBack(n)
		}
		q.oldest++
	}
}

// takenMax is how many places of notices taken back the queue may hold before it is made anew.
const takenMax = 1024

func (q *Queue[N]) takeBack(n *notice[N]) {
	*n = notice[N]{}
	q.taken++
}

// compact makes the queue anew without the places of what was taken back.
func (q *Queue[N]) compact() {
	kept := make([]notice[N], 0, len(q.queue)-q.taken)
	places := append(make([]*uint64, 0, 1+len(q.waits)), &q.lastMember)
	for i := range q.waits {
		places = append(places, &q.waits[i].upto)
	}
	moved := make([]uint64, len(places)) // how far each of them is moved
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

// Member queues a membership event of the node with a name. A further one for a node whose last still
// waits merges with it: the application sees the state that counts, and each join matched by a leave.
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

// Log queues a line for the log. When too many wait it is dropped and counted.
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

// Call queues any other call of the application, and reports whether it did. When too many wait it is dropped and
// counted.
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

// A wait is somebody who waits until all notices before a place of the queue have been delivered.
type wait struct {
	upto uint64 // sequence number of the first notice that need not be
	done chan struct{}
}

// AwaitMembers returns when the membership events that are queued now have been delivered, after atMost, or
// when stop is closed. A call of the application that an earlier AwaitMembers has waited for in vain is not
// waited for again: it may be waiting for the caller, as a delegate that joins another node does.
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

// await is closed when the membership events queued so far have been delivered; nil if there is none to wait for.
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

// giveUp forgets a wait that has run out, and remembers the call that it waited for.
func (q *Queue[N]) giveUp(done chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stuck = q.base + 1
	q.waits = slices.DeleteFunc(q.waits, func(w wait) bool { return w.done == done })
}

// noteDelivered ends the waits for what was delivered: all that was handed out.
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
