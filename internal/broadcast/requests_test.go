package broadcast

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md Q10: a parent announces messages and never sends them.
func TestMessageThatAParentWithholdsComesFromAnotherNeighbor(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 2})
	w.digest(w.near[3], digest.Digest{Origin: testOrigin, Top: 2, Lazy: true})
	w.run(graceMin)
	if got := w.requested(w.near[0]); !slices.Equal(got, []wire.MessageID{id(2)}) {
		t.Fatalf("requested %v of the parent, want message 2", got)
	}
	w.run(2*testRTT + graceMin)
	if got := w.requested(w.near[3]); !slices.Equal(got, []wire.MessageID{id(2)}) {
		t.Fatalf("requested %v of the other neighbor after the pause, want message 2", got)
	}
	w.met(w.near[3], 2)
	if !w.d.IsParent(testOrigin, w.near[3]) {
		t.Error("the neighbor that answered is no parent")
	}
	w.run(time.Minute)
	if got := w.requested(w.near[0]); got != nil {
		t.Errorf("requested %v of the parent although the message is here", got)
	}
}

// PROTOCOL.md Q4: digests do not stand for the copies that a parent owes.
func TestParentThatOnlyAnnouncesLosesItsPlace(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near...)
	for c := uint64(2); c < 2+missesMax; c++ {
		w.met(w.near[0], c)
		w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: c})
		w.run(200 * time.Millisecond)
		w.beat()
	}
	if got := w.parents(); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("parents %v after one only announced %d messages", got, missesMax)
	}
}

// PROTOCOL.md Q10.
func TestPatienceDoublesWithEachRequestWithoutAnAnswer(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	w.run(0)
	pause := 2*testRTT + graceMin
	for i, want := range []time.Duration{20 * time.Millisecond, 40 * time.Millisecond} {
		w.run(pause << i)
		if got := w.near[0].patience; got != want {
			t.Errorf("patience %v after %d requests without an answer, want %v", got, i+1, want)
		}
	}
}

// PROTOCOL.md Q10.
func TestSimultaneousRequestsWithoutAnAnswerCountOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 30, Below: 29, Age: wire.DelayMax})
	w.run(2*testRTT + graceMin)
	if got := w.near[0].patience; got != 2*graceMin {
		t.Errorf("patience %v after 30 requests at once, want %v", got, 2*graceMin)
	}
}

// PROTOCOL.md Q10.
func TestPatienceFollowsTheTimeOfAnswers(t *testing.T) {
	for _, c := range []struct {
		name              string
		was, after, wants time.Duration
	}{
		{"quick answer", 800 * time.Millisecond, 0, 700 * time.Millisecond},
		{"slow answer", 80 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond},
		{"very slow answer", pauseMax, 6 * time.Second, pauseMax},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.near[0].patience = c.was
			w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
			w.run(0)
			w.run(c.after)
			w.met(w.near[0], 1)
			if got := w.near[0].patience; got != c.wants {
				t.Errorf("patience %v, want %v", got, c.wants)
			}
		})
	}
}

// PROTOCOL.md Q10.
func TestPauseIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	for range 40 {
		w.now = w.now.Add(time.Minute)
		n.unanswered(w.now, w.now.Add(-time.Second))
	}
	if n.patience != pauseMax {
		t.Errorf("patience %v, want %v", n.patience, pauseMax)
	}
	n.RTT = time.Hour
	if got := w.d.pause(n); got != pauseMax {
		t.Errorf("pause %v on a link with a round trip of an hour, want %v", got, pauseMax)
	}
}

// PROTOCOL.md Q12.
func TestGraceDoublesAtMostOnceInItsLengthAndHalvesWhenCalm(t *testing.T) {
	const ms = time.Millisecond
	begin := time.Unix(1000, 0)
	g := grace{length: graceMin}
	for _, c := range []struct {
		at    time.Duration
		early bool
		want  time.Duration
	}{
		{0, true, 20 * ms},
		{20 * ms, true, 20 * ms}, // within its own length
		{21 * ms, true, 40 * ms},
		{100 * ms, true, 40 * ms}, // the maximum
		{260 * ms, false, 40 * ms},
		{261 * ms, false, 20 * ms},
		{341 * ms, false, 20 * ms},
		{342 * ms, false, 10 * ms},
		{time.Hour, false, 10 * ms}, // the minimum
	} {
		if c.early {
			g.tooEarly(begin.Add(c.at))
		} else {
			g.relax(begin.Add(c.at))
		}
		if g.length != c.want {
			t.Errorf("the grace is %v at %v, want %v", g.length, c.at, c.want)
		}
	}
}

