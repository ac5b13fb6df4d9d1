package session

import (
	"math"
	"slices"
	"testing"
	"time"
)

// rtt is the round-trip time of the tests; 8 and 2 divide it.
const rtt = 80 * time.Millisecond

// span is a range [start, end) of packet numbers.
type span struct{ start, end uint64 }

// receiver is a session that receives packet numbers without boxes.
type receiver struct {
	*Session
	t   testing.TB
	now time.Time
}

func newReceiver(t testing.TB) *receiver {
	_, high := pair(Null)
	return &receiver{Session: high, t: t, now: epoch}
}

// hear makes the packets with the given numbers arrive now.
func (r *receiver) hear(counters ...uint64) {
	r.t.Helper()
	for _, c := range counters {
		if !r.window.fresh(c) {
			r.t.Fatalf("counter %d is not fresh", c)
		}
		r.noteCounter(r.now, c)
		r.opened++
	}
}

// run makes the packets with the numbers [start, end) arrive now.
func (r *receiver) run(start, end uint64) {
	for c := start; c < end; c++ {
		r.hear(c)
	}
}

// naks returns the ranges that are requested now.
func (r *receiver) naks() (asked []span) {
	r.TakeNaks(r.now, rtt, func(start, end uint64) bool {
		asked = append(asked, span{start, end})
		return true
	})
	return asked
}

// asks fails the test unless exactly the given ranges are requested now.
func (r *receiver) asks(want ...span) {
	r.t.Helper()
	if got := r.naks(); !slices.Equal(got, want) {
		r.t.Fatalf("asked for %v %v after the epoch, want %v", got, r.now.Sub(epoch), want)
	}
}

// misses fails the test unless exactly the given ranges are missing.
func (r *receiver) misses(want ...span) {
	r.t.Helper()
	var got []span
	for _, g := range r.gaps.ranges {
		got = append(got, span{g.start, g.end()})
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("%v are missing, want %v", got, want)
	}
}

// lost fails the test unless exactly want packets count as lost.
func (r *receiver) lost(want uint64) {
	r.t.Helper()
	if r.Lost() != want {
		r.t.Fatalf("%d given up, want %d", r.Lost(), want)
	}
}

func (r *receiver) sleep(d time.Duration) { r.now = r.now.Add(d) }

func TestNothingIsMissingOfPacketsInOrder(t *testing.T) {
	r := newReceiver(t)
	for c := uint64(1); c <= 3*WindowSize; c++ {
		r.hear(c)
		if r.Missing() || !r.NextNak(rtt).IsZero() {
			t.Fatalf("after counter %d", c)
		}
	}
	switch {
	case r.Highest() != 3*WindowSize:
		t.Errorf("the highest packet number is %v, want %v", r.Highest(), 3*WindowSize)
	case r.Lowest() != r.Highest()+1:
		t.Errorf("the lowest missing packet number is %v, want %v", r.Lowest(), r.Highest()+1)
	case r.Received() != r.Highest():
		t.Errorf("%v packets were received, want %v", r.Received(), r.Highest())
	case r.Lost() != 0:
		t.Errorf("%v packets are lost, want 0", r.Lost())
	}
}

