package broadcast

import (
	"slices"
	"testing"
	"time"
)

// busy makes the link with n busy.
func (w *world) busy(n *Neighbor) {
	s := w.d.Spread(false)
	for range busyCount {
		s.Full(w.now, n, Queue{})
	}
}

func TestLinkAtEaseCarriesEverythingInFull(t *testing.T) {
	w := newWorld(t, 3)
	for _, n := range w.near {
		n.Eager = false
	}
	for range 100 {
		w.now = w.now.Add(busySpan)
		s := w.d.Spread(false)
		for i, n := range w.near {
			if !s.Full(w.now, n, Queue{}) {
				t.Fatalf("announced to neighbor %d on a link at ease", i)
			}
		}
	}
}

func TestBusyLinkCarriesAnnouncementsToLazyNeighbors(t *testing.T) {
	for _, c := range []struct {
		name        string
		eager, busy bool
		queue       Queue
		full        bool
	}{
		{"eager and busy", true, true, Queue{Waits: true, Bytes: 1000}, true},
		{"lazy at ease", false, false, Queue{}, true},
		{"lazy and busy", false, true, Queue{}, false},
		{"lazy with a queue", false, false, Queue{Waits: true, Bytes: 1}, false},
		{"eager and far behind", true, false, Queue{Waits: true, Full: true, Bytes: lazyBacklog}, false},
		{"eager with a full queue", true, true, Queue{Waits: true, Full: true, Bytes: lazyBacklog - 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			n := w.near[0]
			if n.Eager = c.eager; c.busy {
				w.busy(n)
			}
			s := w.d.Spread(false)
			if got := s.Full(w.now, n, c.queue); got != c.full {
				t.Errorf("full %v, want %v", got, c.full)
			}
		})
	}
}

func TestMessageOfThisNodeGoesAlongAFewLinksInFull(t *testing.T) {
	for eager := range 6 {
		w := newWorld(t, 6)
		full := 0
		for i, n := range w.near {
			w.busy(n)
			n.Eager = i >= 6-eager // the lazy ones come first
		}
		s := w.d.Spread(true)
		for _, n := range w.near {
			if s.Full(w.now, n, Queue{}) {
				full++
			}
		}
		if want := max(eager, OwnLinks); full != want {
			t.Errorf("%d eager neighbors: %d full copies, want %d", eager, full, want)
		}
	}
}

func TestLazyNeighborWithAFullQueueIsNotChosenForAMessageOfThisNode(t *testing.T) {
	w := newWorld(t, 5)
	for _, n := range w.near {
		w.busy(n)
		n.Eager = false
	}
	var full []int
	s := w.d.Spread(true)
	for i, n := range w.near {
		if s.Full(w.now, n, Queue{Waits: true, Full: i == 0}) {
			full = append(full, i)
		}
	}
	if !slices.Equal(full, []int{1, 2, 3}) {
		t.Errorf("full copies to %v", full)
	}
}

func TestMessageThatIsCutCountsAmongTheFullCopies(t *testing.T) {
	w := newWorld(t, 5)
	for _, n := range w.near {
		n.Eager = false
	}
	s := w.d.Spread(true)
	var full []bool
	for _, n := range w.near {
		full = append(full, s.FullCut(n))
	}
	if !slices.Equal(full, []bool{true, true, true, false, false}) {
		t.Errorf("full %v", full)
	}
	s = w.d.Spread(false)
	if s.FullCut(w.near[0]) {
		t.Error("a message of another node goes to a lazy neighbor in pieces")
	}
	if w.near[1].Eager = true; !s.FullCut(w.near[1]) {
		t.Error("it does not go to an eager one")
	}
}

