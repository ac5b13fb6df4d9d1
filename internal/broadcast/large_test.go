package broadcast

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// large lets a complete large message arrive, its pieces from the given neighbors at intervals of each.
func (w *world) large(counter uint64, each time.Duration, from ...*Neighbor) *Large {
	w.t.Helper()
	l, pieces := w.begun(id(counter), 1000)
	for i, n := range from {
		if i > 0 {
			w.run(each)
		}
		w.d.Piece(w.now, n, l)
		pieces.Add(uint32(i)*10, uint32(i)*10+10)
		w.d.NewPiece(w.now, n, l, uint32(i)*10)
	}
	pieces.Add(0, 1000)
	w.d.Complete(w.now, l)
	return l
}

func TestCompleteMessageIsSeenAndAnnouncedToAllSoon(t *testing.T) {
	w := newWorld(t, 3)
	w.digest(w.near[2], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	l := w.large(1, time.Millisecond, w.near[0])
	m := id(1)
	if !w.d.Seen.Has(&m) || w.d.Requests() != 0 {
		t.Errorf("met %v, %d waited for", w.d.Seen.Has(&m), w.d.Requests())
	}
	if !l.Owned() {
		t.Error("it is forgotten that a neighbor has announced it")
	}
	w.run(testRTT + soonAfter)
	if got := w.count(SendDigest); got != 3 {
		t.Errorf("%d neighbors were told, want 3", got)
	}
}

func TestMessageIsAwaitedWhereItWasAnnouncedAndNotShown(t *testing.T) {
	w := newWorld(t, 3)
	l, pieces := w.begun(id(1), 1000)
	pieces.Add(0, 1000)
	for _, n := range w.near {
		w.d.Announced(l, n)
	}
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1})
	stop := wire.AppendStop(nil, id(1), id(1))
	if _, ok := w.d.HandleStop(w.near[1], body(t, stop)); !ok {
		t.Error("a Stop is not understood")
	}
	awaited := func(when string, want ...*Neighbor) {
		t.Helper()
		if !slices.Equal(l.awaited, want) || l.Awaited() != (len(want) > 0) {
			t.Errorf("%s: %d neighbors are awaited, want %d", when, len(l.awaited), len(want))
		}
	}
	awaited("a digest and a Stop", w.near[1], w.near[2]) // who stops a message may get the rest of it from nobody
	for n := range l.Expecting {
		if n != w.near[2] {
			t.Errorf("%v is expected to request the message", n.ID)
		}
	}
	w.offer(w.near[1], 1, 0)
	awaited("an offer", w.near[1], w.near[2])
	w.near[2].Failed = true
	w.d.LinkDown(w.now, w.near[2])
	awaited("a neighbor failed", w.near[1], w.near[2])
	w.d.LinkDown(w.now, w.near[1])
	awaited("the link to another ended", w.near[2])
	w.d.LinkUp(w.near[2], w.near[2].ID, testRTT, false)
	w.digest(w.near[2], digest.Digest{Origin: testOrigin, Top: 1})
	awaited("the one that failed returned and has it")
}

func TestMessagesAreKeptForABoundedNumberOfFailedNeighbors(t *testing.T) {
	w := newWorld(t, 0)
	l, pieces := w.begun(id(1), 1000)
	pieces.Add(0, 1000)
	for i := range failedMax + 10 {
		n := new(Neighbor)
		w.d.LinkUp(n, wire.NodeID{1, byte(i)}, testRTT, false)
		w.d.Announced(l, n)
		n.Failed = true
		w.d.LinkDown(w.now, n)
	}
	if len(l.awaited) != failedMax || l.awaited[0].ID != (wire.NodeID{1, 10}) {
		t.Errorf("kept for %d, first %v", len(l.awaited), l.awaited[0].ID)
	}
	n := new(Neighbor)
	w.d.LinkUp(n, wire.NodeID{1, 10}, testRTT, false)
	w.d.LinkDown(w.now, n)
	if len(w.d.failed) != failedMax-1 || len(l.awaited) != failedMax-1 {
		t.Errorf("%d failed neighbors after one returned and left, kept for %d", len(w.d.failed), len(l.awaited))
	}
}

