package node

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	coverageBatch  = 64                     // members asked in one round; most need a handshake first
	coverageRound  = 100 * time.Millisecond // between two rounds
	coverageRepeat = time.Second            // after which an unanswered question is sent again
)

// coverages are the Coverage calls in progress. They are owned by the loop.
type coverages struct {
	waiting map[*coverage]struct{}
}

// A coverage is one call of Coverage: which members have a broadcast. It is owned by the loop.
type coverage struct {
	id      wire.MessageID
	askedAt map[wire.NodeID]time.Time // when a member was last asked
	has     map[wire.NodeID]bool      // the answers
}

// ask asks members that have not answered and returns the number of those members. It does not ask legacy members.
func (q *coverage) ask(now time.Time, core *gossip.Core) (open int) {
	self, sent := core.Self().ID, 0
	q.has[self] = core.Has(q.id)
	core.Members(func(m *gossip.Member) {
		if _, ok := q.has[m.ID]; ok || m.Legacy() {
			return
		}
		open++
		if sent >= coverageBatch || now.Sub(q.askedAt[m.ID]) < coverageRepeat {
			return
		}
		sent++
		if core.SendMember(now, m.ID, wire.UseCoverage, q.id[:], now.Add(coverageRepeat)) == nil {
			q.askedAt[m.ID] = now
		}
	})
	return open
}

// answered records the answer of a member. It ignores an answer for which no call waits.
func (cs *coverages) answered(e *event.Event) {
	for q := range cs.waiting {
		if q.id == e.ID && !q.askedAt[e.From].IsZero() {
			q.has[e.From] = e.Has
		}
	}
}
