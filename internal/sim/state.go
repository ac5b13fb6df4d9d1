package sim

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
)

// facts is the application's state in a simulation: a set of numbers that only grows, so that merging
// is the union, in any order and as often as it happens. Ascending.
type facts []uint32

func (f *facts) add(n uint32) {
	if i, found := slices.BinarySearch(*f, n); !found {
		*f = slices.Insert(*f, i, n)
	}
}

func (f facts) encode() []byte {
	b := make([]byte, 0, 4*len(f))
	for _, n := range f {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func (f *facts) merge(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		f.add(binary.BigEndian.Uint32(b))
	}
}

// Learn makes the applications of nodes know of something new that they tell nobody: only exchanges of
// state carry it.
func (c *Cluster) Learn(nodes ...*Node) {
	c.learnt++
	for _, n := range nodes {
		n.facts.add(c.learnt)
	}
}

// Unaware counts the nodes that run and do not know all that any of them knows.
func (c *Cluster) Unaware() (count int) {
	var all facts
	up := c.Up()
	for _, n := range up {
		for _, f := range n.facts {
			all.add(f)
		}
	}
	for _, n := range up {
		if len(n.facts) < len(all) {
			count++
		}
	}
	return count
}

// answer is the application asked for its state, or handed another's.
func (n *Node) answer(now time.Time, e *event.Event) {
	switch e.Kind {
	case event.StateWanted:
		n.Core.AnswerState(now, e.State, n.facts.encode())
	case event.State:
		n.facts.merge(e.Data)
		n.Core.StateMerged(now, e.State)
	}
}
