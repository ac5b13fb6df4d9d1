package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what a newcomer is told of (docs/PROTOCOL.md, D6).
const (
	latelyMax = 256             // small messages
	latelyFor = 3 * time.Second // since they passed
)

// Lately is the small messages that passed last. A node that joins gets the state of the applications before it has
// links, so it would miss what is sent in between. Therefore a node announces the messages of the last seconds to a
// newcomer that it gets a link with. The zero value is empty.
type Lately struct {
	ring []passed // made with the first message
	next int      // where the next one goes
}

type passed struct {
	id    wire.MessageID
	at    time.Time
	place arena.Ref
}

// Put takes note of a small message that is passed on, or sent by this node.
func (l *Lately) Put(now time.Time, id *wire.MessageID, place arena.Ref) {
	if l.ring == nil {
		l.ring = make([]passed, latelyMax)
	}
	l.ring[l.next] = passed{id: *id, at: now, place: place}
	l.next = (l.next + 1) % latelyMax
}

// All returns an iterator over the small messages that passed in the last seconds, oldest first.
func (l *Lately) All(now time.Time) func(yield func(*wire.MessageID, arena.Ref) bool) {
	return func(yield func(*wire.MessageID, arena.Ref) bool) {
		for i := range l.ring {
			s := &l.ring[(l.next+i)%latelyMax]
			if s.at.IsZero() || now.Sub(s.at) > latelyFor {
				continue
			}
			if !yield(&s.id, s.place) {
				return
			}
		}
	}
}
