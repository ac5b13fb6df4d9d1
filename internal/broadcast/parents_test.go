package broadcast

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md D1.
func TestFirstMessageOfAnOriginFloodsAndIsEnoughToChooseBy(t *testing.T) {
	w := newWorld(t, 5)
	first := id(1)
	for _, n := range w.near {
		s := w.d.Spread(&first)
		if !s.Full(w.now, n, Queue{}) {
			t.Error("a message of an unknown origin does not flood")
		}
	}
	w.copies(1, time.Millisecond, w.near...)
	if got := w.parents(); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("parents %v, want the two that were first", got)
	}
	for i, n := range w.near {
		want := []OutcomeKind{SendPrune}
		if i < 2 {
			want = nil
		}
		if got := w.kinds(n); !slices.Equal(got, want) {
			t.Errorf("neighbor %d was sent %v, want %v", i, got, want)
		}
	}
}

func TestOneOfTheOthersIsAskedToAnnounceSoon(t *testing.T) {
	w := newWorld(t, 6)
	w.near[4].RTT = testRTT / 10
	w.copies(1, time.Millisecond, w.near...)
	for _, o := range w.take() {
		_, soon := o.Steer.At(0)
		if nearest := o.To == w.near[4]; soon != nearest {
			t.Errorf("neighbor %v is asked to announce soon: %v", o.To.ID, soon)
		}
	}
}

// PROTOCOL.md Q4.
func TestAnnouncerStaysUnlessAnotherIsMuchSooner(t *testing.T) {
	for _, c := range []struct {
		sooner  time.Duration // the round trip of the other candidate
		changed bool
	}{{testRTT, false}, {testRTT - 3*time.Millisecond, false}, {testRTT - 4*time.Millisecond, true}} {
		w := newWorld(t, 4)
		w.copies(1, 0, w.near...)
		w.take()
		w.near[3].RTT = c.sooner
		w.copies(2, 0, w.near[:2]...)
		if changed := w.count(SendPrune) > 0; changed != c.changed {
			t.Errorf("round trip %v instead of %v: the announcer changes: %v, want %v", c.sooner, testRTT, changed, c.changed)
		}
	}
}

func TestNeighborThatIsNotKnownToBringMessagesIsNotPruned(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near[:3]...)
	if got := w.kinds(w.near[3]); got != nil {
		t.Errorf("a neighbor that has sent nothing was sent %v", got)
	}
}

// PROTOCOL.md Q4.
func TestFirstParentIsNearerToTheOrigin(t *testing.T) {
	w := newWorld(t, 3)
	delays := []wire.Delay{500, 400, 100}
	for c := uint64(1); c <= 3; c++ {
		m := id(c)
		for i, n := range w.near {
			if w.d.Seen.First(w.now, &m, &n.Source) {
				w.d.First(w.now, n, &m, delays[i])
				w.d.origins.byID[testOrigin].delay = 300 // it has arrived by another path before
			} else {
				w.d.Duplicate(w.now, n, &m, delays[i])
			}
			w.run(time.Millisecond)
		}
		w.d.origins.byID[testOrigin].delay = 300
		w.run(time.Second)
	}
	if got := w.parents(); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("parents %v, want the only one whose delay is less, and the quickest", got)
	}
}

// PROTOCOL.md Q4.
func TestLossyLinksTakeMoreParents(t *testing.T) {
	for _, c := range []struct {
		loss float64
		want int
	}{{0, 2}, {0.01, 3}, {0.05, 4}, {0.3, 4}} {
		w := newWorld(t, 8)
		for _, n := range w.near {
			n.Arrived = 10_000
			n.Missed = uint64(c.loss * 10_000)
		}
		w.copies(1, time.Millisecond, w.near...)
		if got := len(w.parents()); got != c.want {
			t.Errorf("%v lost: %d parents, want %d", c.loss, got, c.want)
		}
	}
}

func TestLinkThatHasJustComeUpCountsAsLossless(t *testing.T) {
	if product := (&Neighbor{}).loss() * (&Neighbor{}).loss(); product > lossMax {
		t.Errorf("two new links lose %v", product)
	}
}

// PROTOCOL.md Q2.
func TestParentsFollowTheNetwork(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, 5*time.Millisecond, w.near...)
	w.take()
	for c := uint64(1); c <= 20; c++ {
		w.copies(c*exploreEvery, 5*time.Millisecond, w.near[3], w.near[2], w.near[1], w.near[0])
	}
	if got := w.parents(); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("parents %v, want those that are first now", got)
	}
	if w.count(SendGraft) == 0 {
		t.Error("nobody was grafted")
	}
}

func TestParentWhoseCopiesDoNotComeLosesItsPlace(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near...)
	for c := uint64(2); c < 2+missesMax; c++ {
		w.copies(c, time.Millisecond, w.near[0])
	}
	if got := w.parents(); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("parents %v after one was silent for %d messages", got, missesMax)
	}
}

func TestNextBestNeighborReplacesAParentWhoseLinkEnds(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	w.d.LinkDown(w.now, w.near[0])
	if got := w.parents(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("parents %v", got)
	}
	w.run(steerFor)
	if got := w.kinds(w.near[2]); !slices.Contains(got, SendGraft) {
		t.Errorf("the new parent was sent %v", got)
	}
}

