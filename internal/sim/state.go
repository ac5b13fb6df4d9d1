package sim

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
)

// facts is the application's state in a simulation: an ascending set of numbers that only grows. Merging is the
// union, so order and repetition do not matter.
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

// Learn adds a new fact to the applications of nodes. They do not broadcast it, so only exchanges of state carry it.
func (c *Cluster) Learn(nodes ...*Node) {
	c.learnt++
	for _, n := range nodes {
		n.facts.add(c.learnt)
	}
}

// Unaware returns how many running nodes do not know every fact that some running node knows.
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

// answer handles the events in which the core requests the application's state or passes it another node's state.
func (n *Node) answer(now time.Time, e *event.Event) {
	switch e.Kind {
	case event.StateWanted:
		n.Core.AnswerState(now, e.State, n.facts.encode())
	case event.State:
		n.facts.merge(e.Data)
		n.Core.StateMerged(now, e.State)
	}
}
