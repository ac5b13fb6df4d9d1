package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	recentMax = 1 << 16          // small messages announced lately
	recentAge = 10 * time.Second // after the last one, the table is given back
)

// Recent tells where the small messages are kept that were announced. The oldest gives way. The zero value is empty.
type Recent struct {
	places map[wire.MessageID]arena.Ref
	ring   []wire.MessageID
	next   int       // place in a full ring that is taken next
	at     time.Time // when the last was put
}

// Put remembers where a small message is kept that is announced, for the requests that follow.
func (r *Recent) Put(now time.Time, id *wire.MessageID, place arena.Ref) {
	r.at = now
	if r.places == nil {
		r.places = make(map[wire.MessageID]arena.Ref)
	}
	if _, ok := r.places[*id]; ok {
		return
	}
	if len(r.ring) < recentMax {
		r.ring = append(r.ring, *id)
	} else {
		delete(r.places, r.ring[r.next])
		r.ring[r.next] = *id
		r.next = (r.next + 1) % recentMax
	}
	r.places[*id] = place
}

// Get returns where a small message is kept that was announced lately.
func (r *Recent) Get(id *wire.MessageID) (arena.Ref, bool) {
	place, ok := r.places[*id]
	return place, ok
}

// Len returns how many messages it remembers.
func (r *Recent) Len() int { return len(r.ring) }

// sweep gives the table back if nothing was announced for long.
func (r *Recent) sweep(now time.Time) {
	if now.Sub(r.at) > recentAge {
		*r = Recent{}
	}
}
