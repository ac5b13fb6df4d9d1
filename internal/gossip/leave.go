package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Leave tells all links that this node departs, and takes it out of its own members. The datagrams
// wait to be drained; sessions stay, so that late questions are answered, until the core is dropped.
func (c *Core) Leave(now time.Time) {
	c.now = now
	if !c.self.live() {
		return
	}
	c.self.State = wire.StateLeft
	c.members.bury(now, c.self)
	c.emitMember(EventLeave, c.self)
	c.memberChanged(now)
	c.spread(now, c.self, nil, flooded)
	c.flushNews(now)
	c.leaveLegacy(now)
	for _, p := range slices.Clone(c.links) {
		c.unlink(now, p)
	}
	c.subs.choice = c.subs.choice[:0]
}
