package timer

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestTimersFireInOrderAndOnlyWhenDue(t *testing.T) {
	var h Heap
	base := time.Unix(100, 0)
	rng := rand.New(rand.NewPCG(6, 0))
	var fired []time.Duration
	all := make([]*Timer, 200)
	due := make([]time.Duration, len(all))
	for i := range all {
		all[i] = &Timer{Fire: func(time.Time) { fired = append(fired, due[i]) }}
	}
	for range 1000 {
		i := rng.IntN(len(all))
		due[i] = time.Duration(rng.IntN(1000)) * time.Millisecond
		switch rng.IntN(4) {
		case 0:
			h.Stop(all[i])
		case 1:
			if before := all[i].At().Sub(base); all[i].Pending() && before < due[i] {
				due[i] = before
			}
			h.Advance(all[i], base.Add(due[i]))
		default:
			h.Set(all[i], base.Add(due[i]))
		}
	}
	pending := h.Len()
	h.Run(base.Add(500 * time.Millisecond))
	if next := h.Next(); !next.After(base.Add(500 * time.Millisecond)) {
		t.Errorf("next is %v", next)
	}
	early := len(fired)
	if early > 0 && fired[early-1] > 500*time.Millisecond {
		t.Errorf("fired %v at 500ms", fired[early-1])
	}
	h.Run(base.Add(time.Second))
	if len(fired) != pending {
		t.Errorf("%d of %d fired", len(fired), pending)
	}
	if !h.Next().IsZero() {
		t.Errorf("next is %v after all fired", h.Next())
	}
	if !slices.IsSorted(fired) {
		t.Errorf("fired out of order: %v", fired)
	}
}

func TestTimerThatSetsItselfToNowWaitsATick(t *testing.T) {
	var h Heap
	now, count := time.Unix(0, 0), 0
	var tm Timer
	tm.Fire = func(now time.Time) {
		count++
		h.Set(&tm, now)
	}
	h.Set(&tm, now)
	h.Run(now)
	if count != 1 {
		t.Errorf("fired %d times", count)
	}
	if !h.Next().Equal(now.Add(MinTick)) {
		t.Errorf("next at %v", h.Next())
	}
}

