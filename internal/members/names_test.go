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

// claim decides about a claim while this node has not found out which node is at an address.
func (w *world) claim(e *wire.Member) Claim {
	return w.Claim(w.now, e, nil)
}

// replace decides about a claim of a node that is at its address, where no other node answers.
func (w *world) replace(e *wire.Member) Claim {
	return w.Claim(w.now, e, func(*Entry) bool { return true })
}

// restart returns the entry of a new run of node i, with another id.
func restart(i, id int) *wire.Member {
	return with(claims(id, fmt.Sprint("node-", i), time.Second), func(e *wire.Member) { e.Addr = addr(i) })
}

func TestRestartedNodeTakesItsNameFromItsEarlierRun(t *testing.T) {
	w := newWorld(t, 1)
	again := restart(1, 2)
	claim := w.replace(again)
	one := w.Get(goID(1))
	same(t, "claim", claim, Claim{Granted: true, Holder: one, Replaced: one})
	c := w.SetAlive(w.now, again, claim) // the application sees the same name, address and metadata
	same(t, "change", c, Change{Kind: Unseen, Member: w.Get(goID(2)), Replaces: true})
	w.want(1, wire.StateDead)
	same(t, "who says that it is dead", w.Get(goID(1)).Accuser(), goID(0))
	w.want(2, wire.StateAlive)
	w.check()

	same(t, "claim of the earlier run", w.replace(alive(1)), Claim{Holder: w.Get(goID(2))})
}

func TestRestartedNodeWithOtherMetadataIsAnUpdate(t *testing.T) {
	w := newWorld(t, 1)
	again := restart(1, 2)
	again.Meta = []byte("new")
	if c := w.SetAlive(w.now, again, w.replace(again)); c.Kind != Updated || !c.Replaces {
		t.Errorf("%+v", c)
	}
}

// An insider writes what it likes into an entry (PROTOCOL.md M4).
func TestNoEntryTakesTheNameOfALiveMember(t *testing.T) {
	for _, x := range []struct {
		what  string
		since time.Duration
		id    byte // whether it is below or above that of the holder decides if the times are equal
		addr  int
		want  Claim
	}{
		{"later", time.Second, 0xff, 2, Claim{Conflict: true, Notify: true}},
		{"earlier", -time.Second, 0xff, 2, Claim{Conflict: true, Notify: true}},
		{"at the same time, with a larger id", 0, 0xff, 2, Claim{Conflict: true, Notify: true}},
		{"at the same time, with a smaller id", 0, 0, 2, Claim{Conflict: true, Notify: true}},
		{"later, at the address of the holder", time.Second, 0xff, 1, Claim{NewRun: true, Contest: true}},
		{"earlier, at the address of the holder", -time.Second, 0xff, 1, Claim{}},
	} {
		w := newWorld(t, 1)
		e := claims(2, "node-1", x.since)
		e.ID, e.Addr = wire.NodeID{0: x.id, 6: 0x80, 8: 0x7f}, addr(x.addr)
		x.want.Holder = w.Get(goID(1))
		same(t, x.what, w.claim(e), x.want)
		w.want(1, wire.StateAlive)
		w.check()
	}
}

func TestMemberThatHadTheNameFirstKeepsItInAnyOrder(t *testing.T) {
	entries := []*wire.Member{claims(1, "db", 3*time.Second), claims(2, "db", time.Second), claims(3, "db", 2*time.Second)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newWorld(t)
		for _, i := range order {
			w.take(entries[i])
		}
		if m := w.Named("db"); m.ID != entries[order[0]].ID || w.Count() != 2 {
			t.Errorf("order %v: %v has the name, %d members", order, m, w.Count())
		}
	}
}

