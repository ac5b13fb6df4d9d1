package members

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestDeadAndDepartedBecomeTombstones(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.sleep(time.Second)
	c := w.take(gone(1, wire.StateDead, at(0)))
	same(t, "change", c, Change{Kind: Died, Member: w.Get(goID(1))})
	same(t, "accuser", c.Member.Accuser(), goID(99))
	same(t, "dead since", w.Since(c.Member), w.now)
	if c := w.take(gone(2, wire.StateLeft, at(0))); c.Kind != Left {
		t.Errorf("%+v", c)
	}
	w.want(1, wire.StateDead)
	w.want(2, wire.StateLeft)
	same(t, "counts", w.counts(), counts{live: 1, tombstones: 2, reserved: 1})
	same(t, "may have tombstones", w.MayHaveTombstones(), true)
}

func TestUnknownNodeThatIsGoneIsRemembered(t *testing.T) {
	w := newWorld(t)
	if c := w.take(gone(1, wire.StateDead, at(time.Second))); c.Kind != Unseen || c.Member.ID != goID(1) {
		t.Errorf("%+v", c)
	}
	w.take(alive(1)) // a stale entry
	w.want(1, wire.StateDead)
	if w.CountReserved() != 0 {
		t.Error("the name of a node is reserved that was never known")
	}
}

// PROTOCOL.md M7.
func TestTombstonesExpireByAgeAndNumber(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.take(gone(1, wire.StateDead, at(0)))
	w.sleep(TombstoneAge - time.Minute)
	w.take(gone(2, wire.StateDead, at(0)))
	w.sleep(time.Minute)
	w.expire(w.now)
	w.check()
	same(t, "the tombstone that is a day old", w.Get(goID(1)), nil)
	same(t, "its name", w.Reserved("node-1"), nil)
	w.want(2, wire.StateDead)
	for i := range TombstonesMax + 10 {
		w.SetGone(w.now, gone(300+i, wire.StateDead, at(0)))
	}
	if w.check(); w.CountTombstones() != TombstonesMax || w.Get(goID(2)) != nil {
		t.Errorf("%d tombstones, the oldest is %v", w.CountTombstones(), w.Get(goID(2)))
	}
}

// A node that was suspected or taken for dead lacks messages that it would have received; one that is new does not.
func TestNodeWasAMemberWhateverOthersTookItFor(t *testing.T) {
	refute := func(w *world) {
		w.take(with(alive(1), func(e *wire.Member) { e.Incarnation, e.Refuted = at(2*time.Second), at(time.Second) }))
	}
	for name, is := range map[string]struct {
		change func(w *world)
		was    bool // whether it is known to have been a member one second before
	}{
		"nothing":   {func(*world) {}, true},
		"suspected": {func(w *world) { w.SetState(w.now, w.Get(goID(1)), wire.StateSuspect) }, true},
		"refuted": {func(w *world) {
			w.SetState(w.now, w.Get(goID(1)), wire.StateSuspect)
			refute(w)
			w.SetState(w.now, w.Get(goID(1)), wire.StateAlive)
		}, true},
		"returned":       {func(w *world) { w.take(gone(1, wire.StateDead, at(0))); refute(w) }, true},
		"another joined": {func(w *world) { w.take(gone(1, wire.StateLeft, at(0))); w.take(alive(2)) }, false},
	} {
		w := newWorld(t, 1)
		w.sleep(2 * time.Second)
		is.change(w)
		m := w.Get(goID(1))
		if !m.Live() {
			m = w.Get(goID(2))
		}
		if got := w.WasMember(m, w.now.Add(-time.Second)); got != is.was {
			t.Errorf("%s: %v, want %v", name, got, is.was)
		}
	}
}

func TestTombstoneOfAMemberThatReturnedIsSkipped(t *testing.T) {
	w := newWorld(t, 1)
	w.take(gone(1, wire.StateDead, at(0)))
	if c := w.take(with(alive(1), func(e *wire.Member) { e.Incarnation, e.Refuted = at(2*time.Second), at(time.Second) })); c.Kind != Joined {
		t.Fatalf("%+v", c)
	}
	w.sleep(TombstoneAge)
	w.expire(w.now)
	w.want(1, wire.StateAlive)
	w.check()
}

