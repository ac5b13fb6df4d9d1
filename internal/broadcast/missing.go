package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// missing is a message that was announced and is not here.
type missing struct {
	id    wire.MessageID
	by    []*Neighbor // who has it, and was not asked for it in this turn
	asked []*Neighbor // who was
	of    *Neighbor   // of whom it was last requested; nil for nobody
	first *Neighbor   // who announced it first
	since time.Time
	at    time.Time // when it was last requested
	due   time.Time // when it is requested next
	tries int
	place int // in missingTable.heap
}

// missingTable is what was announced and is not here, in a heap by when it is due.
type missingTable struct {
	byID map[wire.MessageID]*missing
	heap []*missing
}

// forgetNeighbor forgets what a neighbor announced and what was requested of it.
func (t *missingTable) forgetNeighbor(n *Neighbor) {
	is := func(o *Neighbor) bool { return o == n }
	for _, m := range slices.Clone(t.heap) {
		m.by, m.asked = slices.DeleteFunc(m.by, is), slices.DeleteFunc(m.asked, is)
		if m.of == n {
			m.of = nil
		}
		if m.first == n {
			m.first = nil
		}
		if len(m.by)+len(m.asked) == 0 {
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
	last := len(t.heap) - 1
	if i := m.place; i != last {
		t.swap(i, last)
		t.heap[last] = nil
		t.heap = t.heap[:last]
		t.fix(t.heap[i])
		return
	}
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if last == 0 {
		t.heap = nil
	}
}

// fix moves a message to its place after its time has changed.
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
