package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// stopsMax is how many messages a neighbor is asked to stop in graftAgain.
const stopsMax = 16

// DuplicatePiece takes note that n sent a piece of the message id that was here already; l is nil if the message is not
// here any more. It stops n if there are quicker neighbors, or if n was stopped and has not heard that. The first
// neighbors that sent a message go on until it is whole: nodes that pass a message on piece by piece, and depend on
// each other only, would otherwise all wait for the rest.
func (d *Disseminator) DuplicatePiece(out []Outcome, now time.Time, n *Neighbor, id wire.MessageID, l *Large) []Outcome {
	incomplete := l != nil && !l.complete()
	stopped := id == n.stopped && now.Sub(n.steered) <= max(graftAgain, 2*n.RTT)
	switch {
	case !n.linked || n.repliesToRequest(now):
		return out
	case incomplete && l.early(n):
		return out
	case stopped:
		return out
	case !n.mayStop(now):
		return out
	}
	if n.Parent && d.Parents() <= parentsMax {
		out = d.stop(out, now, n, id)
	} else {
		out = d.prune(out, now, n, id)
	}
	if incomplete { // it may still be needed
		out = d.expect(out, n, announcement{id: l.id, total: l.total, at: now, due: now.Add(2*n.RTT + graceMin)})
	}
	return out
}

// repliesToRequest reports whether pieces from n may be what was requested of it.
func (n *Neighbor) repliesToRequest(now time.Time) bool {
	return now.Sub(n.requested) < 4*n.RTT+graceMin
}

// mayStop reports whether n is asked to stop one more message. It may have many on their way, and send the pieces of
// each after another's.
func (n *Neighbor) mayStop(now time.Time) bool {
	if now.Sub(n.stopsSince) > graftAgain {
		n.stopsSince, n.stops = now, 0
	}
	n.stops++
	return n.stops <= stopsMax
}

// Piece takes note that n sends a message. If this is its first piece, n may have answered a request.
func (d *Disseminator) Piece(now time.Time, n *Neighbor, l *Large) {
	if l.noticed(now, n) {
		d.supplied(now, n, &l.id)
	}
}