func TestNewLinkIsEagerAndPrunedAtTheFirstDuplicate(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	n := w.link()
	second := id(2)
	if s := w.d.Spread(&second); !s.Full(w.now, n, Queue{}) {
		t.Error("a new link is not eager")
	}
	w.take()
	w.copies(2, 3*time.Millisecond, w.near[0], w.near[1], n)
	if got := w.kinds(n); !slices.Equal(got, []OutcomeKind{SendPrune}) {
		t.Errorf("a new neighbor that is late was sent %v", got)
	}
}

// PROTOCOL.md Q5.
func TestNeighborThatDoesNotHeedAPruneIsPrunedAgain(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	w.copies(2, time.Millisecond, w.near...)
	if got := w.kinds(w.near[2]); !slices.Contains(got, SendPrune) {
		t.Errorf("sent %v", got)
	}
}

func TestMessageThatExploresDrawsNoPrune(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	m := id(exploreEvery)
	s := w.d.Spread(&m)
	w.steered(w.near[2], testOrigin, true, false)
	if !s.Full(w.now, w.near[2], Queue{}) {
		t.Error("it does not flood")
	}
	w.copies(exploreEvery, time.Millisecond, w.near...)
	if got := w.kinds(w.near[2]); got != nil {
		t.Errorf("sent %v", got)
	}
}

func TestOwnMessagesThatComeBackArePruned(t *testing.T) {
	w := newWorld(t, 2)
	m := wire.BroadcastID(testSelf, 1)
	w.d.Own(w.now, &m)
	w.d.Duplicate(w.now, w.near[1], &m, 3)
	w.run(steerFor)
	if got := w.kinds(w.near[1]); !slices.Equal(got, []OutcomeKind{SendPrune}) {
		t.Errorf("sent %v", got)
	}
}

// PROTOCOL.md Q1.
func TestDelayGrowsByHalfARoundTripWithEveryHop(t *testing.T) {
	for _, c := range []struct {
		rtt       time.Duration
		was, want wire.Delay
	}{
		{10 * time.Millisecond, 100, 150},
		{time.Microsecond, 7, 8},
		{time.Second, wire.DelayMax - 2, wire.DelayMax},
	} {
		w := newWorld(t, 1)
		w.near[0].RTT = c.rtt
		m := id(1)
		w.d.Seen.First(w.now, &m, nil)
		if got := w.d.First(w.now, w.near[0], &m, c.was); got != c.want {
			t.Errorf("round trip %v: %v after %v, want %v", c.rtt, got, c.was, c.want)
		}
	}
}

func TestOriginsAreBoundedAndOthersFlood(t *testing.T) {
	w := newWorld(t, 10)
	for i := range uint64(2 * originsMax) {
		m := wire.BroadcastID(0x8000|i<<16, 1)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, w.near[0], &m, 0)
	}
	if w.d.Origins() > originsMax {
		t.Errorf("%d origins are known", w.d.Origins())
	}
	if w.d.origins.bytes > originsBytes {
		t.Errorf("%d bytes", w.d.origins.bytes)
	}
	last := wire.BroadcastID(0x8000|(2*originsMax-1)<<16, 2)
	if s := w.d.Spread(&last); !s.Full(w.now, w.near[3], Queue{}) {
		t.Error("a message of an origin without room does not flood")
	}
	known := w.d.Origins()
	w.run(originAge + time.Second)
	w.take()
	w.copies(1, time.Millisecond, w.near...)
	if len(w.parents()) == 0 || w.d.Origins() != known {
		t.Errorf("a new origin has %d parents after others were silent, %d origins are known", len(w.parents()), w.d.Origins())
	}
}

func TestEndOfALinkLeavesNothingOfTheNeighbor(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	n := w.near[0]
	w.digest(n, digest.Digest{Origin: testOrigin, Top: 9, Below: 3, Age: wire.DelayMax})
	w.d.LinkDown(w.now, n)
	if w.d.Requests() != 0 || n.Linked() || n.Expected() != 0 {
		t.Errorf("%d requests, linked %v, %d expected", w.d.Requests(), n.Linked(), n.Expected())
	}
	w.take()
	w.d.LinkUp(n, wire.NodeID{1}, testRTT, false)
	if w.d.IsParent(testOrigin, n) {
		t.Error("it is still a parent")
	}
	m := id(2)
	if s := w.d.Spread(&m); !s.Full(w.now, n, Queue{}) {
		t.Error("it is lazy although the link is new")
	}
}

func TestFirstCopyAllocatesNothing(t *testing.T) {
	w := newWorld(t, 8)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	i := uint64(1)
	got := testing.AllocsPerRun(1000, func() {
		i++
		if i%exploreEvery == 0 {
			i++
		}
		m := id(i)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, w.near[0], &m, 5)
		w.d.Duplicate(w.now, w.near[1], &m, 5)
	})
	if got > 0 {
		t.Errorf("%v allocations per message", got)
	}
}

func TestOriginsTakeTheMemoryThatIsCounted(t *testing.T) {
	if got := unsafe.Sizeof(origin{}); got > originSize {
		t.Errorf("an origin has %d bytes, %d are counted", got, originSize)
	}
	if got := unsafe.Sizeof(path{}); got != pathSize {
		t.Errorf("a path has %d bytes, %d are counted", got, pathSize)
	}
}
