package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// large has a large message come whole, whose first pieces come from the given neighbors, a millisecond apart.
func (w *world) large(m wire.MessageID, from ...int) *Large {
	w.t.Helper()
	l, pieces := w.begin(m, 1000)
	for i, n := range from {
		if i == 0 {
			w.piece(w.near[n], l, pieces, 0, 1000)
		} else {
			w.d.Piece(w.now, w.near[n], l)
		}
		w.now = w.now.Add(time.Millisecond)
	}
	w.do(w.d.Complete(nil, w.now, l))
	return l
}

func TestNewLinksAreEagerBothWays(t *testing.T) {
	w := newWorld(t, 3)
	for i, n := range w.near {
		switch {
		case !n.Linked():
			t.Errorf("neighbor %d: n.Linked() is false", i)
		case !n.Eager:
			t.Errorf("neighbor %d: n.Eager is false", i)
		case !n.Parent:
			t.Errorf("neighbor %d: n.Parent is false", i)
		}
	}
	if w.d.Parents() != 3 || w.d.Eager() != 3 {
		t.Errorf("%d parents, %d eager", w.d.Parents(), w.d.Eager())
	}
}

func TestParentsAreTheTwoNeighborsThatWereFirst(t *testing.T) {
	w := newWorld(t, 6)
	for i := range 40 {
		w.large(id(i), 4, 2, 0, 1, 3, 5)
	}
	if got := w.parents(); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("parents %v, want 2 and 4", got)
	}
	if got := count(w.take(), SendPrune, nil); got != 4 {
		t.Errorf("%d prunes, want 4", got)
	}
}

func TestParentsFollowTheNetwork(t *testing.T) {
	w := newWorld(t, 4)
	for i := range 100 {
		w.large(id(i), 0, 1, 2, 3)
	}
	for i := range 200 {
		w.large(id(1000+i), 3, 2, 1, 0)
	}
	if got := w.parents(); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("parents %v, want 2 and 3", got)
	}
}

func TestParentGivesWayOnlyToAMuchBetterNeighbor(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	for i := range 400 { // the third is as quick as the second
		if i%2 == 0 {
			w.large(id(i), 0, 1, 2)
		} else {
			w.large(id(i), 0, 2, 1)
		}
	}
	if got := w.parents(); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("parents %v", got)
	}
	if sent := w.take(); count(sent, SendPrune, nil)+count(sent, SendGraft, nil) != 0 {
		t.Errorf("sent %v", sent)
	}
}

func TestMissingParentIsReplacedByTheBestOfTheOthers(t *testing.T) {
	w := newWorld(t, 4)
	for i := range 40 {
		w.large(id(i), 0, 1, 2, 3)
	}
	w.near[2].score = 1 // better than the fourth
	w.take()
	w.d.LinkDown(w.near[0])
	w.large(id(100), 1)
	if got := w.parents(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("parents %v, want 1 and 2", got)
	}
	if got := count(w.take(), SendGraft, w.near[2]); got != 1 {
		t.Errorf("%d grafts", got)
	}
}

func TestPruneOfTheLateNamesTheMessageThatIsWhole(t *testing.T) {
	w := newWorld(t, 3)
	m := id(1)
	w.large(m, 0, 1, 2)
	sent := only(w.take(), SendPrune)
	switch {
	case len(sent) != 1:
		t.Errorf("len(sent) is %d, want 1: %v", len(sent), sent)
	case sent[0].To != w.near[2]:
		t.Errorf("sent[0].To is %v, want %v", sent[0].To, w.near[2])
	case sent[0].Message != m:
		t.Errorf("sent[0].Message is %v, want %v", sent[0].Message, m)
	}
}

