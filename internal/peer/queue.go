package peer

import (
	"cmp"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the queue for one peer (docs/LIMITS.md).
const (
	SmallOwn  = 128 << 10 // bytes of small messages above which this node's own are refused: the rest is for messages of others
	SmallLazy = 2 << 20   // bytes above which messages of others are only announced
	SmallMax  = 4 << 20   // maximum bytes

	queueAge  = 30 * time.Second // an older message is dropped unless the peer has reported receipt in the meantime
	sparedMax = 1 << 14          // maximum number of ids in queue.spared
)

// Queued is a queued small message. All peers that have it queued share its plaintext in the arena.
type Queued struct {
	arena.Ref
	At time.Time // when it was queued
}

// queue holds the small messages for one peer: first those the peer lacks, then the others, each in order. Messages that
// the peer has received from another node in the meantime are not sent.
type queue struct {
	urgent []Queued // small messages that the peer lacks
	normal []Queued // by their places in the arena
	bytes  int      // bytes of both

	isUrgent map[uint64]struct{} // places of the messages in urgent

	spared map[wire.MessageID]struct{} // broadcasts that the peer has, some of them in normal
	held   bool                        // the arena counts this queue as one that needs it

	counted int // records that the endpoint counts
}

// records returns the number of messages, places and ids.
func (q *queue) records() int { return q.len() + len(q.isUrgent) + len(q.spared) }

// len returns the number of queued messages.
func (q *queue) len() int { return len(q.urgent) + len(q.normal) }

// add appends a message to the queue.
func (q *queue) add(now time.Time, m arena.Ref) {
	q.normal = append(q.normal, Queued{m, now})
	q.bytes += int(m.Size)
}

// addUrgent queues a lost or requested message after the other urgent ones and ahead of the normal ones. A message that is
// queued already stays where it is: a peer that waits for a long queue requests what is on its way to it (PROTOCOL.md Q11).
func (q *queue) addUrgent(now time.Time, m arena.Ref) {
	if q.has(m.Off) {
		return
	}
	if q.isUrgent == nil {
		q.isUrgent = make(map[uint64]struct{})
	}
	q.isUrgent[m.Off] = struct{}{}
	q.urgent = append(q.urgent, Queued{m, now})
	q.bytes += int(m.Size)
}

// has reports whether the message at a place in the arena is queued.
func (q *queue) has(off uint64) bool {
	if _, ok := q.isUrgent[off]; ok {
		return true
	}
	_, ok := slices.BinarySearchFunc(q.normal, off, func(m Queued, off uint64) int { return cmp.Compare(m.Off, off) })
	return ok
}

// at returns the i-th message in sending order.
func (q *queue) at(i int) *Queued {
	if i < len(q.urgent) {
		return &q.urgent[i]
	}
	return &q.normal[i-len(q.urgent)]
}

// drop removes the first n messages.
func (q *queue) drop(n int) {
	urgent := min(n, len(q.urgent))
	for _, m := range q.urgent[:urgent] {
		q.bytes -= int(m.Size)
		delete(q.isUrgent, m.Off)
	}
	for _, m := range q.normal[:n-urgent] {
		q.bytes -= int(m.Size)
	}
	if q.urgent = q.urgent[urgent:]; len(q.urgent) == 0 {
		q.urgent, q.isUrgent = nil, nil
	}
	if q.normal = q.normal[n-urgent:]; len(q.normal) == 0 {
		q.normal = nil
	}
	if q.len() == 0 {
		q.spared = nil
	}
}

// spare notes that the peer has a broadcast, so a queued copy need not be sent.
func (q *queue) spare(id wire.MessageID) {
	if q.len() == 0 || len(q.spared) >= sparedMax {
		return
	}
	if q.spared == nil {
		q.spared = make(map[wire.MessageID]struct{})
	}
	q.spared[id] = struct{}{}
}

// needless reports whether the peer already has the message at the start of a plaintext.
func (q *queue) needless(plain []byte) bool {
	if len(q.spared) == 0 {
		return false
	}
	_, has := q.spared[IDOf(plain)]
	return has
}

// purge removes the messages that the peer has, if they may be at least a quarter of the queue.
func (q *queue) purge(a *arena.Arena) {
	if 4*len(q.spared) < q.len() {
		return
	}
	needless := func(m Queued) bool {
		plain := a.Get(m.Ref)
		needless := plain != nil && q.needless(plain)
		if needless {
			q.bytes -= int(m.Size)
			delete(q.isUrgent, m.Off)
		}
		return needless
	}
	q.urgent = slices.DeleteFunc(q.urgent, needless)
	q.normal = slices.DeleteFunc(q.normal, needless)
	q.spared = nil
}

// take removes and returns the normal messages.
func (q *queue) take() []Queued {
	list := q.normal
	q.normal = nil
	for _, m := range list {
		q.bytes -= int(m.Size)
	}
	return list
}

// putBack puts messages returned by take ahead of those queued since then.
func (q *queue) putBack(list []Queued) {
	if len(list) == 0 {
		return
	}
	for _, m := range list {
		q.bytes += int(m.Size)
	}
	q.normal = append(list, q.normal...)
}

// ahead is a token bucket that lets small messages use a quarter of the rate while large ones use all of it, so small
// messages do not wait. These bytes count against the rate, so large messages slow down.
type ahead struct {
	level float64 // token level in bytes
	at    time.Time
}

// aheadMax is the size of that token bucket in bytes.
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
