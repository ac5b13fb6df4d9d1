package gossip

import (
	"slices"
	"testing"
	"time"
)

func TestTimersFireInOrderAndOnlyWhenDue(t *testing.T) {
	var h timers
	base := time.Unix(100, 0)
	rng := newTestRand(6)
	var fired []time.Duration
	all := make([]*timer, 200)
	due := make([]time.Duration, len(all))
	for i := range all {
		all[i] = &timer{fire: func(time.Time) { fired = append(fired, due[i]) }}
	}
	for range 1000 {
		i := rng.IntN(len(all))
		due[i] = time.Duration(rng.IntN(1000)) * time.Millisecond
		switch rng.IntN(4) {
		case 0:
			h.stop(all[i])
		case 1:
			if before := all[i].at.Sub(base); all[i].pos != 0 && before < due[i] {
				due[i] = before
			}
			h.advance(all[i], base.Add(due[i]))
		default:
			h.set(all[i], base.Add(due[i]))
		}
	}
	waiting := len(h.heap)
	h.run(base.Add(500 * time.Millisecond))
	if next := h.next(); !next.After(base.Add(500 * time.Millisecond)) {
		t.Errorf("next is %v", next)
	}
	early := len(fired)
	h.run(base.Add(time.Second))
	if len(fired) != waiting || !h.next().IsZero() || !slices.IsSorted(fired) {
		t.Errorf("%d of %d fired, in order: %v", len(fired), waiting, slices.IsSorted(fired))
	}
	if early > 0 && fired[early-1] > 500*time.Millisecond {
		t.Errorf("fired %v at 500ms", fired[early-1])
	}
}

func TestTimerThatSetsItselfToNowWaitsATick(t *testing.T) {
	var h timers
	now, count := time.Unix(0, 0), 0
	var tm timer
	tm.fire = func(now time.Time) {
		count++
		h.set(&tm, now)
	}
	h.set(&tm, now)
	h.run(now)
	if count != 1 || !h.next().Equal(now.Add(minTick)) {
		t.Errorf("fired %d times, next at %v", count, h.next())
	}
}
