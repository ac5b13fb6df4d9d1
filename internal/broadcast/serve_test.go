package broadcast

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
)

// announce announces messages of 100 bytes to n, from the i-th on.
func (w *world) announce(n *Neighbor, i, count int) {
	w.t.Helper()
	for k := range count {
		m := id(i + k)
		w.do(w.d.Announce(nil, w.now, n, &m, 100))
	}
}

func TestAnnouncementsWaitForCompanyAndGoTogether(t *testing.T) {
	w := newWorld(t, 2)
	n := w.near[0]
	w.announce(n, 0, 3)
	if got := n.BatchDue(); !got.Equal(w.now.Add(batchFor)) {
		t.Errorf("due after %v", got.Sub(w.now))
	}
	w.now = w.now.Add(time.Millisecond)
	w.announce(n, 3, 1)
	if got := n.BatchDue(); !got.Equal(w.now.Add(batchFor - time.Millisecond)) {
		t.Error("a further announcement put the first one off")
	}
	if len(w.take()) != 0 {
		t.Fatal("sent already")
	}
	w.do(w.d.SendBatch(nil, n))
	sent := w.take()
	switch {
	case len(sent) != 1:
		t.Fatalf("len(sent) is %d, want 1: %v", len(sent), sent)
	case sent[0].Kind != SendAnnouncement:
		t.Fatalf("sent[0].Kind is %v, want %v", sent[0].Kind, SendAnnouncement)
	case sent[0].To != n:
		t.Fatalf("sent[0].To is %v, want %v", sent[0].To, n)
	case sent[0].Have.Len() != 4:
		t.Fatalf("sent[0].Have.Len() is %v, want 4", sent[0].Have.Len())
	}
	for i := range 4 {
		if m, total := sent[0].Have.At(i); m != id(i) || total != 100 {
			t.Errorf("announcement %d: %v of %d bytes", i, m, total)
		}
	}
	if !n.BatchDue().IsZero() {
		t.Error("something waits still")
	}
	w.do(w.d.SendBatch(nil, n))
	if len(w.take()) != 0 {
		t.Error("sent an empty announcement")
	}
	if w.d.Stats.Announced != 4 {
		t.Errorf("%d counted", w.d.Stats.Announced)
	}
}

func TestFullBatchGoesAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.announce(w.near[0], 0, 2*batchMax+1)
	sent := w.take()
	switch {
	case len(sent) != 2:
		t.Errorf("len(sent) is %d, want 2: %v", len(sent), sent)
	case sent[0].Have.Len() != batchMax:
		t.Errorf("sent[0].Have.Len() is %v, want %v", sent[0].Have.Len(), batchMax)
	case sent[1].Have.Len() != batchMax:
		t.Errorf("sent[1].Have.Len() is %v, want %v", sent[1].Have.Len(), batchMax)
	}
	if w.near[0].BatchDue().IsZero() {
		t.Error("the last one does not wait")
	}
}

func TestNeighborMayRequestWhatWasAnnouncedAFewTimes(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	if got := w.requests(n, id(1), 0, 100, 3); len(got) != 0 || w.d.Stats.Unexpected != 3 {
		t.Errorf("%d granted of what was not announced; %d counted", len(got), w.d.Stats.Unexpected)
	}
	w.announce(n, 1, 1)
	got := w.requests(n, id(1), 0, 100, 2*triesMax)
	if len(got) != triesMax {
		t.Errorf("%d granted, want %d", len(got), triesMax)
	}
	switch o := got[0]; {
	case o.Kind != ServeRequest:
		t.Errorf("o.Kind is %v, want %v", o.Kind, ServeRequest)
	case o.To != n:
		t.Errorf("o.To is %v, want %v", o.To, n)
	case o.Message != id(1):
		t.Errorf("o.Message is %v, want %v", o.Message, id(1))
	case o.From != 0:
		t.Errorf("o.From is %v, want 0", o.From)
	case o.Until != 100:
		t.Errorf("o.Until is %v, want 100", o.Until)
	}
}

func TestNeighborMayRequestPiecesOfALargeMessage(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	w.d.AnnouncedLarge(n)
	granted := 0
	for range 10 {
		granted += len(w.requests(n, id(1), 10, 20, 50))
	}
	if want := rangesMax * triesMax; granted != want {
		t.Errorf("%d granted, want %d", granted, want)
	}
}

func TestRequestsThatAnnouncementsAllowAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	for range creditMax {
		w.d.AnnouncedLarge(n)
		w.announce(n, 1, 1)
	}
	if n.credit != creditMax {
		t.Errorf("%d requests are allowed, want %d", n.credit, creditMax)
	}
}

func TestBadRequestsAreCountedAndCostNoCredit(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	w.announce(n, 1, 1)
	w.take()
	if out := w.d.HandleRequests(nil, n, []byte{0xc4, 1, 0}); len(out) != 0 || w.d.Stats.Malformed != 1 {
		t.Errorf("%d granted, %d malformed counted", len(out), w.d.Stats.Malformed)
	}
	for _, r := range [][2]uint32{{10, 10}, {20, 10}} {
		if got := w.requests(n, id(1), r[0], r[1], 1); len(got) != 0 {
			t.Errorf("[%d, %d) was granted", r[0], r[1])
		}
	}
	if n.credit != triesMax || w.d.Stats.Unexpected != 2 {
		t.Errorf("credit %d, %d counted", n.credit, w.d.Stats.Unexpected)
	}
	w.d.LinkDown(n)
	n.credit = 5
	if got := w.requests(n, id(1), 0, 10, 1); len(got) != 0 {
		t.Error("a node without a link was granted a request")
	}
}

func TestRequestIsAnsweredFromWhereTheMessageIsKept(t *testing.T) {
	var r Recent
	now := time.Unix(0, 0)
	for i := range 100 {
		m := id(i)
		r.Put(now, &m, arena.Ref{Off: uint64(i), Size: 10})
		r.Put(now, &m, arena.Ref{Off: 1000, Size: 1}) // the first one counts
	}
	m, unknown := id(50), id(1000)
	if place, ok := r.Get(&m); !ok || place != (arena.Ref{Off: 50, Size: 10}) {
		t.Errorf("%v, %v", place, ok)
	}
	if _, ok := r.Get(&unknown); ok {
		t.Error("an unknown message has a place")
	}
}

func TestPlacesThatAreRememberedAreBoundedAndGivenBack(t *testing.T) {
	var r Recent
	now := time.Unix(0, 0)
	for i := range recentMax + 1000 {
		m := id(i)
		r.Put(now, &m, arena.Ref{Off: uint64(i)})
	}
	if r.Len() != recentMax || len(r.places) != recentMax {
		t.Errorf("%d and %d are remembered", r.Len(), len(r.places))
	}
	oldest, kept := id(999), id(1000)
	if _, ok := r.Get(&oldest); ok {
		t.Error("the oldest is remembered")
	}
	if _, ok := r.Get(&kept); !ok {
		t.Error("a newer one is forgotten")
	}
	if r.sweep(now.Add(recentAge)); r.Len() == 0 {
		t.Error("given back too early")
	}
	if r.sweep(now.Add(recentAge + 1)); r.Len() != 0 {
		t.Error("kept at rest")
	}
}

func TestNewcomerIsToldOfTheLastSeconds(t *testing.T) {
	var l Lately
	now := time.Unix(1000, 0)
	list := func(now time.Time) (places []int) {
		for m, place := range l.All(now) {
			if *m != id(int(place.Off)) {
				t.Errorf("message %v at place %d", m, place.Off)
			}
			places = append(places, int(place.Off))
		}
		return places
	}
	if got := list(now); len(got) != 0 {
		t.Errorf("%v passed before the first", got)
	}
	for i := range 10 {
		m := id(i)
		l.Put(now.Add(time.Duration(i)*time.Second), &m, arena.Ref{Off: uint64(i)})
	}
	now = now.Add(9 * time.Second)
	switch got := list(now); {
	case len(got) != 4:
		t.Errorf("len(got) is %d, want 4: %v", len(got), got)
	case got[0] != 6:
		t.Errorf("got[0] is %v, want 6", got[0])
	case got[3] != 9:
		t.Errorf("got[3] is %v, want 9", got[3])
	}
	for i := range 2 * latelyMax {
		m := id(i)
		l.Put(now, &m, arena.Ref{Off: uint64(i)})
	}
	got := list(now)
	switch {
	case len(got) != latelyMax:
		t.Errorf("len(got) is %d, want %d: %v", len(got), latelyMax, got)
	case got[0] != latelyMax:
		t.Errorf("got[0] is %v, want %v", got[0], latelyMax)
	case got[latelyMax-1] != 2*latelyMax-1:
		t.Errorf("got[latelyMax-1] is %v, want %v", got[latelyMax-1], 2*latelyMax-1)
	}
	for range l.All(now) { // a caller may stop
		break
	}
}
