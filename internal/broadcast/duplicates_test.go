package broadcast

import (
	"testing"
	"time"
)

// duplicate has n send a piece of a message again.
func (w *world) duplicate(n *Neighbor, i int, l *Large) {
	w.t.Helper()
	w.do(w.d.DuplicatePiece(nil, w.now, n, id(i), l))
}

func TestLateSenderOfAMessageIsStopped(t *testing.T) {
	for _, c := range []struct {
		name    string
		parents []int
		want    OutcomeKind // for neighbor 3
		parent  bool        // afterwards
	}{
		{"one of too many parents", []int{0, 1, 2, 3}, SendPrune, false},
		{"one of two parents", []int{0, 3}, SendStop, true},
		{"no parent", []int{0, 1}, SendPrune, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 4)
			w.lone(c.parents...)
			w.duplicate(w.near[3], 1, nil)
			sent := w.take()
			switch {
			case len(sent) != 1:
				t.Fatalf("len(sent) is %d, want 1: %v", len(sent), sent)
			case sent[0].Kind != c.want:
				t.Fatalf("sent[0].Kind is %v, want %v", sent[0].Kind, c.want)
			case sent[0].Message != id(1):
				t.Fatalf("sent[0].Message is %v, want %v", sent[0].Message, id(1))
			}
			if w.near[3].Parent != c.parent {
				t.Errorf("parent %v, want %v", w.near[3].Parent, c.parent)
			}
			if w.d.Stats.Prunes != 1 {
				t.Errorf("%d prunes counted", w.d.Stats.Prunes)
			}
		})
	}
}

func TestFirstSendersOfAMessageGoOnUntilItIsWhole(t *testing.T) {
	w := newWorld(t, 4)
	l, pieces := w.begin(id(1), 1000)
	for i, n := range w.near {
		w.piece(n, l, pieces, uint32(i)*10, uint32(i)*10+10)
	}
	for _, n := range w.near {
		w.duplicate(n, 1, l)
	}
	sent := w.take()
	for i, n := range w.near {
		want := 1
		if i < parentsMax {
			want = 0
		}
		if got := count(sent, SendPrune, n) + count(sent, SendStop, n); got != want {
			t.Errorf("neighbor %d was stopped %d times, want %d", i, got, want)
		}
	}
	pieces.Add(0, 1000)
	w.duplicate(w.near[0], 1, l)
	if got := len(w.take()); got != 1 {
		t.Errorf("%d sent to the first once the message is whole", got)
	}
}

func TestSenderThatWasStoppedIsAskedForTheRestLaterIfNeeded(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	l, pieces := w.begin(id(1), 1000)
	w.piece(w.near[0], l, pieces, 0, 10)
	w.piece(w.near[1], l, pieces, 10, 20)
	w.piece(w.near[2], l, pieces, 20, 30)
	w.duplicate(w.near[2], 1, l)
	w.take()
	if !w.near[2].HasAnnounced(id(1)) {
		t.Fatal("what it has is forgotten")
	}
	w.run(2*testRTT + graceMin + 50*time.Millisecond)
	if got := count(w.take(), SendRequest, w.near[2]); got != 1 {
		t.Errorf("%d requests after the others fell silent", got)
	}
}

func TestSenderIsNotStoppedAgainWhileTheFirstPruneMayBeOnItsWay(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	n := w.near[2]
	for range 20 {
		w.duplicate(n, 1, nil)
		w.now = w.now.Add(time.Millisecond)
	}
	if got := len(w.take()); got != 1 {
		t.Errorf("%d prunes within 20 ms", got)
	}
	w.now = w.now.Add(graftAgain)
	w.duplicate(n, 1, nil)
	if got := len(w.take()); got != 1 {
		t.Errorf("%d prunes after the pause", got)
	}
}

func TestAnswersToRequestsAreNoDuplicates(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	n := w.near[2]
	n.requested = w.now
	w.now = w.now.Add(4 * testRTT)
	w.duplicate(n, 1, nil)
	if got := len(w.take()); got != 0 {
		t.Errorf("%d prunes while answers may come", got)
	}
	w.now = w.now.Add(graceMin)
	w.duplicate(n, 1, nil)
	if got := len(w.take()); got != 1 {
		t.Errorf("%d prunes afterwards", got)
	}
}

func TestNeighborIsToldOfAFewMessagesAtOnce(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	n := w.near[2]
	for i := range 10 * stopsMax {
		w.duplicate(n, i, nil)
	}
	if got := len(w.take()); got != stopsMax {
		t.Errorf("%d prunes at once, want %d", got, stopsMax)
	}
	w.now = w.now.Add(graftAgain + time.Millisecond)
	w.duplicate(n, 1000, nil)
	if got := len(w.take()); got != 1 {
		t.Errorf("%d prunes after a pause", got)
	}
}

func TestNodeWithoutALinkIsNotStopped(t *testing.T) {
	w := newWorld(t, 2)
	w.duplicate(&Neighbor{}, 1, nil)
	if got := len(w.take()); got != 0 {
		t.Errorf("%d sent", got)
	}
}

// A neighbor that sends duplicates of one incomplete message again and again makes nothing grow.
func TestWhatDuplicatesMakeANodeExpectIsBounded(t *testing.T) {
	w := newWorld(t, 4)
	w.lone(0, 1)
	n := w.near[3]
	l, pieces := w.begin(id(1), 1000)
	w.piece(w.near[0], l, pieces, 0, 10)
	w.piece(w.near[1], l, pieces, 10, 20)
	for i := range AnnouncedMax + 1000 {
		w.now = w.now.Add(time.Second)
		w.do(w.d.DuplicatePiece(nil, w.now, n, id(i), l))
	}
	if got := n.Expected(); got > AnnouncedMax {
		t.Errorf("%d announcements wait", got)
	}
}
