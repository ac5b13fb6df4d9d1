package swim

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// newFailing returns node 0 with n members and links with the first eight, of which only one works.
func newFailing(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t, n)
	for i := 1; i <= 8; i++ {
		w.link(i)
	}
	w.lively = []int{8}
	w.run(3 * time.Second)
	w.clear()
	return w
}

func TestLinksFailIfMoreThanThreeQuartersDo(t *testing.T) {
	for lively, want := range map[int]bool{8: false, 3: false, 2: false, 1: true, 0: true} {
		w := newWorld(t, 8)
		for i := 1; i <= 8; i++ {
			w.link(i)
		}
		for i := 1; i <= lively; i++ {
			w.lively = append(w.lively, i)
		}
		w.run(3 * time.Second)
		if got := w.linksFail(w.now); got != want {
			t.Errorf("%d of 8 links work: %v, want %v", lively, got, want)
		}
	}
	if w := newWorld(t, 8); !w.linksFail(w.now) {
		t.Error("no link, and they do not fail")
	}
}

// PROTOCOL.md V10.
func TestCensusAsksAllMembersWithoutALinkAFewAtATime(t *testing.T) {
	w := newFailing(t, 100)
	w.StartCensus(w.now)
	w.StartCensus(w.now) // one census at a time
	var asked []int
	w.runTo(w.now)
	for range 6 { // 92 members, 16 per step
		batch := w.targets(Reach)
		if len(batch) == 0 || len(batch) > censusBatch {
			t.Fatalf("%d asked in one step", len(batch))
		}
		for _, i := range batch {
			if !slices.Contains(asked, i) {
				asked = append(asked, i)
			}
			w.answer(i)
		}
		w.clear()
		w.run(censusStep)
	}
	slices.Sort(asked)
	if len(asked) != 92 || asked[0] != 9 {
		t.Errorf("%d asked, from %d on", len(asked), asked[0])
	}
	if w.census.timer.Pending() {
		t.Error("the census is not over")
	}
}

func TestFailedProbeOfALonelyNodeStartsACensus(t *testing.T) {
	w := newFailing(t, 30)
	w.probe(1)
	w.run(600 * time.Millisecond)
	w.wantTargets(ProbeFailed, 1)
	if len(w.all(TakeCensus)) != 1 {
		t.Errorf("%d", len(w.all(TakeCensus)))
	}
	last := w.acts[slices.IndexFunc(w.acts, func(a Action) bool { return a.Kind == TakeCensus })-1]
	if last.Kind != Spread {
		t.Errorf("the census comes before the accusation: after %v", last.Kind)
	}
}

func TestFailedProbeAmongLinksThatWorkStartsNone(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.probe(1)
	w.run(600 * time.Millisecond)
	w.wantTargets(ProbeFailed, 1)
	if len(w.all(TakeCensus)) != 0 {
		t.Error("census")
	}
}

func TestCensusEndsWhenTheLinksWorkAndAreEnough(t *testing.T) {
	for _, subscribed := range []bool{false, true} {
		w := newFailing(t, 200)
		w.StartCensus(w.now)
		w.runTo(w.now)
		w.lively = []int{1, 2, 3, 4, 5, 6, 7, 8}
		w.subscribed = subscribed
		w.run(2 * censusStep)
		if w.census.timer.Pending() == subscribed {
			t.Errorf("subscribed %v: the census goes on: %v", subscribed, w.census.timer.Pending())
		}
	}
}

func TestCensusLeavesOutWhoIsGoneOrAccused(t *testing.T) {
	w := newFailing(t, 12)
	w.join(legacyID(7), 70)
	w.StartCensus(w.now)
	w.fail(w.entry(9))
	w.do(w.Accuse(nil, w.now, w.entry(10), w.entry(10).Incarnation, goID(0), nil))
	w.link(11)
	w.clear()
	w.runTo(w.now)
	w.wantTargets(Reach, 12)
}

func TestCensusOfANodeThatLeftEnds(t *testing.T) {
	w := newFailing(t, 100)
	w.StartCensus(w.now)
	w.members.Leave(w.now)
	w.runTo(w.now)
	w.want()
	if w.census.timer.Pending() {
		t.Error("it goes on")
	}
}

func TestCensusFindsTheDead(t *testing.T) {
	w := newFailing(t, 12)
	w.StartCensus(w.now)
	for range 30 {
		for i := 9; i <= 11; i++ { // node 12 crashed
			w.answer(i)
		}
		w.run(100 * time.Millisecond)
	}
	w.wantState(12, wire.StateSuspect)
	for i := 9; i <= 11; i++ {
		w.wantState(i, wire.StateAlive)
	}
}