func TestLastTombstonesAreThoseWithANameNewestLast(t *testing.T) {
	w := newWorld(t, 1, 2, 3, 4)
	for i := 1; i <= 4; i++ {
		w.take(gone(i, wire.StateDead, at(0)))
	}
	w.take(gone(5, wire.StateDead, at(0))) // without a name
	w.take(with(alive(3), func(e *wire.Member) { e.Incarnation, e.Refuted = at(2*time.Second), at(time.Second) }))
	var got []string
	for m := range w.LastTombstones(2) {
		got = append(got, m.Name)
	}
	if fmt.Sprint(got) != "[node-2 node-4]" { // 3 is back, and 5 has no name
		t.Errorf("%v", got)
	}
	for range w.LastTombstones(100) {
		break // the loop may end early
	}
}

func TestDrawReservedIsUniformOverTheDeadWithoutASuccessor(t *testing.T) {
	w := newWorld(t, 1, 2, 3, 4, 5)
	rng := rand.New(rand.NewPCG(1, 2))
	if m, count := w.DrawReserved(w.now, rng); m != nil || count != 0 {
		t.Errorf("drew %v of %d where nobody is dead", m, count)
	}
	for i := 1; i <= 4; i++ {
		w.take(gone(i, wire.StateDead, at(0)))
	}
	w.take(gone(5, wire.StateLeft, at(0)))
	w.sleep(2 * time.Minute)
	w.take(with(alive(6), func(e *wire.Member) { e.Name = []byte("node-2") }))
	drawn := map[string]int{}
	for range 3000 {
		m, count := w.DrawReserved(w.now, rng)
		if count != 3 {
			t.Fatalf("%d", count)
		}
		drawn[m.Name]++
	}
	for _, name := range []string{"node-1", "node-3", "node-4"} {
		if n := drawn[name]; n < 850 || n > 1150 {
			t.Errorf("%s was drawn %d of 3000 times", name, n)
		}
	}
}

func TestFailNamesTheAccuser(t *testing.T) {
	w := newWorld(t, 1)
	c := w.Fail(w.now, w.Get(goID(1)), goID(0))
	if c.Kind != Died || c.Member.Accuser() != goID(0) {
		t.Errorf("%+v", c)
	}
	if c = w.Fail(w.now, w.Get(goID(1)), goID(0)); c.Kind != Unseen {
		t.Errorf("a dead node died again: %+v", c)
	}
	w.check()
}

// A node that is said to be dead, then to have left, and so on, is one tombstone.
func TestTombstoneThatIsRemovedAgainIsListedOnce(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.take(gone(1, wire.StateDead, at(0)))
	w.take(gone(2, wire.StateDead, at(0)))
	for i := range TombstonesMax + 10 {
		w.SetGone(w.now, gone(1, wire.StateDead, at(time.Second)+uint64(i)))
	}
	w.check()
	same(t, "counts", w.counts(), counts{live: 1, tombstones: 2, reserved: 2})
	if n := len(w.tombstones); n > 2*2+outdatedMin {
		t.Errorf("two tombstones take %d places", n)
	}
	var got []string
	for m := range w.LastTombstones(10) {
		got = append(got, m.Name)
	}
	if fmt.Sprint(got) != "[node-2 node-1]" {
		t.Errorf("%v", got)
	}
	drawn := map[string]int{}
	for rng := rand.New(rand.NewPCG(1, 2)); len(drawn) < 2; {
		m, _ := w.DrawReserved(w.now, rng)
		if drawn[m.Name]++; drawn[m.Name] > 100 {
			t.Fatalf("%v", drawn)
		}
	}
	w.sleep(TombstoneAge)
	w.expire(w.now)
	same(t, "counts after a day", w.counts(), counts{live: 1})
	same(t, "may have tombstones", w.MayHaveTombstones(), false)
}
