package members

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// based returns a table of node 0 over a base of nodes 0 to n-1.
func based(t *testing.T, n int) (*world, *Base) {
	var all []Member
	for i := range n {
		all = append(all, memberFor(i))
	}
	base := NewBase(start, all)
	table := NewTable(start.Add(time.Hour), Config{Self: memberFor(0), Base: base, NameHold: time.Minute})
	return &world{t: t, Table: &table, now: start.Add(time.Hour)}, base
}

func TestTableOverABaseCopiesOnlyWhatItIsAskedFor(t *testing.T) {
	w, base := based(t, 50)
	same(t, "members", w.Count(), 50)
	same(t, "rows of its own", len(w.byID), 1)
	same(t, "root", w.root, base.root)
	if got := w.Self().Incarnation; got != at(0) {
		t.Errorf("incarnation %d: that of the base is what others know", got)
	}
	if w.Get(goID(7)) == nil || w.Named("node-8") == nil {
		t.Error("a member of the base is not found")
	}
	same(t, "rows of its own", len(w.byID), 3)
	same(t, "live rows of its own", len(w.Live()), 3)
	n := 0
	for range w.All {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 || w.Count() != 50 {
		t.Errorf("%d rows, %d members", n, w.Count())
	}
}

func TestTableOverABaseIsLikeOneWithoutAndLeavesItAlone(t *testing.T) {
	w, base := based(t, 10)
	plain := newWorld(t, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	plain.now = w.now
	for _, e := range []*wire.Member{
		gone(3, wire.StateDead, at(0)),
		gone(4, wire.StateLeft, at(0)),
		with(alive(5), func(e *wire.Member) { e.Incarnation = at(time.Minute); e.Meta = []byte("new") }),
		with(alive(20), func(e *wire.Member) { e.Name = []byte("node-6"); e.Addr = addr(6); e.Named = at(time.Minute) }),
		with(alive(7), func(e *wire.Member) { e.Incarnation = at(time.Minute); e.Name = []byte("node-70") }),
		alive(30),
	} {
		a, b := w.take(e), plain.take(e)
		a.Member, a.Failed, b.Member, b.Failed = nil, nil, nil, nil
		same(t, "change", a, b)
		if w.Root(0) != plain.Root(0) || w.Count() != plain.Count() {
			t.Errorf("%v: root %x of %d over a base, %x of %d without", e.ID, w.Root(0), w.Count(), plain.Root(0), plain.Count())
		}
	}
	for _, name := range []string{"node-7", "node-3"} {
		if m := w.Named(name); m != nil {
			t.Errorf("%v is found by a name of the base that it does not have any longer", m)
		}
	}
	w.want(6, wire.StateDead)
	for i := range base.rows {
		m := &base.rows[i]
		same(t, "state in the base", m.State, wire.StateAlive)
		same(t, "incarnation in the base", m.Incarnation, at(0))
		same(t, "metadata in the base", string(m.Meta), "")
	}
	another := NewTable(start, Config{Self: memberFor(1), Base: base})
	if another.Count() != 10 || another.root != base.root {
		t.Error("what one table changed is seen in another")
	}
}

func TestForgottenRowOfABaseIsNotFoundAgain(t *testing.T) {
	w, _ := based(t, 10)
	w.Forget(w.Get(goID(4)))
	w.check()
	same(t, "by id", w.Get(goID(4)), nil)
	same(t, "by name", w.Named("node-4"), nil)
	same(t, "members", w.Count(), 9)
}
