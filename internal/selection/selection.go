// Package selection keeps the application's answer about which members a node may choose for subscriptions and
// push/pulls. It is pure: time is an argument, and the owner of a Selection calls the application. It is one file.
package selection

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// Wait is how long a choice waits for the application. After that, members that the application has not judged
	// count as selected, because a blocked application must not keep its node out of the cluster.
	Wait = time.Second
	// Pause is the minimum time between two questions, unless the node has no link.
	Pause = 250 * time.Millisecond
	// Keep is how long a preferred member stays preferred although the application names another one. An application
	// may choose at random, and each change costs a link.
	Keep = 5 * time.Minute
)

// A Selection is the application's last answer, and the state of the next question. The zero Selection waits for the
// first answer if it is Used. It is not safe for concurrent use.
type Selection struct {
	Used bool // if false, the application is not asked and all members may be chosen

	askedAt  time.Time     // when the application was last asked
	version  uint64        // the version of the members in the last question
	pending  []wire.NodeID // the members of the unanswered question; nil if there is none
	answered bool

	judged    map[wire.NodeID]bool // the members of the last answer; true if selected
	latest    wire.NodeID          // the member that the last answer preferred; zero if there is none
	preferred wire.NodeID          // see Preferred
	since     time.Time            // when preferred was set
}

// Pending reports whether a question has no answer yet.
func (s *Selection) Pending() bool { return s.pending != nil }

// Due reports whether to ask the application now about the members of the given version. again is when to call Due
// again; zero means after the next change of the members. urgent is true if the node has no link.
func (s *Selection) Due(now time.Time, version uint64, urgent bool) (ask bool, again time.Time) {
	switch since := now.Sub(s.askedAt); {
	case !s.Used:
		return false, time.Time{}
	case s.Pending() && since < Wait:
		return false, s.askedAt.Add(Wait)
	case s.Pending(), s.answered && s.version == version:
		return false, time.Time{}
	case !urgent && since < Pause:
		return false, s.askedAt.Add(Pause)
	}
	return true, now.Add(Wait)
}

// Asked records that the application was asked about members, which include this node.
func (s *Selection) Asked(now time.Time, version uint64, members []wire.NodeID) {
	s.askedAt, s.version, s.pending = now, version, members
}

// Answered records the answer to the pending question. It ignores nodes that are not among the members of the question.
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

// Allows reports whether a member may be chosen. A member that the application was not asked about waits for the next
// answer, which normally follows at once.
func (s *Selection) Allows(now time.Time, id wire.NodeID) bool {
	if !s.Used {
		return true
	}
	allowed, judged := s.judged[id]
	overdue := s.Pending() && now.Sub(s.askedAt) >= Wait
	return allowed || !judged && overdue
}

// Latest returns the member that the last answer preferred, or zero if there is none.
func (s *Selection) Latest() wire.NodeID { return s.latest }

// Preferred returns the member to subscribe to before all others, or zero if there is none. An answer within the last
// Keep preferred it, and each answer since then has selected or preferred it.
func (s *Selection) Preferred() wire.NodeID { return s.preferred }