func TestThisNodeNeverGivesUpItsName(t *testing.T) {
	for what, change := range map[string]func(e *wire.Member){
		"earlier":                   func(*wire.Member) {},
		"later, at its own address": func(e *wire.Member) { e.Addr, e.Named = addr(0), at(time.Hour) },
	} {
		w := newWorld(t)
		same(t, what, w.replace(with(claims(1, "node-0", -time.Hour), change)), Claim{Holder: w.Self(), Conflict: true})
		w.check()
	}
}

// An insider forges the address of a member, and claims its name at that address, where it answers.
func TestAddressThatHasJustChangedProvesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.take(with(alive(1), func(e *wire.Member) { e.Addr, e.Incarnation = addr(66), at(time.Second) }))
	forged := claims(2, "node-1", time.Minute)
	forged.Addr = addr(66)
	same(t, "claim", w.replace(forged), Claim{Holder: w.Get(goID(1))})
	w.sleep(addressSettled + time.Second)
	if claim := w.replace(forged); !claim.Granted {
		t.Errorf("the node has not corrected its address, and its new run gets %+v", claim)
	}
}

// An insider forges the name of a member, so that its true name seems to be free.
func TestNameThatAnEntryChangesIsReservedForItsMember(t *testing.T) {
	w := newWorld(t, 1)
	w.take(with(alive(1), func(e *wire.Member) { e.Name, e.Incarnation = []byte("forged"), at(time.Second) }))
	same(t, "claim", w.replace(claims(2, "node-1", 0)), Claim{Reserved: w.Get(goID(1))})
	w.take(with(alive(1), func(e *wire.Member) { e.Incarnation = at(2 * time.Second) }))
	if m := w.Named("node-1"); m == nil || m.ID != goID(1) {
		t.Errorf("the member did not get its name back: %v has it", m)
	}
	if claim := w.claim(claims(3, "forged", 0)); claim.Granted {
		t.Error("a name that was changed a moment ago is given away")
	}
	w.sleep(formerNameHold)
	if claim := w.claim(claims(3, "forged", 0)); !claim.Granted {
		t.Errorf("%+v", claim)
	}
}

func TestClaimOfANewRunIsRememberedUntilTheHolderAnswersOrIsGone(t *testing.T) {
	w := newWorld(t, 1)
	one := w.Get(goID(1))
	if w.Contender(one) != nil || w.Contended(goID(2)) != nil {
		t.Fatal("a claim before there was one")
	}
	w.claim(restart(1, 2))
	if e := w.Contender(one); e == nil || e.ID != goID(2) || w.Contended(goID(2)) != one {
		t.Fatalf("the claim is %v", e)
	}
	claim, e := w.Dismiss(w.now, one)
	same(t, "claim of a node whose name has a live member", claim, Claim{Holder: one, Conflict: true, Notify: true})
	same(t, "its node", e.ID, goID(2))
	if w.Contender(one) != nil {
		t.Error("the claim is still remembered")
	}
	same(t, "another claim, soon after", w.claim(restart(1, 3)), Claim{Holder: one})
	w.Fail(w.now, one, goID(0))
	three := w.Contender(one)
	if three == nil {
		t.Fatal("the claim is lost")
	}
	claim = w.claim(three)
	same(t, "claim when the holder fails", claim, Claim{Granted: true, Holder: one, Replaced: one})
	same(t, "change", w.SetAlive(w.now, three, claim), Change{Kind: Unseen, Member: w.Get(goID(3)), Replaces: true})
	w.check()
}

func TestContestsAreBounded(t *testing.T) {
	w := newWorld(t)
	contests := 0
	for i := 1; i <= 2*contendersMax; i++ {
		w.SetAlive(w.now, alive(i), w.claim(alive(i))) // w.take would check the whole table each time
		if w.claim(restart(i, 10_000+i)).Contest {
			contests++
		}
	}
	w.check()
	same(t, "contests at one time", contests, contestRate.Burst)
	same(t, "claims that are remembered", w.contests.contenders.Len(), contendersMax)
}

