package members

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// claims returns the entry of node i that has claimed the name of another node since some time after the start.
func claims(i int, name string, since time.Duration) *wire.Member {
	return with(alive(i), func(e *wire.Member) { e.Name, e.Named, e.Incarnation = []byte(name), at(since), at(since) })
}

func TestRestartedNodeTakesItsNameFromItsEarlierRun(t *testing.T) {
	w := newWorld(t, 1)
	again := claims(2, "node-1", time.Second)
	again.Addr = addr(1)
	claim := w.Claim(w.now, again)
	one := w.Get(goID(1))
	same(t, "claim", claim, Claim{Granted: true, Holder: one, Replaced: one})
	same(t, "earlier run", claim.EarlierRun(), true)
	c := w.SetAlive(w.now, again, claim) // the application sees the same name, address and metadata
	same(t, "change", c, Change{Kind: Unseen, Member: w.Get(goID(2)), Replaces: true})
	w.want(1, wire.StateDead)
	w.want(2, wire.StateAlive)
	w.check()

	same(t, "claim of the earlier run", w.Claim(w.now, alive(1)), Claim{Holder: w.Get(goID(2))})
}

func TestRestartedNodeWithOtherMetadataIsAnUpdate(t *testing.T) {
	w := newWorld(t, 1)
	again := claims(2, "node-1", time.Second)
	again.Addr, again.Meta = addr(1), []byte("new")
	if c := w.take(again); c.Kind != Updated || !c.Replaces {
		t.Errorf("%+v", c)
	}
}

// PROTOCOL.md M4.
func TestOfTwoLiveNodesTheFirstKeepsTheName(t *testing.T) {
	for name, x := range map[string]struct {
		since  time.Duration
		second int // its id decides if the times are equal
		wins   bool
	}{
		"later":                     {time.Second, 2, false},
		"earlier":                   {-time.Second, 2, true},
		"same time and a larger id": {0, 2, false},
		"same time, a smaller id":   {0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			e := claims(200, "node-1", x.since)
			if e.ID = goID(2); x.second == 0 {
				e.ID = wire.NodeID{6: 0x80, 8: 0x7f}
			}
			one := w.Get(goID(1))
			claim := w.Claim(w.now, e)
			if !x.wins {
				same(t, "claim", claim, Claim{Holder: one, Conflict: true})
				w.want(1, wire.StateAlive)
				return
			}
			same(t, "claim", claim, Claim{Granted: true, Holder: one, Replaced: one, Conflict: true})
			same(t, "earlier run", claim.EarlierRun(), false)
			if c := w.SetAlive(w.now, e, claim); c.Kind != Updated || c.Replaces {
				t.Errorf("%+v", c)
			}
			if w.Get(goID(1)) != nil || w.CountTombstones() != 0 {
				t.Error("the node that lost its name is a tombstone, though it lives")
			}
			w.check()
		})
	}
}

func TestTablesAgreeOnANameInAnyOrder(t *testing.T) {
	entries := []*wire.Member{claims(1, "db", 3*time.Second), claims(2, "db", time.Second), claims(3, "db", 2*time.Second)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newWorld(t)
		for _, i := range order {
			w.take(entries[i])
		}
		if m := w.Named("db"); m.ID != goID(2) || w.Count() != 2 {
			t.Errorf("order %v: %v has the name, %d members", order, m, w.Count())
		}
	}
}

func TestThisNodeNeverGivesUpItsName(t *testing.T) {
	w := newWorld(t)
	elder := claims(1, "node-0", -time.Hour)
	same(t, "claim", w.Claim(w.now, elder), Claim{Holder: w.Self(), Conflict: true})
	elder.Addr = addr(0)
	if claim := w.Claim(w.now, elder); claim.Granted || claim.Conflict {
		t.Errorf("at its own address: %+v", claim)
	}
	w.check()
}

func TestConflictIsReportedEvery30Seconds(t *testing.T) {
	w := newWorld(t, 1, 3)
	reports := 0
	for range 61 {
		if w.Claim(w.now, claims(2, "node-1", time.Second)).Conflict {
			reports++
		}
		w.sleep(time.Second)
	}
	if reports != 3 {
		t.Errorf("%d reports in a minute, want 3", reports)
	}
	if !w.Claim(w.now, claims(2, "node-3", time.Second)).Conflict {
		t.Error("a conflict about one name hides that about another")
	}
}

