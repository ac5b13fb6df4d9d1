package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// OwnLinks is the minimum number of neighbors sent a full copy of a message of this node: no other node has it.
	OwnLinks = 3
	// lazyBacklog is the backlog of small messages, in bytes, from which a neighbor gets only digests.
	lazyBacklog = 2 << 20
)

// A Queue describes the small messages queued for a neighbor.
type Queue struct {
	Full  bool // no message of this node may be added
	Bytes int
}

// A Spread decides for one message, neighbor by neighbor, whether to send a full copy.
type Spread struct {
	id     *wire.MessageID
	origin *origin // nil if it is unknown
	extra  int     // number of lazy neighbors still to be sent a full copy
}

// Spread begins to spread a message. A message of this node is sent in full on at least [OwnLinks] links
// (PROTOCOL.md Q3).
func (d *Disseminator) Spread(id *wire.MessageID) (s Spread) {
	if !id.HasOrigin() {
		return Spread{}
	}
	s.id = id
	s.origin = d.origins.byID[id.Origin()]
	if id.Origin() == d.cfg.Self {
		s.extra = OwnLinks - d.eager(s.origin)
	}
	return s
}

// eager returns the number of neighbors that are sent full copies of an origin's messages.
func (d *Disseminator) eager(o *origin) (count int) {
	for _, n := range d.neighbors {
		if o.sendsFull(n) {
			count++
		}
	}
	return count
}

// Full reports whether to send n a full copy of a small message.
func (s *Spread) Full(now time.Time, n *Neighbor, q Queue) bool {
	full := s.origin.sendsFull(n) || explores(s.id, n)
	switch {
	case q.Bytes >= lazyBacklog:
		return false
	case !full && (s.extra <= 0 || q.Full):
		return false
	case !full:
		s.extra--
	}
	n.load.Note(now)
	return true
}

// Eager reports whether n is sent full copies of this node's small messages.
func (d *Disseminator) Eager(n *Neighbor) bool { return d.origins.byID[d.cfg.Self].sendsFull(n) }

// An Admission decides whether to accept a message of this node now. It refuses the message if an eager neighbor's queue
// is full, because that neighbor would fall behind and lose messages. If fewer than [OwnLinks] neighbors are eager,
// enough lazy ones must have room for OwnLinks full copies, or for one on every link if there are fewer.
type Admission struct {
	full         bool // an eager neighbor has a full queue
	eager        int
	others, open int // other neighbors, and those of them with room
}

// Link takes a link into account. The core leaves out links that must not block a message.
func (a *Admission) Link(eager, full bool) {
	switch {
	case eager:
		a.eager++
		a.full = a.full || full
	default:
		a.others++
		if !full {
			a.open++
		}
	}
}

// Refused reports whether the message is refused.
func (a *Admission) Refused() bool { return a.full || a.open < min(OwnLinks-a.eager, a.others) }
