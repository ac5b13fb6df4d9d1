package broadcast

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md Q8.
func TestHeartbeatTakesTheDigestsOfWhatHasNews(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1, 2, 4)
	w.run(200 * time.Millisecond)
	out, have := w.d.Heartbeat(nil, w.now, w.near[1])
	got := digestsIn(have)
	if len(out) != 0 || len(got) != 1 {
		t.Fatalf("%d messages and %d digests", len(out), len(got))
	}
	want := digest.Digest{Origin: testOrigin, Top: 4, Below: 3, Age: wire.DelayOf(200 * time.Millisecond), Delay: got[0].Delay, Holes: []digest.Hole{{Below: 1, N: 1}}}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("digest %+v, want %+v", got[0], want)
	}
	if _, have := w.d.Heartbeat(nil, w.now, w.near[1]); have != nil {
		t.Error("the next heartbeat repeats it without news")
	}
}

func TestTopIsNotAnnouncedToTheNeighborItCameFrom(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1)
	if _, have := w.d.Heartbeat(nil, w.now, w.near[0]); have != nil {
		t.Error("it is told")
	}
}

func TestDigestsAreSentWithoutAHeartbeatIfThatIsLate(t *testing.T) {
	w := newWorld(t, 3)
	w.met(w.near[0], 1)
	w.d.Heartbeat(nil, w.now.Add(time.Millisecond), w.near[1])
	w.run(lateMax)
	if got := w.count(SendDigest); got != 1 {
		t.Errorf("%d digests sent, want one to the only neighbor that has had none", got)
	}
}

// PROTOCOL.md Q8.
func TestNeighborThatRequestedAMessageGetsAnAnnouncementSoon(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.steered(w.near[1], testOrigin, true, true)
	w.steered(w.near[2], testOrigin, true, false)
	w.run(2 * time.Second)
	w.take()
	w.met(w.near[0], 2)
	w.run(testRTT + soonAfter - time.Millisecond)
	if got := w.count(SendDigest); got != 0 {
		t.Errorf("%d digests before a round trip", got)
	}
	w.run(time.Millisecond)
	if w.count(SendDigest) != 1 {
		t.Fatalf("%d digests", w.count(SendDigest))
	}
	got := w.digestsTo(w.near[1])
	if len(got) != 1 || got[0].Top != 2 || !got[0].Lazy {
		t.Errorf("it was told %+v", got)
	}
}

// PROTOCOL.md Q8.
func TestMessageIsNotAnnouncedSoonToANeighborThatHasShownIt(t *testing.T) {
	copyOf := func(counter uint64) func(*world) {
		return func(w *world) {
			m := id(counter)
			w.d.Duplicate(w.now, w.near[1], &m, 0)
		}
	}
	digestOf := func(g digest.Digest) func(*world) {
		g.Origin = testOrigin
		return func(w *world) { w.digest(w.near[1], g) }
	}
	for what, c := range map[string]struct {
		met   []uint64 // messages that the node meets before the neighbor shows something
		shows func(*world)
		told  bool
	}{
		"a copy":                      {[]uint64{2}, copyOf(2), false},
		"a copy of an older message":  {[]uint64{2}, copyOf(1), true},
		"a copy of the last of three": {[]uint64{2, 3, 4}, copyOf(4), true},
		"a digest":                    {[]uint64{2}, digestOf(digest.Digest{Top: 2, Below: 1}), false},
		"a digest of three":           {[]uint64{2, 3, 4}, digestOf(digest.Digest{Top: 4, Below: 3}), false},
		"a digest with a hole":        {[]uint64{2, 3, 4}, digestOf(digest.Digest{Top: 4, Below: 3, Holes: []digest.Hole{{Below: 1, N: 1}}}), true},
		"a digest of an older one":    {[]uint64{2}, digestOf(digest.Digest{Top: 1}), true},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, 3)
			w.copies(1, time.Millisecond, w.near...)
			w.steered(w.near[1], testOrigin, true, true)
			w.run(2 * time.Second)
			w.take()
			w.met(w.near[0], c.met...)
			c.shows(w)
			w.run(testRTT + soonAfter)
			if got := w.count(SendDigest) > 0; got != c.told {
				t.Errorf("the neighbor is told soon: %v, want %v", got, c.told)
			}
			w.take()
			w.run(soonPause)
			w.met(w.near[0], 5)
			w.run(testRTT + soonAfter)
			if got := w.count(SendDigest); got != 1 {
				t.Errorf("%d digests of the next message, want 1", got)
			}
		})
	}
}

// PROTOCOL.md Q8.
func TestBusyNodeSendsEarlyDigestsInSharedTurns(t *testing.T) {
	w := newWorld(t, 4)
	w.near[2].RTT = testRTT / 2 // its digests are due earlier
	w.copies(1, time.Millisecond, w.near...)
	for _, n := range w.near[1:3] {
		w.steered(n, testOrigin, true, true)
	}
	w.run(2 * time.Second)
	w.take()
	const each, last = 10 * time.Millisecond, 101
	begin, turns := w.now, 0
	told := map[*Neighbor]uint64{w.near[1]: 1, w.near[2]: 1} // the top of the last digest
	for c := uint64(2); c <= last; c++ {
		w.met(w.near[0], c)
		for range each / time.Millisecond {
			w.run(time.Millisecond)
			sent := slices.DeleteFunc(w.take(), func(o Outcome) bool { return o.Kind != SendDigest })
			for _, o := range sent {
				told[o.To] = digestsIn(o.Have)[0].Top
			}
			if turns += min(len(sent), 1); turns > 1 && len(sent) == 1 {
				t.Errorf("%v: only one of two neighbors gets digests", w.now.Sub(begin))
			}
			for n, top := range told {
				if late := time.Duration(c-top) * each; late > n.RTT+soonAfter+soonPause+each {
					t.Fatalf("%v: no digest to neighbor %d for %v", w.now.Sub(begin), n.slot, late)
				}
			}
		}
	}
	if most := int(w.now.Sub(begin)/soonPause) + 1; turns > most || turns < most/2 {
		t.Errorf("%d turns in %v, want at most %d", turns, w.now.Sub(begin), most)
	}
}