// PROTOCOL.md M4.
func TestNameOfADeadNodeIsReservedForItsAddress(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(0)))
	e := claims(2, "node-1", time.Second)
	same(t, "claim", w.Claim(w.now, e), Claim{Reserved: w.Get(goID(1))})
	restarted := claims(3, "node-1", time.Second)
	restarted.Addr = addr(1)
	if claim := w.Claim(w.now, restarted); !claim.Granted || claim.Replaced != nil {
		t.Errorf("a new run at the same address: %+v", claim)
	}
	if claim := w.Claim(w.now, alive(1)); !claim.Granted {
		t.Errorf("the node itself: %+v", claim)
	}
	w.sleep(time.Minute)
	if claim := w.Claim(w.now, e); !claim.Granted {
		t.Errorf("after NameHold: %+v", claim)
	}
}

func TestNameOfADepartedNodeIsFree(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateLeft, at(0)))
	if claim := w.Claim(w.now, claims(2, "node-1", time.Second)); !claim.Granted {
		t.Errorf("%+v", claim)
	}
}

func TestReturnOfAFailedNodeIsTold(t *testing.T) {
	w := newWorld(t, 1)
	w.sleep(time.Second)
	w.take(gone(1, wire.StateDead, at(0)))
	died := w.now
	w.sleep(10 * time.Second)
	restarted := claims(3, "node-1", time.Second)
	restarted.Addr = addr(1)
	c := w.take(restarted)
	same(t, "another run", c, Change{Kind: Joined, Member: w.Get(goID(3)), Failed: w.Get(goID(1)), FailedAt: died, Restarted: true})
	same(t, "returned", c.Returned(), false)

	w = newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(0)))
	c = w.take(with(alive(1), func(e *wire.Member) { e.Incarnation, e.Refuted = at(2*time.Second), at(time.Second) }))
	one := w.Get(goID(1))
	same(t, "the same run", c, Change{Kind: Joined, Member: one, Failed: one, FailedAt: start})
	same(t, "returned", c.Returned(), true)
}

func TestNameIsFreeWhenAnotherNodeHasTheAddress(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(0)))
	w.take(with(alive(5), func(e *wire.Member) { e.Addr, e.Incarnation = addr(1), at(time.Second) }))
	if claim := w.Claim(w.now, claims(2, "node-1", time.Second)); !claim.Granted {
		t.Errorf("%+v", claim)
	}
}

func TestNodesThatSwapTheirAddressesDoNotWaitForEachOther(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.take(gone(1, wire.StateDead, at(0)))
	w.take(gone(2, wire.StateDead, at(0)))
	one, two := claims(11, "node-1", time.Second), claims(12, "node-2", time.Second)
	one.Addr, two.Addr = addr(2), addr(1)
	w.take(one) // this node has to wait, and shows that the address of node-2 is taken
	if w.Named("node-1") != nil {
		t.Fatal("a reserved name was given away")
	}
	w.take(two)
	w.take(one)
	if w.Named("node-1") == nil || w.Named("node-2") == nil {
		t.Errorf("%v and %v", w.Named("node-1"), w.Named("node-2"))
	}
}

// A node that makes up names of dead nodes cannot make this node search all its members each time.
func TestWalksForAnAddressAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := 1; i <= 200; i++ {
		w.take(alive(i))
	}
	for i := 1; i <= 100; i++ {
		w.take(gone(i, wire.StateDead, at(0)))
	}
	w.take(with(alive(150), func(e *wire.Member) { e.Addr, e.Incarnation = addr(1), at(time.Second) }))
	for i := 2; i <= 100; i++ {
		w.Claim(w.now, claims(1000+i, fmt.Sprint("node-", i), time.Second))
	}
	if claim := w.Claim(w.now, claims(1001, "node-1", time.Second)); claim.Granted {
		t.Error("the members were looked at more often than allowed")
	}
	w.sleep(time.Second)
	if claim := w.Claim(w.now, claims(1001, "node-1", time.Second)); !claim.Granted {
		t.Errorf("%+v a second later", claim)
	}
}

func TestOfLegacyNodesTheOneHeardLastHasTheName(t *testing.T) {
	w := newWorld(t)
	legacy := func(i int, heard time.Duration) *wire.Member {
		return with(alive(i), func(e *wire.Member) {
			e.ID = wire.NodeID{6: 0x40, 8: 0x80, 15: byte(i)}
			e.Name, e.Addr, e.Named, e.Incarnation = []byte("gwyh01"), addr(7), 0, at(heard)
		})
	}
	for _, x := range []struct {
		i     int
		heard time.Duration
		has   int
	}{{1, 0, 1}, {2, time.Second, 2}, {3, time.Millisecond, 2}} {
		e := legacy(x.i, x.heard)
		if claim := w.Claim(w.now, e); claim.Granted {
			w.SetAlive(w.now, e, claim)
		}
		if m := w.Named("gwyh01"); m.ID[15] != byte(x.has) {
			t.Errorf("after node %d: %v has the name", x.i, m.ID)
		}
		w.check()
	}
}