func TestAnnouncementCountsAsLateAsAPieceWould(t *testing.T) {
	w := newWorld(t, 3)
	m := id(1)
	l, pieces := w.begin(m, 1000)
	w.announces(w.near[0], 1000, m) // overtakes the pieces
	w.now = w.now.Add(time.Millisecond)
	w.piece(w.near[1], l, pieces, 0, 1000)
	w.now = w.now.Add(20 * time.Millisecond)
	w.announces(w.near[2], 1000, m)
	if got := w.d.byNotice(l); !slices.Equal(got, []*Neighbor{w.near[1], w.near[0], w.near[2]}) {
		t.Errorf("order %v", places(w, got))
	}
}

func TestPieceOfANeighborCountsIfItCameBeforeItsAnnouncement(t *testing.T) {
	w := newWorld(t, 2)
	m := id(1)
	l, pieces := w.begin(m, 1000)
	w.piece(w.near[0], l, pieces, 0, 500)
	w.now = w.now.Add(time.Millisecond)
	w.piece(w.near[1], l, pieces, 500, 600)
	w.announces(w.near[0], 1000, m)
	if got := w.d.byNotice(l); !slices.Equal(got, w.near) {
		t.Errorf("order %v", places(w, got))
	}
}

func places(w *world, list []*Neighbor) (at []int) {
	for _, n := range list {
		at = append(at, slices.Index(w.near, n))
	}
	return at
}

func TestFirstCopiesOfSmallMessagesChooseParentsToo(t *testing.T) {
	w := newWorld(t, 5)
	for i := range 40 * firstsPerAward {
		n := w.near[3]
		if i%3 == 0 {
			n = w.near[1]
		}
		w.first(n, id(i))
	}
	if got := w.parents(); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("parents %v, want 1 and 3", got)
	}
}

func TestNodeThatGetsDuplicatesOnlyChoosesParents(t *testing.T) {
	w := newWorld(t, 5)
	for i := range duplicatesMax {
		w.do(w.d.Duplicate(nil, w.now, w.near[i%5]))
	}
	if got := w.d.Parents(); got != parentsMax {
		t.Errorf("%d parents", got)
	}
}

func TestNeighborThatDidNotHeedAPruneIsPrunedAgainAfterAPause(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	n := w.near[2]
	n.steered = w.now
	next := 0
	round := func() int {
		for range ignoredPrune {
			w.do(w.d.Duplicate(nil, w.now, n))
		}
		for range firstsPerAward {
			w.first(w.near[next%2], id(next))
			next++
		}
		return count(w.take(), SendPrune, n)
	}
	if got := round(); got != 0 {
		t.Error("pruned again at once")
	}
	w.now = w.now.Add(pruneAgainAfter + time.Millisecond)
	if got := round(); got != 1 {
		t.Errorf("%d prunes after the pause", got)
	}
	if got := round(); got != 0 {
		t.Error("pruned again at once")
	}
}

func TestNeighborThatHeedsAPruneIsNotPrunedAgain(t *testing.T) {
	w := newWorld(t, 3)
	w.lone(0, 1)
	for i := range 10 * firstsPerAward {
		w.now = w.now.Add(10 * time.Millisecond)
		w.first(w.near[i%2], id(i))
		if i%100 == 0 {
			w.do(w.d.Duplicate(nil, w.now, w.near[2])) // one of those that were on their way
		}
	}
	if got := count(w.take(), SendPrune, w.near[2]); got != 0 {
		t.Errorf("%d prunes", got)
	}
}

func TestCompleteMessageIsMetAndNotRequestedAnyMore(t *testing.T) {
	w := newWorld(t, 2)
	m := id(1)
	w.d.requests.put(w.now, m, w.near[1])
	w.announces(w.near[1], 1000, m)
	l := w.large(m, 0)
	if !w.d.Seen.Has(&m) || w.d.Requests() != 0 {
		t.Errorf("met %v, %d requests", w.d.Seen.Has(&m), w.d.Requests())
	}
	if !l.Owned() {
		t.Error("the neighbor that announced it does not count as having it")
	}
}