// PROTOCOL.md Q9.
func TestHeartbeatsMentionWhatIsKeptForANeighborUntilItAnswers(t *testing.T) {
	w, o := newWorld(t, 1), newWorld(t, 1)
	l, pieces := w.begun(id(1), 1000)
	pieces.Add(0, 1000)
	w.d.Announced(l, w.near[0])
	for range 3 {
		w.now = w.now.Add(10 * time.Second)
		_, have := w.d.Heartbeat(nil, w.now, w.near[0])
		if got := digestsIn(have); len(got) != 1 || got[0].Top != 1 || got[0].Below != 0 || !got[0].Kept {
			t.Fatalf("a heartbeat mentions %+v", got)
		}
	}
	o.met(o.near[0], 1)
	o.digest(o.near[0], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax, Kept: true})
	o.run(0)
	answer := o.digestsTo(o.near[0])
	if len(answer) != 1 || answer[0].Kept {
		t.Fatalf("the answer is %+v", answer)
	}
	w.digest(w.near[0], answer[0])
	if _, have := w.d.Heartbeat(nil, w.now, w.near[0]); have != nil || l.Awaited() {
		t.Error("it is mentioned further on")
	}
	w.run(0)
	if got := w.take(); len(got) != 0 {
		t.Errorf("an answer drew %v", got)
	}
}

func TestReleasedMessageIsForgotten(t *testing.T) {
	w := newWorld(t, 1)
	l, _ := w.begun(id(1), 1000)
	w.d.Announced(l, w.near[0])
	l.Release()
	w.d.Sweep(w.now)
	if l.Awaited() || len(w.d.large)+len(w.d.kept)+len(w.d.keptOf) != 0 {
		t.Errorf("awaited %v; %d kept", l.Awaited(), len(w.d.kept))
	}
}

func TestDirectMessageHasNoDissemination(t *testing.T) {
	var l *Large
	l.Release()
	if l.Owned() || l.Awaited() {
		t.Error("it is owned or awaited")
	}
}

// duplicate makes n send a known piece of a message.
func (w *world) duplicate(n *Neighbor, counter uint64, l *Large) {
	w.t.Helper()
	w.do(w.d.DuplicatePiece(nil, w.now, n, id(counter), l))
}

// PROTOCOL.md Q6.
func TestFirstSendersOfAMessageGoOnUntilItIsWhole(t *testing.T) {
	w := newWorld(t, 4)
	l, pieces := w.begun(id(1), 1000)
	for i, n := range w.near {
		w.d.Piece(w.now, n, l)
		pieces.Add(uint32(i)*10, uint32(i)*10+10)
	}
	for _, n := range w.near {
		w.duplicate(n, 1, l)
	}
	for i, n := range w.near {
		if stopped := slices.Contains(w.kinds(n), SendStop); stopped != (i >= parentsMin) {
			t.Errorf("neighbor %d was stopped: %v", i, stopped)
		}
	}
	pieces.Add(0, 1000)
	w.duplicate(w.near[0], 1, l)
	if got := w.kinds(w.near[0]); !slices.Contains(got, SendStop) {
		t.Error("the first is not stopped once the message is whole")
	}
}

func TestSenderThatWasStoppedIsAskedForTheRestLaterIfNeeded(t *testing.T) {
	w := newWorld(t, 3)
	l, pieces := w.begun(id(1), 1000)
	for i, n := range w.near {
		w.d.Piece(w.now, n, l)
		pieces.Add(uint32(i)*10, uint32(i)*10+10)
	}
	w.d.NewPiece(w.now, w.near[2], l, 20)
	w.duplicate(w.near[2], 1, l)
	w.take()
	w.run(time.Second)
	if got := w.requested(w.near[2]); len(got) == 0 {
		t.Error("nothing is requested after the others fell silent")
	}
}

func TestSenderIsNotStoppedAgainWhileTheFirstStopMayBeOnItsWay(t *testing.T) {
	w := newWorld(t, 3)
	for range 20 {
		w.duplicate(w.near[2], 1, nil)
		w.now = w.now.Add(time.Millisecond)
	}
	if got := w.count(SendStop); got != 1 {
		t.Errorf("%d Stops within 20 ms", got)
	}
	w.now = w.now.Add(stopAgain)
	w.duplicate(w.near[2], 1, nil)
	if got := w.count(SendStop); got != 2 {
		t.Errorf("%d Stops after the pause", got)
	}
}

func TestAnswersToRequestsAreNoDuplicates(t *testing.T) {
	w := newWorld(t, 3)
	w.near[2].requested = w.now
	w.now = w.now.Add(4 * testRTT)
	w.duplicate(w.near[2], 1, nil)
	if got := w.count(SendStop); got != 0 {
		t.Errorf("%d Stops while answers may come", got)
	}
}

func TestAFewMessagesAreAnnouncedToANeighborAtOnce(t *testing.T) {
	w := newWorld(t, 3)
	for i := range uint64(10 * stopsMax) {
		w.duplicate(w.near[2], i, nil)
	}
	if got := w.count(SendStop); got != stopsMax {
		t.Errorf("%d Stops at once, want %d", got, stopsMax)
	}
}

func TestNodeWithoutALinkIsNotStopped(t *testing.T) {
	w := newWorld(t, 2)
	w.duplicate(&Neighbor{}, 1, nil)
	if got := len(w.take()); got != 0 {
		t.Errorf("%d sent", got)
	}
}

