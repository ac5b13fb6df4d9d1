package overlay

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// choice makes node self of zone 0 choose among nodes 1 to n, which are spread over the zones in turn.
func choice(self, n, zones, count int, s Strategy, order func([]int)) []candidate {
	ch := chooser{zone: testZone(0), strategy: s, count: count, hubsMost: hubsPer * count}
	secret := Secret(testID(10_000 + self))
	ids := make([]int, 0, n)
	for i := 1; i <= n; i++ {
		ids = append(ids, i)
	}
	if order != nil {
		order(ids)
	}
	for _, i := range ids {
		z := testZone(i % zones)
		ch.consider(candidate{id: testID(i), zone: z, source: source(testAddr(i)), key: secret.rank(testID(i)) / weight(s, z == testZone(0))})
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

// A node that knew how another one ranks the members could make ids that come first there, and take all of its links.
// The ids of this attacker come first under every rank that depends on ids alone, for example that of another secret.
func TestIDsThatAreMadeToBeChosenAreChosenLikeOthers(t *testing.T) {
	const honest, crafted, count, trials = 12, 108, 5, 200
	known := Secret{1}
	drawn := make([]wire.NodeID, 0, 20*crafted)
	for i := range cap(drawn) {
		drawn = append(drawn, testID(100_000+i))
	}
	slices.SortFunc(drawn, func(a, b wire.NodeID) int { return cmp.Compare(known.rank(a), known.rank(b)) })
	taken := 0
	for i := range trials {
		secret := Secret(testID(i))
		ch := chooser{count: count}
		for k := range honest {
			ch.consider(candidate{id: testID(1000 + k), key: secret.rank(testID(1000 + k))})
		}
		for _, id := range drawn[:crafted] {
			ch.consider(candidate{id: id, key: secret.rank(id)})
		}
		for _, x := range ch.chosen() {
			if slices.Contains(drawn[:crafted], x.id) {
				taken++
			}
		}
	}
	share, want := float64(taken)/(count*trials), float64(crafted)/(crafted+honest)
	if share < want-0.04 || share > want+0.04 {
		t.Errorf("they take %.2f of the choice, %.2f of the members", share, want)
	}
}

// Members whose rank is too high are passed over, which changes no choice.
func TestChoiceIsThatOfAllMembers(t *testing.T) {
	for _, s := range []Strategy{Uniform, HubAndSpoke, PreferLocal, PreferRemote} {
		for seed := range byte(20) {
			n := newNode(t, 200, func(cfg *Config) { cfg.Strategy, cfg.Secret[0] = s, seed })
			all := chooser{zone: testZone(0), strategy: s, count: n.wanted(), limit: math.Inf(1), hubsMost: hubsPer * n.cfg.Subscriptions}
			for m := range n.table.Each {
				if n.candidate(n.now, m) {
					all.consider(candidate{id: m.ID, zone: m.Zone, source: n.sourceOf(n, m), key: n.cfg.Secret.rank(m.ID) / weight(s, m.Zone == testZone(0)), distance: n.distances.of(m)})
				}
			}
			if got, want := n.choose(n.now, n, true), all.chosen(); !slices.Equal(got, want) {
				t.Fatalf("strategy %d: chose %v, want %v", s, got, want)
			}
		}
	}
}
