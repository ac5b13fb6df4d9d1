package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const recentMax = 1 << 16 // maximum number of small messages

// recentMessages records where recent small messages are stored, for neighbors that request them. It drops the oldest
// entries when they are too old or too many. The zero value is empty.
type recentMessages struct {
	places map[wire.MessageID]arena.Ref
	list   []recent // oldest first
}

type recent struct {
	id wire.MessageID
	at time.Time
}

// put records where a small message is stored, and drops entries older than keep.
func (r *recentMessages) put(now time.Time, id *wire.MessageID, place arena.Ref, keep time.Duration) {
	r.forget(now, keep)
	if r.places == nil {
		r.places = make(map[wire.MessageID]arena.Ref)
	}
	if len(r.list) >= recentMax {
		r.drop()
	}
	r.list = append(r.list, recent{*id, now})
	r.places[*id] = place
}

// get returns where a recent small message is stored.
func (r *recentMessages) get(id *wire.MessageID) (arena.Ref, bool) {
	place, ok := r.places[*id]
	return place, ok
}

// len returns the number of recorded messages.
func (r *recentMessages) len() int { return len(r.list) }

func (r *recentMessages) drop() {
	delete(r.places, r.list[0].id)
	r.list = r.list[1:]
}

// forget drops entries older than keep, and releases the memory when none are left.
func (r *recentMessages) forget(now time.Time, keep time.Duration) {
	for len(r.list) > 0 && now.Sub(r.list[0].at) > keep {
		r.drop()
	}
	if len(r.list) == 0 {
		*r = recentMessages{}
	}
}
