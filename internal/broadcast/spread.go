package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// OwnLinks is how many neighbors a message of this node is sent to in full, at least: nobody else has it.
	OwnLinks = 3
	// lazyBacklog is the backlog of small messages, in bytes, beyond which a neighbor gets digests only.
	lazyBacklog = 2 << 20
)

// A Queue is the small messages that wait for a neighbor.
type Queue struct {
	Full  bool // so many that a message of this node is not to be added
	Bytes int
}

// A Spread decides for one message, neighbor by neighbor, who is sent a full copy.
type Spread struct {
	origin *origin // nil if nothing is known of it, or the message floods
	extra  int     // lazy neighbors that are still to be sent a full copy
}

// Spread begins to spread a message. One of this node goes in full along [OwnLinks] at least.
func (d *Disseminator) Spread(id *wire.MessageID) (s Spread) {
	if !id.HasOrigin() || explores(id) {
		return Spread{}
	}
	s.origin = d.origins.byID[id.Origin()]
	if id.Origin() == d.cfg.Self {
		s.extra = OwnLinks - d.eager(s.origin)
	}
	return s
}

// SpreadLarge begins to spread a message in pieces. One of this node goes in full along [OwnLinks] at least.
func (d *Disseminator) SpreadLarge(own bool) (s Spread) {
	s.origin = d.pieces
	if own {
		s.extra = OwnLinks - d.eager(s.origin)
	}
	return s
}

// eager returns how many neighbors are sent full copies of the messages of an origin.
func (d *Disseminator) eager(o *origin) (count int) {
	for _, n := range d.neighbors {
		if o.sendsFull(n) {
			count++
		}
	}
	return count
}

// Full reports whether n is sent a full copy of a small message.
func (s *Spread) Full(now time.Time, n *Neighbor, q Queue) bool {
	full := s.origin.sendsFull(n)
	switch {
	case q.Bytes >= lazyBacklog:
		return false
	case !full && (s.extra <= 0 || q.Full):
		return false
	case !full:
		s.extra--
	}
	n.load.note(now)
	return true
}

// FullLarge reports whether n is sent a full copy of a large message.
func (s *Spread) FullLarge(n *Neighbor) bool {
	full := s.origin.sendsFull(n)
	if !full && s.extra > 0 {
		s.extra--
		full = true
	}
	return full
}

// Eager reports whether n is sent full copies of the small messages of this node.
func (d *Disseminator) Eager(n *Neighbor) bool { return d.origins.byID[d.cfg.Self].sendsFull(n) }

// An Admission decides whether a message of this node is taken now. It is refused if an eager neighbor's queue is full,
// because that neighbor would fall behind and lose messages. If fewer than [OwnLinks] neighbors are eager, so many
// lazy ones must have room that the message goes along OwnLinks, or along all links if there are fewer.
type Admission struct {
	full         bool // an eager neighbor has a full queue
	eager        int
	others, open int // neighbors that are lazy or gone from gossip, and those of them with room
}

// Link takes a link into account. The core leaves out links that must not hold a message up.
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
