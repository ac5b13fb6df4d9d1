package peer

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what is queued for one peer (docs/LIMITS.md).
const (
	SmallOwn  = 128 << 10 // bytes of small messages beyond which this node's own are refused: room is kept to pass on those of others
	SmallLazy = 2 << 20   // bytes of them beyond which messages of others are only announced
	SmallMax  = 4 << 20   // bytes of them

	queueAge  = 30 * time.Second // what waits longer is dropped, unless the peer reports meanwhile that it receives what was sent
	sparedMax = 1 << 14          // ids of queue.spared
)

// Queued is a small message that waits. Its plaintext is in the arena, for all peers whose queues it is in.
type Queued struct {
	arena.Ref
	At time.Time // when it was queued
}

// queue is the small messages that wait for one peer: first what the peer lacks, then the others, each in order. What
// the peer has received from elsewhere meanwhile is not sent to it.
type queue struct {
	urgent []Queued // small messages that the peer lacks
	normal []Queued
	bytes  int                         // of both
	spared map[wire.MessageID]struct{} // broadcasts that the peer has, some of them in normal
	held   bool                        // the arena knows that the queue awaits something in it
}

// len returns how many small messages wait.
func (q *queue) len() int { return len(q.urgent) + len(q.normal) }

// add puts a message behind those that wait.
func (q *queue) add(now time.Time, m arena.Ref) {
	q.normal = append(q.normal, Queued{m, now})
	q.bytes += int(m.Size)
}

// addUrgent puts a message that was lost, or asked for, before the normal ones and behind the urgent ones.
func (q *queue) addUrgent(now time.Time, m arena.Ref) {
	q.urgent = append(q.urgent, Queued{m, now})
	q.bytes += int(m.Size)
}

// at returns the i-th small message in the order in which they are sent.
func (q *queue) at(i int) *Queued {
	if i < len(q.urgent) {
		return &q.urgent[i]
	}
	return &q.normal[i-len(q.urgent)]
}

// drop takes the first n out of the queue.
func (q *queue) drop(n int) {
	urgent := min(n, len(q.urgent))
	for _, m := range q.urgent[:urgent] {
		q.bytes -= int(m.Size)
	}
	for _, m := range q.normal[:n-urgent] {
		q.bytes -= int(m.Size)
	}
	if q.urgent = q.urgent[urgent:]; len(q.urgent) == 0 {
		q.urgent = nil
	}
	if q.normal = q.normal[n-urgent:]; len(q.normal) == 0 {
		q.normal = nil
	}
	if q.len() == 0 {
		q.spared = nil
	}
}

// spare notes that the peer has a broadcast, of which a copy for it may wait.
func (q *queue) spare(id wire.MessageID) {
	if q.len() == 0 || len(q.spared) >= sparedMax {
		return
	}
	if q.spared == nil {
		q.spared = make(map[wire.MessageID]struct{})
	}
	q.spared[id] = struct{}{}
}

// needless reports whether the peer has the message that a plaintext begins with.
func (q *queue) needless(plain []byte) bool {
	if len(q.spared) == 0 {
		return false
	}
	_, has := q.spared[IDOf(plain)]
	return has
}

// purge takes the messages that the peer has out of the queue, if they may be a quarter of it or more.
func (q *queue) purge(a *arena.Arena) {
	if 4*len(q.spared) < q.len() {
		return
	}
	needless := func(m Queued) bool {
		plain := a.Get(m.Ref)
		needless := plain != nil && q.needless(plain)
		if needless {
			q.bytes -= int(m.Size)
		}
		return needless
	}
	q.urgent = slices.DeleteFunc(q.urgent, needless)
	q.normal = slices.DeleteFunc(q.normal, needless)
	q.spared = nil
}

// take takes the normal messages out of the queue.
func (q *queue) take() []Queued {
	list := q.normal
	q.normal = nil
	for _, m := range list {
		q.bytes -= int(m.Size)
	}
	return list
}

// putBack puts messages that were taken before those that were queued since.
func (q *queue) putBack(list []Queued) {
	if len(list) == 0 {
		return
	}
	for _, m := range list {
		q.bytes += int(m.Size)
	}
	q.normal = append(list, q.normal...)
}

// ahead is what small messages may take of the rate while large ones use it up: a quarter of it, so that they wait for
// none of them. What they send is counted, and so slows the large ones down.
type ahead struct {
	level float64 // bytes
	at    time.Time
}

// aheadMax is the most bytes that may be sent ahead at once.
const aheadMax = 16 << 10

func (a *ahead) take(now time.Time, rate float64, n int) bool {
	a.level = min(a.level+rate/4*now.Sub(a.at).Seconds(), aheadMax)
	a.at = now
	if a.level < float64(n) {
		return false
	}
	a.level -= float64(n)
	return true
}
