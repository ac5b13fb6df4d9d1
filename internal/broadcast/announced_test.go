package broadcast

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestAnnouncedMessageThatDoesNotComeIsRequestedAfterARoundTripAndTheGrace(t *testing.T) {
	w := newWorld(t, 3)
	w.announces(w.near[0], 200, id(1))
	w.run(testRTT + graceMin - time.Microsecond)
	if sent := only(w.take(), SendRequest); len(sent) != 0 {
		t.Fatalf("sent %v before the message is due", sent)
	}
	w.run(time.Microsecond)
	sent := only(w.take(), SendRequest)
	switch {
	case len(sent) != 1:
		t.Fatalf("len(sent) is %d, want 1: %v", len(sent), sent)
	case sent[0].Kind != SendRequest:
		t.Fatalf("sent[0].Kind is %v, want %v", sent[0].Kind, SendRequest)
	case sent[0].To != w.near[0]:
		t.Fatalf("sent[0].To is %v, want %v", sent[0].To, w.near[0])
	}
	got, from, until := sent[0].Want.At(0)
	switch {
	case got != id(1):
		t.Errorf("got is %v, want %v", got, id(1))
	case from != 0:
		t.Errorf("from is %v, want 0", from)
	case until != 200:
		t.Errorf("until is %v, want 200", until)
	}
	if w.d.Requests() != 1 || w.d.Stats.Requested != 1 {
		t.Errorf("%d requests are open, %d were counted", w.d.Requests(), w.d.Stats.Requested)
	}
}

func TestMessageThatComesByItselfIsNotRequested(t *testing.T) {
	w := newWorld(t, 2)
	w.announces(w.near[0], 200, id(1))
	w.run(testRTT)
	w.first(w.near[1], id(1))
	w.run(time.Minute)
	if sent := only(w.take(), SendRequest); len(sent) != 0 {
		t.Errorf("sent %v", sent)
	}
	if w.near[0].Expected() != 0 {
		t.Errorf("%d announcements are kept", w.near[0].Expected())
	}
}

func TestAnnouncementOfAMessageThatIsHereIsForgotten(t *testing.T) {
	w := newWorld(t, 1)
	w.first(w.near[0], id(1))
	w.announces(w.near[0], 200, id(1))
	if got := w.near[0].Expected(); got != 0 {
		t.Errorf("%d announcements wait", got)
	}
}

func TestOneNeighborAtATimeIsAsked(t *testing.T) {
	w := newWorld(t, 3)
	for _, n := range w.near {
		w.announces(n, 200, id(1))
	}
	w.run(testRTT + graceMin)
	if got := count(w.take(), SendRequest, nil); got != 1 {
		t.Fatalf("%d requests at first, want 1", got)
	}
	w.run(2*testRTT + graceMin + time.Millisecond)
	sent := w.take()
	if got := count(sent, SendRequest, nil); got != 1 {
		t.Fatalf("%d requests after the first was not answered, want 1", got)
	}
	if count(sent, SendRequest, w.near[0]) != 0 {
		t.Error("the neighbor that did not answer was asked again before the others")
	}
}

func TestMessageThatNeverComesIsRequestedAFewTimesAndAbandoned(t *testing.T) {
	w := newWorld(t, 1)
	w.announces(w.near[0], 200, id(1))
	w.run(5 * time.Minute)
	if got := count(w.take(), SendRequest, nil); got != triesMax {
		t.Errorf("requested %d times, want %d", got, triesMax)
	}
	switch {
	case w.d.Stats.Abandoned != 1:
		t.Errorf("w.d.Stats.Abandoned is %v, want 1", w.d.Stats.Abandoned)
	case w.d.Requests() != 0:
		t.Errorf("w.d.Requests() is %v, want 0", w.d.Requests())
	case w.near[0].Expected() != 0:
		t.Errorf("w.near[0].Expected() is %v, want 0", w.near[0].Expected())
	}
}

func TestAnnouncementIsGivenUpWhenItsMessageIsNotKeptAnyMore(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	w.announces(n, 200, id(1))
	w.now = w.now.Add(AnnouncedKeep + time.Second) // the node slept
	w.tick(n, 1400)
	if got := count(w.take(), SendRequest, nil); got != 0 {
		t.Errorf("%d requests of a message that is gone", got)
	}
	if w.d.Stats.Abandoned != 1 {
		t.Errorf("%d abandoned", w.d.Stats.Abandoned)
	}
}

