package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// missing is a message that was announced but has not arrived.
type missing struct {
	id        wire.MessageID
	by        []*Neighbor // neighbors that have it and were sent no request for it in this turn
	requested []*Neighbor // neighbors that were sent a request for it in this turn
	of        *Neighbor   // the neighbor with the open request; nil for none
	first     *Neighbor   // the neighbor that announced it first
	since     time.Time
	at        time.Time // when it was last requested
	due       time.Time // when it is requested next
	tries     int

	absent  bool             // nothing had arrived when of was asked
	stalled assembly.Stripes // otherwise the stripes of a large message for which of was asked
	failed  bool             // at least half of these stripes were missing

	place int // index in missingTable.heap
}

// missingTable holds the announced messages that have not arrived, in a heap ordered by due time.
type missingTable struct {
	byID map[wire.MessageID]*missing
	heap []*missing
}

// forgetNeighbor drops the announcements of a neighbor and the requests to it.
func (t *missingTable) forgetNeighbor(n *Neighbor) {
	is := func(o *Neighbor) bool { return o == n }
	for _, m := range slices.Clone(t.heap) {
		m.by, m.requested = slices.DeleteFunc(m.by, is), slices.DeleteFunc(m.requested, is)
		if m.of == n {
			m.of = nil
		}
		if m.first == n {
			m.first = nil
		}
		if len(m.by)+len(m.requested) == 0 {
			if m.first != nil {
				m.first.expected--
			}
			delete(t.byID, m.id)
			t.remove(m)
		}
	}
}

func (t *missingTable) push(m *missing) {
	m.place = len(t.heap)
	t.heap = append(t.heap, m)
	t.up(m.place)
}

func (t *missingTable) remove(m *missing) {
	last, i := len(t.heap)-1, m.place
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if i != last {
		t.fix(t.heap[i])
	}
	if last == 0 {
		t.heap = nil
	}
}

// fix restores the heap order after a message's due time has changed.
func (t *missingTable) fix(m *missing) {
	t.up(m.place)
	t.down(m.place)
}

func (t *missingTable) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].place, t.heap[j].place = i, j
}

func (t *missingTable) up(i int) {
	for i > 0 && t.heap[i].due.Before(t.heap[(i-1)/2].due) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (t *missingTable) down(i int) {
	for {
		least := i
		for _, c := range []int{2*i + 1, 2*i + 2} {
			if c < len(t.heap) && t.heap[c].due.Before(t.heap[least].due) {
				least = c
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}
