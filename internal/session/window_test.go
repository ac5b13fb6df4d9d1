package session

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func (w *window) clone() window { return window{highest: w.highest, words: slices.Clone(w.words)} }

func (w *window) equal(o *window) bool {
	return w.highest == o.highest && slices.Equal(w.words, o.words)
}

// model is the simplest window: it records everything that arrived.
type model struct {
	highest uint64
	came    map[uint64]bool
}

func (m *model) fresh(c uint64) bool {
	return c != 0 && !m.came[c] && (c > m.highest || m.highest-c < WindowSize)
}

func (m *model) mark(c uint64) {
	m.came[c] = true
	m.highest = max(m.highest, c)
}

// PROTOCOL.md S5.
func TestWindowIsAsLargeAsTheProtocolAsks(t *testing.T) {
	if WindowSize < 2048 {
		t.Fatalf("the window holds %d counters", WindowSize)
	}
}

func TestWindowDecidesLikeOneThatForgetsNothing(t *testing.T) {
	rng := rand.New(random(4))
	starts := []uint64{1, 1 << 32, math.MaxUint64 - 3*WindowSize}
	steps := []int64{3, 60, 64, 65, 500, WindowSize - 1, WindowSize, WindowSize + 1, 2 * WindowSize}
	for _, at := range starts {
		var w window
		m := model{came: map[uint64]bool{}}
		for range 100_000 {
			step := steps[rng.IntN(len(steps))]
			if rng.IntN(8) > 0 {
				step = 3
			}
			c := at + uint64(rng.Int64N(2*step)-step)
			if math.MaxUint64-c < 2*uint64(steps[len(steps)-1]) || c > math.MaxUint64-WindowSize {
				c = math.MaxUint64 - rng.Uint64N(WindowSize+100)
			}
			if got, want := w.fresh(c), m.fresh(c); got != want {
				t.Fatalf("counter %d with %d the highest: fresh is %v", c, m.highest, got)
			}
			if m.fresh(c) && rng.IntN(4) > 0 {
				w.mark(c)
				m.mark(c)
			}
			at = max(m.highest, at)
		}
		if w.highest != m.highest {
			t.Fatalf("the highest is %d, want %d", w.highest, m.highest)
		}
	}
}

func TestGrowingWindowDecidesLikeOneThatForgetsNothing(t *testing.T) {
	rng := rand.New(random(5))
	for range 2000 {
		var w window
		m := model{came: map[uint64]bool{}}
		for range 40 {
			c := m.highest + uint64(rng.IntN(70))
			if c -= min(c, uint64(rng.IntN(140))); rng.IntN(30) == 0 {
				c += rng.Uint64N(2 * WindowSize)
			}
			if got, want := w.fresh(c), m.fresh(c); got != want {
				t.Fatalf("counter %d with %d the highest: fresh is %v", c, m.highest, got)
			}
			if m.fresh(c) {
				w.mark(c)
				m.mark(c)
			}
		}
	}
}

func TestWindowOfFewPacketsIsSmall(t *testing.T) {
	var w window
	for c := uint64(1); c < 64*firstWords; c++ {
		w.mark(c)
	}
	if len(w.words) != firstWords {
		t.Errorf("%d words for %d packets", len(w.words), w.highest)
	}
}

func TestCounterZeroIsNeverFresh(t *testing.T) {
	var w window
	if w.fresh(0) {
		t.Error("before the first")
	}
	w.mark(5)
	if w.fresh(0) {
		t.Error("after others")
	}
}

func TestWindowForgetsNothingWithinItsSize(t *testing.T) {
	var w window
	for c := uint64(1); c <= 3*WindowSize; c++ {
		w.mark(c)
		for _, back := range []uint64{0, 1, 63, 64, WindowSize - 1, WindowSize} {
			if back < c && w.fresh(c-back) {
				t.Fatalf("at %d the counter %d before is fresh again", c, back)
			}
		}
	}
}