func TestRequestNamesWhatIsMissingOfALargeMessage(t *testing.T) {
	w := newWorld(t, 2)
	l, pieces := w.begin(id(1), 1000)
	w.announces(w.near[0], 1000, id(1))
	w.piece(w.near[1], l, pieces, 100, 300)
	w.piece(w.near[1], l, pieces, 500, 1000)
	w.run(time.Second)
	sent := only(w.take(), SendRequest)
	if len(sent) == 0 {
		t.Fatalf("sent %v", sent)
	}
	var got [][2]uint32
	for i := range sent[0].Want.Len() {
		_, from, until := sent[0].Want.At(i)
		got = append(got, [2]uint32{from, until})
	}
	switch {
	case len(got) != 2:
		t.Errorf("len(got) is %d, want 2: %v", len(got), got)
	case got[0] != [2]uint32{0, 100}:
		t.Errorf("got[0] is %v, want %v", got[0], [2]uint32{0, 100})
	case got[1] != [2]uint32{300, 500}:
		t.Errorf("got[1] is %v, want %v", got[1], [2]uint32{300, 500})
	}
}

func TestNothingIsRequestedWhileTheMessageIsComing(t *testing.T) {
	w := newWorld(t, 2)
	l, pieces := w.begin(id(1), 100_000)
	w.announces(w.near[0], 100_000, id(1))
	for i := range uint32(50) {
		w.piece(w.near[1], l, pieces, i*1000, i*1000+1000)
		w.run(20 * time.Millisecond)
	}
	if got := count(w.take(), SendRequest, nil); got != 0 {
		t.Errorf("%d requests while pieces came", got)
	}
	w.run(100 * time.Millisecond)
	if got := count(w.take(), SendRequest, w.near[0]); got == 0 {
		t.Error("nothing was requested after the pieces ceased to come")
	}
}

func TestFewRangesOfOneMessageAreRequestedAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	l, pieces := w.begin(id(1), 1_000_000)
	w.announces(w.near[0], 1_000_000, id(1))
	for i := range uint32(2 * rangesMax) {
		w.piece(w.near[0], l, pieces, 2*i*1000, 2*i*1000+1000)
	}
	w.run(100 * time.Millisecond)
	sent := only(w.take(), SendRequest)
	if len(sent) == 0 || sent[0].Want.Len() != rangesMax {
		t.Fatalf("sent %v, want %d ranges", sent, rangesMax)
	}
}

func TestRequestsFitIntoADatagram(t *testing.T) {
	w := newWorld(t, 1)
	var ids []wire.MessageID
	for i := range 60 {
		ids = append(ids, id(i))
	}
	w.announces(w.near[0], 200, ids...)
	w.now = w.now.Add(time.Second)
	const room = 1000
	w.tick(w.near[0], room)
	sent := only(w.take(), SendRequest)
	if len(sent) != 1 {
		t.Fatalf("sent %v", sent)
	}
	if n := len(wire.AppendWant(nil, wire.MessageID{}, sent[0].Want)); n > room {
		t.Errorf("a request of %d bytes for a room of %d", n, room)
	}
	if n := sent[0].Want.Len(); n == 0 || n == len(ids) {
		t.Errorf("%d of %d messages were requested at once", n, len(ids))
	}
	w.run(time.Second)
	if got := w.d.Requests(); got != len(ids) {
		t.Errorf("%d of %d messages were requested in the end", got, len(ids))
	}
}

func TestOneNeighborIsAskedForABoundedNumberOfMessagesAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 10 * openMax {
		w.announces(w.near[0], 200, id(i))
	}
	for range 100 {
		w.run(time.Millisecond)
		if w.near[0].open > openMax {
			t.Fatalf("%d requests are open", w.near[0].open)
		}
	}
	if w.near[0].open != openMax {
		t.Errorf("%d requests are open, want %d", w.near[0].open, openMax)
	}
}

func TestAnnouncementsOfOneNeighborAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	for i := range AnnouncedMax + 100 {
		w.announces(w.near[0], 200, id(i))
	}
	if got := w.near[0].Expected(); got != AnnouncedMax {
		t.Errorf("%d announcements wait, want %d", got, AnnouncedMax)
	}
	if w.d.Stats.Overflow != 100 {
		t.Errorf("%d counted", w.d.Stats.Overflow)
	}
}

func TestAnnouncementsWhoseMessagesCameAreTakenOut(t *testing.T) {
	w := newWorld(t, 2)
	for i := range 10 * tidyFrom {
		w.announces(w.near[0], 200, id(i))
		w.first(w.near[1], id(i))
		if got := w.near[0].Expected(); got > tidyFrom {
			t.Fatalf("%d announcements wait although all but one have come", got)
		}
	}
}

func TestBadAnnouncementsAreCounted(t *testing.T) {
	w := newWorld(t, 1)
	w.do(w.d.HandleAnnouncements(nil, w.now, w.near[0], []byte{0xc4, 3, 1, 2, 3}))
	w.announces(w.near[0], 0, id(1))
	w.announces(w.near[0], MessageMax+1, id(2))
	w.announces(&Neighbor{}, 10, id(3))
	s := w.d.Stats
	switch {
	case s.Malformed != 1:
		t.Errorf("s.Malformed is %v, want 1", s.Malformed)
	case s.Oversize != 2:
		t.Errorf("s.Oversize is %v, want 2", s.Oversize)
	case s.Unexpected != 1:
		t.Errorf("s.Unexpected is %v, want 1", s.Unexpected)
	}
	if w.near[0].Expected() != 0 || len(w.take()) != 0 {
		t.Error("a bad announcement had an effect")
	}
}

func TestNeighborThatAnnouncesAlthoughItIsAParentIsGraftedAgain(t *testing.T) {
	w := newWorld(t, 3)
	n := w.near[0]
	n.steered = w.now
	w.announces(n, 200, id(1))
	if got := count(w.take(), SendGraft, nil); got != 0 {
		t.Error("grafted again while the first Graft may be on its way")
	}
	w.now = w.now.Add(graftAgain + time.Millisecond)
	w.announces(n, 200, id(2))
	if got := count(w.take(), SendGraft, n); got != 1 {
		t.Errorf("%d grafts, want 1", got)
	}
}

func TestNodeWithoutParentsGraftsWhoAnnounces(t *testing.T) {
	w := newWorld(t, 4)
	w.lone()
	for i, n := range w.near {
		w.announces(n, 200, id(i))
	}
	if got := w.parents(); len(got) != parentsMax {
		t.Errorf("parents %v", got)
	}
	if got := count(w.take(), SendGraft, nil); got != parentsMax {
		t.Errorf("%d grafts", got)
	}
}

func TestNeighborThatAnsweredForWhatNobodySentBecomesAParent(t *testing.T) {
	w := newWorld(t, 4)
	w.lone(0, 1)
	w.announces(w.near[3], 200, id(1))
	w.run(100 * time.Millisecond)
	sent := w.take()
	if count(sent, SendRequest, w.near[3]) == 0 || count(sent, SendGraft, w.near[3]) != 1 {
		t.Errorf("sent %v", sent)
	}
	if !w.near[3].Parent {
		t.Error("it is no parent")
	}
}

func TestNextTickIsNeverBeforeTheFirstAnnouncementIsDue(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	w.announces(n, 200, id(1))
	due := w.now.Add(testRTT + graceMin)
	if got := w.next[n]; !got.Equal(due) {
		t.Errorf("woken after %v, want %v", got.Sub(w.now), due.Sub(w.now))
	}
	out, next := w.d.Tick(nil, w.now, n, 1400)
	if len(out) != 0 || !next.Equal(due) {
		t.Errorf("outcomes %v, next %v", out, next)
	}
	w.first(n, id(1))
	w.now = due
	if out, next = w.d.Tick(nil, w.now, n, 1400); len(out) != 0 || !next.IsZero() {
		t.Errorf("outcomes %v, next %v when nothing waits", out, next)
	}
}

func TestTickOfAnIdleNeighborAllocatesNothing(t *testing.T) {
	w := newWorld(t, 1)
	out := make([]Outcome, 0, 8)
	if got := testing.AllocsPerRun(100, func() { out, _ = w.d.Tick(out[:0], w.now, w.near[0], 1400) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
