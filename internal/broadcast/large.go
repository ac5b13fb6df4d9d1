package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Large is the dissemination state of a complete or partial large message: the neighbors that sent pieces, that it was
// announced to, and that have it. The methods of a nil Large, which represents a direct message, do nothing.
type Large struct {
	id       wire.MessageID
	total    uint32
	pieces   *rangeset.Set // byte ranges that have arrived; owned by the core
	began    time.Time     // when the first piece arrived, or the message of this node was sent
	came     [2]time.Time  // when the last new piece of each stripe arrived
	from     []*Neighbor   // neighbors that sent pieces, in the order of their first piece
	awaited  []*Neighbor   // neighbors to which it was announced and that have not shown that they have all of it: see Awaited
	owners   []*Neighbor   // neighbors that have shown that they have the message or get it from another node
	released bool
}

// Release drops the state of the message because its bytes are gone.
func (l *Large) Release() {
	if l != nil {
		*l = Large{id: l.id, total: l.total, released: true}
	}
}

func (l *Large) complete() bool { return l.pieces.Covers(0, l.total) }

// noticed records that n sends the message, and reports whether this is the first piece from n.
func (l *Large) noticed(n *Neighbor) (first bool) {
	if slices.Contains(l.from, n) {
		return false
	}
	l.from = append(l.from, n)
	return true
}

// early reports whether n was among the first parentsMin neighbors that sent a piece.
func (l *Large) early(n *Neighbor) bool {
	return slices.Contains(l.from[:min(len(l.from), parentsMin)], n)
}

// Shown records that n has shown that it has the message or gets it from another node. It may still request the message,
// because the other node may fail.
func (l *Large) Shown(n *Neighbor) {
	if l != nil && !slices.Contains(l.owners, n) {
		l.owners = append(l.owners, n)
	}
}

// has records that n has shown by a digest that it has all of the message. A report does not show that, because it also
// covers packets that were given up.
func (l *Large) has(n *Neighbor) {
	l.Shown(n)
	l.awaited = slices.DeleteFunc(l.awaited, func(o *Neighbor) bool { return o == n })
}

// Owned reports whether a neighbor has shown that it has the message.
func (l *Large) Owned() bool { return l != nil && len(l.owners) > 0 }

// Awaited reports whether a neighbor may still request the message: it was announced to the neighbor, and the neighbor,
// which would announce it in turn, has not shown that it has all of it. The neighbor may have failed: a member that was
// taken for dead returns (PROTOCOL.md F4).
func (l *Large) Awaited() bool { return l != nil && len(l.awaited) > 0 }

// Expecting calls yield for each linked neighbor that will probably request the message: it is awaited, and has not shown
// that another node sends it the message.
func (l *Large) Expecting(yield func(*Neighbor) bool) {
	if l == nil {
		return
	}
	for _, n := range l.awaited {
		if n.linked && !slices.Contains(l.owners, n) && !yield(n) {
			return
		}
	}
}

// forgetAll removes a node from those that may request the messages.
func forgetAll(messages []*Large, id wire.NodeID) {
	for _, l := range messages {
		l.forget(id)
	}
}

// forget removes a node, which may have another session now, from those that may request the message, and reports whether it
// was one of them.
func (l *Large) forget(id wire.NodeID) (awaited bool) {
	before := len(l.awaited)
	l.awaited = slices.DeleteFunc(l.awaited, func(n *Neighbor) bool { return n.ID == id })
	return len(l.awaited) < before
}
