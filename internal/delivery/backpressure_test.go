package delivery_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
)

// fill makes broadcasts of A until one is refused, at most most, and returns how many were taken.
func (w *world) fill(size, most int) (taken int) {
	w.T.Helper()
	data := make([]byte, size)
	for taken < most {
		data[0], data[1] = byte(taken>>8), byte(taken)
		switch err := w.A.Delivery.Broadcasts.Broadcast(w.Now, data); {
		case errors.Is(err, direct.ErrQueueFull):
			return taken
		case err != nil:
			w.T.Fatal(err)
		}
		taken++
	}
	return taken
}

func TestNeighborThatReportsHoldsAFastOriginBackAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name       string
		size, most int
	}{{"small messages", 1000, 50_000}, {"large messages", 1 << 20, 1000}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			w.fill(1000, 100)
			w.run(500 * time.Millisecond) // the neighbor reports
			before := len(w.delivered(w.B))
			taken := w.fill(c.size, c.most)
			if taken == c.most {
				t.Fatalf("%d messages were taken at once", taken)
			}
			w.run(time.Minute)
			if got := len(w.delivered(w.B)) - before; got != taken {
				t.Errorf("b delivered %d messages of the %d that were taken", got, taken)
			}
			if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, make([]byte, c.size)); err != nil {
				t.Errorf("the next one is refused: %v", err)
			}
		})
	}
}

// A member that never reports could hold up every origin that has a link with it. If no other neighbor reports either, it
// looks like a busy machine for a while.
func TestNeighborThatNeverReportsHoldsAnOriginBackForTenSecondsAtMost(t *testing.T) {
	w := newWorld(t)
	w.Link()
	const most = 20_000
	if w.fill(1000, most) == most {
		t.Fatal("nothing is refused")
	}
	for after, want := range map[time.Duration]bool{10 * time.Second: true, 11 * time.Second: false} {
		now := w.Now.Add(after)
		w.A.Peer.Swim.Heard = now
		if got := w.A.Delivery.Broadcasts.Congested(now, false); got != want {
			t.Errorf("congested after %v: %v, want %v", after, got, want)
		}
	}
}

func TestSilentNeighborHoldsNobodyBack(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.fill(1000, 100)
	w.run(500 * time.Millisecond)
	w.fill(1000, 50_000)
	if !w.A.Delivery.Broadcasts.Congested(w.Now, false) {
		t.Fatal("a full queue does not count")
	}
	w.A.Peer.Swim.Heard = w.Now.Add(-time.Hour)
	if w.A.Delivery.Broadcasts.Congested(w.Now, false) {
		t.Error("the queue for a silent neighbor counts")
	}
}
