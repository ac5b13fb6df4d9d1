package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// met lets messages of the test's origin arrive from n.
func (w *world) met(n *Neighbor, counters ...uint64) {
	for _, c := range counters {
		m := id(c)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, n, &m, 0)
	}
}

func TestDigestOfATailThatIsMissingDrawsARequest(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1)
	w.run(time.Second)
	w.take()
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 3, Below: 2, Age: wire.DelayOf(time.Second)})
	w.run(0)
	if got := w.requested(w.near[1]); !slices.Equal(got, []wire.MessageID{id(3), id(2)}) {
		t.Errorf("requested %v, want 3 and 2", got)
	}
}

func TestHolesOfADigestAreNotRequested(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1)
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 9, Below: 8, Age: wire.DelayMax, Holes: []digest.Hole{{Below: 1, N: 2}, {Below: 5, N: 3}}})
	w.run(0)
	if got := w.requested(w.near[1]); !slices.Equal(got, []wire.MessageID{id(9), id(6), id(5)}) {
		t.Errorf("requested %v, want 9, 6 and 5", got)
	}
}

func TestMessageHasTimeToComeByItself(t *testing.T) {
	w := newWorld(t, 2)
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 1})
	w.run(testRTT + graceMin - time.Millisecond)
	if got := w.requested(w.near[1]); got != nil {
		t.Errorf("requested %v after less than a round trip and the grace", got)
	}
	w.run(time.Millisecond)
	if got := w.requested(w.near[1]); !slices.Equal(got, []wire.MessageID{id(1)}) {
		t.Errorf("requested %v after a round trip and the grace", got)
	}
}

func TestMessageThatComesByItselfIsNotRequested(t *testing.T) {
	w := newWorld(t, 2)
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 1})
	w.met(w.near[0], 1)
	w.run(time.Second)
	if got := w.requested(w.near[1]); got != nil {
		t.Errorf("requested %v", got)
	}
	if w.d.Requests() != 0 || w.near[1].Expected() != 0 {
		t.Errorf("%d messages are waited for, %d of the neighbor", w.d.Requests(), w.near[1].Expected())
	}
}

// PROTOCOL.md Q10.
func TestOneNeighborAtATimeIsAskedTheNearestFirst(t *testing.T) {
	w := newWorld(t, 3)
	w.near[1].RTT = testRTT / 2
	for _, n := range w.near {
		w.digest(n, digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	}
	var asked []wire.NodeID
	for range 100 {
		w.run(time.Millisecond)
		for _, o := range w.take() {
			asked = append(asked, o.To.ID)
		}
	}
	if len(asked) < 3 {
		t.Fatalf("%v were asked", asked)
	}
	if want := []wire.NodeID{{2}, {1}, {3}}; !slices.Equal(asked[:3], want) {
		t.Errorf("%v were asked first, want %v", asked[:3], want)
	}
}

func TestMessageThatNeverComesIsRequestedAFewTimesAndAbandoned(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	w.run(time.Minute)
	if got := len(w.requested(w.near[0])); got != triesMax {
		t.Errorf("requested %d times, want %d", got, triesMax)
	}
	if w.d.Stats.Abandoned != 1 || w.d.Requests() != 0 || w.near[0].open != 0 {
		t.Errorf("%d abandoned, %d waited for, %d open", w.d.Stats.Abandoned, w.d.Requests(), w.near[0].open)
	}
}

func TestNeighborThatAnswersBecomesAParent(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	w.digest(w.near[3], digest.Digest{Origin: testOrigin, Top: 2, Age: wire.DelayMax, Lazy: true})
	w.run(graceMin)
	w.met(w.near[3], 2)
	if !w.d.IsParent(testOrigin, w.near[3]) {
		t.Error("it is no parent")
	}
	if w.d.Stats.Repaired != 1 {
		t.Errorf("%d repaired", w.d.Stats.Repaired)
	}
	w.run(steerFor)
	if got := w.kinds(w.near[3]); !slices.Contains(got, SendGraft) {
		t.Errorf("it was sent %v", got)
	}
}

func TestDigestsCorrectWhoDisagrees(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	for i, c := range []struct {
		lazy bool
		want []OutcomeKind
	}{{false, nil}, {true, []OutcomeKind{SendGraft}}} {
		w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1, Lazy: c.lazy})
		w.digest(w.near[2], digest.Digest{Origin: testOrigin, Top: 1, Lazy: true})
		w.run(steerFor)
		if got := w.kinds(w.near[0]); !slices.Equal(got, c.want) {
			t.Errorf("%d: a parent was sent %v, want %v", i, got, c.want)
		}
		if got := w.kinds(w.near[2]); got != nil {
			t.Errorf("%d: a lazy neighbor was sent %v", i, got)
		}
	}
	w.digest(w.near[2], digest.Digest{Origin: testOrigin, Top: 1})
	w.beat()
	if got := w.kinds(w.near[2]); !slices.Equal(got, []OutcomeKind{SendPrune}) {
		t.Errorf("a neighbor that is eager against its Prune was sent %v", got)
	}
}

