package arena

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// IndexMax is the maximum number of messages of an Index.
const IndexMax = 1 << 16

// An Index records where recent small messages are stored, for neighbors that request them. It drops the oldest
// entries when they are too old or too many. Few messages are requested, so a message gets its entry in the map at the
// first Get after its Put. The zero value is empty.
type Index struct {
	list   []indexed // oldest first; the first gone of them were dropped
	gone   int
	places map[wire.MessageID]Ref
	mapped int       // the first entries of list that were not dropped are in places
	since  time.Time // of the times in list
}

type indexed struct {
	id    wire.MessageID
	place Ref
	at    time.Duration
}

// Put records where a small message is stored, and drops entries older than keep.
func (r *Index) Put(now time.Time, id *wire.MessageID, place Ref, keep time.Duration) {
	r.Forget(now, keep)
	switch r.Len() {
	case 0:
		r.since = now
	case IndexMax:
		r.drop()
	}
	if len(r.list) == cap(r.list) && 2*r.gone > len(r.list) {
		r.list, r.gone = r.list[:copy(r.list, r.list[r.gone:])], 0
	}
	r.list = append(r.list, indexed{*id, place, now.Sub(r.since)})
}

// Get returns where a recent small message is stored.
func (r *Index) Get(id *wire.MessageID) (Ref, bool) {
	if r.places == nil && r.Len() > 0 {
		r.places = make(map[wire.MessageID]Ref)
	}
	for ; r.mapped < r.Len(); r.mapped++ {
		e := &r.list[r.gone+r.mapped]
		r.places[e.id] = e.place
	}
	place, ok := r.places[*id]
	return place, ok
}

// Len returns the number of recorded messages.
func (r *Index) Len() int { return len(r.list) - r.gone }

// drop drops the oldest entry.
func (r *Index) drop() {
	if r.mapped > 0 {
		delete(r.places, r.list[r.gone].id)
		r.mapped--
	}
	r.gone++
}

// Forget drops entries older than keep, and releases the memory when none are left.
func (r *Index) Forget(now time.Time, keep time.Duration) {
	for r.Len() > 0 && now.Sub(r.since)-r.list[r.gone].at > keep {
		r.drop()
	}
	if r.Len() == 0 {
		*r = Index{}
	}
}

// IndexBound returns the maximum memory of an Index in bytes.
func IndexBound() int {
	return memory.Map(IndexMax, memory.Of[wire.MessageID](), memory.Of[Ref]()) + memory.List(IndexMax, memory.Of[indexed]())
}
