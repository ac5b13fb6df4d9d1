package seen

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestMissingAgreesWithHas(t *testing.T) {
	const origin = 0x8005
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var s Set
		now := time.Unix(0, 0)
		first := rng.Uint64N(10_000)
		for range rng.IntN(3000) {
			n := first + rng.Uint64N(1+rng.Uint64N(1500))
			id := wire.BroadcastID(origin, n)
			s.First(now, &id, nil)
		}
		from := first - min(first, rng.Uint64N(300))
		to := from + rng.Uint64N(2500)
		got := map[uint64]bool{}
		last := to + 1
		s.Missing(origin, from, to, func(a, b uint64) bool {
			if a > b || b >= last || a < from {
				t.Fatalf("seed %d: range [%d, %d] after %d, of [%d, %d]", seed, a, b, last, from, to)
			}
			for n := a; n <= b; n++ {
				got[n] = true
			}
			last = a
			return true
		})
		for n := from; n <= to; n++ {
			id := wire.BroadcastID(origin, n)
			if got[n] == s.Has(&id) {
				t.Fatalf("seed %d: %d of [%d, %d] is missing %v, met %v", seed, n, from, to, got[n], s.Has(&id))
			}
		}
	}
}

func TestMissingOfAnUnknownOriginIsAll(t *testing.T) {
	var s Set
	ranges := 0
	s.Missing(0x8001, 0, 70, func(from, to uint64) bool {
		if ranges++; from != 0 || to != 70 {
			t.Errorf("[%d, %d]", from, to)
		}
		return true
	})
	s.Missing(0x8001, 9, 8, func(from, to uint64) bool { ranges++; return true })
	if ranges != 1 {
		t.Errorf("%d ranges, want 1", ranges)
	}
}

func TestMissingEndsWhenYieldReturnsFalse(t *testing.T) {
	var s Set
	for _, n := range []uint64{5, 10, 15} {
		id := wire.BroadcastID(0x8001, n)
		s.First(time.Unix(0, 0), &id, nil)
	}
	ranges := 0
	s.Missing(0x8001, 0, 20, func(from, to uint64) bool { ranges++; return ranges < 2 })
	if ranges != 2 {
		t.Errorf("%d ranges, want 2", ranges)
	}
}