// PROTOCOL.md Q10.
func TestOpenRequestsToOneNeighborAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	w.digest(n, digest.Digest{Origin: testOrigin, Top: 200, Below: 199, Age: wire.DelayMax})
	w.run(0)
	first := w.requested(n)
	if len(first) != openMax {
		t.Fatalf("%d messages requested at once, want %d", len(first), openMax)
	}
	for _, m := range first[:10] {
		w.met(n, m.Counter())
	}
	w.run(2*testRTT + graceMin)
	fresh := 0
	for _, m := range w.requested(n) {
		if !slices.Contains(first, m) {
			fresh++
		}
	}
	if fresh != 10 {
		t.Errorf("%d further messages requested after 10 answers", fresh)
	}
	if n.open != openMax {
		t.Errorf("%d requests are open, want %d", n.open, openMax)
	}
}

func TestNeighborsRememberedForOneMessageAreBounded(t *testing.T) {
	w := newWorld(t, knownBy+8)
	for _, n := range w.near {
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1})
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1})
	}
	if got := len(w.d.missing.byID[id(1)].by); got != knownBy {
		t.Errorf("%d neighbors are remembered, want %d", got, knownBy)
	}
}

// PROTOCOL.md Q10.
func TestNodeGivesUpAMessageAfterTwoMinutes(t *testing.T) {
	w := newWorld(t, 30)
	for _, n := range w.near {
		n.RTT = time.Second
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	}
	w.run(AnnouncedKeep)
	if got := w.d.Requests(); got != 1 {
		t.Fatalf("%d messages are waited for before the time is over, want 1", got)
	}
	w.run(pauseMax)
	if got := w.d.Requests(); got != 0 {
		t.Errorf("%d messages are waited for after two minutes", got)
	}
	if got := w.d.Stats.Abandoned; got != 1 {
		t.Errorf("%d abandoned, want 1", got)
	}
	if got := w.count(SendRequest); got >= 30*triesMax {
		t.Errorf("%d requests, so that the number of requests ended it", got)
	}
}

func TestMessageIsRequestedFromAnotherNeighborIfTheLinkOfTheFirstEnds(t *testing.T) {
	w := newWorld(t, 2)
	for _, n := range w.near {
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	}
	w.run(0)
	if got := w.requested(w.near[0]); len(got) != 1 {
		t.Fatalf("%d requests to the first", len(got))
	}
	w.d.LinkDown(w.now, w.near[0])
	w.run(2*testRTT + graceMin)
	if got := w.requested(w.near[1]); len(got) != 1 {
		t.Errorf("%d requests to the other", len(got))
	}
	if got := w.near[0].open; got != 0 {
		t.Errorf("%d requests to a neighbor without a link are open", got)
	}
}

// PROTOCOL.md Q10: a digest counts with all counters that it covers, whatever this node lacks of them.
func TestCountersInTheDigestsOfOneNeighborAreBounded(t *testing.T) {
	w := newWorld(t, 2)
	wide := digest.Digest{Origin: testSelf, Top: 1 << 20, Below: math.MaxUint16}
	for range countersMax / (math.MaxUint16 + 1) {
		w.digest(w.near[0], wide)
	}
	if got := w.d.Stats.Overflow; got != 0 {
		t.Fatalf("%d digests dropped within the bound", got)
	}
	var have digest.List
	have.Add(&wide)
	have.Add(&digest.Digest{Origin: testOrigin, Top: 1})
	w.d.HandleAnnouncements(w.now, w.near[0], body(t, wire.AppendList(nil, wire.KindHave, wire.MessageID{}, have.Bytes())))
	if got := w.d.Stats.Overflow; got != 1 {
		t.Errorf("%d dropped beyond the bound, want 1", got)
	}
	if w.d.IsAnnounced(id(1)) {
		t.Error("a digest behind the one that exceeds the bound is processed")
	}
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 2})
	if !w.d.IsAnnounced(id(2)) {
		t.Error("the digest of another neighbor is dropped")
	}
	w.run(countersFor + time.Millisecond)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 3})
	if !w.d.IsAnnounced(id(3)) {
		t.Error("a digest is dropped after the period")
	}
}