func TestGapsAreFoundInSealedBoxesAfterAuthenticationOnly(t *testing.T) {
	low, high := pair(NaCl)
	first, second, third := seal(low, "1"), seal(low, "2"), seal(low, "3")
	mustOpen(t, high, first, "1")
	forged := parse(t, third)
	forged.Box.Tag[0]++
	switch _, err := high.Open(epoch.Add(time.Hour), forged); {
	case err != ErrForged:
		t.Fatalf("the error is %v, want %v", err, ErrForged)
	case high.Missing():
		t.Fatal("packets are missing")
	case high.Highest() != 1:
		t.Fatalf("the highest packet number is %v, want 1", high.Highest())
	case high.HighestAt() != epoch:
		t.Fatalf("the highest packet number came at %v, want %v", high.HighestAt(), epoch)
	}
	if _, err := high.Open(epoch.Add(time.Second), parse(t, third)); err != nil {
		t.Fatal(err)
	}
	switch {
	case !high.Missing():
		t.Error("no packet is missing")
	case high.Lowest() != 2:
		t.Errorf("the lowest missing packet number is %v, want 2", high.Lowest())
	case high.Highest() != 3:
		t.Errorf("the highest packet number is %v, want 3", high.Highest())
	case high.HighestAt() != epoch.Add(time.Second):
		t.Errorf("the highest packet number came at %v, want %v", high.HighestAt(), epoch.Add(time.Second))
	}
	if _, err := high.Open(epoch.Add(2*time.Second), parse(t, second)); err != nil {
		t.Fatal(err)
	}
	switch {
	case high.Missing():
		t.Error("packets are missing")
	case high.Lowest() != 4:
		t.Errorf("the lowest missing packet number is %v, want 4", high.Lowest())
	case high.HighestAt() != epoch.Add(time.Second):
		t.Errorf("the highest packet number came at %v, want %v", high.HighestAt(), epoch.Add(time.Second))
	case high.Received() != 3:
		t.Errorf("%v packets were received, want 3", high.Received())
	}
}

func TestLegacySessionMissesNothing(t *testing.T) {
	low, high := legacyPair()
	for i := range 5 {
		d := low.SealLegacy(epoch, nil, uint32(i), []byte("x"))
		if i%2 == 0 {
			mustOpen(t, high, d, "x")
		}
	}
	switch {
	case high.Missing():
		t.Error("packets are missing")
	case high.Highest() != 0:
		t.Errorf("the highest packet number is %v, want 0", high.Highest())
	case high.Lowest() != 1:
		t.Errorf("the lowest missing packet number is %v, want 1", high.Lowest())
	case high.Received() != 3:
		t.Errorf("%v packets were received, want 3", high.Received())
	case !high.NextNak(rtt).IsZero():
		t.Errorf("the next Nak is at %v, want zero", high.NextNak(rtt))
	}
	high.TakeNaks(epoch.Add(time.Hour), rtt, func(start, end uint64) bool {
		t.Errorf("asks for [%d, %d)", start, end)
		return true
	})
}

func TestReorderingWithinThreePacketsAsksForNothing(t *testing.T) {
	r := newReceiver(t)
	for _, c := range []uint64{1, 2, 4, 5, 3, 6, 8, 7, 11, 10, 9, 12, 16, 13, 14, 15} {
		r.hear(c)
		r.asks()
	}
	r.misses()
	r.lost(0)
}

func TestReorderingWithinNineEighthsOfARoundTripAsksForNothing(t *testing.T) {
	r := newReceiver(t)
	r.hear(1, 3)
	if at := r.NextNak(rtt); at != epoch.Add(rtt*9/8) {
		t.Errorf("next at %v", at.Sub(epoch))
	}
	r.sleep(rtt*9/8 - 1)
	r.asks()
	r.hear(2)
	r.sleep(time.Hour)
	r.asks()
}

// PROTOCOL.md A1.
func TestPacketIsAskedForWhenThreeLaterOnesHaveCome(t *testing.T) {
	r := newReceiver(t)
	r.hear(1, 4)
	r.asks()
	r.hear(5)
	r.asks()
	r.sleep(time.Millisecond)
	r.hear(6)
	if r.NextNak(rtt).After(r.now) {
		t.Error("not due")
	}
	r.asks(span{2, 4})
	r.asks()
}

func TestLatePacketsDoNotCountAsLaterOnes(t *testing.T) {
	r := newReceiver(t)
	r.hear(1, 9, 12, 2, 3, 4, 5)
	r.asks()
	r.hear(13)
	r.asks(span{6, 9})
}

// PROTOCOL.md A1.
func TestPacketIsAskedForAfterNineEighthsOfARoundTrip(t *testing.T) {
	r := newReceiver(t)
	r.hear(2)
	r.sleep(rtt * 9 / 8)
	r.asks(span{1, 2})
}