// PROTOCOL.md Q2.
func TestDigestsTeachAsCopiesDo(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, 10*time.Millisecond, w.near...)
	for c := uint64(2); c < 12; c++ {
		m := id(c)
		begin := w.now
		for _, n := range w.near[:2] {
			w.run(20 * time.Millisecond)
			if w.d.Seen.First(w.now, &m, nil) {
				w.d.First(w.now, n, &m, 0)
			} else {
				w.d.Duplicate(w.now, n, &m, 0)
			}
		}
		w.run(500 * time.Millisecond)
		w.digest(w.near[3], digest.Digest{Origin: testOrigin, Top: c, Age: wire.DelayOf(w.now.Sub(begin)), Lazy: true})
	}
	w.copies(12, time.Millisecond, w.near[:2]...)
	if got := w.parents(); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("parents %v, want 3 among them, which has the messages before both parents", got)
	}
}

// PROTOCOL.md Q10.
func TestAnnouncementsOfOneNeighborAreBounded(t *testing.T) {
	w := newWorld(t, 2)
	for i := range uint64(100) {
		w.digest(w.near[0], digest.Digest{Origin: testOrigin + i<<16, Top: 60_000, Below: 50_000, Age: wire.DelayMax})
	}
	if w.near[0].Expected() > AnnouncedMax || w.d.Requests() > MissingMax {
		t.Errorf("%d expected, %d waited for", w.near[0].Expected(), w.d.Requests())
	}
	if w.d.Stats.Overflow == 0 {
		t.Error("nothing is counted")
	}
	w.digest(w.near[1], digest.Digest{Origin: 0x8111, Top: 1, Age: wire.DelayMax})
	w.run(0)
	if got := w.requested(w.near[1]); len(got) != 1 {
		t.Errorf("of another neighbor %v was requested", got)
	}
	w.run(0)
	if w.near[0].open > openMax {
		t.Errorf("%d requested of one neighbor at once", w.near[0].open)
	}
}

func TestRequestsFitIntoADatagram(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(w.near[0], digest.Digest{Origin: testOrigin, Top: 1000, Below: 900, Age: wire.DelayMax})
	w.run(time.Second)
	for _, o := range w.take() {
		if o.Kind == SendRequest && o.Want.Len()*wire.WantEntry > haveMax+digest.MaxSize {
			t.Errorf("%d pieces in one request", o.Want.Len())
		}
	}
}

func TestBadAnnouncementsAreCounted(t *testing.T) {
	w := newWorld(t, 1)
	w.digest(&Neighbor{}, digest.Digest{Origin: testOrigin, Top: 1})
	w.digest(w.near[0], digest.Digest{Origin: 0x4000, Top: 1}) // not an origin id
	if w.d.Stats.Unexpected != 2 {
		t.Errorf("%d unexpected, want 2", w.d.Stats.Unexpected)
	}
	w.d.HandleAnnouncements(w.now, w.near[0], []byte{0xc4, 3, 1, 2, 3})
	w.d.HandleAnnouncements(w.now, w.near[0], []byte{0xc0})
	if w.d.Stats.Malformed != 2 {
		t.Errorf("%d malformed, want 2", w.d.Stats.Malformed)
	}
	w.digest(w.near[0], digest.Digest{Origin: testSelf, Top: 9, Below: 9})
	w.run(time.Second)
	if got := w.requested(w.near[0]); got != nil {
		t.Errorf("requested %v, messages of this node", got)
	}
}

