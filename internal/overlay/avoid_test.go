package overlay

import (
	"testing"
	"time"
)

// PROTOCOL.md G3.
func TestAvoidanceIsDoubledUpToItsBound(t *testing.T) {
	a, rng := make(avoided), testRand(1)
	want := avoidBase
	for i := range 20 {
		if pause := a.add(start, testID(1), rng); pause != want {
			t.Errorf("time %d: avoided for about %v, want %v", i, pause, want)
		}
		want = min(2*want, avoidMax)
	}
	if n := a[testID(1)].refusals; n != refusalsMax {
		t.Errorf("%d refusals are counted", n)
	}
}

// Nodes that were refused at the same time do not ask again at the same time.
func TestAvoidanceEndsAtARandomTimeAroundItsPause(t *testing.T) {
	rng := testRand(1)
	shortest, longest := avoidMax, time.Duration(0)
	for range 1000 {
		a := make(avoided)
		a.add(start, testID(1), rng)
		wait := a[testID(1)].until.Sub(start)
		shortest, longest = min(shortest, wait), max(longest, wait)
	}
	if shortest < avoidBase/2 || shortest > avoidBase*6/10 {
		t.Errorf("the shortest wait is %v", shortest)
	}
	if longest >= avoidBase*3/2 || longest < avoidBase*14/10 {
		t.Errorf("the longest wait is %v", longest)
	}
}

func TestOnlyTheMemberThatRefusedIsAvoided(t *testing.T) {
	a := make(avoided)
	a.add(start, testID(1), testRand(1))
	if !a.has(start, testID(1)) {
		t.Error("it is not avoided")
	}
	if a.has(start, testID(2)) {
		t.Error("another member is avoided")
	}
	if a.has(start.Add(2*avoidBase), testID(1)) {
		t.Error("it is still avoided")
	}
}