// PROTOCOL.md A1.
func TestLostPacketIsAskedForFiveTimesThenGivenUp(t *testing.T) {
	r := newReceiver(t)
	r.hear(1, 4)
	r.sleep(rtt * 9 / 8)
	for range maxAsks {
		r.asks(span{2, 4})
		r.asks()
		if at := r.NextNak(rtt); at != r.now.Add(rtt*3/2) {
			t.Fatalf("next in %v", at.Sub(r.now))
		}
		r.hear(r.Highest()+1, r.Highest()+2, r.Highest()+3)
		r.sleep(rtt*3/2 - 1)
		r.asks()
		r.sleep(1)
	}
	r.lost(0)
	r.misses(span{2, 4})
	r.asks()
	r.lost(2)
	r.misses()
	switch {
	case r.Missing():
		t.Error("packets are missing")
	case !r.NextNak(rtt).IsZero():
		t.Errorf("the next Nak is at %v, want zero", r.NextNak(rtt))
	case r.Lowest() != r.Highest()+1:
		t.Errorf("the lowest missing packet number is %v, want %v", r.Lowest(), r.Highest()+1)
	}
	r.hear(3)
	r.lost(2)
}

func TestEachRangeKeepsItsOwnTime(t *testing.T) {
	r := newReceiver(t)
	r.hear(1, 3)
	r.sleep(rtt)
	r.hear(5)
	r.sleep(rtt / 8)
	r.asks(span{2, 3})
	if at := r.NextNak(rtt); at != r.now.Add(rtt) {
		t.Errorf("next in %v", at.Sub(r.now))
	}
	r.sleep(rtt)
	r.asks(span{4, 5})
	if at := r.NextNak(rtt); at != r.now.Add(rtt/2) {
		t.Errorf("next in %v", at.Sub(r.now))
	}
	r.sleep(rtt / 2)
	r.asks(span{2, 3})
}

func TestRefusedRangesStayDue(t *testing.T) {
	r := newReceiver(t)
	r.hear(2, 4, 6, 8)
	r.sleep(2 * rtt)
	for _, want := range []span{{1, 2}, {3, 4}, {5, 6}, {7, 8}} {
		if r.NextNak(rtt).After(r.now) {
			t.Fatalf("%v is not due", want)
		}
		r.TakeNaks(r.now, rtt, func(start, end uint64) bool {
			if (span{start, end}) != want {
				t.Errorf("asked for [%d, %d), want %v", start, end, want)
			}
			return false
		})
	}
	r.asks()
	if at := r.NextNak(rtt); at != r.now.Add(rtt*3/2) {
		t.Errorf("next in %v", at.Sub(r.now))
	}
}

func TestLateArrivalsFillGapsAndSplitRanges(t *testing.T) {
	r := newReceiver(t)
	r.hear(10)
	r.misses(span{1, 10})
	r.hear(5)
	r.misses(span{1, 5}, span{6, 10})
	r.hear(1)
	r.misses(span{2, 5}, span{6, 10})
	r.hear(9)
	r.misses(span{2, 5}, span{6, 9})
	r.sleep(rtt * 9 / 8)
	r.asks(span{2, 5}, span{6, 9})
	r.hear(7)
	r.misses(span{2, 5}, span{6, 7}, span{8, 9})
	r.hear(8, 6, 3)
	r.asks()
	r.sleep(rtt * 3 / 2)
	r.asks(span{2, 3}, span{4, 5})
	r.hear(2, 4)
	r.misses()
	r.lost(0)
}

