package node

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	coverageBatch  = 64                     // members that are asked in one round: most need a handshake first
	coverageRound  = 100 * time.Millisecond // between two rounds
	coverageRepeat = time.Second            // after which a member that has not answered is asked again
)

// coverages are the questions which members have a broadcast. Owned by the loop.
type coverages struct {
	waiting map[*coverage]struct{}
}

// A coverage is one such question. Owned by the loop.
type coverage struct {
	id    wire.MessageID
	asked map[wire.NodeID]time.Time // when a member was last asked
	has   map[wire.NodeID]bool      // the answers
}

// ask asks members that have not answered, and returns how many these are. Members that speak gwyh 0.1 are not asked.
func (q *coverage) ask(now time.Time, core *gossip.Core) (open int) {
	self, sent := core.Self().ID, 0
	q.has[self] = core.Has(q.id)
	core.Members(func(m *gossip.Member) {
		if _, ok := q.has[m.ID]; ok || m.Legacy() {
			return
		}
		open++
		if sent >= coverageBatch || now.Sub(q.asked[m.ID]) < coverageRepeat {
			return
		}
		sent++
		if core.SendMember(now, m.ID, wire.UseCoverage, q.id[:], now.Add(coverageRepeat)) == nil {
			q.asked[m.ID] = now
		}
	})
	return open
}

// answered takes in the answer of a member. Nobody may wait for it.
func (cs *coverages) answered(e *event.Event) {
	for q := range cs.waiting {
		if q.id == e.ID && !q.asked[e.From].IsZero() {
			q.has[e.From] = e.Has
		}
	}
}
