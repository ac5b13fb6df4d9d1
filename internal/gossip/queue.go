package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The small messages that wait for one link: what its peer lacks first, then the others, each in order. What the
// peer has had from elsewhere meanwhile is not sent to it.

// queued is a small message that waits. Its plaintext is in the arena, for all links that it waits on.
type queued struct {
	stored
	at time.Time
}

// queueSmall puts a message behind those that wait.
func (e *egress) queueSmall(now time.Time, s stored) {
	e.small = append(e.small, queued{s, now})
	e.bytes += int(s.size)
}

// queueUrgent puts one that was lost or asked for before those that wait, but behind others like it.
func (e *egress) queueUrgent(now time.Time, s stored) {
	e.urgent = append(e.urgent, queued{s, now})
	e.bytes += int(s.size)
}

// waits is how many small messages wait.
func (e *egress) waits() int { return len(e.urgent) + len(e.small) }

// sparedMax bounds the ids of egress.spared.
const sparedMax = 1 << 14

// spare notes that the peer has a broadcast, of which a copy for it may wait.
func (e *egress) spare(id wire.MessageID) {
	if e.waits() == 0 || len(e.spared) >= sparedMax {
		return
	}
	if e.spared == nil {
		e.spared = make(map[wire.MessageID]struct{})
	}
	e.spared[id] = struct{}{}
}

// needless reports whether the peer has the message that a plaintext begins with.
func (e *egress) needless(plain []byte) bool {
	if len(e.spared) == 0 {
		return false
	}
	_, has := e.spared[wire.MessageID(plain[messageIDAt:])]
	return has
}

// purge takes what the peer has out of the queue, if that is worth the walk.
func (e *egress) purge(a *arena) {
	if 4*len(e.spared) < e.waits() {
		return
	}
	needless := func(q queued) bool {
		plain := a.get(q.off, int(q.size))
		needless := plain != nil && e.needless(plain)
		if needless {
			e.bytes -= int(q.size)
		}
		return needless
	}
	e.urgent = slices.DeleteFunc(e.urgent, needless)
	e.small = slices.DeleteFunc(e.small, needless)
	e.spared = nil
}

// dropSmall takes the first n out of the queue.
func (e *egress) dropSmall(n int) {
	urgent := min(n, len(e.urgent))
	for _, q := range e.urgent[:urgent] {
		e.bytes -= int(q.size)
	}
	for _, q := range e.small[:n-urgent] {
		e.bytes -= int(q.size)
	}
	if e.urgent = e.urgent[urgent:]; len(e.urgent) == 0 {
		e.urgent = nil
	}
	if e.small = e.small[n-urgent:]; len(e.small) == 0 {
		e.small = nil
	}
	if e.waits() == 0 {
		e.spared = nil
	}
}

// nextSmall is the i-th small message in the order in which they go.
func (e *egress) nextSmall(i int) *queued {
	if i < len(e.urgent) {
		return &e.urgent[i]
	}
	return &e.small[i-len(e.urgent)]
}