// PROTOCOL.md A4.
func TestSettledPacketsAreNeitherRequestedNorLost(t *testing.T) {
	r := newReceiver(t)
	r.hear(10, 20, 30)
	for _, s := range []struct {
		start, end, settled uint64
	}{{5, 5, 0}, {7, 3, 0}, {10, 11, 0}, {30, math.MaxUint64, 0}, {3, 4, 1}, {8, 23, 2 + 9 + 2}, {8, 23, 0}, {28, 100, 2}} {
		if n := r.Settle(s.start, s.end); n != s.settled {
			t.Errorf("[%d, %d) settled %d, want %d", s.start, s.end, n, s.settled)
		}
	}
	r.misses(span{1, 3}, span{4, 8}, span{23, 28})
	if n := r.Settle(0, math.MaxUint64); n != 2+4+5 || r.Missing() {
		t.Errorf("settled %d", n)
	}
	r.lost(0)
}

func TestRangesAreBoundedAndTheOldestGiveWay(t *testing.T) {
	if maxGaps != 256 {
		t.Errorf("%d ranges at most", maxGaps)
	}
	r := newReceiver(t)
	for i := range uint64(maxGaps) {
		r.hear(4*i + 4) // misses 4i+1 to 4i+3
	}
	r.lost(0)
	r.hear(4*maxGaps + 4)
	r.lost(3)
	if r.Lowest() != 5 || len(r.gaps.ranges) != maxGaps {
		t.Fatalf("the lowest of %d ranges is %d", len(r.gaps.ranges), r.Lowest())
	}
	r.hear(4*9 + 2) // splits a range
	r.lost(6)
	if r.Lowest() != 9 || len(r.gaps.ranges) != maxGaps {
		t.Fatalf("the lowest of %d ranges is %d", len(r.gaps.ranges), r.Lowest())
	}
	r.sleep(2 * rtt)
	if n := len(r.naks()); n != maxGaps {
		t.Errorf("asked for %d ranges", n)
	}
}

func TestWhatFallsOutOfTheWindowIsLost(t *testing.T) {
	r := newReceiver(t)
	r.hear(11)
	r.run(12, WindowSize+1)
	r.misses(span{1, 11})
	r.hear(WindowSize + 1)
	r.misses(span{2, 11})
	r.lost(1)
	r.hear(WindowSize + 7)
	r.misses(span{8, 11}, span{WindowSize + 2, WindowSize + 7})
	r.lost(7)
	r.hear(8)
	r.hear(2 * WindowSize)
	r.misses(span{WindowSize + 2, WindowSize + 7}, span{WindowSize + 8, 2 * WindowSize})
	r.lost(9)
}

