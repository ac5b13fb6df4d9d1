package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A list that was shared stays as it was, whatever happens afterwards.
func TestPagesThatWereSharedDoNotChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var p pages[int]
	var model []int
	flat := func(list [][]int) []int { return slices.Concat(list...) }
	var shared [][]int
	want := []int(nil)
	for i := range 20_000 {
		switch n := rng.IntN(10); {
		case n < 4 || len(model) == 0:
			p.push(i)
			model = append(model, i)
		case n < 8 && i > 5000 || n < 7:
			p.pop()
			model = model[:len(model)-1]
		default:
			at := rng.IntN(len(model))
			p.set(at, -i)
			model[at] = -i
		}
		if i < 3000 { // grow first
			p.push(i)
			model = append(model, i)
		}
		if i%17 != 0 {
			continue
		}
		if !slices.Equal(flat(shared), want) {
			t.Fatalf("step %d: a shared list has changed", i)
		}
		shared, want = p.share(), slices.Clone(model)
		if p.count != len(model) || !slices.Equal(flat(shared), want) {
			t.Fatalf("step %d: %d elements, want %d", i, p.count, len(model))
		}
		if n := len(model); n > 0 && p.at(n/2) != model[n/2] {
			t.Fatalf("step %d: another element at %d", i, n/2)
		}
	}
}

// An observed is a table of members and the snapshots that show it.
type observed struct {
	t     testing.TB
	table members.Table
	links int
	far   uint64
	now   time.Time

	snapshots[string]
	converted, arrivals int
	turns               []string
}

func (o *observed) Self() gossip.Member   { return o.table.Self().Member }
func (o *observed) Table() *members.Table { return &o.table }
func (o *observed) Links() int            { return o.links }
func (o *observed) Distances() uint64     { return o.far }

func observedID(i int) wire.NodeID {
	return wire.NodeID{0: byte(i >> 16), 1: byte(i >> 8), 2: byte(i), 6: 0x80, 8: 0x80}
}

func newObserved(t testing.TB) *observed {
	o := &observed{t: t, now: time.Unix(1e9, 0)}
	o.table = members.NewTable(o.now, members.Config{MetaMax: 512, Self: members.Member{ID: observedID(0), Name: "self", Addr: observedAddr(0)}})
	o.snapshots = snapshots[string]{known: map[wire.NodeID]*entry[string]{}, names: new(addrbook.Book),
		convert: func(m *gossip.Member) string {
			o.converted++
			return fmt.Sprint(m.Name, " ", m.State, " ", string(m.Meta), " ", m.RTT)
		},
		joined: func(time.Time, wire.NodeID) { o.arrivals++ },
		turned: func(_ time.Time, m *gossip.Member) { o.turns = append(o.turns, fmt.Sprint(m.Name, " ", m.State)) }}
	o.update(o.now, o)
	return o
}

func observedAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 6969)
}

func (o *observed) alive(i int, incarnation uint64, meta string) *members.Entry {
	e := &wire.Member{ID: observedID(i), Name: fmt.Append(nil, "n", i), Addr: observedAddr(i), Incarnation: incarnation, Named: 1, Meta: []byte(meta)}
	m := o.table.SetAlive(o.now, e, members.Claim{Granted: true}).Member
	o.table.NoteChange(o.now)
	return m
}

func (o *observed) fail(m *members.Entry) {
	o.table.Fail(o.now, m, observedID(0))
	o.table.NoteChange(o.now)
}

// check compares the snapshot with the table.
func (o *observed) check() {
	o.t.Helper()
	o.update(o.now, o)
	snap := o.current.Load()
	var want []string
	for m := range o.table.Each {
		want = append(want, o.convert(&m.Member))
	}
	got := slices.Collect(snap.each)
	if n := len(got); n != snap.len() || o.table.Self().Live() && got[n-1] != snap.self {
		o.t.Fatalf("%d of %d members, the last one %q", n, snap.len(), got[n-1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		o.t.Fatalf("%q, want %q", got, want)
	}
	for m := range o.table.Each {
		if name := o.names.Name(m.Addr); name != m.Name {
			o.t.Fatalf("%q is at %v, want %q", name, m.Addr, m.Name)
		}
	}
}

func TestSnapshotShowsTheTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	o := newObserved(t)
	o.check()
	for step := range 4000 {
		i := 1 + rng.IntN(700)
		switch m := o.table.Get(observedID(i)); {
		case m == nil || !m.Live():
			inc := uint64(1)
			if m != nil {
				inc = m.Incarnation + 1
			}
			o.alive(i, inc, "")
		case step%7 == 0:
			o.alive(i, m.Incarnation+1, fmt.Sprint(step))
		case step%7 == 1:
			o.alive(i, m.Incarnation, fmt.Sprint(step)) // other content of the same incarnation
		case step%7 == 2:
			o.table.SetState(o.now, m, wire.StateSuspect)
		case step%7 == 3:
			o.table.SetRTT(m, time.Duration(step))
			o.far++
			o.updateDistances(o.now, o)
		case step > 2000 || step%7 == 4:
			o.fail(m)
		}
		if step%5 == 0 {
			o.check()
		}
	}
	o.check()
	o.table.Leave(o.now)
	o.table.NoteChange(o.now)
	o.check()
}

func TestSnapshotConvertsWhatHasChanged(t *testing.T) {
	o := newObserved(t)
	for i := range 1000 {
		o.alive(i+1, 1, "")
	}
	o.update(o.now, o)
	before := o.current.Load()
	o.converted = 0
	m := o.alive(1, 2, "new")
	o.fail(o.table.Get(observedID(500)))
	o.table.SetState(o.now, o.table.Get(observedID(2)), wire.StateSuspect)
	o.update(o.now, o)
	if o.converted != 2 {
		t.Errorf("%d members were converted, want the 2 that have changed", o.converted)
	}
	if o.arrivals != 1001 || !slices.Equal(o.turns, []string{"n2 suspect"}) {
		t.Errorf("%d arrivals, turned %q", o.arrivals, o.turns)
	}
	if n := before.len(); n != 1001 || slices.Contains(slices.Collect(before.each), o.convert(&m.Member)) {
		t.Errorf("the snapshot before has changed: %d members", n)
	}
	copied := 0
	after := o.current.Load()
	for i := range min(len(before.others), len(after.others)) {
		if &before.others[i][0] != &after.others[i][0] {
			copied++
		}
	}
	if copied > 3 {
		t.Errorf("%d pages were copied for 3 changes", copied)
	}
	before = after
	o.links = 3
	o.update(o.now, o)
	if after = o.current.Load(); after.links != 3 || before.links != 0 {
		t.Errorf("%d links, and %d before", after.links, before.links)
	}
}

func BenchmarkSnapshotOfOneChange(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000 - 1} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := newObserved(b)
			for i := range n {
				o.alive(i+1, 1, "")
			}
			o.update(o.now, o)
			incarnation := uint64(1)
			for b.Loop() {
				incarnation++
				o.alive(1+int(incarnation)%n, incarnation, "")
				o.update(o.now, o)
			}
		})
	}
}
