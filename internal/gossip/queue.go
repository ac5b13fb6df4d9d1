package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// queued is a small message that waits. Its plaintext is in the arena, for all peers whose queues it is in.
type queued struct {
	stored
	at time.Time
}

// queue is the small messages that wait for one peer: first what the peer lacks, then the others, each in order. What
// the peer has received from elsewhere meanwhile is not sent to it.
type queue struct {
	urgent []queued // small messages that the peer lacks
	normal []queued
	bytes  int                         // of both
	spared map[wire.MessageID]struct{} // broadcasts that the peer has, some of them in normal
}

// len is how many small messages wait.
func (q *queue) len() int { return len(q.urgent) + len(q.normal) }

// add puts a message behind those that wait.
func (q *queue) add(now time.Time, s stored) {
	q.normal = append(q.normal, queued{s, now})
	q.bytes += int(s.size)
}

// addUrgent puts a message that was lost, or asked for, before the normal ones and behind the urgent ones.
func (q *queue) addUrgent(now time.Time, s stored) {
	q.urgent = append(q.urgent, queued{s, now})
	q.bytes += int(s.size)
}

// at is the i-th small message in the order in which they are sent.
func (q *queue) at(i int) *queued {
	if i < len(q.urgent) {
		return &q.urgent[i]
	}
	return &q.normal[i-len(q.urgent)]
}

// drop takes the first n out of the queue.
func (q *queue) drop(n int) {
	urgent := min(n, len(q.urgent))
	for _, m := range q.urgent[:urgent] {
		q.bytes -= int(m.size)
	}
	for _, m := range q.normal[:n-urgent] {
		q.bytes -= int(m.size)
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

// sparedMax bounds the ids of queue.spared.
const sparedMax = 1 << 14

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
	_, has := q.spared[wire.MessageID(plain[messageIDAt:])]
	return has
}

// purge takes the messages that the peer has out of the queue, if they may be a quarter of it or more.
func (q *queue) purge(a *arena) {
	if 4*len(q.spared) < q.len() {
		return
	}
	needless := func(m queued) bool {
		plain := a.get(m.off, int(m.size))
		needless := plain != nil && q.needless(plain)
		if needless {
			q.bytes -= int(m.size)
		}
		return needless
	}
	q.urgent = slices.DeleteFunc(q.urgent, needless)
	q.normal = slices.DeleteFunc(q.normal, needless)
	q.spared = nil
}

// messageIDAt is where the id of a message stands in its encoding, after the heads of array and bin.
const messageIDAt = 3

// startsWith reports whether a message has an id.
func startsWith(message []byte, id *wire.MessageID) bool {
	return wire.MessageID(message[messageIDAt:]) == *id
}

// TakeQueue takes the normal messages out of the queue if there are at least so many of them.
func (p *packets) TakeQueue(least int) []queued {
	if len(p.queue.normal) < least {
		return nil
	}
	list := p.queue.normal
	p.queue.normal = nil
	for _, m := range list {
		p.queue.bytes -= int(m.size)
	}
	return list
}

// PutBack puts messages that TakeQueue returned before those that were queued since.
func (p *packets) PutBack(list []queued) {
	if len(list) == 0 {
		return
	}
	for _, m := range list {
		p.queue.bytes += int(m.size)
	}
	p.queue.normal = append(list, p.queue.normal...)
}