func TestJumpsFarAheadCostOneRange(t *testing.T) {
	r := newReceiver(t)
	r.hear(1)
	c := uint64(1)
	for _, jump := range []uint64{WindowSize, WindowSize + 1, 1 << 20, 1 << 32, 1 << 40, 1 << 62, 1 << 63} {
		c += jump
		r.hear(c)
		r.misses(span{c - WindowSize + 1, c})
		if missing := c - r.Received(); r.Lost() != missing-(WindowSize-1) {
			t.Fatalf("%d of %d given up at %d", r.Lost(), missing, c)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { c += 1 << 30; r.hear(c) }); n != 0 {
		t.Errorf("%v allocations per jump", n)
	}
}

func TestLastCounterOfAll(t *testing.T) {
	r := newReceiver(t)
	r.hear(math.MaxUint64 - 2)
	r.hear(math.MaxUint64)
	if r.Lowest() != math.MaxUint64-WindowSize+1 {
		t.Errorf("the lowest is %d", r.Lowest())
	}
	r.Settle(0, math.MaxUint64)
	switch {
	case r.Missing():
		t.Error("packets are missing")
	case r.Lowest() != math.MaxUint64:
		t.Errorf("the lowest missing packet number is %v, want %v", r.Lowest(), uint64(math.MaxUint64))
	case r.Lost() != math.MaxUint64-WindowSize:
		t.Errorf("%v packets are lost, want %v", r.Lost(), uint64(math.MaxUint64-WindowSize))
	}
}

func TestClosedSessionGivesUpWhatItMisses(t *testing.T) {
	r := newReceiver(t)
	r.hear(5, 9)
	r.close()
	r.lost(4 + 3)
	if r.Missing() || !r.NextNak(rtt).IsZero() {
		t.Error("still missing")
	}
	r.close()
	r.lost(7)
}

func TestRoundTripsUnknownTinyAndHugeAreReckonedWith(t *testing.T) {
	for _, c := range []struct{ rtt, first, again time.Duration }{
		{0, unknownRTT * 9 / 8, unknownRTT * 3 / 2},
		{-time.Second, unknownRTT * 9 / 8, unknownRTT * 3 / 2},
		{1, leastRTT * 9 / 8, leastRTT * 3 / 2},
		{math.MaxInt64, longestRTT * 9 / 8, longestRTT * 3 / 2},
	} {
		r := newReceiver(t)
		r.hear(2)
		at := r.NextNak(c.rtt)
		if at != epoch.Add(c.first) {
			t.Errorf("%v: first at %v", c.rtt, at.Sub(epoch))
		}
		r.TakeNaks(at, c.rtt, func(uint64, uint64) bool { return true })
		if next := r.NextNak(c.rtt); next != at.Add(c.again) {
			t.Errorf("%v: again after %v", c.rtt, next.Sub(at))
		}
	}
}

// PROTOCOL.md A2.
func TestNakNamesTheCounterNearestToTheLastSent(t *testing.T) {
	const wrap = 1 << 32
	for _, c := range []struct {
		sent uint64
		low  uint32
		want uint64
	}{
		{0, 0, 0}, {0, 1, 1}, {10, 3, 3}, {10, 10, 10}, {10, 11, 11},
		{wrap - 1, math.MaxUint32, wrap - 1}, {wrap - 1, 0, wrap}, {wrap, 0, wrap},
		{wrap, math.MaxUint32, wrap - 1}, {wrap + 5, math.MaxUint32 - 7, wrap - 8}, {wrap + 5, 6, wrap + 6},
		{7*wrap + 5, math.MaxUint32, 7*wrap - 1}, {7*wrap - 5, 2, 7*wrap + 2},
		{wrap / 2, 0, 0}, {wrap + wrap/2 - 1, 0, wrap}, {wrap + wrap/2 + 1, 0, 2 * wrap},
		// out of range: no nearer number exists
		{10, math.MaxUint32, wrap - 1},
		{math.MaxUint64, 0, math.MaxUint64 - math.MaxUint32},
		{math.MaxUint64, math.MaxUint32, math.MaxUint64},
		{math.MaxUint64 - 1, math.MaxUint32, math.MaxUint64},
	} {
		s := &Session{sent: c.sent}
		if got := s.Expand(c.low); got != c.want {
			t.Errorf("%#x with %#x sent last: %#x, want %#x", c.low, c.sent, got, c.want)
		}
	}
}

func TestNaksAcrossFourBillionComeBackAsTheyWere(t *testing.T) {
	low, high := pair(Null)
	r := &receiver{Session: high, t: t, now: epoch}
	const wrap = 1 << 32
	r.hear(wrap - 100)
	r.Settle(0, wrap)
	r.hear(wrap-10, wrap-5, wrap+5, wrap+9)
	low.sent = wrap + 10
	r.sleep(2 * rtt)
	asked := r.naks()
	if want := (span{wrap - 4, wrap + 5}); asked[2] != want || len(asked) != 4 {
		t.Fatalf("asked for %v", asked)
	}
	for _, n := range asked {
		if got := (span{low.Expand(uint32(n.start)), low.Expand(uint32(n.end))}); got != n {
			t.Errorf("%v came back as %v", n, got)
		}
	}
}

func TestGapsDoNotAllocateOnceTheyHaveRoom(t *testing.T) {
	r := newReceiver(t)
	c := uint64(1)
	step := func() {
		r.hear(c+1, c+3, c+5, c+7, c+2)
		c += 8
		r.sleep(rtt / 4)
		r.TakeNaks(r.now, rtt, func(uint64, uint64) bool { return true })
		r.NextNak(rtt)
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