func TestClaimWithMuchMetadataIsNotRemembered(t *testing.T) {
	for _, size := range []int{contenderMetaMax, contenderMetaMax + 1} {
		w := newWorld(t, 1)
		e := restart(1, 2)
		e.Meta = make([]byte, size)
		w.claim(e)
		if remembered := w.Contender(w.Get(goID(1))) != nil; remembered != (size <= contenderMetaMax) {
			t.Errorf("a claim with %d bytes of metadata: remembered %v", size, remembered)
		}
	}
}

func TestConflictIsReportedEvery30Seconds(t *testing.T) {
	w := newWorld(t, 1, 3)
	reports := 0
	for range 61 {
		if w.claim(claims(2, "node-1", time.Second)).Conflict {
			reports++
		}
		w.sleep(time.Second)
	}
	if reports != 3 {
		t.Errorf("%d reports in a minute, want 3", reports)
	}
	if !w.claim(claims(2, "node-3", time.Second)).Conflict {
		t.Error("a conflict about one name hides that about another")
	}
}

// PROTOCOL.md M4.
func TestNameOfADeadNodeIsReservedForItsAddress(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(0)))
	e := claims(2, "node-1", time.Second)
	same(t, "claim", w.claim(e), Claim{Reserved: w.Get(goID(1))})
	restarted := claims(3, "node-1", time.Second)
	restarted.Addr = addr(1)
	if claim := w.claim(restarted); !claim.Granted || claim.Replaced != nil {
		t.Errorf("a new run at the same address: %+v", claim)
	}
	if claim := w.claim(alive(1)); !claim.Granted {
		t.Errorf("the node itself: %+v", claim)
	}
	w.sleep(time.Minute)
	if claim := w.claim(e); !claim.Granted {
		t.Errorf("after NameHold: %+v", claim)
	}
}

func TestNameOfADepartedNodeIsFree(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateLeft, at(0)))
	if claim := w.claim(claims(2, "node-1", time.Second)); !claim.Granted {
		t.Errorf("%+v", claim)
	}
}

func TestReturnOfAFailedNodeIsInTheChange(t *testing.T) {
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
	if claim := w.claim(claims(2, "node-1", time.Second)); !claim.Granted {
		t.Errorf("%+v", claim)
	}
}

// An entry from before the death of a node says nothing about who has its address now.
func TestOlderEntryAtTheAddressOfADeadNodeFreesNoName(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(time.Second)))
	w.take(with(alive(5), func(e *wire.Member) { e.Addr, e.Incarnation = addr(1), at(time.Second) }))
	if claim := w.claim(claims(2, "node-1", 2*time.Second)); claim.Granted {
		t.Errorf("%+v", claim)
	}
}

func TestNodesThatSwapTheirAddressesDoNotWaitForEachOther(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.take(gone(1, wire.StateDead, at(0)))
	w.take(gone(2, wire.StateDead, at(0)))
	one, two := claims(11, "node-1", time.Second), claims(12, "node-2", time.Second)
	one.Addr, two.Addr = addr(2), addr(1)
	for _, vacates := range []bool{true, false} { // other nodes should learn once that the address of node-2 is taken
		claim := w.claim(one)
		if claim.Granted {
			t.Fatal("a reserved name was given away")
		}
		same(t, "other nodes should learn it", claim.Vacates, vacates)
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
		w.claim(claims(1000+i, fmt.Sprint("node-", i), time.Second))
	}
	if claim := w.claim(claims(1001, "node-1", time.Second)); claim.Granted {
		t.Error("the members were looked at more often than allowed")
	}
	w.sleep(time.Second)
	if claim := w.claim(claims(1001, "node-1", time.Second)); !claim.Granted {
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
		if claim := w.claim(e); claim.Granted {
			w.SetAlive(w.now, e, claim)
		}
		if m := w.Named("gwyh01"); m.ID[15] != byte(x.has) {
			t.Errorf("after node %d: %v has the name", x.i, m.ID)
		}
		w.check()
	}
}
