package members

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestTableBeginsWithItsOwnNode(t *testing.T) {
	w := newWorld(t)
	w.check()
	same(t, "counts", w.counts(), counts{live: 1})
	same(t, "by id", w.Get(goID(0)), w.Self())
	same(t, "by name", w.Named("node-0"), w.Self())
	w.want(0, wire.StateAlive)
	same(t, "incarnation", w.Self().Incarnation, at(0))
	same(t, "named", w.Self().Named, at(0))
	same(t, "since", w.Since(w.Self()), start)
	same(t, "may have tombstones", w.MayHaveTombstones(), false)
}

func TestMembersAreFoundByIDAndName(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	if w.Get(goID(2)) != w.Named("node-2") || w.Get(goID(2)).Addr != addr(2) {
		t.Errorf("by id %v, by name %v", w.Get(goID(2)), w.Named("node-2"))
	}
	same(t, "unknown id", w.Get(goID(9)), nil)
	same(t, "unknown name", w.Named("node-9"), nil)
	same(t, "unknown node live", w.IsLive(goID(9)), false)
	same(t, "known node live", w.IsLive(goID(2)), true)
}

func TestForgottenMemberLeavesNoTombstone(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	w.Forget(w.Get(goID(2)))
	w.check()
	same(t, "by id", w.Get(goID(2)), nil)
	same(t, "counts", w.counts(), counts{live: 3})
	w.take(alive(2))
	w.want(2, wire.StateAlive)
}

func TestRootsOfEqualTablesAreEqualInAnyOrder(t *testing.T) {
	a, b := newWorld(t, 1, 2, 3, 4), newWorld(t, 4, 1, 3)
	if a.Root(0) == b.Root(0) {
		t.Fatal("tables that differ have one root")
	}
	b.take(alive(2))
	if a.Root(0) != b.Root(0) {
		t.Errorf("roots %x and %x", a.Root(0), b.Root(0))
	}
	a.SetIncarnation(a.Get(goID(3)), at(time.Second))
	if a.check(); a.Root(0) == b.Root(0) {
		t.Error("an incarnation does not change the root")
	}
	a.take(gone(4, wire.StateLeft, at(time.Second)))
	root := a.Root(0)
	if a.SetIncarnation(a.Get(goID(4)), at(time.Hour)); a.Root(0) != root {
		t.Error("the incarnation of a tombstone changes the root")
	}
}

func TestLegacyMembersAreCounted(t *testing.T) {
	w := newWorld(t, 1)
	old := with(alive(2), func(e *wire.Member) { e.ID = wire.NodeID{6: 0x40, 8: 0x80, 15: 2} })
	w.SetAlive(w.now, old, w.claim(old))
	w.check()
	same(t, "counts", w.counts(), counts{live: 3, legacy: 1})
	same(t, "Go nodes", w.CountGo(), 2)
	w.Fail(w.now, w.Get(old.ID), goID(0))
	if w.check(); w.CountLegacy() != 0 || w.CountReserved() != 0 {
		t.Errorf("%d legacy, %d names reserved: that of a gwyh 0.1 node belongs to its address", w.CountLegacy(), w.CountReserved())
	}
}

func TestEachCanBeEndedEarly(t *testing.T) {
	base := NewBase(start, []Member{memberFor(7), memberFor(8), memberFor(9)})
	table := NewTable(start, Config{Self: memberFor(0), Base: base})
	for most := 1; most <= table.Count(); most++ {
		n := 0
		for range table.Each {
			if n++; n == most {
				break
			}
		}
		if n != most {
			t.Errorf("%d yielded, want %d", n, most)
		}
	}
}

func TestDrawReachesEveryMember(t *testing.T) {
	base := NewBase(start, []Member{memberFor(7), memberFor(8), memberFor(9)})
	table := NewTable(start, Config{Self: memberFor(0), Base: base})
	table.Get(goID(8)) // this hides it in the base
	drawn := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		drawn[table.Draw(rng).Name]++
	}
	for _, i := range []int{0, 7, 8, 9} {
		if n := drawn[fmt.Sprint("node-", i)]; n < 800 || n > 1200 {
			t.Errorf("node %d was drawn %d of 4000 times", i, n)
		}
	}
	alone := newWorld(t)
	if got := alone.Draw(rng); got != alone.Self() {
		t.Errorf("drew %v", got)
	}
}

func TestTouchLooksAtKnownEntriesOnly(t *testing.T) {
	w := newWorld(t, 1, 2)
	next := make([]wire.Member, touchMax+4)
	next[0], next[1] = *alive(1), *alive(50)
	if sum := w.Touch(next); sum != at(0) {
		t.Errorf("sum %d, want %d", sum, at(0))
	}
	if w.Count() != 3 {
		t.Errorf("%d members", w.Count())
	}
}

// The indexes of a table are compared with its entries after each of many random changes.
func TestIndexesAgreeWithEntriesAfterRandomChanges(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 400 {
			w.sleep(time.Duration(rng.Int64N(int64(10 * time.Second))))
			i := 1 + rng.IntN(12)
			e := alive(i)
			e.Incarnation = uint64(w.now.UnixMilli()) - rng.Uint64N(5000)
			e.Named = e.Incarnation - rng.Uint64N(100)
			switch rng.IntN(6) {
			case 0:
				e.Name = fmt.Appendf(nil, "node-%d", 1+rng.IntN(12)) // another node may have this name
			case 1:
				e.Addr = addr(1 + rng.IntN(12))
			case 2:
				e.Refuted = e.Incarnation - 1
			case 3:
				e = gone(i, wire.StateDead, e.Incarnation)
			case 4:
				e = gone(i, wire.StateLeft, e.Incarnation)
			}
			w.take(e)
		}
		w.sleep(TombstoneAge)
		if w.expire(w.now); w.CountTombstones() != 0 || w.CountReserved() != 0 {
			t.Errorf("seed %d: %d tombstones, %d names reserved after a day", seed, w.CountTombstones(), w.CountReserved())
		}
		w.check()
	}
}