// Whatever neighbors send, in any order, the invariants hold.
func TestInvariantsHoldForAnyInput(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, 6)
		pick := func() *Neighbor { return w.near[rng.IntN(len(w.near))] }
		ids := func() uint64 { return testOrigin + uint64(rng.IntN(3))<<16 }
		var larges []*Large
		sets := map[*Large]*rangeset.Set{}
		for range 3000 {
			n := pick()
			m := wire.BroadcastID(ids(), uint64(rng.IntN(200)))
			switch rng.IntN(11) {
			case 0:
				w.d.LinkDown(w.now, n)
			case 1:
				w.d.LinkUp(n, wire.NodeID{byte(rng.IntN(6))}, testRTT, false)
				w.do(w.d.AnnounceRecent(nil, w.now, n))
			case 2:
				w.digest(n, digest.Digest{Origin: m.Origin(), Top: m.Counter(), Below: uint16(rng.IntN(int(m.Counter() + 1))), Age: wire.Delay(rng.IntN(1 << 16)),
					Lazy: rng.IntN(2) == 0, Kept: rng.IntN(3) == 0, Holes: []digest.Hole{{Below: uint16(rng.IntN(5)), N: uint16(rng.IntN(5))}}})
			case 3:
				w.steered(n, m.Origin()*uint64(rng.IntN(2)), rng.IntN(2) == 0, rng.IntN(2) == 0)
			case 4:
				if w.d.Seen.First(w.now, &m, nil) {
					w.d.First(w.now, n, &m, wire.Delay(rng.IntN(1000)))
				} else {
					w.d.Duplicate(w.now, n, &m, wire.Delay(rng.IntN(1000)))
				}
			case 5:
				if w.d.lookup(m) == nil && !w.d.Seen.Has(&m) {
					var pieces rangeset.Set
					l := w.d.Begin(w.now, m, 1000, &pieces)
					larges, sets[l] = append(larges, l), &pieces
				}
			case 6:
				if len(larges) > 0 {
					i := rng.IntN(len(larges))
					l := larges[i]
					w.d.Piece(w.now, n, l)
					w.d.Announced(l, pick())
					w.do(w.d.DuplicatePiece(nil, w.now, pick(), l.id, l))
					if rng.IntN(3) == 0 {
						sets[l].Add(0, 1000)
						w.d.Complete(w.now, l)
						larges = slices.Delete(larges, i, i+1)
					}
				}
			case 7:
				out, _ := w.d.Heartbeat(nil, w.now, n)
				w.do(out)
				w.d.Sweep(w.now)
			case 8:
				w.digest(n, digest.Digest{Origin: m.Origin(), Top: m.Counter(), Delay: wire.Delay(rng.IntN(1000)), Lazy: rng.IntN(2) == 0, Offer: true})
			case 9:
				w.states(n, m, byte(rng.IntN(8)))
			case 10:
				w.run(time.Duration(rng.IntN(300)) * time.Millisecond)
			}
			w.check()
			w.take()
		}
	}
}

// check fails the test if the state exceeds its bounds or is inconsistent.
func (w *world) check() {
	w.t.Helper()
	open, expected := map[*Neighbor]int{}, map[*Neighbor]int{}
	for i, m := range w.d.missing.heap {
		if m.place != i || w.d.missing.byID[m.id] != m {
			w.t.Fatalf("%v is at %d of the heap and not at %d", m.id, i, m.place)
		}
		if i > 0 && m.due.Before(w.d.missing.heap[(i-1)/2].due) {
			w.t.Fatal("the heap is out of order")
		}
		if m.of != nil {
			open[m.of]++
		}
		if m.first != nil {
			expected[m.first]++
		}
	}
	if len(w.d.missing.heap) != len(w.d.missing.byID) {
		w.t.Fatalf("%d in the heap, %d in the table", len(w.d.missing.heap), len(w.d.missing.byID))
	}
	for i, n := range w.near {
		if n.open != open[n] || n.expected != expected[n] {
			w.t.Fatalf("neighbor %d: %d open and %d expected, want %d and %d", i, n.open, n.expected, open[n], expected[n])
		}
	}
	for o := range w.d.origins.all {
		for i := range o.paths {
			for k := range i {
				if o.paths[i].takes()&o.paths[k].takes() != 0 {
					w.t.Fatal("a stripe is taken from two neighbors")
				}
			}
		}
	}
	bytes, count := 0, 0
	for o := range w.d.origins.all {
		count++
		bytes += o.size()
	}
	if count != len(w.d.origins.byID) {
		w.t.Fatalf("%d origins in the list, %d in the table", count, len(w.d.origins.byID))
	}
}
