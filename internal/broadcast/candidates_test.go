package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// newZones returns a world with links to neighbors of this node's zone and then to those of another zone, which are
// 100 ms away.
func newZones(t *testing.T, local, remote int) *world {
	w := newWorld(t, local)
	for range remote {
		n := &Neighbor{}
		w.near = append(w.near, n)
		w.d.LinkUp(n, wire.NodeID{byte(len(w.near))}, 200*time.Millisecond, true)
	}
	return w
}

// arrive lets copies of one message arrive, 1 ms after each other, from the neighbors with the given indices, and lets
// the probe end.
func (w *world) arrive(counter uint64, from ...int) {
	w.t.Helper()
	var list []*Neighbor
	for _, i := range from {
		list = append(list, w.near[i])
	}
	w.copies(counter, time.Millisecond, list...)
	w.run(time.Second)
	w.beat()
}

// PROTOCOL.md Q18.
func TestParentsAreOfTheZoneOfANodeUnlessItCarries(t *testing.T) {
	for _, c := range []struct {
		name string
		from []int // 0 to 2 are of this zone, 3 to 5 of another
		want []int
	}{
		{"first copy from its zone", []int{0, 3, 4, 1, 2, 5}, []int{0, 1}},
		{"the same, the other zone is quick", []int{0, 3, 4, 5, 1, 2}, []int{0, 1}},
		{"first copy from another zone", []int{3, 0, 1, 4, 2, 5}, []int{0, 3, 4}},
		{"no copy from its zone", []int{3, 4, 5}, []int{3, 4}},
		{"one copy from its zone", []int{3, 4, 5, 1}, []int{1, 3, 4}},
		{"none from another zone", []int{2, 1, 0}, []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newZones(t, 3, 3)
			w.arrive(1, c.from...)
			if got := w.parents(); !slices.Equal(got, c.want) {
				t.Errorf("parents %v, want %v", got, c.want)
			}
		})
	}
}

// PROTOCOL.md Q18.
func TestZoneThatIsTooSlowBringsNoMessages(t *testing.T) {
	for _, c := range []struct {
		after time.Duration // copies of the zone after those of the other zone
		want  []int
	}{{5 * time.Millisecond, []int{0, 2, 3}}, {10 * time.Millisecond, []int{2, 3}}} {
		t.Run(c.after.String(), func(t *testing.T) {
			w := newZones(t, 2, 2)
			m := id(1)
			w.d.Seen.First(w.now, &m, nil)
			w.d.First(w.now, w.near[2], &m, 0)
			w.d.Duplicate(w.now, w.near[3], &m, 0)
			w.run(c.after)
			w.d.Duplicate(w.now, w.near[0], &m, 0)
			w.d.Duplicate(w.now, w.near[1], &m, 0)
			w.run(time.Second)
			w.beat()
			if got := w.parents(); !slices.Equal(got, c.want) {
				t.Errorf("parents %v, want %v", got, c.want)
			}
		})
	}
}

// PROTOCOL.md Q18.
func TestCarrierEndsWhenItsZoneIsQuicker(t *testing.T) {
	w := newZones(t, 3, 3)
	w.arrive(1, 3, 0, 1, 2, 4, 5)
	if got := w.parents(); !slices.Equal(got, []int{0, 3, 4}) {
		t.Fatalf("parents %v of a carrier", got)
	}
	w.arrive(2, 0, 3, 4)
	if got := w.parents(); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("parents %v, want those of its zone", got)
	}
}

// PROTOCOL.md Q18.
func TestCarrierStaysWhileOneOfItsMessagesIsTheFirst(t *testing.T) {
	w := newZones(t, 3, 3)
	w.arrive(1, 3, 0, 1, 2, 4, 5)
	for c := uint64(2); c < 6; c++ {
		first, second := w.near[0], w.near[3]
		if c == 4 { // it is not the probe
			first, second = second, first
		}
		m := id(c)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, first, &m, 0)
		w.d.Duplicate(w.now, second, &m, 0)
	}
	w.run(time.Second)
	w.beat()
	if got := w.parents(); !slices.Equal(got, []int{0, 3, 4}) {
		t.Errorf("parents %v, want those of a carrier", got)
	}
}

// PROTOCOL.md Q18: a zone whose carriers have crashed gets others.
func TestNodeThatRequestsAMessageFromAnotherZoneCarries(t *testing.T) {
	w := newZones(t, 3, 3)
	w.arrive(1, 0, 1, 2, 3, 4, 5)
	if got := w.parents(); !slices.Equal(got, []int{0, 1}) {
		t.Fatalf("parents %v", got)
	}
	w.digest(w.near[3], digest.Digest{Origin: testOrigin, Top: 2})
	w.run(100 * time.Millisecond)
	m := id(2)
	if got := w.requested(w.near[3]); !slices.Equal(got, []wire.MessageID{m}) {
		t.Fatalf("requested %v, want %v", got, m)
	}
	w.d.Seen.First(w.now, &m, nil)
	w.d.First(w.now, w.near[3], &m, 0)
	if !w.d.IsParent(testOrigin, w.near[3]) {
		t.Error("the neighbor that answered is no parent")
	}
	w.arrive(3, 3, 0, 1)
	if !w.d.IsParent(testOrigin, w.near[3]) {
		t.Error("the neighbor that was first is no parent")
	}
}

// PROTOCOL.md Q18: its delay as a carrier is lower than those of all neighbors of its zone.
func TestFormerCarrierHasAFirstParentInItsZone(t *testing.T) {
	w := newZones(t, 3, 1)
	w.arrive(1, 3, 0, 1, 2)
	for c := uint64(2); c < 4; c++ {
		m := id(c)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, w.near[1], &m, 1100) // later than the way along the neighbor of the other zone
		w.run(100 * time.Microsecond)
		w.d.Duplicate(w.now, w.near[0], &m, 1300) // it has the messages from this node
		w.run(2 * time.Second)
		w.beat()
	}
	if o := w.d.origins.byID[testOrigin]; o.delay != 1150 {
		t.Errorf("delay %d, want that along its zone", o.delay)
	}
	if got := w.parents(); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("parents %v, want two of its zone", got)
	}
}

// PROTOCOL.md Q3.
func TestFewMessagesExploreAcrossZones(t *testing.T) {
	for _, c := range []struct {
		counter       uint64
		local, remote bool
	}{{1, false, false}, {64, true, false}, {4096, true, true}} {
		w := newZones(t, 1, 1)
		m := id(c.counter)
		w.d.Own(w.now, &m)
		for i, want := range []bool{c.local, c.remote} {
			w.steered(w.near[i], testOrigin, true, false)
			if s := w.d.Spread(&m); s.Full(w.now, w.near[i], Queue{}) != want {
				t.Errorf("message %d: a full copy to neighbor %d is %v, want %v", c.counter, i, !want, want)
			}
		}
	}
}
