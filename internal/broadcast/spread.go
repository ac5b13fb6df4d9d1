package broadcast

import (
	"slices"
	"time"
)

const (
	// OwnLinks is how many neighbors a message of this node is sent to in full, at least: nobody else has it.
	OwnLinks = 3
	// lazyBacklog is the backlog of small messages, in bytes, beyond which messages are announced only.
	lazyBacklog = 2 << 20
)

// A Queue is the small messages that wait for a neighbor.
type Queue struct {
	Waits bool // any wait
	Full  bool // so many that a message of this node is not to be added
	Bytes int
}

// A Spread decides for one message, neighbor by neighbor, who is sent a full copy. Others are sent an announcement.
type Spread struct {
	extra int // lazy neighbors that are still to be sent a full copy
}

// Spread begins to spread a message. own says that this node made it, so that it goes in full along [OwnLinks] at least.
func (d *Disseminator) Spread(own bool) Spread {
	if !own {
		return Spread{}
	}
	return Spread{extra: OwnLinks - d.Eager()}
}

// Full reports whether n is sent a full copy of a small message. A link at ease carries everything in full.
func (s *Spread) Full(now time.Time, n *Neighbor, q Queue) bool {
	busy := n.load.note(now) || q.Waits
	noExtra := s.extra <= 0 || q.Full
	if lazy := busy && !n.Eager && noExtra; lazy || q.Bytes >= lazyBacklog {
		return false
	}
	s.count(n)
	return true
}

// FullCut reports whether n is sent a full copy of a message that goes to it in pieces, because its path carries only
// smaller datagrams.
func (s *Spread) FullCut(n *Neighbor) bool {
	full := n.Eager || s.extra > 0
	s.count(n)
	return full
}

func (s *Spread) count(n *Neighbor) {
	if !n.Eager {
		s.extra--
	}
}

// A LargeSpread decides for one large message who is sent a full copy of it.
type LargeSpread struct {
	sending int         // links that it goes along in full
	lazy    []*Neighbor // that are sent it in full only if these are too few
}

// Sending tells that the message goes to a neighbor in full already.
func (s *LargeSpread) Sending() { s.sending++ }

// Full reports whether n is sent a full copy. If not, [LargeSpread.Rest] decides.
func (s *LargeSpread) Full(n *Neighbor) bool {
	if !n.Eager {
		s.lazy = append(s.lazy, n)
		return false
	}
	s.sending++
	return true
}

// Rest returns which of the lazy neighbors are sent a full copy, in that order, and which an announcement. whole says
// that all of the message is here. Then it goes along [OwnLinks] at least, along those of parents first: their own
// messages come the other way.
func (s *LargeSpread) Rest(whole bool) (full, announce []*Neighbor) {
	if !whole {
		return nil, s.lazy
	}
	for _, parents := range []bool{true, false} {
		for _, n := range s.lazy {
			if n.Parent == parents && s.sending < OwnLinks {
				s.sending++
				full = append(full, n)
			}
		}
	}
	for _, n := range s.lazy {
		if !slices.Contains(full, n) {
			announce = append(announce, n)
		}
	}
	return full, announce
}

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
