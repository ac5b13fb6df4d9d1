package swim

import (
	"testing"
	"time"
)

// newUnwatched returns node 0 with the members 1 to n, none of which it probes.
func newUnwatched(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t, n)
	w.timers.Set(&w.patrol, start.AddDate(1, 0, 0))
	return w
}

// failed makes members fail now.
func (w *world) failed(nodes ...int) {
	w.t.Helper()
	for _, i := range nodes {
		w.fail(w.entry(i))
		w.NoteFailed(w.now, w.entry(i))
	}
}

// back makes dead members come back now. restarted says whether they are new runs.
func (w *world) back(restarted bool, nodes ...int) {
	w.t.Helper()
	for _, i := range nodes {
		w.do(w.NoteBack(nil, w.now, w.entry(i), restarted))
		w.members.Add(w.entry(i))
	}
}

// A told is an expected report about a partition.
type told struct {
	kind                        Kind
	failed, members, back, runs int
}

// wantTold fails the test unless exactly these reports about partitions came. It copies the Partition of an action
// when the action comes, because it changes later.
func (w *world) wantTold(want ...told) {
	w.t.Helper()
	var got []told
	for _, a := range w.acts {
		if a.Kind == FailedTogether || a.Kind == BackTogether {
			got = append(got, told{a.Kind, a.Partition.Failed, a.Partition.Members, a.Partition.Back, a.Partition.Restarted})
		}
	}
	if len(got) != len(want) {
		w.t.Fatalf("told %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			w.t.Errorf("told %+v, want %+v", got[i], want[i])
		}
	}
	w.clear()
}

func TestMembersThatFailTogetherAreLoggedWhenItIsCalm(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1)
	w.run(time.Second)
	w.failed(2)
	w.run(partitionCalm - time.Millisecond)
	w.wantTold()
	w.run(time.Second)
	w.wantTold(told{FailedTogether, 2, 6, 0, 0})
	w.run(time.Hour)
	w.wantTold()
}

func TestFewFailuresAreNoPartition(t *testing.T) {
	w := newUnwatched(t, 20)
	w.failed(1, 2, 3, 4)
	w.run(time.Minute)
	w.failed(5)
	w.run(time.Minute)
	w.wantTold()
}

func TestFailuresFarApartDoNotBelongTogether(t *testing.T) {
	w := newUnwatched(t, 5)
	for i := 1; i <= 4; i++ {
		w.failed(i)
		w.run(partitionApart + time.Second)
	}
	w.wantTold()
}

func TestPartitionIsOverWhenAllAreBack(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newUnwatched(t, 5)
		w.failed(1, 2, 3)
		w.run(time.Minute)
		w.wantTold(told{FailedTogether, 3, 6, 0, 0})
		w.back(restarted, 1, 2)
		w.wantTold()
		w.back(restarted, 3)
		want := told{BackTogether, 3, 6, 3, 0}
		if restarted {
			want.runs = 3
		}
		w.wantTold(want)
		w.run(time.Hour)
		w.wantTold()
	}
}

func TestRestOfAPartitionIsNotWaitedForLong(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1, 2, 3)
	w.run(time.Minute)
	w.clear()
	w.back(false, 1)
	w.run(partitionTail - time.Second)
	w.back(false, 2)
	w.run(partitionTail - time.Second)
	w.wantTold()
	w.run(2 * time.Second)
	w.wantTold(told{BackTogether, 3, 6, 2, 0})
	w.back(false, 3)
	w.wantTold() // it belongs to no partition any more
}

func TestMembersThatAreBackBeforeTheLineDoNotCount(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1, 2)
	w.run(time.Second)
	w.back(false, 1)
	w.run(time.Minute)
	w.wantTold()
	w.back(false, 2)
	w.back(false, 2) // this does not count as a return
	w.wantTold()
}

func TestPartitionDoesNotBeginWithAFailureWhoseMemberIsBack(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1)
	w.run(time.Second)
	w.back(false, 1)
	w.run(partitionCalm + time.Second)
	began := w.now
	w.failed(2, 3)
	w.run(time.Minute)
	w.back(false, 2, 3)
	if p := w.acts[len(w.acts)-1].Partition; p == nil || !p.Began.Equal(began) {
		t.Errorf("the partition is %+v, want one that began at %v", p, began)
	}
}

func TestFailuresShortlyBeforeAPartitionIsOverBelongToTheNextOne(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1, 2, 3)
	w.run(time.Minute)
	w.wantTold(told{FailedTogether, 3, 6, 0, 0})
	w.back(false, 1)
	w.run(partitionTail - time.Second)
	w.failed(4, 5)
	w.run(2 * time.Second)
	w.wantTold(told{BackTogether, 3, 6, 1, 0})
	w.run(time.Minute)
	w.wantTold(told{FailedTogether, 2, 4, 0, 0})
	w.back(false, 4, 5)
	w.wantTold(told{BackTogether, 2, 4, 2, 0})
}

func TestFailureOfALastMemberBeforeAllAreBackIsNoFault(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1, 2, 3)
	w.run(partitionCalm + time.Second)
	w.wantTold(told{FailedTogether, 3, 6, 0, 0})
	w.failed(4)
	w.back(false, 1, 2, 3, 4)
	w.wantTold(told{BackTogether, 4, 6, 4, 0})
	w.run(time.Minute)
	w.wantTold()
}

func TestPartitionThatFollowsAnotherIsNotTakenForItsEnd(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failed(1, 2, 3)
	w.run(time.Minute)
	w.wantTold(told{FailedTogether, 3, 6, 0, 0})
	w.back(false, 1)
	w.run(time.Second)
	w.failed(4, 5)
	w.run(partitionCalm + time.Second)
	w.wantTold(told{BackTogether, 3, 6, 1, 0}, told{FailedTogether, 2, 4, 0, 0})
	w.run(2 * time.Minute)
	w.wantTold()
}

func TestNumbersOfPartitionsSkipZero(t *testing.T) {
	w := newUnwatched(t, 5)
	w.failures.last = 1<<16 - 1
	w.failed(1)
	if got := w.entry(1).Partition; got != 1 {
		t.Errorf("%d", got)
	}
}
