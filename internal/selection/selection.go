// Package selection keeps what the application says of which members a node may choose, to subscribe to and for
// push/pulls. It is pure: time is an argument, and whoever owns a Selection asks the application.
package selection

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// Wait is how long a choice waits for the application. After that, members that were never judged count as
	// selected: an application that blocks must not keep its node out of the cluster.
	Wait = time.Second
	// Pause is the least time between two questions, unless the node has no link.
	Pause = 250 * time.Millisecond
	// Keep is how long a preferred member stays the preferred one although the application names another. An
	// application may draw lots for it, and each change of it costs a link.
	Keep = 5 * time.Minute
)

// A Selection is the application's last answer, and how the next one is waited for. The zero Selection waits for
// the first, if it is Used. Not for concurrent use.
type Selection struct {
	Used bool // otherwise nobody is asked, and all members may be chosen

	asked    time.Time     // when the application was last asked
	version  uint64        // of the members that it was asked about
	pending  []wire.NodeID // the members of the question without an answer; nil if there is none
	answered bool

	judged    map[wire.NodeID]bool // the members of the last answer, and whether they are selected
	latest    wire.NodeID          // that the last answer preferred; zero for none
	preferred wire.NodeID          // see Preferred
	since     time.Time            // when it became that
}

// Pending reports whether a question has no answer yet.
func (s *Selection) Pending() bool { return s.pending != nil }

// Due says whether to ask about the members in their given version now, or else when to look again; zero for not
// before they change. A node without a link is urgent.
func (s *Selection) Due(now time.Time, version uint64, urgent bool) (ask bool, again time.Time) {
	switch since := now.Sub(s.asked); {
	case !s.Used:
		return false, time.Time{}
	case s.Pending() && since < Wait:
		return false, s.asked.Add(Wait)
	case s.Pending(), s.answered && s.version == version:
		return false, time.Time{}
	case !urgent && since < Pause:
		return false, s.asked.Add(Pause)
	}
	return true, now.Add(Wait)
}

// Asked takes note that the application was asked about members, oneself among them.
func (s *Selection) Asked(now time.Time, version uint64, members []wire.NodeID) {
	s.asked, s.version, s.pending = now, version, members
}

// Answered takes in the answer to the question that is pending. What it names beyond the members of the question
// does not count.
func (s *Selection) Answered(now time.Time, selected []wire.NodeID, preferred wire.NodeID) {
	s.judged = make(map[wire.NodeID]bool, len(s.pending))
	for _, id := range s.pending {
		s.judged[id] = false
	}
	for _, id := range selected {
		s.choose(id)
	}
	if s.latest = (wire.NodeID{}); s.choose(preferred) {
		s.latest = preferred
	}
	if !s.judged[s.preferred] || now.Sub(s.since) >= Keep {
		s.preferred, s.since = s.latest, now
	}
	s.pending, s.answered = nil, true
}

func (s *Selection) choose(id wire.NodeID) bool {
	_, known := s.judged[id]
	if known {
		s.judged[id] = true
	}
	return known
}

// Allows reports whether a member may be chosen. One that the application was not asked about waits for its next
// answer, which mostly comes at once.
func (s *Selection) Allows(now time.Time, id wire.NodeID) bool {
	if !s.Used {
		return true
	}
	allowed, judged := s.judged[id]
	overdue := s.Pending() && now.Sub(s.asked) >= Wait
	return allowed || !judged && overdue
}

// Latest is the member that the last answer preferred; zero for none.
func (s *Selection) Latest() wire.NodeID { return s.latest }

// Preferred is the member that is subscribed to before all others; zero for none. It was preferred by an answer not
// longer ago than Keep, and has been selected or preferred by each one since.
func (s *Selection) Preferred() wire.NodeID { return s.preferred }