func TestLinkIsBusyUntilASpanWithFewMessages(t *testing.T) {
	var l load
	now := time.Unix(0, 0)
	notes := func(n int, each time.Duration) (busy bool) {
		for range n {
			now = now.Add(each)
			busy = l.note(now)
		}
		return busy
	}
	if notes(busyCount-1, 0) {
		t.Error("busy too early")
	}
	if !notes(1, 0) {
		t.Error("not busy")
	}
	if !notes(500, 100*time.Microsecond) {
		t.Error("not busy any more under load")
	}
	if notes(2, 3*busySpan) {
		t.Error("busy after a pause")
	}
	if notes(200, 2*time.Millisecond) {
		t.Error("busy with ten messages in a span")
	}
}

func TestLargeMessageOfAnotherNodeGoesToEagerNeighbors(t *testing.T) {
	w := newWorld(t, 4)
	w.near[1].Eager, w.near[3].Eager = false, false
	var s LargeSpread
	var full []int
	for i, n := range w.near {
		if s.Full(n) {
			full = append(full, i)
		}
	}
	more, announce := s.Rest(false)
	if !slices.Equal(full, []int{0, 2}) || len(more) != 0 {
		t.Errorf("full copies to %v and %v", full, places(w, more))
	}
	if !slices.Equal(places(w, announce), []int{1, 3}) {
		t.Errorf("announced to %v", places(w, announce))
	}
}

func TestLargeMessageOfThisNodeGoesAlongAFewLinksThoseOfParentsFirst(t *testing.T) {
	w := newWorld(t, 5)
	w.lone(2, 4)
	for _, n := range w.near {
		n.Eager = false
	}
	var s LargeSpread
	for _, n := range w.near {
		s.Full(n)
	}
	full, announce := s.Rest(true)
	if !slices.Equal(places(w, full), []int{2, 4, 0}) {
		t.Errorf("full copies to %v", places(w, full))
	}
	if !slices.Equal(places(w, announce), []int{1, 3}) {
		t.Errorf("announced to %v", places(w, announce))
	}
}

func TestLinksThatALargeMessageGoesAlongAlreadyCount(t *testing.T) {
	w := newWorld(t, 3)
	for _, n := range w.near {
		n.Eager = false
	}
	var s LargeSpread
	for range OwnLinks - 1 {
		s.Sending()
	}
	for _, n := range w.near {
		s.Full(n)
	}
	if full, announce := s.Rest(true); len(full) != 1 || len(announce) != 2 {
		t.Errorf("%d full copies, %d announcements", len(full), len(announce))
	}
}

func TestMessageOfThisNodeIsRefusedWhenItsLinksHaveNoRoom(t *testing.T) {
	type link struct{ eager, full bool }
	eager, lazy := link{eager: true}, link{}
	eagerFull, lazyFull := link{true, true}, link{full: true}
	for _, c := range []struct {
		name    string
		links   []link
		refused bool
	}{
		{"no links", nil, false},
		{"all have room", []link{eager, eager, eager, lazy}, false},
		{"an eager neighbor is full", []link{eager, eager, eager, eagerFull}, true},
		{"lazy neighbors are full, enough are eager", []link{eager, eager, eager, lazyFull, lazyFull}, false},
		{"too few are eager, and lazy ones are full", []link{eager, lazyFull, lazyFull}, true},
		{"one lazy neighbor of three has room", []link{eager, lazy, lazyFull, lazyFull}, true},
		{"two lazy neighbors of three have room", []link{eager, lazy, lazy, lazyFull}, false},
		{"one link that has room", []link{lazy}, false},
		{"one link that is full", []link{lazyFull}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a Admission
			for _, l := range c.links {
				a.Link(l.eager, l.full)
			}
			if got := a.Refused(); got != c.refused {
				t.Errorf("refused %v, want %v", got, c.refused)
			}
		})
	}
}

func TestSpreadAllocatesNothing(t *testing.T) {
	w := newWorld(t, 9)
	got := testing.AllocsPerRun(100, func() {
		s := w.d.Spread(true)
		for _, n := range w.near {
			s.Full(w.now, n, Queue{})
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}