func TestPruneAndGraftOfANeighborChangeWhatItIsSent(t *testing.T) {
	w := newWorld(t, 2)
	n, m := w.near[0], id(1)
	l, _ := w.begin(m, 1000)
	stop, ok := w.d.HandlePrune(n, body(t, wire.AppendPrune(nil, wire.MessageID{}, m)))
	switch {
	case !ok:
		t.Error("ok is false")
	case stop != m:
		t.Errorf("stop is %v, want %v", stop, m)
	case n.Eager:
		t.Error("n.Eager is true")
	}
	if !l.Owned() {
		t.Error("a neighbor that stops a message does not count as having it")
	}
	if w.d.Eager() != 1 {
		t.Errorf("%d eager", w.d.Eager())
	}
	if w.d.HandleGraft(n); !n.Eager {
		t.Error("still lazy after a Graft")
	}
	var stranger Neighbor
	if w.d.HandleGraft(&stranger); stranger.Eager {
		t.Error("a node without a link became eager")
	}
	switch _, ok = w.d.HandlePrune(n, []byte{1}); {
	case ok:
		t.Error("a malformed Prune: ok is true")
	case !n.Eager:
		t.Error("a malformed Prune: n.Eager is false")
	case w.d.Stats.Malformed != 1:
		t.Errorf("a malformed Prune: w.d.Stats.Malformed is %v, want 1", w.d.Stats.Malformed)
	}
}

func TestEndOfALinkLeavesNothingOfTheNeighbor(t *testing.T) {
	w := newWorld(t, 3)
	n := w.near[1]
	w.announces(n, 200, id(1), id(2))
	w.d.requests.put(w.now, id(1), n)
	first := id(3)
	w.do(w.d.Announce(nil, w.now, n, &first, 100))
	w.d.LinkDown(n)
	switch {
	case n.Linked():
		t.Error("left: n.Linked() is true")
	case n.Eager:
		t.Error("left: n.Eager is true")
	case n.Parent:
		t.Error("left: n.Parent is true")
	case n.Expected() != 0:
		t.Errorf("left: n.Expected() is %v, want 0", n.Expected())
	case !n.BatchDue().IsZero():
		t.Errorf("left: n.BatchDue() is %v, want zero", n.BatchDue())
	}
	switch {
	case w.d.Requests() != 0:
		t.Errorf("w.d.Requests() is %v, want 0", w.d.Requests())
	case w.d.IsAnnounced(id(2)):
		t.Error("w.d.IsAnnounced(id(2)) is true")
	case w.d.Parents() != 2:
		t.Errorf("w.d.Parents() is %v, want 2", w.d.Parents())
	}
	w.d.LinkDown(n) // once more: nothing happens
	if len(w.d.neighbors) != 2 {
		t.Errorf("%d neighbors", len(w.d.neighbors))
	}
}

func TestLinkThatComesUpAgainBeginsAnew(t *testing.T) {
	w := newWorld(t, 2)
	n := w.near[0]
	n.score, n.credit, n.patience = 9, 9, time.Second
	w.d.LinkUp(n, n.ID, 30*time.Millisecond)
	switch {
	case len(w.d.neighbors) != 2:
		t.Errorf("len(w.d.neighbors) is %v, want 2", len(w.d.neighbors))
	case n.score != 0:
		t.Errorf("n.score is %v, want 0", n.score)
	case n.credit != 0:
		t.Errorf("n.credit is %v, want 0", n.credit)
	case n.patience != 0:
		t.Errorf("n.patience is %v, want 0", n.patience)
	case n.RTT != 30*time.Millisecond:
		t.Errorf("n.RTT is %v, want %v", n.RTT, 30*time.Millisecond)
	}
}

func TestFirstCopyAllocatesNothing(t *testing.T) {
	w := newWorld(t, 9)
	out := make([]Outcome, 0, 8)
	i := 0
	got := testing.AllocsPerRun(firstsPerAward-2, func() {
		i++
		m := id(i)
		w.d.Seen.First(w.now, &m, nil)
		out = w.d.First(out[:0], w.now, w.near[0], &m)
		out = w.d.Duplicate(out, w.now, w.near[1])
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