// PROTOCOL.md Q7, Q10: what a digest claims is bounded by what it can name.
func TestDigestThatLiesDrawsOnlyRequestsForWhatItNames(t *testing.T) {
	const most = math.MaxUint64
	for _, c := range []struct {
		name string
		g    digest.Digest
		want []uint64
	}{
		{"holes reach beyond its span", digest.Digest{Top: 9, Below: 3, Holes: []digest.Hole{{Below: 2, N: math.MaxUint16}}}, []uint64{9, 8}},
		{"holes begin beyond its span", digest.Digest{Top: 9, Below: 1, Holes: []digest.Hole{{Below: 60_000, N: 9}}}, []uint64{9, 8}},
		{"holes overlap", digest.Digest{Top: 9, Below: 4, Holes: []digest.Hole{{Below: 1, N: 2}, {Below: 2, N: 2}}}, []uint64{9, 5}},
		{"holes are all of it", digest.Digest{Top: 9, Below: 3, Holes: []digest.Hole{{N: 4}}}, nil},
		{"a hole is empty", digest.Digest{Top: 9, Holes: []digest.Hole{{}}}, []uint64{9}},
		{"from the first counter", digest.Digest{Top: 1, Below: 1}, []uint64{1, 0}},
		{"up to the last counter", digest.Digest{Top: most, Below: 1}, []uint64{most, most - 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			c.g.Origin, c.g.Age = testOrigin, wire.DelayMax
			w.digest(w.near[0], c.g)
			w.run(0)
			var got []uint64
			for _, m := range w.requested(w.near[0]) {
				got = append(got, m.Counter())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("requested %d, want %d", got, c.want)
			}
		})
	}
}

// PROTOCOL.md Q7: a span reaches at most to the first counter.
func TestDigestWhoseSpanExceedsItsTopIsMalformed(t *testing.T) {
	w := newWorld(t, 1)
	var have digest.List
	have.Add(&digest.Digest{Origin: testOrigin, Top: 1})
	have.Add(&digest.Digest{Origin: testOrigin, Top: 3, Below: 4})
	have.Add(&digest.Digest{Origin: testOrigin, Top: 9})
	w.d.HandleAnnouncements(w.now, w.near[0], body(t, wire.AppendList(nil, wire.KindHave, wire.MessageID{}, have.Bytes())))
	if got := w.d.Stats.Malformed; got != 1 {
		t.Errorf("%d malformed, want 1", got)
	}
	for counter, want := range map[uint64]bool{1: true, 3: false, 9: false} {
		if got := w.d.IsAnnounced(id(counter)); got != want {
			t.Errorf("message %d is announced: %v, want %v", counter, got, want)
		}
	}
}

// PROTOCOL.md Q10.
func TestOneDigestAddsABoundedNumberOfMessages(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 60_000, Below: 50_000})
	if got := w.d.Requests(); got != AnnouncedMax {
		t.Errorf("%d messages are waited for, want %d", got, AnnouncedMax)
	}
	if !w.d.IsAnnounced(id(60_000)) || w.d.IsAnnounced(id(60_000-AnnouncedMax)) {
		t.Error("they are not the newest")
	}
}

// PROTOCOL.md Q9.
func TestAnswersToMessagesThatAreKeptAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	for c := range uint64(keptMax + 50) {
		w.met(w.near[0], c)
		w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: c, Age: wire.DelayMax, Kept: true})
	}
	w.run(0)
	if got := len(w.digestsTo(w.near[0])); got != keptMax {
		t.Errorf("%d answers, want %d", got, keptMax)
	}
}

// PROTOCOL.md Q10: the message may come from the neighbor that was asked first, later than its pause.
func TestLateAnswerOfANeighborThatWasGivenUpIsNotCountedAsARepair(t *testing.T) {
	w := newWorld(t, 2)
	for _, n := range w.near {
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	}
	w.run(2*testRTT + graceMin) // the second is asked
	w.met(w.near[0], 1)
	if got := w.d.Stats.Repaired; got != 0 {
		t.Errorf("%d repaired", got)
	}
	if got := w.d.grace.length; got != 2*graceMin {
		t.Errorf("the grace is %v, want %v", got, 2*graceMin)
	}
	for i, n := range w.near {
		if n.open != 0 {
			t.Errorf("%d requests to neighbor %d are open", n.open, i)
		}
	}
}
