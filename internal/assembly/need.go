package assembly

import (
	"slices"
	"time"
)

const (
	incompleteAge   = 30 * time.Second       // a message without progress for so long is given up
	completeAge     = 10 * time.Second       // how long a complete one is kept once all links have had it, if there is room
	AnnouncedAge    = 2 * time.Minute        // and up to so long while an announcement of it, by or to a link, is open
	requestedWithin = 500 * time.Millisecond // after a message was last sent on, a node that knows of it by name may still request it
)

// makeRoom forgets what is needed least until n bytes fit, oldest first. but is not forgotten.
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

// Degrees of need, the least first.
const (
	needNobody      = iota // complete, and all links have had it
	needAnnounced          // complete, and a link was only told of it
	needTransferred        // complete, and repair or a slow link still wants it; or incomplete and without progress
	needOnly               // a broadcast of this node that nobody else has
	needs                  // in progress: it cannot be forgotten
)

// need returns how much a message is needed.
func (a *Assembly) need(now time.Time) int {
	idle := a.Complete() && a.Pending == 0
	stalled := now.Sub(a.Progress) > StallGrace
	switch {
	case idle && !a.requestable():
		return needNobody
	case idle:
		return needAnnounced
	case a.Ours && !a.elsewhere():
		return needOnly
	case a.Complete() || stalled:
		return needTransferred
	}
	return needs
}

// makePlace forgets one message that only repair could still want.
func (s *Store) makePlace() bool {
	for _, a := range s.all {
		if a.Complete() && a.Pending == 0 {
			s.Remove(a)
			return true
		}
	}
	return false
}

// Wanted returns the bytes of the messages that others may still want: those that are not complete, not sent to all, or
// were sent just now. If all messages take less than half of the room, it returns what they take. expected reports whether
// a neighbor that is heard may still request a message.
func (s *Store) Wanted(now time.Time, expected func(*Assembly) bool) (size int) {
	if s.size < StoreMax/2 {
		return s.size
	}
	for _, a := range s.all {
		if a.wanted(now, expected) {
			size += a.bytes
		}
	}
	return size
}

// Crowded reports whether half of the room is taken by messages that others may still want: see Wanted.
func (s *Store) Crowded(now time.Time, expected func(*Assembly) bool) bool {
	return s.Wanted(now, expected) >= StoreMax/2
}

// wanted reports whether others may still want the message.
func (a *Assembly) wanted(now time.Time, expected func(*Assembly) bool) bool {
	idle := now.Sub(a.Progress)
	switch {
	case !a.Complete(), a.Pending > 0, idle < requestedWithin:
		return true
	case idle >= completeAge:
		return false
	}
	return expected(a)
}

// Sweep gives up what made no progress for long, and forgets what nobody needs any more. promised reports whether a link
// has announced a message that is not complete. Sweep returns how many of these were given up.
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

// stalled reports whether an incomplete message has made no progress for so long that it is given up.
func (a *Assembly) stalled(now time.Time, promised func(*Assembly) bool) bool {
	idle := now.Sub(a.Progress)
	if a.Complete() || a.Kept || idle <= incompleteAge {
		return false
	}
	return idle > AnnouncedAge || a.Direct || !promised(a)
}
