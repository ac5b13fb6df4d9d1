package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what a newcomer is told of (docs/PROTOCOL.md, D6).
const (
	latelyMax   = 256              // small broadcasts
	latelyFor   = 3 * time.Second  // since they passed
	newcomerFor = 10 * time.Second // a member counts as one for so long
)

// lately is the small broadcasts that passed last. A node that joins gets the state of the applications
// before it has links: what was said in between would pass it by. So who gets a link with a newcomer announces
// to it what was said just before.
type lately struct {
	ring []passed // made with the first broadcast
	next int      // where the next one goes
}

// passed is one of them, as it lies in the arena.
type passed struct {
	id   wire.MessageID
	at   time.Time
	kept stored
}

func (l *lately) put(now time.Time, id *wire.MessageID, kept stored) {
	if l.ring == nil {
		l.ring = make([]passed, latelyMax)
	}
	l.ring[l.next] = passed{id: *id, at: now, kept: kept}
	l.next = (l.next + 1) % latelyMax
}

// welcome announces to a member that is new, or back, what was said lately.
func (c *Core) welcome(now time.Time, p *peer) {
	m := c.members.Get(p.id)
	if m == nil || p.legacy || now.Sub(m.Since) > newcomerFor {
		return
	}
	l := &c.lately
	for i := range l.ring {
		s := &l.ring[(l.next+i)%latelyMax]
		if s.at.IsZero() || now.Sub(s.at) > latelyFor {
			continue
		}
		if plain := c.arena.get(s.kept.off, int(s.kept.size)); plain != nil {
			c.tellLater(now, p, &smallMessage{plain: plain, off: s.kept.off}, &s.id)
		}
	}
}
