package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Large is a large message that is here, whole or in part, as dissemination sees it: who sent pieces of it, who was told of
// it and who has it. The methods of a nil Large, which stands for a direct message, do nothing.
type Large struct {
	id       wire.MessageID
	total    uint32
	pieces   *rangeset.Set // what has arrived; the core's
	came     time.Time     // when the last new piece came
	whole    time.Time     // when all of it had come from other nodes; zero for a message of this node
	from     []notice      // who sent pieces, in the order of their first ones
	told     []*Neighbor   // to whom it is announced
	owners   []*Neighbor   // who has shown that it has the message, or gets it from another node
	released bool
}

// notice is when a neighbor first sent a piece of a message.
type notice struct {
	neighbor *Neighbor
	at       time.Time
}

// Release forgets the message, because its bytes are gone.
func (l *Large) Release() {
	if l != nil {
		*l = Large{id: l.id, total: l.total, released: true}
	}
}

func (l *Large) complete() bool { return l.pieces.Covers(0, l.total) }

// noticed takes note that n sends the message, and reports whether this is its first piece.
func (l *Large) noticed(now time.Time, n *Neighbor) (first bool) {
	if slices.ContainsFunc(l.from, func(first notice) bool { return first.neighbor == n }) {
		return false
	}
	l.from = append(l.from, notice{n, now})
	return true
}

// NewPiece takes note that a piece came that was not here before.
func (l *Large) NewPiece(now time.Time) { l.came = now }

// early reports whether n was among the first that sent a piece.
func (l *Large) early(n *Neighbor) bool {
	first := l.from[:min(len(l.from), parentsMin)]
	return slices.ContainsFunc(first, func(first notice) bool { return first.neighbor == n })
}

// Shown takes note that n has shown that it has the message, or gets it from another node.
func (l *Large) Shown(n *Neighbor) { l.shown(n) }

func (l *Large) shown(n *Neighbor) {
	if l != nil && !slices.Contains(l.owners, n) {
		l.owners = append(l.owners, n)
	}
}

// Owned reports whether a neighbor has shown that it has the message.
func (l *Large) Owned() bool { return l != nil && len(l.owners) > 0 }

// Awaiting calls yield with each linked neighbor that may still request the message: it is announced to it, and the neighbor,
// which would announce it in turn, has not shown that it has it.
func (l *Large) Awaiting(yield func(*Neighbor) bool) {
	if l == nil {
		return
	}
	for _, n := range l.told {
		if n.linked && !slices.Contains(l.owners, n) && !yield(n) {
			return
		}
	}
}

// Awaited reports whether a neighbor may still request the message.
func (l *Large) Awaited() bool {
	for range l.Awaiting {
		return true
	}
	return false
}