func TestNothingIsRequestedWhileTheMessageIsComing(t *testing.T) {
	w := newWorld(t, 2)
	l, pieces := w.begun(id(1), 1<<20)
	w.d.Piece(w.now, w.near[0], l)
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	for i := range uint32(100) {
		pieces.Add(i*1000, (i+1)*1000)
		w.d.NewPiece(w.now, w.near[0], l, i*1000)
		w.run(5 * time.Millisecond)
	}
	if got := w.requested(w.near[1]); got != nil {
		t.Errorf("requested %v", got)
	}
	w.run(testRTT + reportPause + graceMin)
	sent := w.take()
	if len(sent) != 1 || sent[0].Kind != SendRequest {
		t.Fatalf("%v was sent when no more pieces came", sent)
	}
	if _, from, until := sent[0].Want.At(0); from != 100_000 || until != 1<<20 {
		t.Errorf("requested [%d, %d), want what is missing", from, until)
	}
}

// PROTOCOL.md Q12.
func TestNodeThatRequestsTooEarlyWaitsLonger(t *testing.T) {
	w := newWorld(t, 2)
	w.now = w.now.Add(time.Hour)
	w.digest(w.near[1], digest.Digest{Origin: testOrigin, Top: 1, Age: wire.DelayMax})
	w.run(0)
	w.met(w.near[0], 1)
	if w.d.grace.length != 2*graceMin {
		t.Errorf("the grace is %v", w.d.grace.length)
	}
	w.run(time.Second)
	w.met(w.near[0], 2)
	if w.d.grace.length != graceMin {
		t.Errorf("the grace is %v after a calm second", w.d.grace.length)
	}
}

// PROTOCOL.md Q11.
func TestNeighborMayRequestEachMessageAFewTimes(t *testing.T) {
	w := newWorld(t, 2)
	n := w.near[0]
	want := func(pieces int) (served int) {
		for ; pieces > 0; pieces -= 40 {
			var list wire.Want
			m := id(1)
			for range min(pieces, 40) {
				list.Add(&m, 0, 10)
			}
			served += len(w.d.HandleRequests(nil, n, body(t, wire.AppendList(nil, wire.KindWant, m, list.Bytes()))))
		}
		return served
	}
	if got := want(2 * creditLess); got != creditLess {
		t.Errorf("%d pieces served at first, want %d", got, creditLess)
	}
	w.met(w.near[1], 1, 2)
	if got := want(100); got != 2*creditEach {
		t.Errorf("%d pieces served after two messages, want %d", got, 2*creditEach)
	}
	l, _ := w.begun(id(9), 1<<20)
	w.d.Announced(l, n)
	w.d.Announced(l, n)
	if got := want(1000); got != rangesMax*triesMax {
		t.Errorf("%d pieces of a large message served, want %d", got, rangesMax*triesMax)
	}
}

func TestBadRequestsAreCountedAndCostNoCredit(t *testing.T) {
	w := newWorld(t, 1)
	var list wire.Want
	m := id(1)
	list.Add(&m, 10, 10)
	list.Add(&m, 20, 10)
	if out := w.d.HandleRequests(nil, w.near[0], body(t, wire.AppendList(nil, wire.KindWant, m, list.Bytes()))); len(out) != 0 {
		t.Errorf("%d served", len(out))
	}
	if w.d.Stats.Unexpected != 2 || w.near[0].credit != creditLess {
		t.Errorf("%d unexpected, credit %d", w.d.Stats.Unexpected, w.near[0].credit)
	}
	w.d.HandleRequests(nil, w.near[0], []byte{1})
	if w.d.Stats.Malformed != 1 {
		t.Errorf("%d malformed", w.d.Stats.Malformed)
	}
}
