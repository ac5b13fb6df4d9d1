package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// stopsMax is the maximum number of Stops for different messages sent to a neighbor within stopAgain.
	stopsMax = 16
	// stopAgain is the minimum time before a Stop is repeated to a neighbor that ignores it.
	stopAgain = 50 * time.Millisecond
)

// Begin adds a large message of total bytes that is complete or arriving. pieces is the set of bytes that have arrived;
// the core owns and updates it.
func (d *Disseminator) Begin(now time.Time, id wire.MessageID, total uint32, pieces *rangeset.Set) *Large {
	l := &Large{id: id, total: total, pieces: pieces, began: now, came: [2]time.Time{now, now}}
	d.large[id] = l
	d.kept = append(d.kept, l)
	d.keptOf[id.Origin()] = append(d.keptOf[id.Origin()], l)
	if m := d.missing.byID[id]; m != nil {
		l.owners = append(append(l.owners, m.by...), m.requested...)
	}
	return l
}

// Announced records that the message is announced to n, which may request it.
func (d *Disseminator) Announced(l *Large, n *Neighbor) {
	if l != nil && !slices.Contains(l.awaited, n) {
		l.awaited = append(l.awaited, n)
		d.grant(n)
		n.credit = min(n.credit+rangesMax*triesMax, creditMax)
	}
}

// Piece records that n sends a message. If this is its first piece, n may have answered a request. If nothing more
// arrives, the rest is requested.
func (d *Disseminator) Piece(now time.Time, n *Neighbor, l *Large) {
	if !l.noticed(n) {
		return
	}
	d.came(now, n, l.id)
	if n.linked && !l.complete() {
		d.announced(now, n, l.id, now.Add(n.RTT+d.grace.length))
	}
}

// Complete records that a large message of another node is complete. It schedules an announcement to all neighbors: they
// keep the message for this node until they receive it.
func (d *Disseminator) Complete(now time.Time, l *Large) {
	d.Seen.First(now, &l.id, &d.whole) // its origin may have sent more messages than the window holds since the first piece
	if m := d.missing.byID[l.id]; m != nil {
		d.forget(m)
	}
	if o := d.met(now, nil, &l.id); o != nil {
		d.scheduleAll(now, o)
	}
}

// scheduleAll schedules a digest of an origin to all neighbors.
func (d *Disseminator) scheduleAll(now time.Time, o *origin) {
	for _, n := range d.neighbors {
		d.schedule(now, o, n)
	}
}

// DuplicatePiece records that n sent a known piece of message id; l is nil if the message is no longer kept. It sends n
// a Stop. The first senders of an incomplete message are not stopped: nodes that pass a message on piece by piece, and
// depend only on each other, would otherwise all wait for the rest (PROTOCOL.md Q6).
func (d *Disseminator) DuplicatePiece(out []Outcome, now time.Time, n *Neighbor, id wire.MessageID, l *Large) []Outcome {
	incomplete := l != nil && !l.complete()
	switch {
	case !n.linked || n.repliesToRequest(now):
		return out
	case incomplete && l.early(n):
		return out
	case id == n.stopped && now.Sub(n.stoppedAt) <= max(stopAgain, 2*n.RTT):
		return out
	case !n.mayStop(now):
		return out
	}
	n.stopped, n.stoppedAt = id, now
	d.Stats.Stops++
	out = append(out, Outcome{Kind: SendStop, To: n, Message: id})
	if incomplete { // the message may still be needed
		d.announced(now, n, l.id, now.Add(2*n.RTT+graceMin))
	}
	return out
}

// mayStop reports whether n may be sent one more Stop. n may have many messages on their way and alternate between their
// pieces.
func (n *Neighbor) mayStop(now time.Time) bool {
	if now.Sub(n.stopsSince) > stopAgain {
		n.stopsSince, n.stops = now, 0
	}
	n.stops++
	return n.stops <= stopsMax
}

// HandleStop processes the body of a Stop: n has the message or gets it from another node.
func (d *Disseminator) HandleStop(n *Neighbor, data []byte) (stop wire.MessageID, ok bool) {
	stop, err := wire.ParseStop(data)
	if err != nil {
		d.Stats.Malformed++
		return stop, false
	}
	d.lookup(stop).Shown(n)
	return stop, true
}
