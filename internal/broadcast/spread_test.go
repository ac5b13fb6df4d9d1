package broadcast

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md Q3.
func TestLazyNeighborsGetNoFullCopies(t *testing.T) {
	for _, c := range []struct {
		name  string
		lazy  bool
		queue Queue
		full  bool
	}{
		{"eager", false, Queue{}, true},
		{"lazy", true, Queue{}, false},
		{"eager and far behind", false, Queue{Full: true, Bytes: lazyBacklog}, false},
		{"eager with a full queue", false, Queue{Full: true, Bytes: lazyBacklog - 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2)
			w.met(w.near[1], 1)
			n, m := w.near[0], id(2)
			w.steered(n, testOrigin, true, false)
			w.steered(n, testOrigin, c.lazy, false)
			s := w.d.Spread(&m)
			if got := s.Full(w.now, n, c.queue); got != c.full {
				t.Errorf("full %v, want %v", got, c.full)
			}
		})
	}
}

func TestPruneOfOneOriginDoesNotConcernOthers(t *testing.T) {
	w := newWorld(t, 1)
	w.met(w.near[0], 1)
	w.steered(w.near[0], testOrigin, true, false)
	other := wire.BroadcastID(0x8123, 1)
	if s := w.d.Spread(&other); !s.Full(w.now, w.near[0], Queue{}) {
		t.Error("it gets no full copies of another origin's messages")
	}
}

// PROTOCOL.md Q3.
func TestMessageOfThisNodeGoesAlongAFewLinksInFull(t *testing.T) {
	w := newWorld(t, 6)
	for _, n := range w.near {
		w.steered(n, testSelf, true, false)
	}
	m := wire.BroadcastID(testSelf, 1)
	small, smalls := w.d.Spread(&m), 0
	for i, n := range w.near {
		if small.Full(w.now, n, Queue{Full: i == 0}) {
			smalls++
			if i == 0 {
				t.Error("a lazy neighbor with a full queue is chosen")
			}
		}
	}
	if smalls != OwnLinks {
		t.Errorf("a message goes along %d links, want %d", smalls, OwnLinks)
	}
}

// PROTOCOL.md Q13.
func TestLinkIsBusyUntilASpanWithFewMessages(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	send := func(count int) {
		for c := range uint64(count) {
			m := id(c)
			s := w.d.Spread(&m)
			s.Full(w.now, n, Queue{})
		}
	}
	send(pacing.BusyCount - 1)
	if n.Busy() {
		t.Error("it is busy too early")
	}
	send(1)
	if !n.Busy() {
		t.Error("it is not busy")
	}
	w.now = w.now.Add(pacing.BusyPeriod + time.Millisecond)
	send(1)
	w.now = w.now.Add(pacing.BusyPeriod + time.Millisecond)
	send(1)
	if n.Busy() {
		t.Error("it is busy for ever")
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
	m := wire.BroadcastID(testSelf, 1)
	got := testing.AllocsPerRun(100, func() {
		s := w.d.Spread(&m)
		for _, n := range w.near {
			s.Full(w.now, n, Queue{})
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}
