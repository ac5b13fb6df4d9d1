package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const recentMax = 1 << 16 // small messages

// recentMessages tells where the small messages are kept that passed lately, for those that request them. The oldest give way when
// they are older than they are kept, or too many. The zero value is empty.
type recentMessages struct {
	places map[wire.MessageID]arena.Ref
	list   []recent // the oldest first
}

type recent struct {
	id wire.MessageID
	at time.Time
}

// put remembers where a small message is kept. Those that passed more than keep ago are forgotten.
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

// get returns where a small message is kept that passed lately.
func (r *recentMessages) get(id *wire.MessageID) (arena.Ref, bool) {
	place, ok := r.places[*id]
	return place, ok
}

// len returns how many messages it remembers.
func (r *recentMessages) len() int { return len(r.list) }

func (r *recentMessages) drop() {
	delete(r.places, r.list[0].id)
	r.list = r.list[1:]
}

// forget forgets what is older than keep, and gives the memory back when nothing is left.
func (r *recentMessages) forget(now time.Time, keep time.Duration) {
	for len(r.list) > 0 && now.Sub(r.list[0].at) > keep {
		r.drop()
	}
	if len(r.list) == 0 {
		*r = recentMessages{}
	}
}