// PROTOCOL.md Q7.
func TestDigestCoversTheLastSecondsOnly(t *testing.T) {
	w := newWorld(t, 2)
	for c := uint64(1); c <= 20; c++ {
		w.met(w.near[0], c)
		w.run(500 * time.Millisecond)
	}
	w.take()
	_, have := w.d.Heartbeat(nil, w.now, w.near[1])
	got := digestsIn(have)
	if len(got) != 1 || got[0].Top != 20 {
		t.Fatalf("%+v", got)
	}
	least, most := uint16(keepMin*2/3/(500*time.Millisecond))-1, uint16(keepMin/(500*time.Millisecond))
	if got[0].Below < least || got[0].Below > most {
		t.Errorf("it speaks of %d messages before the top, want %d to %d", got[0].Below, least, most)
	}
	w.run(2 * keepMin)
	w.d.near0().announcedAt = 0
	if _, have := w.d.Heartbeat(nil, w.now, w.near[0]); have != nil {
		t.Error("what passed long ago is announced")
	}
}

// near0 returns the first neighbor.
func (d *Disseminator) near0() *Neighbor { return d.neighbors[0] }

func TestManyDigestsAreSentInMessagesThatFit(t *testing.T) {
	w := newWorld(t, 2)
	for i := range uint64(500) {
		m := wire.BroadcastID(testOrigin+i<<16, 1)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, w.near[0], &m, 0)
	}
	out, have := w.d.Heartbeat(nil, w.now, w.near[1])
	count := len(digestsIn(have))
	for _, o := range out {
		if o.Have.Size() > haveMax {
			t.Errorf("%d bytes of digests in one message", o.Have.Size())
		}
		count += len(digestsIn(o.Have))
	}
	if count != 500 {
		t.Errorf("%d digests", count)
	}
}

// PROTOCOL.md D4.
func TestNewLinkGetsTheAnnouncementsOfTheLastSeconds(t *testing.T) {
	w := newWorld(t, 1)
	w.met(w.near[0], 1, 2)
	n := w.link()
	w.do(w.d.AnnounceRecent(nil, w.now, n))
	if got := w.digestsTo(n); len(got) != 1 || got[0].Top != 2 || got[0].Below != 1 {
		t.Errorf("it was told %+v", got)
	}
}

func TestPlacesAreRememberedForAWhile(t *testing.T) {
	w := newWorld(t, 1)
	m, old := id(1), wire.MessageID{6: 0x40, 15: 1}
	w.d.Kept(w.now, &m, arena.Ref{Off: 1, Size: 1})
	w.d.Kept(w.now, &old, arena.Ref{Off: 2, Size: 1})
	if place, ok := w.d.Place(&m); !ok || place.Off != 1 {
		t.Errorf("place %v, %v", place, ok)
	}
	if _, ok := w.d.Place(&old); ok {
		t.Error("the place of a message without an origin is remembered, which no digest speaks of")
	}
	if !w.d.Sweep(w.now.Add(time.Second)) {
		t.Error("the places are forgotten at once")
	}
	if w.d.Sweep(w.now.Add(recentFor*keepMin + time.Second)) {
		t.Error("the places are never given back")
	}
}

func TestPlacesAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	for c := range uint64(arena.IndexMax + 100) {
		m := id(c)
		w.d.Kept(w.now, &m, arena.Ref{Off: 1 + c, Size: 1})
	}
	if got := w.d.Remembered(); got > arena.IndexMax {
		t.Errorf("%d places are remembered", got)
	}
	first := id(0)
	if _, ok := w.d.Place(&first); ok {
		t.Error("the oldest has not given way")
	}
}

func TestPrunesWaitForADatagramUntilACopyTooManyComes(t *testing.T) {
	w := newWorld(t, 3)
	for i, n := range w.near {
		m := id(1)
		if i == 0 {
			w.met(n, 1)
		} else {
			w.d.Duplicate(w.now, n, &m, 0)
		}
		w.run(time.Millisecond)
	}
	w.run(100 * time.Millisecond)
	w.met(w.near[0], 2) // the next input chooses the parents
	w.run(steerFor)
	if got := w.kinds(w.near[2]); got != nil {
		t.Errorf("a neighbor was sent %v without need", got)
	}
	if !w.near[2].Carries() {
		t.Error("nothing waits for a datagram")
	}
	m := id(2)
	w.d.Duplicate(w.now, w.near[2], &m, 0)
	w.run(steerFor)
	if got := w.kinds(w.near[2]); !slices.Equal(got, []OutcomeKind{SendPrune}) {
		t.Errorf("it was sent %v after a copy too many", got)
	}
	w.take()
	if w.do(w.d.Carry(nil, w.near[2])); len(w.sent) != 0 {
		t.Error("the Prune is sent again")
	}
}