func TestTimersOfOneTimeFireInTheOrderOfSetting(t *testing.T) {
	var h Heap
	now := time.Unix(0, 0)
	var fired []int
	all := make([]Timer, 20)
	for i := range all {
		all[i].Fire = func(time.Time) { fired = append(fired, i) }
		h.Set(&all[i], now)
	}
	h.Set(&all[0], now) // it is now the last one
	h.Run(now)
	want := make([]int, 0, len(all))
	for i := 1; i < len(all); i++ {
		want = append(want, i)
	}
	if want = append(want, 0); !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestAdvanceNeverMovesATimerBack(t *testing.T) {
	var h Heap
	now := time.Unix(0, 0)
	var tm Timer
	h.Advance(&tm, now.Add(2*time.Second))
	h.Advance(&tm, now.Add(3*time.Second))
	if want := now.Add(2 * time.Second); !tm.At().Equal(want) || !h.Next().Equal(want) {
		t.Errorf("timer at %v, next at %v, want %v", tm.At(), h.Next(), want)
	}
	h.Advance(&tm, now.Add(time.Second))
	if want := now.Add(time.Second); !h.Next().Equal(want) {
		t.Errorf("next at %v, want %v", h.Next(), want)
	}
}

func TestTimerCanBeStoppedByOneThatFires(t *testing.T) {
	var h Heap
	now := time.Unix(0, 0)
	second := &Timer{Fire: func(time.Time) { t.Error("the second timer fired") }}
	first := &Timer{Fire: func(time.Time) { h.Stop(second) }}
	h.Set(first, now)
	h.Set(second, now)
	h.Run(now)
	h.Stop(first) // it is not set any more: nothing happens
	if h.Len() != 0 || first.Pending() || second.Pending() {
		t.Errorf("%d timers pending; the first one: %t, the second: %t", h.Len(), first.Pending(), second.Pending())
	}
}

func TestSoonestTakesZeroForNever(t *testing.T) {
	early, late, never := time.Unix(1, 0), time.Unix(2, 0), time.Time{}
	for _, c := range []struct{ a, b, want time.Time }{
		{early, late, early}, {late, early, early}, {early, never, early}, {never, early, early}, {never, never, never},
	} {
		if got := Soonest(c.a, c.b); !got.Equal(c.want) {
			t.Errorf("Soonest(%v, %v) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func BenchmarkAdvanceAndNext(b *testing.B) {
	var h Heap
	now := time.Unix(0, 0)
	all := make([]Timer, 64)
	for i := range all {
		h.Set(&all[i], now.Add(time.Duration(i)*time.Millisecond))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Set(&all[i%64], now.Add(time.Duration(i)*time.Millisecond))
		h.Next()
	}
}

func TestRunNextFiresOneTimer(t *testing.T) {
	var h Heap
	now, fired := time.Unix(0, 0), 0
	a, b := Timer{Fire: func(time.Time) { fired++ }}, Timer{Fire: func(time.Time) { fired++ }}
	h.Set(&a, now)
	h.Set(&b, now.Add(time.Second))
	for _, step := range []struct {
		at    time.Time
		want  bool
		fired int
	}{{now, true, 1}, {now, false, 1}, {now.Add(time.Minute), true, 2}, {now.Add(time.Minute), false, 2}} {
		if got := h.RunNext(step.at); got != step.want || fired != step.fired {
			t.Errorf("at %v: %v, %d fired, want %v, %d", step.at.Sub(now), got, fired, step.want, step.fired)
		}
	}
}

// Two heaps, one of which follows the other, fire like one heap with the timers of both.
func TestHeapThatFollowsAnotherSharesItsOrder(t *testing.T) {
	var main, other Heap
	other.Follow(&main)
	base := time.Unix(0, 0)
	rng := rand.New(rand.NewPCG(8, 0))
	var fired, want []int
	timers := make([]Timer, 300)
	due := make([]int, len(timers))
	for i := range timers {
		timers[i].Fire = func(time.Time) { fired = append(fired, i) }
		due[i] = rng.IntN(10)
		h := &main
		if rng.IntN(2) == 0 {
			h = &other
		}
		h.Set(&timers[i], base.Add(time.Duration(due[i])))
		want = append(want, i)
	}
	slices.SortStableFunc(want, func(i, j int) int { return due[i] - due[j] })
	end := base.Add(time.Second)
	for main.Len() > 0 && other.Len() > 0 {
		if other.IsBefore(&main) {
			other.RunNext(end)
		} else {
			main.RunNext(end)
		}
	}
	main.Run(end)
	other.Run(end)
	if !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestPlanSetsMovesAndStops(t *testing.T) {
	var h Heap
	var tm Timer
	now := time.Unix(0, 0)
	for _, at := range []time.Time{now.Add(2 * time.Second), now.Add(time.Second), now.Add(3 * time.Second), {}} {
		h.Plan(&tm, at)
		if next := h.Next(); !next.Equal(at) {
			t.Errorf("next is %v, want %v", next, at)
		}
	}
	h.Plan(&tm, time.Time{})
	if tm.Pending() {
		t.Error("a timer that is planned for never is pending")
	}
}

func TestTimerThatIsPlannedAgainForItsTimeKeepsItsPlace(t *testing.T) {
	var h Heap
	now := time.Unix(0, 0)
	var fired []int
	all := make([]Timer, 3)
	for round := range 2 {
		for i := range all {
			all[i].Fire = func(time.Time) { fired = append(fired, i) }
			if round == 0 || i == 0 {
				h.Plan(&all[i], now)
			}
		}
	}
	if h.Run(now); !slices.Equal(fired, []int{0, 1, 2}) {
		t.Errorf("fired %v", fired)
	}
}

func TestTimeIsDueFromItsMomentOn(t *testing.T) {
	at := time.Unix(5, 0)
	for _, c := range []struct {
		at, now time.Time
		want    bool
	}{{at, at.Add(-1), false}, {at, at, true}, {at, at.Add(1), true}, {time.Time{}, at, false}} {
		if got := Due(c.at, c.now); got != c.want {
			t.Errorf("Due(%v, %v) = %v", c.at, c.now, got)
		}
	}
}
