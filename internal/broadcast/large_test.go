package broadcast

import (
	"bytes"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// awaiting is how many neighbors may still request a message.
func awaiting(l *Large) (count int) {
	for range l.Awaiting {
		count++
	}
	return count
}

func TestMessageIsAwaitedByWhoWasToldAndHasNotShownThatItHasIt(t *testing.T) {
	w := newWorld(t, 3)
	l, _ := w.begin(id(1), 1000)
	if l.Awaited() || l.Owned() {
		t.Error("awaited or owned by nobody")
	}
	l.Tell(w.near[0])
	l.Tell(w.near[0])
	l.Tell(w.near[1])
	if got := awaiting(l); got != 2 || !l.Awaited() {
		t.Errorf("awaited by %d", got)
	}
	l.Shown(w.near[0])
	w.d.Shown(w.near[2], id(1))
	if got := awaiting(l); got != 1 || !l.Owned() {
		t.Errorf("awaited by %d, owned %v", got, l.Owned())
	}
	w.announces(w.near[1], 1000, id(1))
	if l.Awaited() {
		t.Error("awaited by a neighbor that announces it")
	}
}

func TestNeighborWithoutALinkAwaitsNothing(t *testing.T) {
	w := newWorld(t, 2)
	n := w.near[0]
	l, _ := w.begin(id(1), 1000)
	l.Tell(n)
	if w.d.LinkDown(n); l.Awaited() {
		t.Error("awaited by a neighbor whose link is down")
	}
	if w.d.LinkUp(n, n.ID, testRTT); l.Awaited() {
		t.Error("awaited by a neighbor that has forgotten the announcement")
	}
	if l.Tell(n); !l.Awaited() {
		t.Error("not awaited after a further announcement")
	}
}

func TestReleasedMessageIsForgotten(t *testing.T) {
	w := newWorld(t, 2)
	l, pieces := w.begin(id(1), 1000)
	w.piece(w.near[0], l, pieces, 0, 10)
	l.Tell(w.near[0])
	l.Shown(w.near[1])
	l.Release()
	if l.Awaited() || l.Owned() {
		t.Error("a released message is awaited or owned")
	}
	first := id(1)
	if w.d.lookup(&first) != nil {
		t.Error("a released message is found")
	}
	w.d.Sweep(w.now)
	if len(w.d.large) != 0 {
		t.Errorf("%d messages are left", len(w.d.large))
	}
	again, _ := w.begin(id(1), 1000)
	if w.d.Sweep(w.now); w.d.lookup(&first) != again {
		t.Error("the message that began again is lost")
	}
}

func TestDirectMessageHasNoDissemination(t *testing.T) {
	var l *Large
	var n Neighbor
	l.Shown(&n)
	l.Release()
	if l.Awaited() || l.Owned() {
		t.Error("a direct message is awaited or owned")
	}
}

func TestMessageIsAnnouncedWhileItsAnnouncementWaits(t *testing.T) {
	w := newWorld(t, 3)
	w.announces(w.near[1], 200, id(1))
	if !w.d.IsAnnounced(id(1)) || w.d.IsAnnounced(id(2)) {
		t.Error("what is announced is not what was announced")
	}
	w.run(50 * time.Millisecond) // it is late now
	if !w.d.IsAnnounced(id(1)) || !w.near[1].HasAnnounced(id(1)) {
		t.Error("a late one does not count")
	}
	if w.near[0].HasAnnounced(id(1)) {
		t.Error("another neighbor has announced it")
	}
}

func TestMessagesWaitForTheFirstLink(t *testing.T) {
	var q HeldQueue
	now := time.Unix(0, 0)
	data := []byte("first")
	q.Add(now, id(1), data)
	data[0] = 'F' // it is the caller's
	q.Add(now, id(2), []byte("second"))
	if q.Bytes() != 11 || q.Count != 2 {
		t.Errorf("%d bytes of %d messages", q.Bytes(), q.Count)
	}
	got := q.Take(now.Add(heldAge))
	switch {
	case len(got) != 2:
		t.Errorf("len(got) is %d, want 2: %v", len(got), got)
	case got[0].ID != id(1):
		t.Errorf("got[0].ID is %v, want %v", got[0].ID, id(1))
	case string(got[0].Data) != "first":
		t.Errorf("string(got[0].Data) is %q, want %q", string(got[0].Data), "first")
	case string(got[1].Data) != "second":
		t.Errorf("string(got[1].Data) is %q, want %q", string(got[1].Data), "second")
	}
	if q.Bytes() != 0 || len(q.Take(now)) != 0 {
		t.Error("something waits still")
	}
}

func TestMessagesDoNotWaitForEver(t *testing.T) {
	w := newWorld(t, 0)
	q := &w.d.Held
	q.Add(w.now, id(1), []byte("old"))
	q.Add(w.now.Add(10*time.Second), id(2), []byte("new"))
	if !w.d.Sweep(w.now.Add(heldAge)) || q.Dropped != 0 {
		t.Errorf("%d dropped at their age", q.Dropped)
	}
	if !w.d.Sweep(w.now.Add(heldAge+1)) || q.Dropped != 1 {
		t.Errorf("%d dropped, want the old one", q.Dropped)
	}
	if got := q.Take(w.now.Add(time.Hour)); len(got) != 0 || q.Dropped != 2 {
		t.Errorf("took %v after an hour, %d dropped", got, q.Dropped)
	}
	if w.d.Sweep(w.now.Add(2 * time.Hour)) {
		t.Error("there is nothing left to sweep")
	}
}

func TestMessagesThatWaitAreBounded(t *testing.T) {
	for _, size := range []int{1, heldBytes / 10} {
		var q HeldQueue
		now := time.Unix(0, 0)
		const count = heldMax + 100
		for i := range count {
			q.Add(now, id(i), bytes.Repeat([]byte{1}, size))
		}
		kept := q.Take(now)
		if len(kept) > heldMax || len(kept)*size > heldBytes {
			t.Errorf("%d messages of %d bytes wait", len(kept), size)
		}
		if kept[len(kept)-1].ID != id(count-1) || q.Dropped != uint64(count-len(kept)) {
			t.Errorf("kept up to %v, %d dropped", kept[len(kept)-1].ID, q.Dropped)
		}
	}
}

func TestSweepGoesOnWhileAnnouncedMessagesAreRemembered(t *testing.T) {
	w := newWorld(t, 1)
	m := id(1)
	w.d.Recent.Put(w.now, &m, arena.Ref{Off: 1, Size: 1})
	if !w.d.Sweep(w.now.Add(time.Second)) {
		t.Error("the places are forgotten at once")
	}
	if w.d.Sweep(w.now.Add(recentAge + time.Second)) {
		t.Error("the places are never given back")
	}
}

// Whatever neighbors send, in any order, the invariants hold.
func TestInvariantsHoldForAnyInput(t *testing.T) {
	rng := newRand(7)
	w := newWorld(t, 6)
	var begun []*Large
	for step := range 30_000 {
		n, i := w.near[rng.IntN(len(w.near))], rng.IntN(200)
		m := id(i)
		switch rng.IntN(12) {
		case 0:
			w.announces(n, uint32(rng.IntN(3000)), m, id(rng.IntN(200)))
		case 1:
			w.requests(n, m, uint32(rng.IntN(10)), uint32(rng.IntN(20)), 1+rng.IntN(3))
		case 2:
			w.d.HandlePrune(n, body(t, wire.AppendPrune(nil, wire.MessageID{}, m)))
		case 3:
			w.d.HandleGraft(n)
		case 4:
			if w.d.Seen.First(w.now, &m, nil) {
				w.do(w.d.First(nil, w.now, n, &m))
			} else {
				w.do(w.d.Duplicate(nil, w.now, n))
			}
		case 5:
			if n.Linked() && rng.IntN(10) == 0 {
				w.d.LinkDown(n)
			} else if !n.Linked() {
				w.d.LinkUp(n, n.ID, testRTT)
			}
		case 6:
			if l := w.d.lookup(&m); l == nil && !w.d.Seen.Has(&m) {
				l, _ = w.begin(m, 1000)
				begun = append(begun, l)
			}
		case 7:
			if l := w.d.lookup(&m); l != nil && !l.complete() {
				from := uint32(rng.IntN(1000))
				w.d.Piece(w.now, n, l)
				l.pieces.Add(from, min(from+uint32(1+rng.IntN(300)), 1000))
				l.NewPiece(w.now)
				if l.complete() {
					w.do(w.d.Complete(nil, w.now, l))
				}
			}
		case 8:
			w.do(w.d.DuplicatePiece(nil, w.now, n, m, w.d.lookup(&m)))
		case 9:
			if n.Linked() {
				w.do(w.d.Announce(nil, w.now, n, &m, 100))
			}
		case 10:
			if len(begun) > 20 {
				begun[0].Release()
				begun = begun[1:]
			}
			w.d.Sweep(w.now)
		case 11:
			w.run(time.Duration(rng.IntN(30)) * time.Millisecond)
		}
		w.take()
		w.invariants(step)
	}
	w.run(10 * time.Minute)
	w.take()
	w.invariants(-1)
	if w.d.Requests() != 0 {
		t.Errorf("%d requests are open after all", w.d.Requests())
	}
}

// invariants checks what holds between any two inputs.
func (w *world) invariants(step int) {
	w.t.Helper()
	open, linked := 0, 0
	for i, n := range w.near {
		open += n.open
		if n.Linked() {
			linked++
		}
		if !n.Linked() && (n.Eager || n.Parent) {
			w.t.Fatalf("step %d: neighbor %d has no link and is eager or a parent", step, i)
		}
		if n.open < 0 || n.credit < 0 {
			w.t.Fatalf("step %d: neighbor %d has %d open requests and a credit of %d", step, i, n.open, n.credit)
		}
	}
	if open != w.d.Requests() {
		w.t.Fatalf("step %d: %d requests are open at neighbors, %d in the table", step, open, w.d.Requests())
	}
	if linked != len(w.d.neighbors) {
		w.t.Fatalf("step %d: %d links, %d neighbors", step, linked, len(w.d.neighbors))
	}
}
