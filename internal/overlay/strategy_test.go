package overlay

import (
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// choice makes node self of zone 0 choose among nodes 1 to n, which are spread over the zones in turn.
func choice(self, n, zones, count int, s Strategy, order func([]int)) []candidate {
	ch := chooser{zone: testZone(0), strategy: s, count: count}
	ids := make([]int, 0, n)
	for i := 1; i <= n; i++ {
		ids = append(ids, i)
	}
	if order != nil {
		order(ids)
	}
	for _, i := range ids {
		z := testZone(i % zones)
		ch.offer(candidate{id: testID(i), zone: z, key: pairKey(testID(10_000+self), testID(i), weight(s, z == testZone(0)))})
	}
	return slices.Clone(ch.chosen())
}

func local(c []candidate) (n int) {
	for _, o := range c {
		if o.zone == testZone(0) {
			n++
		}
	}
	return n
}

func TestChoiceDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rng := testRand(5)
	for _, s := range []Strategy{Uniform, HubAndSpoke, PreferLocal, PreferRemote} {
		want := choice(1, 60, 4, 5, s, nil)
		for range 20 {
			got := choice(1, 60, 4, 5, s, func(ids []int) { rng.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] }) })
			if !slices.Equal(got, want) {
				t.Fatalf("strategy %d: %v, then %v", s, want, got)
			}
		}
	}
}

func TestChoiceChangesLittleWhenAMemberIsAdded(t *testing.T) {
	changed := 0
	for self := range 500 {
		before, after := choice(self, 99, 1, 5, Uniform, nil), choice(self, 100, 1, 5, Uniform, nil)
		for _, c := range after {
			if !slices.Contains(before, c) {
				changed++
			}
		}
	}
	if changed > 50 { // 25 are expected
		t.Errorf("%d of 2500 choices changed for one new member of a hundred", changed)
	}
}

func TestUniformChoosesAllAlike(t *testing.T) {
	times := make(map[wire.NodeID]int)
	for self := range 2000 {
		for _, c := range choice(self, 100, 4, 5, Uniform, nil) {
			times[c.id]++
		}
	}
	for id, n := range times {
		if n < 60 || n > 145 { // 100 are expected, with a standard deviation of 9.7
			t.Errorf("%v was chosen %d times", id, n)
		}
	}
}

func TestHubAndSpokeTakesOneOfEachOtherZoneAndTheRestOfItsOwn(t *testing.T) {
	for _, c := range []struct{ zones, count, total, local int }{{4, 5, 5, 2}, {3, 5, 5, 3}, {1, 5, 5, 5}, {9, 5, 10, 2}} {
		got := choice(1, 90, c.zones, c.count, HubAndSpoke, nil)
		if len(got) != c.total || local(got) != c.local {
			t.Errorf("%d zones: %d chosen, %d of the own zone, want %d and %d", c.zones, len(got), local(got), c.total, c.local)
		}
		met := map[wire.Zone]int{}
		for _, o := range got {
			met[o.zone]++
		}
		for z, n := range met {
			if z != testZone(0) && n != 1 {
				t.Errorf("%d zones: %d of %v", c.zones, n, z)
			}
		}
	}
}

func TestPreferencesWeighTwoToOne(t *testing.T) {
	for _, c := range []struct {
		s        Strategy
		from, to float64 // expected share of the own zone, which has half of the members
	}{{PreferLocal, 0.63, 0.69}, {PreferRemote, 0.31, 0.37}, {Uniform, 0.47, 0.53}} {
		mine, all := 0, 0
		for self := range 2000 {
			got := choice(self, 100, 2, 5, c.s, nil)
			mine += local(got)
			all += len(got)
		}
		if share := float64(mine) / float64(all); share < c.from || share > c.to {
			t.Errorf("strategy %d: %.3f of the choice is of the own zone, want %v to %v", c.s, share, c.from, c.to)
		}
	}
}
