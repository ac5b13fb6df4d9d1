package arena

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Index returns the places of exactly the messages that are young enough, whenever they are requested.
func TestIndexReturnsThePlacesOfRecentMessages(t *testing.T) {
	const keep = 50 * time.Millisecond
	var r Index
	rng := rand.New(rand.NewPCG(1, 0))
	now := time.Unix(0, 0)
	put := map[wire.MessageID]time.Time{}
	idOf := func(n uint64) (id wire.MessageID) {
		binary.BigEndian.PutUint64(id[8:], n)
		return id
	}
	for n := uint64(1); n <= 20_000; n++ {
		now = now.Add(time.Duration(rng.IntN(2)) * time.Millisecond)
		if rng.IntN(1000) == 0 {
			now = now.Add(2 * keep)
			r.Forget(now, keep)
			if r.Len() != 0 || r.places != nil {
				t.Fatalf("%d messages and a map of %d are left", r.Len(), len(r.places))
			}
		}
		id := idOf(n)
		r.Put(now, &id, Ref{Off: n}, keep)
		put[id] = now
		if rng.IntN(20) > 0 {
			continue
		}
		id = idOf(n - min(n, rng.Uint64N(150)))
		at, known := put[id]
		known = known && now.Sub(at) <= keep
		if place, ok := r.Get(&id); ok != known || ok && place != (Ref{Off: binary.BigEndian.Uint64(id[8:])}) {
			t.Fatalf("message %d of %d: %v, %v, want %v", binary.BigEndian.Uint64(id[8:]), n, place, ok, known)
		}
	}
}

func TestIndexWithoutRequestsHasNoMap(t *testing.T) {
	var r Index
	for n := range 1000 {
		r.Put(time.Unix(0, 0), &wire.MessageID{byte(n), byte(n >> 8)}, Ref{Off: 1}, time.Second)
	}
	if r.places != nil {
		t.Errorf("a map of %d messages", len(r.places))
	}
	if _, ok := r.Get(&wire.MessageID{1, 1}); !ok || len(r.places) != 1000 {
		t.Errorf("after a request: %v, a map of %d messages", ok, len(r.places))
	}
}
