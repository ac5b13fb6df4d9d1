package assembly

import (
	"slices"
	"time"
)

const (
	incompleteAge   = 30 * time.Second       // a message without progress for this time is given up
	completeAge     = 10 * time.Second       // how long a complete message is kept after all links have had it, if there is room
	AnnouncedAge    = 2 * time.Minute        // maximum of these times while an announcement of it, by or to a link, is open
	requestedWithin = 500 * time.Millisecond // time after a message was last sent in which a node that knows its id may still request it
)

// makeRoom drops the least needed messages, oldest first, until n bytes fit. It never drops the message but.
func (s *Store) makeRoom(now time.Time, but *Assembly, n int) bool {
	for need := range needs {
		for _, a := range slices.Clone(s.all) {
			if s.size+n <= StoreMax {
				return true
			}
			if a != but && !a.Kept && a.need(now) <= need {
				s.Remove(a)
			}
		}
	}
	return s.size+n <= StoreMax
}

// Degrees of need, lowest first.
const (
	needNobody      = iota // complete, and all links have had it
	needAnnounced          // complete, and only announced to a link
	needTransferred        // complete, and needed for retransmission or a slow link; or incomplete and without progress
	needOnly               // a broadcast of this node that no other node has
	needs                  // in progress: it cannot be dropped
)

// need returns the degree of need of a message.
func (a *Assembly) need(now time.Time) int {
	idle := a.Complete() && a.Pending == 0
	stalled := now.Sub(a.Progress) > StallGrace
	switch {
	case a.onlyCopy():
		return needOnly
	case idle && !a.requestable():
		return needNobody
	case idle:
		return needAnnounced
	case a.Complete() || stalled:
		return needTransferred
	}
	return needs
}

// onlyCopy reports whether the message is a broadcast of this node that no other node has.
func (a *Assembly) onlyCopy() bool { return a.Ours && !a.elsewhere() }

// makePlace drops one message that is needed at most for retransmission, and that another node has.
func (s *Store) makePlace() bool {
	for _, a := range s.all {
		if a.Complete() && a.Pending == 0 && !a.onlyCopy() {
			s.Remove(a)
			return true
		}
	}
	return false
}

// Wanted returns the total size of the messages that other nodes may still need: those that are incomplete, not sent to
// all, or sent recently. If all messages use less than half of the room, it returns their total size. expected reports
// whether a neighbor that was heard recently may still request a message.
func (s *Store) Wanted(now time.Time, expected func(*Assembly) bool) (size int) {
	if s.size < StoreMax/2 {
		return s.size
	}
	size, _ = s.needed(now, expected)
	return size
}

// Crowded reports whether messages that other nodes may still need use half of the room or half of the places: see Wanted.
func (s *Store) Crowded(now time.Time, expected func(*Assembly) bool) bool {
	if s.size < StoreMax/2 && len(s.all) < StoreCount/2 {
		return false
	}
	size, count := s.needed(now, expected)
	return size >= StoreMax/2 || count >= StoreCount/2
}

// needed returns the total size and the number of the messages that other nodes may still need.
func (s *Store) needed(now time.Time, expected func(*Assembly) bool) (size, count int) {
	for _, a := range s.all {
		if a.wanted(now, expected) {
			size += a.bytes
			count++
		}
	}
	return size, count
}

// wanted reports whether other nodes may still need the message.
func (a *Assembly) wanted(now time.Time, expected func(*Assembly) bool) bool {
	idle := now.Sub(a.Progress)
	switch {
	case !a.Complete(), a.Pending > 0, idle < requestedWithin:
		return true
	case idle >= completeAge && !a.onlyCopy():
		return false
	}
	return expected(a)
}

// Sweep drops messages that made no progress for too long and those that are no longer needed. promised reports whether
// a link has announced an incomplete message. Sweep returns the number of incomplete messages dropped.
func (s *Store) Sweep(now time.Time, promised func(*Assembly) bool) (lost int) {
	s.all = slices.DeleteFunc(s.all, func(a *Assembly) bool {
		if !a.served(now) && !a.stalled(now, promised) {
			return false
		}
		if !a.Complete() {
			lost++
		}
		s.release(a)
		return true
	})
	if len(s.all) == 0 {
		s.all, s.byID = nil, nil
	}
	return lost
}

// served reports whether a complete message has been kept for long enough.
func (a *Assembly) served(now time.Time) bool {
	idle := now.Sub(a.Progress)
	if !a.Complete() || a.Pending > 0 || idle <= completeAge {
		return false
	}
	return idle > AnnouncedAge || !a.requestable()
}

// stalled reports whether an incomplete message must be given up because it made no progress for too long.
func (a *Assembly) stalled(now time.Time, promised func(*Assembly) bool) bool {
	idle := now.Sub(a.Progress)
	if a.Complete() || a.Kept || idle <= incompleteAge {
		return false
	}
	return idle > AnnouncedAge || a.Direct || !promised(a)
}
